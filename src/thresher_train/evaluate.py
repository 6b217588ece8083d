"""Measure a model folder on held-out labels: word AUC, precision, int8 agreement, speed.

How good compressed prompts are for a reader is another question; this module looks at the
classifier alone.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from thresher.errors import InputError
from thresher_train.data import label_focus, label_keep, read_rows
from thresher_train.encode import encode_row
from thresher_train.export import INT8_FILE, load_tokenizer, onnx_forward, thresher_block
from thresher_train.metrics import agreement, spearman
from thresher_train.score import Forward, measure_outputs, word_scores
from thresher_train.train import torch_forward

Engine = Literal["onnx", "torch", "both"]

RATES = (0.25, 0.5, 0.75)
"""Rates at which two engines' decisions are compared."""


@dataclass(frozen=True)
class EvaluateConfig:
    """What to measure.

    Attributes:
        model: Folder that ``train`` or ``export`` wrote.
        passages: Files of passage rows for the keep output.
        questions: Files of question rows for the focus output.
        engine: ``onnx`` (int8), ``torch`` (float32) or ``both`` with their agreement.
    """

    model: Path
    passages: tuple[Path, ...] = ()
    questions: tuple[Path, ...] = ()
    engine: Engine = "onnx"


@dataclass(frozen=True)
class EvaluateReport:
    """What was measured.

    Attributes:
        measures: Word AUC and precision at the teacher's own rate, by engine.
        tokens_per_second: Model input tokens a second, one window a call, by engine.
        agreement: Share of words with the same decision in both engines, by rate.
        spearman: Rank correlation of both engines' word scores, None for one engine.
        words: Words measured.
    """

    measures: Mapping[str, Mapping[str, float]]
    tokens_per_second: Mapping[str, float]
    agreement: Mapping[str, float]
    spearman: float | None
    words: int


def evaluate(config: EvaluateConfig) -> EvaluateReport:
    """Measure a model, one window a call (see ``score.word_scores`` for why).

    Raises:
        InputError: No rows were given.
        FileNotFoundError: The folder holds no int8 graph and ``engine`` asks for it.
    """
    block, tokenizer = thresher_block(config.model), load_tokenizer(config.model)
    rows = [label_keep(row) for path in config.passages for row in read_rows(path)]
    for path in config.questions:
        rows += [label_focus(row) for row in read_rows(path)]
    if not rows:
        raise InputError("no rows to measure on; give passages or questions")
    encoded = partial(
        encode_row,
        tokenizer,
        window=int(block["window"]),
        query_max_length=int(block["query_max_length"]),
    )
    windows = [window for index, row in enumerate(rows) for window in encoded(row, index)]
    measures, speed, flat = {}, {}, {}
    for engine in ("onnx", "torch") if config.engine == "both" else (config.engine,):
        forward = _forward(config.model, engine)
        began = time.perf_counter()
        flat[engine] = word_scores(forward, windows, rows)
        speed[engine] = sum(map(len, windows)) / (time.perf_counter() - began)
        measures[engine] = measure_outputs(flat[engine], rows)
    alike: dict[str, float] = {}
    rank = None
    if config.engine == "both":
        pairs = list(zip(flat["onnx"], flat["torch"], strict=True))
        sizes = [len(a) for a, _ in pairs]
        for rate in RATES:
            shares = [agreement(a, b, rate) for a, b in pairs]
            alike[str(rate)] = float(np.average(shares, weights=sizes))
        rank = spearman(np.concatenate(flat["onnx"]), np.concatenate(flat["torch"]))
    return EvaluateReport(measures, speed, alike, rank, sum(len(row.targets) for row in rows))


evaluate_model = evaluate
"""The same function under a name that stands on its own when imported."""


def _forward(folder: Path, engine: str) -> Forward:
    if engine == "onnx":
        if not (folder / INT8_FILE).is_file():
            raise FileNotFoundError(
                f"{folder} holds no {INT8_FILE}; export the model first, or use engine torch"
            )
        return onnx_forward(folder / INT8_FILE)
    from transformers import AutoModelForTokenClassification

    model = AutoModelForTokenClassification.from_pretrained(str(folder))
    return torch_forward(model.float().eval())
