"""Merge the labels that several teachers gave to the same passages, and report their agreement.

Axis letters: U words, K teachers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher.errors import InputError

LABEL_FIELDS = ("labels", "focus_labels")
"""Fields of labelled rows that hold one label a word."""


@dataclass(frozen=True)
class Agreement:
    """How alike teachers label, over all pairs of teachers and all words they share.

    Attributes:
        rows: Rows with more than one teacher.
        same: Share of words with the same label.
        kappa: Cohen's kappa of "kept at all" (label above 0): 0 by chance, 1 for identical.
    """

    rows: int
    same: float
    kappa: float


def merge_labels(labels: Sequence[Sequence[float]]) -> list[float]:
    """Mean label of each word. Shapes: K times (U,) to (U,).

    Raises:
        InputError: The teachers labelled different numbers of words.
    """
    sizes = {len(values) for values in labels}
    if len(sizes) != 1:
        raise InputError(
            f"teachers labelled {sorted(sizes)} words of one passage; the same id must stand for "
            "the same text in every file"
        )
    mean = np.mean(np.asarray(labels, dtype=np.float64), axis=0)
    return [int(value) if value == int(value) else round(float(value), 4) for value in mean]


def merge_rows(rows: Iterable[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], Agreement | None]:
    """Join labelled rows with the same id, text and question.

    Returns:
        One row an id in order of first appearance (``teachers`` says how many labelled it), and
        the agreement, None where no row has two teachers.
    """
    groups: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        key = (str(row["id"]), str(row["text"]), str(row.get("question", "")))
        groups.setdefault(key, []).append(row)
    merged, pairs, shared = [], [], 0
    for group in groups.values():
        row = dict(group[0])
        for name in LABEL_FIELDS:
            values = [other[name] for other in group if name in other]
            if values:
                row[name] = merge_labels(values)
                pairs += list(combinations(values, 2))
        if len(group) > 1:
            row["teachers"] = len(group)
            shared += 1
        merged.append(row)
    return merged, _agreement(pairs, shared) if pairs else None


def _agreement(pairs: Sequence[tuple[Sequence[float], Sequence[float]]], rows: int) -> Agreement:
    first = np.concatenate([np.asarray(a, dtype=np.float64) for a, _ in pairs])
    second = np.concatenate([np.asarray(b, dtype=np.float64) for _, b in pairs])
    return Agreement(rows, float((first == second).mean()), kappa(first > 0, second > 0))


def kappa(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Cohen's kappa of two yes/no labellings; 1 where both are constant and equal."""
    observed = float((first == second).mean())
    p, q = float(first.mean()), float(second.mean())
    chance = p * q + (1 - p) * (1 - q)
    return 1.0 if chance == 1.0 else (observed - chance) / (1 - chance)
