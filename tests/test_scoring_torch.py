"""TorchScorer on tiny random models of four families."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import CORPUS, FAMILIES
from thresher import Compressor
from thresher.batching import batches
from thresher.errors import InputError, ModelError, ScorerError, TokenizerError
from thresher.scoring import load_scorer
from thresher.types import Window
from thresher.windows import Frame, encode

torch = pytest.importorskip("torch", reason="torch is not installed (pip install thresher[torch])")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")

from thresher.scoring.torch import TorchScorer  # noqa: E402

SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
}
MODELS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "bert": ("Bert", "wordpiece", {"pad_token_id": 0}),
    "xlm-r": (
        "XLMRoberta",
        "unigram",
        {"pad_token_id": 1, "max_position_embeddings": 514, "type_vocab_size": 1},
    ),
    "modernbert": (
        "ModernBert",
        "byte_level",
        {"pad_token_id": 2, "bos_token_id": 0, "eos_token_id": 1}
        | {"cls_token_id": 0, "sep_token_id": 1, "reference_compile": False},
    ),
    "deberta-v2": (
        "DebertaV2",
        "unigram",
        {"pad_token_id": 1, "relative_attention": True, "pos_att_type": ["p2c", "c2p"]}
        | {"position_buckets": 16, "type_vocab_size": 0},
    ),
}


def make(folder: Path, family: str, **changes: Any) -> Path:
    """Save a tiny random token classifier with a tokenizer of its family."""
    name, toy, extra = MODELS[family]
    tokenizer = FAMILIES[toy]()
    config = getattr(transformers, f"{name}Config")(
        vocab_size=tokenizer.get_vocab_size(),
        id2label={0: "drop", 1: "keep"},
        label2id={"drop": 0, "keep": 1},
        **{**SMALL, **extra, **changes},
    )
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = getattr(transformers, f"{name}ForTokenClassification")(config)
        for parameter in model.parameters():
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=0.2)
    model.eval().save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture(scope="module", params=sorted(MODELS))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("torch") / request.param, request.param)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("torch") / "bert", "bert")


def windows(scorer: TorchScorer) -> list[Window]:
    frame = Frame.single(scorer.tokenizer)
    out = []
    for index, tokens in enumerate(encode(scorer.tokenizer, CORPUS)):
        ids = np.asarray([*frame.before, *tokens.ids, *frame.after], dtype=np.int64)
        first, last = len(frame.before), len(frame.before) + len(tokens)
        out.append(Window(index, ids, np.zeros_like(ids), first, last, 0))
    return out


def batch_as_a_gpu(scorer: TorchScorer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batch by token count, which a CPU otherwise does not."""

    def grouped(given: Any, *, tokens: int, pad_id: int) -> Any:
        assert tokens == 1
        return batches(given, tokens=scorer.batch_tokens, pad_id=pad_id)

    monkeypatch.setattr("thresher.scoring.torch.batches", grouped)


def test_scores_are_those_of_transformers(folder: Path) -> None:
    scorer = TorchScorer(folder, device="cpu")
    given = windows(scorer)
    model = transformers.AutoModelForTokenClassification.from_pretrained(folder).eval()
    spread = []
    for window, scores in zip(given, scorer.score(given), strict=True):
        with torch.inference_mode():
            logits = model(input_ids=torch.from_numpy(window.ids)[None]).logits[0]
        direct = torch.softmax(logits.float(), dim=-1)[:, 1].numpy()
        assert scores.keep.dtype == np.float32
        np.testing.assert_allclose(scores.keep, direct, atol=2e-6)
        spread.append(float(direct.std()))
    assert max(spread) > 0.01


def test_batches_on_an_accelerator_give_the_same_scores(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = TorchScorer(folder, device="cpu")
    alone = scorer.score(windows(scorer))
    batch_as_a_gpu(scorer, monkeypatch)
    together = scorer.score(windows(scorer))
    for a, b in zip(alone, together, strict=True):
        np.testing.assert_allclose(a.keep, b.keep, atol=1e-5)


def test_out_of_memory_halves_the_batch_and_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = TorchScorer(folder, device="cpu")
    expected = scorer.score(windows(scorer))
    batch_as_a_gpu(scorer, monkeypatch)
    rows: list[int] = []
    inner = scorer._forward_once

    def tight(batch: Any, hidden: bool) -> Any:
        rows.append(batch.ids.shape[0])
        if batch.ids.shape[0] > 2:
            raise torch.OutOfMemoryError("no memory left")
        return inner(batch, hidden)

    monkeypatch.setattr(scorer, "_forward_once", tight)
    before = scorer.batch_tokens
    found = scorer.score(windows(scorer))
    assert rows[0] == len(CORPUS)
    assert min(rows) <= 2
    assert scorer.batch_tokens < before
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(a.keep, b.keep, atol=1e-5)


def test_out_of_memory_on_a_single_window_says_what_to_do(
    bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = TorchScorer(bert, device="cpu")

    def full(*_: Any) -> Any:
        raise torch.OutOfMemoryError("no memory left")

    monkeypatch.setattr(scorer, "_forward_once", full)
    with pytest.raises(ScorerError, match=r"one window of \d+ tokens; use a smaller"):
        scorer.score(windows(scorer)[:1])


def test_cpu_scores_do_not_depend_on_neighbours(folder: Path) -> None:
    scorer = TorchScorer(folder, device="cpu")
    given = windows(scorer)
    together = scorer.score(given)
    for window, scores in zip(given, together, strict=True):
        np.testing.assert_array_equal(scorer.score([window])[0].keep, scores.keep)


def test_no_windows_no_scores(bert: Path) -> None:
    assert TorchScorer(bert, device="cpu").score([]) == []


def test_lengths_and_labels_are_read_from_the_config(folder: Path) -> None:
    scorer = TorchScorer(folder, device="cpu")
    expected = {"modernbert": 8192}.get(folder.name, 512)
    assert scorer.max_length == expected
    assert scorer.checkpoint.keep == 1
    assert not scorer.query_aware


def test_a_longest_window_is_scored(folder: Path) -> None:
    scorer = TorchScorer(folder, device="cpu")
    ids = np.full(512, 5, dtype=np.int64)
    window = Window(0, ids, np.zeros_like(ids), 1, 511, 0)
    assert scorer.score([window])[0].keep.shape == (512,)


def test_labels_that_say_nothing_need_keep_label(tmp_path: Path) -> None:
    labels = {"id2label": {0: "A", 1: "B"}, "label2id": {"A": 0, "B": 1}}
    made = make(tmp_path / "m", "bert")
    config = json.loads((made / "config.json").read_text())
    (made / "config.json").write_text(json.dumps({**config, **labels}))
    with pytest.raises(ModelError, match="keep_label="):
        TorchScorer(made, device="cpu")
    by_index = TorchScorer(made, device="cpu", keep_label=0)
    by_name = TorchScorer(made, device="cpu", keep_label="A")
    given = windows(by_index)
    for a, b in zip(by_index.score(given), by_name.score(given), strict=True):
        np.testing.assert_array_equal(a.keep, b.keep)
    with pytest.raises(ModelError, match="not among the labels"):
        TorchScorer(made, device="cpu", keep_label="C")


def test_load_scorer_takes_torch_where_there_is_no_onnx(bert: Path) -> None:
    scorer = load_scorer(bert)
    assert isinstance(scorer, TorchScorer)
    result = Compressor(scorer).compress(CORPUS, budget=60)
    assert result.tokens <= 60


def test_fingerprint_follows_weights_and_number_format(tmp_path: Path, bert: Path) -> None:
    other = make(tmp_path / "other", "bert", num_hidden_layers=1)
    first = TorchScorer(bert, device="cpu").fingerprint
    assert first == TorchScorer(bert, device="cpu").fingerprint
    assert first != TorchScorer(bert, device="cpu", dtype="bfloat16").fingerprint
    assert first != TorchScorer(other, device="cpu").fingerprint


def test_bfloat16_is_close(bert: Path) -> None:
    exact, rough = (TorchScorer(bert, device="cpu", dtype=d) for d in ("float32", "bfloat16"))
    for a, b in zip(exact.score(windows(exact)), rough.score(windows(rough)), strict=True):
        assert b.keep.dtype == np.float32
        np.testing.assert_allclose(a.keep, b.keep, atol=0.1)


def test_weights_that_are_missing_are_an_error(tmp_path: Path) -> None:
    made = make(tmp_path / "m", "bert")
    (made / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="safetensors"):
        TorchScorer(made, device="cpu")


def test_a_model_without_a_token_head_is_an_error(tmp_path: Path) -> None:
    made = make(tmp_path / "m", "bert")
    config = transformers.BertConfig.from_pretrained(made)
    with torch.random.fork_rng():
        transformers.BertModel(config).save_pretrained(made)
    with pytest.raises(ModelError, match="token classification head"):
        TorchScorer(made, device="cpu")


def test_a_tokenizer_of_another_model_is_an_error(tmp_path: Path) -> None:
    made = make(tmp_path / "m", "bert")
    FAMILIES["byte_level"]().save(str(made / "tokenizer.json"))
    config = json.loads((made / "config.json").read_text())
    (made / "config.json").write_text(json.dumps({**config, "vocab_size": 100}))
    with pytest.raises(TokenizerError, match="do not belong together"):
        TorchScorer(made, device="cpu")


def test_batch_tokens_must_be_positive(bert: Path) -> None:
    with pytest.raises(InputError, match="batch_tokens is 0"):
        TorchScorer(bert, device="cpu", batch_tokens=0)
