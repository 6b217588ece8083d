"""Measures of one compressed context or one answer, and means with confidence intervals.

Answer measures follow the SQuAD evaluation (https://arxiv.org/abs/1606.05250); ROUGE-L is that of
Lin (2004) on lower-cased words without stemming.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thresher_eval.data import Item, answer_keys, chain_survives, normalise, stands, survives

Floats = NDArray[np.float64]
Kept = tuple[tuple[int, str], ...]
"""What a method kept: document index and text, in the order of the output; -1 where unknown."""


def joined(kept: Kept, separator: str = "\n\n") -> str:
    """The assembled text: what the reader sees and what the budget counts."""
    return separator.join(text for _, text in kept if text)


def rate(tokens: int, budget: int) -> dict[str, float]:
    """Rate adherence: share of the budget used, and what is over it."""
    return {"used": tokens / budget, "overshoot": max(tokens - budget, 0) / budget}


def survival(kept: Kept, item: Item) -> dict[str, float]:
    """Answer survival, and survival of the answer with the subjects of all gold passages."""
    text = joined(kept)
    return {
        "survival": float(survives(text, item.answers)),
        "chain": float(chain_survives(text, item)),
    }


def gold(kept: Kept, item: Item, count: Callable[[str], int]) -> dict[str, float]:
    """What became of the gold passages; empty where the item has none or the method cannot tell.

    Returns:
        ``gold_share``: share of the kept tokens that come from gold passages.
        ``gold_kept``: share of the gold passages' tokens that are kept.
        ``gold_all``: whether something of every gold passage is kept.
    """
    wanted = set(item.gold)
    if not wanted or any(index < 0 for index, _ in kept):
        return {}
    tokens = dict.fromkeys(range(len(item.passages)), 0)
    for index, text in kept:
        tokens[index] += count(text)
    inside = sum(tokens[i] for i in wanted)
    whole = sum(count(item.passages[i].text) for i in wanted)
    return {
        "gold_share": inside / max(sum(tokens.values()), 1),
        "gold_kept": inside / max(whole, 1),
        "gold_all": float(all(tokens[i] for i in wanted)),
    }


def exact_match(answer: str, references: Sequence[str]) -> float:
    """1 where the normalised answer is one of the references."""
    return float(any(normalise(answer) == normalise(r) for r in references))


def f1(answer: str, references: Sequence[str]) -> float:
    """Best F1 of the bags of words of answer and reference, in [0, 1]."""
    return max(
        (_f1(normalise(answer).split(), normalise(r).split()) for r in references), default=0
    )


def _f1(words: list[str], reference: list[str]) -> float:
    common = sum((Counter(words) & Counter(reference)).values())
    if not words or not reference:
        return float(words == reference)
    return 2 * common / (len(words) + len(reference))


def contains(answer: str, references: Sequence[str]) -> float:
    """1 where a reference stands in the answer; a yes or no must be its first word."""
    text = normalise(answer)
    if any(stands(k, text) for k in answer_keys(references)):
        return 1.0
    verdicts = {normalise(r) for r in references} - set(answer_keys(references)) - {""}
    return float(text.split()[:1] != [] and text.split()[0] in verdicts)


def rouge_l(answer: str, references: Sequence[str]) -> float:
    """Best F-measure of the longest common subsequence of words, in [0, 1]."""
    words = normalise(answer).split()
    return max((_rouge(words, normalise(r).split()) for r in references), default=0.0)


def _rouge(words: list[str], reference: list[str]) -> float:
    if not words or not reference:
        return 0.0
    ids = {w: i for i, w in enumerate(dict.fromkeys([*words, *reference]))}
    columns = np.asarray([ids[w] for w in reference])
    row = np.zeros(len(reference) + 1, dtype=np.int64)
    for word in words:
        match = np.where(columns == ids[word], row[:-1] + 1, 0)
        row[1:] = np.maximum.accumulate(np.maximum(match, row[1:]))
    return float(2 * row[-1] / (len(words) + len(reference)))


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its 95 % bootstrap confidence interval.

    Attributes:
        mean: of the items.
        low: 2.5 % percentile of the resampled means.
        high: 97.5 % percentile.
        n: number of items.
    """

    mean: float
    low: float
    high: float
    n: int

    def to_dict(self) -> dict[str, float]:
        """A JSON-safe dict."""
        return {"mean": self.mean, "low": self.low, "high": self.high, "n": self.n}

    def __str__(self) -> str:
        return f"{100 * self.mean:.1f} [{100 * self.low:.1f}, {100 * self.high:.1f}]"


def bootstrap(
    values: Sequence[float], *, strata: Sequence[str] = (), resamples: int = 2000, seed: int = 0
) -> Estimate:
    """Mean and percentile bootstrap interval of one value per item.

    Args:
        values: one value per item; NaN are left out.
        strata: set of each item; items are resampled within their set.
        resamples: how many.
        seed: of the resampling.
    """
    x = np.asarray(values, dtype=np.float64)
    groups = np.asarray(strata) if len(strata) else np.zeros(x.shape[0], dtype=np.int64)
    known = ~np.isnan(x)
    x, groups = x[known], groups[known]
    if not x.size:
        return Estimate(float("nan"), float("nan"), float("nan"), 0)
    rng = np.random.default_rng(seed)
    total = np.zeros(resamples)
    for name in np.unique(groups):
        part = x[groups == name]
        total += part[rng.integers(0, part.size, (resamples, part.size))].sum(axis=1)
    low, high = np.percentile(total / x.size, [2.5, 97.5])
    return Estimate(float(x.mean()), float(low), float(high), int(x.size))


def paired(
    first: Sequence[float], second: Sequence[float], *, strata: Sequence[str] = (), seed: int = 0
) -> Estimate:
    """Mean difference first - second over the same items, with its interval."""
    difference = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    return bootstrap(difference.tolist(), strata=strata, seed=seed)
