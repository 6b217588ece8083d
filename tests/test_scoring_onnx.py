"""OnnxScorer with the bundled model, and what bad folders say."""

from __future__ import annotations

import json
import pickle
import random
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from conftest import CORPUS
from thresher.errors import InputError, ModelError, ScorerError, ThresherError
from thresher.scoring import Scorer, load_scorer
from thresher.scoring.checkpoint import BUNDLED
from thresher.scoring.onnx import OnnxScorer
from thresher.types import Window
from thresher.windows import Frame, encode

SMALL = BUNDLED / "small"
pytestmark = pytest.mark.skipif(
    not any(SMALL.glob("*.onnx")), reason="the bundled model is not in this checkout"
)


@pytest.fixture(scope="module")
def scorer() -> OnnxScorer:
    return OnnxScorer(SMALL)


def windows(scorer: Scorer, texts: list[str]) -> list[Window]:
    frame = Frame.single(scorer.tokenizer)
    out = []
    for index, tokens in enumerate(encode(scorer.tokenizer, texts)):
        ids = np.asarray([*frame.before, *tokens.ids[:500], *frame.after], dtype=np.int64)
        out.append(Window(index, ids, np.zeros_like(ids), 1, len(ids) - 1, 0))
    return out


@pytest.fixture(scope="module")
def given(scorer: OnnxScorer) -> list[Window]:
    return windows(scorer, [*CORPUS, "", " ".join(CORPUS) * 3, "word " * 400])


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the bundled folder without the large safetensors."""
    return Path(
        shutil.copytree(SMALL, tmp_path / "m", ignore=shutil.ignore_patterns("*.safetensors"))
    )


def same(a: list, b: list) -> None:  # type: ignore[type-arg]
    assert len(a) == len(b)
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x.keep, y.keep)


def test_scores_are_probabilities_one_a_token(scorer: OnnxScorer, given: list[Window]) -> None:
    found = scorer.score(given)
    for window, scores in zip(given, found, strict=True):
        assert scores.keep.shape == (len(window),)
        assert scores.keep.dtype == np.float32
        assert 0 <= scores.keep.min() <= scores.keep.max() <= 1
    assert np.concatenate([s.keep for s in found]).std() > 0.05


def test_scores_do_not_depend_on_the_batch(scorer: OnnxScorer, given: list[Window]) -> None:
    expected = scorer.score(given)
    same(expected, [scorer.score([w])[0] for w in given])
    order = random.Random(1).sample(range(len(given)), len(given))
    shuffled = scorer.score([given[i] for i in order])
    same([expected[i] for i in order], shuffled)
    same(expected + expected, scorer.score(given * 2))


def test_scores_do_not_depend_on_threads(scorer: OnnxScorer, given: list[Window]) -> None:
    expected = scorer.score(given)
    same(expected, OnnxScorer(SMALL, threads=1).score(given))
    same(expected, OnnxScorer(SMALL, threads=4).score(given))
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: scorer.score(given), range(4)):
            same(expected, found)


def test_a_pickled_scorer_gives_the_same(scorer: OnnxScorer, given: list[Window]) -> None:
    again = pickle.loads(pickle.dumps(scorer))
    same(scorer.score(given), again.score(given))
    assert again.fingerprint == scorer.fingerprint


def test_a_pickled_scorer_remembers_its_settings(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    names = {str(i): name for i, name in enumerate(["A", "B"][: len(config["id2label"])])}
    (copy / "config.json").write_text(json.dumps({**config, "id2label": names}))
    scorer = OnnxScorer(copy, keep_label="A", threads=3)
    again = pickle.loads(pickle.dumps(scorer))
    assert (again.threads, again.checkpoint.keep) == (3, scorer.checkpoint.keep)


def test_no_windows_no_scores(scorer: OnnxScorer) -> None:
    assert scorer.score([]) == []


def test_the_bundled_name_and_the_folder_are_one_model(scorer: OnnxScorer) -> None:
    by_name = load_scorer("small", engine="onnx")
    assert isinstance(by_name, OnnxScorer)
    assert (
        by_name.fingerprint == scorer.fingerprint == load_scorer(SMALL, engine="onnx").fingerprint
    )
    assert isinstance(scorer, Scorer)


def test_fingerprint_follows_the_files(scorer: OnnxScorer, copy: Path) -> None:
    assert OnnxScorer(copy).fingerprint == scorer.fingerprint
    text = (copy / "tokenizer.json").read_text()
    (copy / "tokenizer.json").write_text(text.replace('"lowercase":true', '"lowercase":false'))
    assert OnnxScorer(copy).fingerprint != scorer.fingerprint


def test_which_label_is_read_changes_the_fingerprint(copy: Path) -> None:
    if OnnxScorer(copy).checkpoint.focus is None:
        pytest.skip("the bundled model has one output")
    assert OnnxScorer(copy, keep_label=1).fingerprint != OnnxScorer(copy).fingerprint


def test_int8_orders_tokens_as_the_full_model_does(scorer: OnnxScorer, given: list[Window]) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    pytest.importorskip("transformers", reason="transformers is not installed")
    if not any(SMALL.glob("*.safetensors")):
        pytest.skip("the full weights are not in this checkout")
    from thresher.scoring.torch import TorchScorer

    prose = [w for w in given if len(set(w.ids.tolist())) > 8]  # not one word over and over
    full = TorchScorer(SMALL, device="cpu", dtype="float32")
    a, b = (np.concatenate([x.keep for x in s.score(prose)]) for s in (scorer, full))
    ranks = [np.argsort(np.argsort(x)) for x in (a, b)]
    assert np.corrcoef(*ranks)[0, 1] > 0.97


def test_a_window_that_is_too_long_says_so(scorer: OnnxScorer) -> None:
    ids = np.full(scorer.max_length + 60, 2000, dtype=np.int64)
    with pytest.raises(ScorerError, match=f"the model takes {scorer.max_length}"):
        scorer.score([Window(0, ids, np.zeros_like(ids), 1, len(ids) - 1, 0)])


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda f: (f / "config.json").unlink(), "config.json"),
        (lambda f: (f / "config.json").write_text("{"), "config.json"),
        (lambda f: (f / "config.json").write_text("[1]"), "config.json"),
        (
            lambda f: (f / "config.json").write_text('{"id2label": {"0": "A", "1": "B"}}'),
            "keep_label",
        ),
        (lambda f: (f / "tokenizer.json").write_text("{}"), "tokenizer"),
        (lambda f: [p.unlink() for p in f.glob("*.onnx")], "export"),
        (lambda f: [p.write_bytes(b"no model") for p in f.glob("*.onnx")], "ONNX Runtime"),
    ],
)
def test_bad_folders_name_the_file_and_the_remedy(copy: Path, spoil, says: str) -> None:  # type: ignore[no-untyped-def]
    spoil(copy)
    with pytest.raises(ThresherError, match=says):
        load_scorer(copy, engine="onnx")


def test_no_such_model_lists_the_bundled_ones() -> None:
    with pytest.raises(ModelError, match="small"):
        load_scorer("no-such-model")
    with pytest.raises(InputError, match="engine is"):
        load_scorer("small", engine="tpu")  # type: ignore[arg-type]
