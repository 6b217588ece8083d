"""Make any ranking of pieces meet a token budget exactly: the largest prefix that fits."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from thresher.segment import segment
from thresher_eval.measures import Kept, joined

Counter = Callable[[str], int]
Span = tuple[int, int, int]
"""Document index, first code point, one past the last."""

_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Fit:
    """The largest prefix that fits, and how many pieces it holds."""

    kept: Kept
    size: int


def largest(make: Callable[[int], Kept], size: int, budget: int, count: Counter) -> Fit:
    """Find by bisection the largest n <= ``size`` whose text fits the budget.

    Args:
        make: what is kept with the first n pieces; its tokens grow with n.
        size: number of pieces.
        budget: tokens of the assembled text.
        count: the target tokenizer.
    """
    everything = make(size)
    if count(joined(everything)) <= budget:
        return Fit(everything, size)
    low, high = 0, size
    best: Kept = ()
    while high - low > 1:
        middle = (low + high) // 2
        kept = make(middle)
        if count(joined(kept)) <= budget:
            low, best = middle, kept
        else:
            high = middle
    return Fit(best, low)


def words(text: str) -> list[tuple[int, int]]:
    """Spans of the words, cut at white space."""
    return [m.span() for m in _WORD.finditer(text)]


def sentences(text: str) -> list[tuple[int, int]]:
    """Spans of the sentences, cut as Thresher cuts them; a title line is a sentence."""
    s = segment(text)
    if not len(s):
        return []
    first = np.flatnonzero(np.r_[True, np.diff(s.sentence) != 0])
    last = np.r_[first[1:], len(s)] - 1
    return list(zip(s.start[first].tolist(), s.end[last].tolist(), strict=True))


def extract(texts: Sequence[str], spans: Sequence[Span]) -> Kept:
    """Slices in document order; neighbours keep what stood between them, others get a space."""
    out: list[tuple[int, str]] = []
    for index, text in enumerate(texts):
        body, previous = "", -1
        for _, start, end in sorted(s for s in spans if s[0] == index):
            if previous >= 0:
                between = text[previous:start]
                body += between if not between.strip() else " "
            body += text[start:end]
            previous = end
        if body:
            out.append((index, body))
    return tuple(out)


def pack(texts: Sequence[str], ranked: Sequence[Span], budget: int, count: Counter) -> Kept:
    """Take ranked slices until the budget is spent; the first that does not fit is cut to fit."""
    found = largest(lambda n: extract(texts, ranked[:n]), len(ranked), budget, count)
    if found.size == len(ranked):
        return found.kept
    document, start, end = ranked[found.size]
    ends = [start + b for _, b in words(texts[document][start:end])]

    def cut(n: int) -> Kept:
        part = [(document, start, ends[n - 1])] if n else []
        return extract(texts, [*ranked[: found.size], *part])

    return largest(cut, len(ends), budget, count).kept or found.kept
