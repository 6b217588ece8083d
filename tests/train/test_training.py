"""Train, resume, export and evaluate a tiny random BERT for real."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra (torch)")
pytest.importorskip("transformers", reason="needs the train extra (transformers)")
onnxruntime = pytest.importorskip("onnxruntime")

from toy_training import passage_row, question_row, write_lines  # noqa: E402

from thresher_train import recipes  # noqa: E402
from thresher_train.evaluate import EvaluateConfig, evaluate  # noqa: E402
from thresher_train.export import ExportConfig, GateError, export  # noqa: E402
from thresher_train.loop import (  # noqa: E402
    LoopConfig,
    passage_loss,
    pool_sentences,
    rate_at,
    token_loss,
)
from thresher_train.train import (  # noqa: E402
    TrainConfig,
    base_model,
    base_tokenizer,
    load_corpus,
    train,
    with_keep_targets,
)

LOOP = LoopConfig(epochs=6, tokens_per_batch=400, learning_rate=3e-3, checks_per_epoch=1)


@pytest.fixture
def config(tiny_bert: Path, passage_file: Path, question_file: Path, tmp_path: Path) -> TrainConfig:
    return TrainConfig(
        output=tmp_path / "run",
        base=str(tiny_bert),
        passages=(passage_file,),
        questions=(question_file,),
        validation_share=0.2,
        loop=LOOP,
    )


def test_training_learns_and_writes_a_loadable_model(config: TrainConfig, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="needs the train extra (onnx)")
    state = torch.random.get_rng_state()
    report = train(config)
    assert torch.equal(state, torch.random.get_rng_state())
    assert report.measures["light_auc"] > 0.9
    assert report.windows["focus"] > 0
    facts = json.loads((config.output / "metrics.json").read_text())
    assert facts["measures"] == report.measures
    assert (config.output / "curve.svg").read_text().startswith("<svg")
    check = write_lines(tmp_path / "dev.jsonl", [passage_row(i) for i in range(12)])
    asked = write_lines(tmp_path / "q.jsonl", [question_row(i) for i in range(12)])
    written = export(
        ExportConfig(
            report.model, tmp_path / "out", check=check, data=(check,),
            minimum_agreement=0.5, maximum_auc_loss=0.2,
        )
    )  # fmt: skip
    assert written.gate is not None
    assert {"model.int8.onnx", "model.safetensors", "config.json", "README.md"} <= set(
        written.bytes
    )
    assert "word AUC" in (tmp_path / "out" / "README.md").read_text()
    found = evaluate(EvaluateConfig(tmp_path / "out", (check,), (asked,), engine="both"))
    torch_auc, onnx_auc = (found.measures[e]["light_auc"] for e in ("torch", "onnx"))
    assert torch_auc == pytest.approx(onnx_auc, abs=0.1)
    assert found.agreement["0.5"] > 0.5
    with pytest.raises(GateError, match="expected at least"):
        export(ExportConfig(report.model, tmp_path / "no", check=check, minimum_agreement=1.01))
    assert not (tmp_path / "no").exists()


def test_exported_model_compresses(config: TrainConfig, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="needs the train extra (onnx)")
    from thresher import Compressor

    report = train(replace(config, loop=replace(LOOP, epochs=1)))
    export(ExportConfig(report.model, tmp_path / "out"))
    text = passage_row(3)["text"]
    result = Compressor(tmp_path / "out").compress([text] * 3, budget=60)
    assert result.tokens <= 60


def test_an_interrupted_run_ends_where_a_whole_one_does(config: TrainConfig) -> None:
    config = replace(config, dropout=0.0, questions=())
    short = replace(LOOP, epochs=2, schedule="constant")
    whole = train(replace(config, loop=short))
    first = replace(config, output=config.output.with_name("half"))
    train(replace(first, loop=replace(short, epochs=1)))
    again = train(replace(first, loop=short))
    assert again.steps == whole.steps
    assert again.measures["light_auc"] == pytest.approx(whole.measures["light_auc"], abs=0.02)
    log = (first.output / "log.jsonl").read_text().splitlines()
    steps = [json.loads(line)["step"] for line in log]
    assert steps == sorted(set(steps))


def test_early_stopping(config: TrainConfig) -> None:
    loop = replace(LOOP, epochs=50, learning_rate=0.0, patience=2)
    report = train(replace(config, loop=loop))
    lines = (config.output / "log.jsonl").read_text().splitlines()
    assert len(lines) == 3
    assert report.steps < 50


def test_embeddings_are_learnt_beside(config: TrainConfig) -> None:
    teacher = str(config.base)
    report = train(replace(config, embedding_teacher=teacher, loop=replace(LOOP, epochs=2)))
    lines = [json.loads(x) for x in (config.output / "log.jsonl").read_text().splitlines()]
    assert lines[-1]["loss"]["embedding"] < 0.9
    assert report.windows["query"] > 0
    settings = json.loads((report.model / "config.json").read_text())
    assert settings["thresher"]["embedding"] is True
    assert settings["thresher"]["outputs"] == ["keep", "focus"]


def test_keep_scores_are_learnt_on_questions_too(config: TrainConfig) -> None:
    first = train(replace(config, questions=(), loop=replace(LOOP, epochs=2)))
    second = replace(
        config, output=config.output.with_name("both"), base=str(first.model),
        keep_teacher=str(first.model), embedding_teacher=str(config.base),
    )  # fmt: skip
    corpus = with_keep_targets(load_corpus(second), base_tokenizer(second.base), second)
    asked = [row for row in corpus.train if row.question is not None]
    assert all(row.keep is not None and len(row.keep) == len(row.targets) for row in asked)
    report = train(replace(second, loop=replace(LOOP, epochs=1)))
    settings = json.loads((report.model / "config.json").read_text())
    assert settings["thresher"]["paired"] is True


def test_passage_loss_asks_for_some_words_of_the_passage() -> None:
    helps = torch.tensor([[False, True, True, True], [False] * 4])
    logits = torch.tensor([[9.0, 2.0, -4.0, 2.0], [9.0] * 4], requires_grad=True)
    loss = passage_loss(logits, helps, best=2)
    assert loss.item() == pytest.approx(float(np.log1p(np.exp(-2.0))), abs=1e-6)
    loss.backward()
    assert logits.grad is not None
    assert (logits.grad != 0).tolist() == [[False, True, False, True], [False] * 4]


def test_the_papers_recipe(config: TrainConfig) -> None:
    paper = recipes.llmlingua2(config)
    assert paper.loop.tokens_per_batch == 5120
    assert paper.loop.learning_rate == 1e-5
    small = replace(paper, window=128, loop=replace(paper.loop, epochs=1.0, tokens_per_batch=400))
    report = train(small)
    settings = json.loads((report.model / "config.json").read_text())
    assert settings["id2label"] == {"0": "drop", "1": "keep"}
    assert settings["thresher"]["activation"] == "softmax"
    assert "focus_auc" not in report.measures


def test_documents_are_never_on_both_sides(config: TrainConfig) -> None:
    corpus = load_corpus(config)
    train_side = {row.document for row in corpus.train}
    validation = {row.document for row in corpus.validation}
    assert not train_side & validation
    assert any(row.question for row in corpus.validation)


def test_nothing_to_train_on(config: TrainConfig) -> None:
    with pytest.raises(ValueError, match="nothing to train on"):
        train(replace(config, passages=(), questions=()))


def test_the_softmax_difference_is_the_softmax(config: TrainConfig) -> None:
    logits = torch.randn(2, 5, 2)
    target = torch.randint(0, 2, (2, 5)).float()
    expected = torch.nn.functional.cross_entropy(logits.reshape(-1, 2), target.long().reshape(-1))
    difference = logits[..., 1:] - logits[..., :1]
    found = token_loss(difference, target[..., None], torch.ones(2, 5, 1))
    assert found == pytest.approx(float(expected), abs=1e-6)


def test_attention_dropout_is_off(config: TrainConfig) -> None:
    model = base_model(replace(config, dropout=0.3))
    assert model.config.attention_probs_dropout_prob == 0.0
    assert model.config.hidden_dropout_prob == 0.3
    assert model.config.id2label == {0: "keep", 1: "focus"}


def test_rates_rise_and_fall() -> None:
    rates = [rate_at(LoopConfig(learning_rate=1.0), s, 100) for s in range(100)]
    assert max(rates) == pytest.approx(1.0)
    assert rates[0] == pytest.approx(0.1)
    assert rates[-1] < 0.001
    assert rate_at(LoopConfig(schedule="constant", learning_rate=0.5), 99, 100) == 0.5


def test_pooling_is_the_mean_of_the_tokens() -> None:
    hidden = torch.randn(2, 7, 4)
    pooled = pool_sentences(hidden, torch.tensor([[0, 1, 3], [1, 0, 7]]))
    expected = torch.stack([hidden[0, 1:3].mean(0), hidden[1].mean(0)])
    expected = torch.nn.functional.normalize(expected, dim=-1)
    assert np.allclose(pooled, expected, atol=1e-6)
