"""Measures over words: ranking quality (AUC) and precision at the teacher's own rate.

Axis letters: N words of all passages.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]


def auc(scores: NDArray[np.floating], positive: Bools) -> float:
    """Area under the ROC curve: the share of (positive, negative) pairs in the right order.

    Ties count one half. NaN where one of the classes is empty.

    Args:
        scores: Higher means more likely positive. Shape: (N,)
        positive: Which words are positive. Shape: (N,)
    """
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if not positives or not negatives:
        return float("nan")
    values, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    del values
    ends = np.cumsum(counts)
    rank = (ends - (counts - 1) / 2.0)[inverse]
    return float((rank[positive].sum() - positives * (positives + 1) / 2) / positives / negatives)


def kept_at_rate(scores: NDArray[np.floating], rate: float) -> Bools:
    """Keep the ``round(rate * N)`` best words; ties go to the earlier word. Shape: (N,)."""
    keep = np.zeros(len(scores), dtype=np.bool_)
    order = np.argsort(-scores, kind="stable")
    keep[order[: round(rate * len(scores))]] = True
    return keep


def precision_at_teacher_rate(scores: NDArray[np.floating], positive: Bools) -> float:
    """Share of right words when as many are kept as the teacher kept (equals recall)."""
    if not positive.any():
        return float("nan")
    keep = kept_at_rate(scores, float(positive.mean()))
    return float(positive[keep].mean()) if keep.any() else float("nan")


def agreement(first: NDArray[np.floating], second: NDArray[np.floating], rate: float) -> float:
    """Share of words which two score vectors keep or drop alike at a rate."""
    return float((kept_at_rate(first, rate) == kept_at_rate(second, rate)).mean())


def spearman(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Rank correlation of two score vectors (ties broken by position)."""
    rank = [np.argsort(np.argsort(x, kind="stable")).astype(np.float64) for x in (first, second)]
    centred = [r - r.mean() for r in rank]
    scale = np.sqrt((centred[0] ** 2).sum() * (centred[1] ** 2).sum())
    return float((centred[0] * centred[1]).sum() / scale)
