"""The entropy scorer and the rule-based methods, with a tiny random causal model."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from eval_toys import item, words

from causal_toy import tiny_causal
from thresher import Compressor
from thresher.errors import ModelError
from thresher.scoring.entropy import EntropyScorer
from thresher_eval import METHODS, Tools
from thresher_eval.measures import joined
from thresher_eval.readers import CausalReader

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_causal(tmp_path_factory.mktemp("causal"), [item().context()])


@pytest.fixture(scope="module")
def scorer(folder: Path) -> EntropyScorer:
    return EntropyScorer(folder)


def direct(scorer: EntropyScorer, ids: Any) -> np.ndarray:
    full = torch.as_tensor(np.r_[0, ids])[None]
    with torch.inference_mode():
        logits = torch.log_softmax(scorer._model(full).logits[0].float(), -1)
    return -logits[torch.arange(len(ids)), torch.as_tensor(ids)].numpy()


def test_surprise_is_the_negative_log_probability(scorer: EntropyScorer) -> None:
    ids = scorer.encode(item().context())
    expected = direct(scorer, ids)
    np.testing.assert_allclose(scorer.surprise(ids), expected, rtol=1e-3, atol=1e-3)
    split = scorer.surprise(ids[20:], before=ids[:20])
    np.testing.assert_allclose(split, expected[20:], rtol=1e-3, atol=1e-3)


def test_scoring_leaves_the_position(scorer: EntropyScorer) -> None:
    ids = scorer.encode("Ada Byron wrote engine number 3")
    reader = scorer.reader()
    first = reader.score(ids)
    np.testing.assert_allclose(reader.score(ids), first, rtol=1e-4, atol=1e-4)
    reader.extend(ids[:4])
    np.testing.assert_allclose(reader.score(ids[4:]), first[4:], rtol=1e-3, atol=1e-3)
    assert reader.best(ids[4:]).shape == ids[4:].shape
    assert len(reader.generate(3)) == 3


def test_long_texts_are_read_in_pieces(folder: Path) -> None:
    short = EntropyScorer(folder, max_length=32)
    ids = short.encode(item().context())
    found = short.surprise(ids, before=ids[:40])
    assert found.shape == ids.shape
    assert np.isfinite(found).all()
    plain = short.surprise(ids)
    np.testing.assert_allclose(plain[:31], direct(short, ids)[:31], rtol=1e-3, atol=1e-3)


def test_it_is_a_scorer_with_and_without_a_query(scorer: EntropyScorer) -> None:
    toy = item()
    compressor = Compressor(scorer, counter=words)
    plain = compressor.compress(toy.texts, ratio=0.5)
    asked = compressor.compress(toy.texts, query=toy.question, ratio=0.5)
    assert words(plain.text) <= plain.budget
    assert plain.text != asked.text
    assert len(scorer.fingerprint) == 24


@pytest.mark.parametrize("name", [n for n, e in METHODS.items() if e.family == "entropy"])
@pytest.mark.parametrize("budget", [60, 25, 9])
def test_rule_based_methods_meet_the_budget(scorer: EntropyScorer, name: str, budget: int) -> None:
    tools = Tools(words)
    tools.__dict__["language_model"] = scorer
    toy = item()
    kept = METHODS[name].build(tools)(toy, budget)
    assert 0 < words(joined(kept)) <= budget
    assert len({i for i, _ in kept}) == len(kept)


def test_a_folder_without_a_model_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="causal language model"):
        EntropyScorer(tmp_path)


def test_a_causal_reader_answers_and_says_how_likely(scorer: EntropyScorer) -> None:
    reader = CausalReader(scorer, longest=4)
    context = item().context()
    first = reader.look("Where?", context)
    assert len(first.tokens) <= 4
    assert first.answer == reader.answer("Where?", context)
    assert math.isnan(first.log_probability)
    assert math.isnan(first.agreement)
    found = reader.look("Where?", context, ["Sweden"], first.tokens)
    assert found.agreement == 1 or not first.tokens
    ids = scorer.encode(" Sweden")
    body, tail = reader.parts("Where?", context)
    expected = direct(scorer, np.r_[body, tail, ids])[-len(ids) :].mean()
    assert found.log_probability == pytest.approx(-expected, rel=1e-3)
    assert found.surprise == pytest.approx(direct(scorer, body).mean(), rel=1e-3)
