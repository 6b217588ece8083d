"""Train a token classifier on labelled passages and questions, and save the best state.

Data, model, loop, report, in this order. ``output`` receives ``log.jsonl`` and ``last/`` (for
resuming), ``best.safetensors``, ``metrics.json``, ``curve.svg`` and ``model/``, a Hugging Face
folder which ``export`` and ``evaluate`` read.

Axis letters: O outputs.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from thresher.errors import InputError
from thresher_train.align import split_words
from thresher_train.curve import write_curve
from thresher_train.data import label_focus, label_keep, mine_helpful, mine_negatives, read_rows
from thresher_train.embed import EmbeddingTable, embed_texts, sentence_texts
from thresher_train.encode import OUTPUTS, Batch, Labelled, Window, encode_query, encode_row
from thresher_train.loop import LoopConfig, has_types, is_softmax, run
from thresher_train.score import Forward, as_sigmoids, measure_outputs, word_scores

Head = Literal["sigmoids", "softmax"]


@dataclass(frozen=True)
class TrainConfig:
    """What to train on what.

    Attributes:
        output: Folder of the run; an interrupted run in it is resumed.
        base: Encoder or token classifier to start from: a folder or a hub id.
        passages: Files of passage rows for the keep output.
        questions: Files of question rows for the focus output.
        items: Files of question-answering items, to mine hard negatives from, and gold passages
            of questions that need several.
        validation_passages: Passage rows to validate on; without any, documents are split off.
        validation_questions: Question rows to validate on.
        validation_share: Share of the documents to split off.
        negatives: Hard negatives for each positive question row.
        embedding_teacher: Folder of a bi-encoder whose sentence embeddings are learnt as well.
        keep_teacher: Folder of a trained model (``model/`` of an earlier run) whose keep scores
            are learnt on rows with a question, so that one forward gives both outputs.
        head: ``sigmoids`` (keep and focus) or ``softmax`` (drop and keep, the paper's).
        window: Longest window in tokens.
        query_max_length: Longest question in tokens.
        dropout: Dropout of hidden states.
        loop: How to optimise.
    """

    output: Path
    base: str
    passages: tuple[Path, ...] = ()
    questions: tuple[Path, ...] = ()
    items: tuple[Path, ...] = ()
    validation_passages: tuple[Path, ...] = ()
    validation_questions: tuple[Path, ...] = ()
    validation_share: float = 0.05
    negatives: float = 1 / 3
    embedding_teacher: str = ""
    keep_teacher: str = ""
    head: Head = "sigmoids"
    window: int = 256
    query_max_length: int = 64
    dropout: float = 0.1
    loop: LoopConfig = field(default_factory=LoopConfig)


@dataclass(frozen=True)
class TrainReport:
    """What training reached.

    Attributes:
        model: The Hugging Face folder.
        steps: Optimiser steps done.
        windows: Training windows of each kind.
        tokens: Training tokens in an epoch.
        measures: Validation measures of the best state.
    """

    model: Path
    steps: int
    windows: Mapping[str, int]
    tokens: int
    measures: Mapping[str, float]


@dataclass(frozen=True)
class Corpus:
    """Rows to train and to validate on.

    Attributes:
        train: Training rows of both outputs, hard negatives included.
        validation: Validation rows of both outputs.
    """

    train: tuple[Labelled, ...]
    validation: tuple[Labelled, ...]


def train(config: TrainConfig) -> TrainReport:
    """Train, or go on with an interrupted run.

    Raises:
        InputError: There is nothing to train on or to validate on.
    """
    tokenizer = base_tokenizer(config.base)
    corpus = with_keep_targets(load_corpus(config), tokenizer, config)
    table = _embeddings(config, corpus)
    rows = None if table is None else table.rows
    windows = encode_rows(tokenizer, corpus.train, config, table=rows)
    if rows is not None:
        asked = dict.fromkeys(r.question for r in corpus.train if r.question is not None)
        windows += [encode_query(tokenizer, q, rows[q]) for q in asked]
    checked = encode_rows(tokenizer, corpus.validation, config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.loop.seed)
        model = base_model(config).to(config.loop.device)

    def evaluate(state: nn.Module) -> dict[str, float]:
        return validate(torch_forward(state), checked, corpus.validation)

    vectors = None if table is None else torch.from_numpy(table.vectors).to(config.loop.device)
    position = run(model, windows, evaluate, config.output, config.loop, vectors=vectors)
    return _finish(config, model, windows, evaluate, position.step)


def load_corpus(config: TrainConfig) -> Corpus:
    """Read and label all rows, mine negatives, and split by document where nothing is given.

    Raises:
        InputError: There is nothing to train on or to validate on.
    """
    keep = [label_keep(row) for path in config.passages for row in read_rows(path)]
    asked = [row for path in config.questions for row in read_rows(path)]
    focus = [label_focus(row) for row in asked] if config.head == "sigmoids" else []
    given = [label_keep(row) for path in config.validation_passages for row in read_rows(path)]
    for path in config.validation_questions:
        given += [label_focus(row) for row in read_rows(path)]
    if not keep and not focus:
        raise InputError("nothing to train on; give passages or questions")
    rng = np.random.default_rng(config.loop.seed)
    items = [item for path in config.items for item in read_rows(path)]
    negatives = mine_negatives(items, asked, count=round(config.negatives * len(focus)), rng=rng)
    rows = [*keep, *focus]
    if not given:
        rows, given = split_by_document(rows, config.validation_share, rng)
    held = {row.question for row in given if row.question is not None}
    mined = [*negatives, *(mine_helpful(items, asked) if focus else [])]
    rows += [row for row in mined if row.question not in held]
    if not rows or not given:
        raise InputError(
            f"got {len(rows)} rows to train on and {len(given)} to validate on; raise "
            "validation_share or give validation rows"
        )
    return Corpus(tuple(rows), tuple(given))


def with_keep_targets(corpus: Corpus, tokenizer: Any, config: TrainConfig) -> Corpus:
    """Give training rows with a question the keep scores of ``keep_teacher`` as targets."""
    if not config.keep_teacher:
        return corpus
    from transformers import AutoModelForTokenClassification

    model = AutoModelForTokenClassification.from_pretrained(config.keep_teacher)
    forward = torch_forward(model.float().eval().to(config.loop.device))
    texts = list(dict.fromkeys(r.text for r in corpus.train if r.question is not None))
    alone = [Labelled(t, t, t, None, np.zeros(len(split_words(t)), np.float32)) for t in texts]
    windows = encode_rows(tokenizer, alone, config)
    scores = dict(zip(texts, word_scores(forward, windows, alone, per_batch=8), strict=True))
    train = tuple(
        row if row.question is None else replace(row, keep=scores[row.text]) for row in corpus.train
    )
    return Corpus(train, corpus.validation)


def split_by_document(
    rows: Sequence[Labelled], share: float, rng: np.random.Generator
) -> tuple[list[Labelled], list[Labelled]]:
    """Split rows in two so that no document is in both parts."""
    documents = sorted({row.document for row in rows})
    size = min(len(documents) - 1, max(1, round(share * len(documents))))
    held = {documents[i] for i in rng.permutation(len(documents))[:size]}
    inside = [row for row in rows if row.document not in held]
    return inside, [row for row in rows if row.document in held]


def encode_rows(
    tokenizer: Any,
    rows: Sequence[Labelled],
    config: TrainConfig,
    *,
    table: Mapping[str, int] | None = None,
) -> list[Window]:
    """Cut all rows into windows."""
    return [
        window
        for index, row in enumerate(rows)
        for window in encode_row(
            tokenizer,
            row,
            index,
            window=config.window,
            query_max_length=config.query_max_length,
            table=table,
        )
    ]


def validate(
    forward: Forward, windows: Sequence[Window], rows: Sequence[Labelled], *, per_batch: int = 8
) -> dict[str, float]:
    """Score all rows and measure both outputs."""
    return measure_outputs(word_scores(forward, windows, rows, per_batch=per_batch), rows)


def torch_forward(model: nn.Module) -> Forward:
    """Return the logits function of a torch model, on its own device and in float32."""
    device = next(model.parameters()).device

    def forward(batch: Batch) -> NDArray[np.float32]:
        inputs = {"input_ids": batch.ids, "attention_mask": batch.mask}
        if has_types(model):
            inputs["token_type_ids"] = batch.types
        with torch.inference_mode():
            output = model(**{k: torch.from_numpy(v).to(device) for k, v in inputs.items()})
        logits = as_sigmoids(output.logits.float(), softmax=is_softmax(model))
        values: NDArray[np.float32] = logits.cpu().numpy()
        return values

    return forward


def base_tokenizer(base: str) -> Any:
    """Load the tokenizer of a folder or hub id, without truncation and padding."""
    from transformers import AutoTokenizer

    from thresher_train.export import load_tokenizer

    if (Path(base) / "tokenizer.json").is_file():
        return load_tokenizer(Path(base))
    tokenizer = AutoTokenizer.from_pretrained(base).backend_tokenizer
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def base_model(config: TrainConfig) -> Any:
    """Load the encoder with a fresh head (or the head of a token classifier of the same shape).

    Dropout of the attention weights is off: with it torch leaves its fast attention kernel.
    """
    from transformers import AutoConfig, AutoModelForTokenClassification

    names = list(OUTPUTS) if config.head == "sigmoids" else ["drop", "keep"]
    settings = AutoConfig.from_pretrained(
        config.base,
        num_labels=2,
        id2label=dict(enumerate(names)),
        label2id={name: i for i, name in enumerate(names)},
    )
    several = config.head == "sigmoids"
    settings.problem_type = "multi_label_classification" if several else None
    for name in ("attention_probs_dropout_prob", "attention_dropout"):
        if hasattr(settings, name):
            setattr(settings, name, 0.0)
    for name in ("hidden_dropout_prob", "embedding_dropout", "mlp_dropout"):
        if hasattr(settings, name):
            setattr(settings, name, config.dropout)
    return AutoModelForTokenClassification.from_pretrained(
        config.base, config=settings, dtype=torch.float32
    )


def _embeddings(config: TrainConfig, corpus: Corpus) -> EmbeddingTable | None:
    """Compute the teacher's table once a run; later runs in the same folder read it."""
    if not config.embedding_teacher:
        return None
    folder = config.output / "embeddings"
    if (folder / "texts.json").is_file():
        return EmbeddingTable.load(folder)
    passages = [row.text for row in corpus.train if row.question is None or row.keep is not None]
    asked = [row.question for row in corpus.train if row.question is not None]
    table = embed_texts(
        list(dict.fromkeys([*sentence_texts(passages), *asked])),
        Path(config.embedding_teacher),
        device=config.loop.device,
        progress=config.loop.progress,
    )
    table.save(folder)
    return table


def _finish(
    config: TrainConfig, model: Any, windows: Sequence[Window], evaluate: Any, steps: int
) -> TrainReport:
    """Go back to the best state and write the model folder, metrics and curve."""
    from safetensors.torch import load_file

    best = config.output / "best.safetensors"
    if best.is_file():
        model.load_state_dict(load_file(best))
    measures = evaluate(model.eval())
    save_model(config, model, config.output / "model")
    kinds = [("query", *OUTPUTS)[w.output + 1] for w in windows]
    report = TrainReport(
        model=config.output / "model",
        steps=steps,
        windows={name: kinds.count(name) for name in dict.fromkeys(kinds)},
        tokens=sum(len(w) for w in windows),
        measures=measures,
    )
    facts = {**asdict(report), "model": "model", "recipe": _recipe(config)}
    (config.output / "metrics.json").write_text(json.dumps(facts, indent=2) + "\n")
    write_curve(config.output / "log.jsonl", config.output / "curve.svg")
    return report


def save_model(config: TrainConfig, model: Any, folder: Path) -> None:
    """Write a Hugging Face folder with the ``thresher`` block in its config."""
    from transformers import AutoTokenizer

    trained = ["keep"] if config.passages else []
    trained += ["focus"] if config.questions and config.head == "sigmoids" else []
    model.config.thresher = {
        "window": config.window,
        "query_max_length": config.query_max_length,
        "outputs": trained,
        "activation": "sigmoid" if config.head == "sigmoids" else "softmax",
        "embedding": bool(config.embedding_teacher),
        "paired": bool(config.keep_teacher),
    }
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(str(folder))
    AutoTokenizer.from_pretrained(config.base).save_pretrained(str(folder))


def _recipe(config: TrainConfig) -> dict[str, Any]:
    """Return the settings that shaped the model, without paths."""
    loop = replace(config.loop, progress=False)
    names = ("negatives", "head", "window", "query_max_length", "dropout")
    return {**{name: getattr(config, name) for name in names}, **asdict(loop)}
