"""How units hang together: the host of punctuation, and what each unit requires."""

from __future__ import annotations

import numpy as np

from thresher.segment.chars import OPEN, Codes
from thresher.types import Int32, Int64, Kind

_PUNCT = int(Kind.PUNCT)


def hosts(codes: Codes, start: Int64, end: Int64, kind: Codes, sentence: Int32) -> Int32:
    """The unit to which each piece of punctuation is attached.

    That is the word it touches: the one before, or for opening brackets the one after. Where it
    touches none, the word before it in the sentence, else the one after it.

    Args:
        codes: class of each character. Shape: (C,)
        start: first character of each unit. Shape: (U,)
        end: one past the last. Shape: (U,)
        kind: a ``Kind``. Shape: (U,)
        sentence: sentence of each unit. Shape: (U,)

    Returns:
        Unit index, or -1. Shape: (U,)
    """
    units = start.shape[0]
    host = np.full(units, -1, np.int32)
    marks = (kind == _PUNCT).nonzero()[0]
    words = (kind < _PUNCT).nonzero()[0]
    if not marks.size or not words.size:
        return host
    at = np.searchsorted(words, marks)
    before, after = words.take(at - 1, mode="clip"), words.take(at, mode="clip")
    own = sentence[marks]
    has_before = (before < marks) & (sentence[before] == own)
    has_after = (after > marks) & (sentence[after] == own)
    gaps = np.cumsum(start[1:] != end[:-1])  # white space up to each unit but the first
    gaps = np.concatenate(([0], gaps))
    one = (gaps[before] == gaps[marks]) & has_before
    other = (gaps[after] == gaps[marks]) & has_after
    opens = codes[end[marks] - 1] == OPEN
    forward = np.where(one ^ other, other, opens | ~has_before) & has_after
    host[marks] = np.where(forward, after, np.where(has_before, before, -1))
    return host


def requirements(start: Int64, end: Int64, kind: Codes, needs: list[tuple[int, int, int]]) -> Int32:
    """Rows ``(unit, needed)``; punctuation has none, it follows its host.

    Args:
        start: first character of each unit. Shape: (U,)
        end: one past the last. Shape: (U,)
        kind: a ``Kind``. Shape: (U,)
        needs: rows ``(first, last, needed)`` of characters, see ``Layout.needs``.

    Returns:
        Sorted, without repetition. Shape: (E, 2)
    """
    if not needs:
        return np.zeros((0, 2), np.int32)
    rows = np.asarray(needs, np.int64)
    first = np.searchsorted(end, rows[:, 0], side="right")
    last = np.searchsorted(start, rows[:, 1], side="left")
    needed = np.searchsorted(start, rows[:, 2], side="right") - 1
    count = np.maximum(last - first, 0)
    unit = np.arange(int(count.sum())) + np.repeat(first - np.cumsum(count) + count, count)
    target = np.repeat(needed, count)
    useful = (kind[unit] != _PUNCT) & (unit != target)
    pairs = np.sort(unit[useful] * start.shape[0] + target[useful])
    if pairs.size:
        pairs = pairs[np.concatenate(([True], pairs[1:] != pairs[:-1]))]
    return np.stack(np.divmod(pairs, start.shape[0]), 1).astype(np.int32)
