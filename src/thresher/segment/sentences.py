"""Where sentences end: marks, abbreviations, initials, and a cap on the length."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from thresher.segment.abbreviations import MAYBE, NEVER, NUMBERED, STARTERS
from thresher.segment.chars import DOT, STOP, Codes
from thresher.types import Int32, Int64, Kind

CAP = 200  # units of the longest sentence

_PUNCT = int(Kind.PUNCT)
_ALWAYS = frozenset("。！？｡．؟۔।॥።։។။᠃᠉‼⁇⁈⁉︒︕︖﹒﹖﹗")
_CLOSING = frozenset("\"'”’“‘»«›)]}」』）】〉》*_|.!?…")
_QUOTES = frozenset("\"'”’»›」』")
_CLAUSE = re.compile(r"[,;:—–，；：、]")


@dataclass(slots=True)
class _Units:
    text: str
    start: list[int]
    end: list[int]
    kind: list[int]

    def __getitem__(self, unit: int) -> str:
        return self.text[self.start[unit] : self.end[unit]]


def sentence_ids(
    text: str, start: Int64, end: Int64, kind: Codes, codes: Codes, breaks: list[int]
) -> Int32:
    """Sentence of each unit, from 0, non-decreasing.

    Args:
        text: the document.
        start: first character of each unit. Shape: (U,)
        end: one past the last. Shape: (U,)
        kind: a ``Kind``. Shape: (U,)
        codes: class of each character. Shape: (C,)
        breaks: characters at which the lines start a sentence.

    Returns:
        Sentence ids. Shape: (U,)
    """
    count = start.shape[0]
    new = np.zeros(count + 1, np.bool_)
    marks = ((codes == STOP) | (codes == DOT)).nonzero()[0]
    if marks.size:
        owner = np.searchsorted(start, marks, side="right") - 1
        own = kind[owner]
        ends = (own == _PUNCT) | ((own < _PUNCT) & (end[owner] == marks + 1))
        rows = np.bincount(owner[ends]).nonzero()[0].tolist()
        units = _Units(text, start.tolist(), end.tolist(), kind.tolist())
        new[[_after(units, unit) for unit in rows]] = True
    new[np.searchsorted(start, np.asarray(breaks, np.int64), side="left")] = True
    new[0] = False
    ids = np.cumsum(new[:-1])
    if count > CAP:
        ids = _capped(text, start, end, kind, ids)
    return ids.astype(np.int32)


def _after(units: _Units, unit: int) -> int:
    """The unit at which a sentence starts because of the mark in ``unit``; 0 for none."""
    start, end, kind = units.start, units.end, units.kind
    total = len(start)
    after = unit + 1
    glued = True  # nothing but closing marks since ``unit``
    while after < min(total, unit + 9) and kind[after] == _PUNCT:
        glued = glued and start[after] == end[after - 1]
        mark = units[after]
        if not _CLOSING.issuperset(mark) or (mark in "\"'“‘«" and not glued):
            break
        after += 1
    if after >= total:
        return 0
    mark = units[unit]
    if kind[unit] != _PUNCT:  # U.S., a.m., e.g., Node.js!
        if mark[-1] != ".":
            return after
        return after if mark.count(".") > 1 and _maybe(mark.lower(), units[after]) else 0
    if not _ALWAYS.isdisjoint(mark):
        return after
    stop = mark.rstrip("\"'”’“‘»«›)]}*_|")
    if not stop or stop[-1] not in ".!?…" or start[after] == end[after - 1]:
        return 0
    lower = _starts_lower(units, after)
    if stop[-1] in "!?":
        quoted = len(stop) < len(mark) and not _QUOTES.isdisjoint(mark)
        return 0 if lower and (quoted or stop[-1] == "!") else after
    if lower:
        return 0
    if stop[-1] == "…" or stop.endswith(".."):
        return after
    return after if _full_stop(units, unit, after) else 0


def _starts_lower(units: _Units, unit: int) -> bool:
    """Whether the first word from ``unit`` on starts with a lower-case letter."""
    if units.kind[unit] == _PUNCT and unit + 1 < len(units.start):
        unit += 1
    return units.text[units.start[unit]].islower()


def _full_stop(units: _Units, unit: int, after: int) -> bool:
    """Whether the single full stop in ``unit`` ends a sentence before the unit ``after``."""
    before = unit - 1
    if unit == 0 or units.end[before] != units.start[unit] or units.kind[before] >= _PUNCT:
        return True
    if units.text[units.start[unit]] != ".":
        return True  # a bracket or quote stands between
    word, following = units[before], units[after]
    low = word.lower()
    if low in NUMBERED:
        return not following[0].isdigit()
    if low in NEVER or "." in low:
        return low not in NEVER and f"{low}." not in NEVER and _may_follow(low, following)
    if len(word) == 1 and word.isupper() and word != "I":
        return len(following) > 1 and following.lower() in STARTERS
    return _maybe(low, following) if low in MAYBE else True


def _may_follow(low: str, following: str) -> bool:
    return _maybe(low, following) if f"{low}." in MAYBE else True


def _maybe(low: str, following: str) -> bool:
    """Whether a sentence ends after an abbreviation which may stand at the end of one."""
    return low not in NEVER and following[0].isupper() and following.lower() in STARTERS


def _capped(text: str, start: Int64, end: Int64, kind: Codes, ids: Int64) -> Int64:
    """Cut sentences of more than ``CAP`` units, at a newline or clause mark where there is one."""
    edges = np.concatenate(([0], np.flatnonzero(np.diff(ids)) + 1, [ids.shape[0]]))
    long = np.flatnonzero(np.diff(edges) > CAP)
    if not long.size:
        return ids
    units = _Units(text, start.tolist(), end.tolist(), kind.tolist())
    more = np.zeros(ids.shape[0], np.int64)
    for first, last in zip(edges[long].tolist(), edges[long + 1].tolist(), strict=True):
        at = first
        while last - at > CAP:
            at = _cut(units, at)
            more[at] = 1
    return ids + np.cumsum(more)


def _cut(units: _Units, first: int) -> int:
    """The best unit to start a sentence at, at most ``CAP`` units after ``first``."""
    text, start, end, kind = units.text, units.start, units.end, units.kind
    clause = 0
    for unit in range(first + CAP, first + CAP // 2, -1):
        gap = text[end[unit - 1] : start[unit]]
        if "\n" in gap and kind[unit] != _PUNCT:
            return unit
        if not clause and gap and kind[unit - 1] == _PUNCT and _CLAUSE.search(units[unit - 1]):
            clause = unit
    if clause:
        return clause
    for unit in range(first + CAP, first + CAP // 2, -1):
        if kind[unit] != _PUNCT and start[unit] != end[unit - 1]:
            return unit
    for unit in range(first + CAP, first + CAP // 2, -1):
        if kind[unit] != _PUNCT and kind[unit - 1] != _PUNCT:
            return unit
    return first + CAP
