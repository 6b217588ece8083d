"""Score the words of labelled rows with a model, and measure the scores against the labels.

Axis letters: U words of a row, N words of all rows, T tokens, O outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher.errors import InputError
from thresher_train.encode import NO_WORD, OUTPUTS, Batch, Labelled, Window, make_batch
from thresher_train.metrics import auc, precision_at_teacher_rate

Forward = Callable[[Batch], NDArray[np.float32]]
"""Logits of a batch, one sigmoid each. Shape: (B, T, O)."""


def as_sigmoids(logits: Any, *, softmax: bool) -> Any:
    """Turn the two logits of a (drop, keep) softmax into the one of the equal sigmoid.

    Args:
        logits: Array or tensor. Shape: (B, T, 2)
        softmax: Whether the two columns belong to one softmax; otherwise nothing is done.

    Returns:
        Shape: (B, T, 1) for a softmax, else as given.
    """
    return logits[..., 1:] - logits[..., :1] if softmax else logits


def word_scores(
    forward: Forward, windows: Sequence[Window], rows: Sequence[Labelled], *, per_batch: int = 1
) -> list[NDArray[np.float32]]:
    """Mean probability of each word's tokens, for the output each window was built for.

    Args:
        forward: Runs the model.
        windows: Windows of the rows.
        rows: The rows the windows were cut from.
        per_batch: Windows a call. Dynamically quantised models take their scales from the whole
            call, so that only 1 makes scores independent of the neighbours.

    Returns:
        One array a row. Shape of each: (U,)
    """
    sums = [np.zeros(len(row.targets)) for row in rows]
    counts = [np.zeros(len(row.targets)) for row in rows]
    order = sorted(range(len(windows)), key=lambda i: len(windows[i]))
    for at in range(0, len(order), per_batch):
        chosen = [windows[i] for i in order[at : at + per_batch]]
        logits = forward(make_batch(chosen)).astype(np.float32)
        probability = 0.5 * (1.0 + np.tanh(0.5 * logits))
        for b, window in enumerate(chosen):
            inside = np.flatnonzero(window.word != NO_WORD)
            words = window.word[inside]
            np.add.at(sums[window.row], words, probability[b, inside, window.output])
            np.add.at(counts[window.row], words, 1.0)
    return [(s / np.maximum(c, 1.0)).astype(np.float32) for s, c in zip(sums, counts, strict=True)]


def measure(
    scores: Sequence[NDArray[np.float32]], rows: Sequence[Labelled], *, output: str
) -> dict[str, float]:
    """Word AUC and precision at the teacher's own rate over all rows of one output."""
    if output not in OUTPUTS:
        raise InputError(f"got output {output!r}, expected one of {OUTPUTS}")
    flat = np.concatenate(scores)
    target = np.concatenate([row.targets for row in rows])
    if output == "focus":
        positive = target >= 0.5
        return {
            "focus_auc": auc(flat, positive),
            "focus_precision": precision_at_teacher_rate(flat, positive),
        }
    light, tight = target >= 0.25, target >= 0.75
    return {
        "light_auc": auc(flat, light),
        "tight_auc": auc(flat, tight),
        "light_precision": precision_at_teacher_rate(flat, light),
        "tight_precision": precision_at_teacher_rate(flat, tight),
    }


def measure_outputs(
    scores: Sequence[NDArray[np.float32]], rows: Sequence[Labelled]
) -> dict[str, float]:
    """Measure both outputs on their own rows; ``score`` is the mean of the AUCs that exist."""
    measures: dict[str, float] = {}
    for output, name in enumerate(OUTPUTS):
        chosen = [i for i, row in enumerate(rows) if (row.question is not None) == bool(output)]
        if chosen:
            measures |= measure([scores[i] for i in chosen], [rows[i] for i in chosen], output=name)
    aucs = [v for k, v in measures.items() if k.endswith("_auc") and not np.isnan(v)]
    return {**measures, "score": float(np.mean(aucs)) if aucs else 0.0}
