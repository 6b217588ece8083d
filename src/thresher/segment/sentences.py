"""Where sentences end: marks, abbreviations, initials, and a cap on the length."""

from __future__ import annotations

import re

import numpy as np

from thresher.segment.chars import DOT, STOP, Codes
from thresher.types import Bool, Int32, Int64, Kind

CAP = 200  # units of the longest sentence

_NEVER = frozenset(
    [
        "mr",
        "mrs",
        "ms",
        "dr",
        "prof",
        "st",
        "mt",
        "rev",
        "hon",
        "gen",
        "col",
        "maj",
        "capt",
        "lt",
        "sgt",
        "cmdr",
        "adm",
        "gov",
        "sen",
        "rep",
        "pres",
        "messrs",
        "mme",
        "mlle",
        "vs",
        "cf",
        "e.g.",
        "i.e.",
        "eg",
        "ie",
        "viz",
        "al",
        "ca",
        "approx",
        "resp",
        "fig",
        "figs",
        "eq",
        "eqs",
        "sec",
        "secs",
        "ch",
        "chap",
        "art",
        "vol",
        "nr",
        "pp",
        "ed",
        "eds",
        "trans",
        "dept",
        "univ",
        "assn",
        "bros",
        "est",
        "esp",
        "incl",
        "z.b.",
        "d.h.",
        "u.a.",
        "bzw",
        "evtl",
        "ggf",
        "usw.-nr",
        "sr",
        "sra",
        "dra",
        "hr",
        "fr",
        "frau",
        "bd",
        "abb",
        "tab",
        "hrsg",
    ]
)
_NUMBERED = frozenset(
    ["no", "nos", "nr", "fig", "figs", "eq", "p", "pp", "ch", "vol", "sec", "art", "op", "cap", "§"]
)
_MAYBE = frozenset(
    [
        "inc",
        "ltd",
        "co",
        "corp",
        "jr",
        "sr",
        "etc",
        "llc",
        "plc",
        "bros",
        "dept",
        "jan",
        "feb",
        "mar",
        "apr",
        "jun",
        "jul",
        "aug",
        "sep",
        "sept",
        "oct",
        "nov",
        "dec",
        "mon",
        "tue",
        "wed",
        "thu",
        "fri",
        "sat",
        "sun",
        "ave",
        "blvd",
        "rd",
        "approx",
        "max",
        "min",
        "est",
        "u.s.",
        "u.k.",
        "u.n.",
        "e.u.",
        "a.m.",
        "p.m.",
        "ph.d.",
        "m.d.",
        "b.a.",
        "m.a.",
        "d.c.",
        "l.a.",
        "n.y.",
        "usw",
        "etw",
    ]
)
_STARTERS = frozenset(
    [
        "the",
        "a",
        "an",
        "it",
        "he",
        "she",
        "they",
        "we",
        "i",
        "you",
        "this",
        "that",
        "these",
        "those",
        "in",
        "on",
        "at",
        "for",
        "but",
        "and",
        "however",
        "if",
        "when",
        "there",
        "his",
        "her",
        "its",
        "their",
        "our",
        "my",
        "as",
        "after",
        "before",
        "since",
        "while",
        "although",
        "although",
        "by",
        "from",
        "with",
        "to",
        "who",
        "what",
        "where",
        "why",
        "how",
        "not",
        "no",
        "yes",
        "then",
        "thus",
        "so",
        "also",
        "many",
        "most",
        "some",
        "all",
        "each",
        "such",
        "one",
        "der",
        "die",
        "das",
        "ein",
        "eine",
        "er",
        "sie",
        "es",
        "wir",
        "ich",
        "le",
        "la",
        "les",
        "un",
        "une",
        "il",
        "elle",
        "ils",
        "el",
        "los",
        "las",
    ]
)
_CLOSERS = re.compile(r"[.!?…。！？｡．]*[\"'”’»›)\]}」』）】〉》*_|]*$")
_SPLIT_AT = re.compile(r"[,;:—–，；：、]")


def sentence_ids(
    text: str, start: Int64, end: Int64, kind: Int64, codes: Codes, breaks: list[int]
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
    units = start.shape[0]
    new = np.zeros(units + 1, np.bool_)
    marks = np.flatnonzero((codes == STOP) | (codes == DOT))
    if marks.size:
        owner = np.searchsorted(start, marks, side="right") - 1
        ends = (kind[owner] == Kind.PUNCT) | (end[owner] == marks + 1)
        ends &= (
            (kind[owner] != Kind.LINE) & (kind[owner] != Kind.MARKER) & (kind[owner] != Kind.FENCE)
        )
        rows = np.unique(owner[ends])
        starts, stops, kinds = start.tolist(), end.tolist(), kind
        found = [_after(text, starts, stops, kinds, u) for u in rows.tolist()]
        new[found] = True
    new[np.searchsorted(start, np.asarray(breaks, np.int64), side="left")] = True
    new[0] = False
    ids = np.cumsum(new[:-1])
    if units > CAP:
        ids = _capped(text, start, end, kind, ids)
    return ids.astype(np.int32)


def _after(text: str, start: list[int], end: list[int], kind: Int64, unit: int) -> int:
    """The unit at which a sentence starts because of the mark in ``unit``; 0 for none."""
    last = len(start) - 1
    if unit == last:
        return 0
    mark = text[start[unit] : end[unit]]
    after = unit + 1
    while after <= last and kind[after] == Kind.PUNCT and _closing(text[start[after] : end[after]]):
        after += 1
    if after > last:
        return 0
    following = text[start[after] : end[after]]
    glued = start[after] == end[unit]
    if kind[unit] != Kind.PUNCT:  # U.S., a.m., e.g.
        if mark[-1] != "." or "." not in mark[:-1]:
            return 0 if mark[-1] == "." else after
        return after if _maybe(mark.lower(), following) else 0
    tail = _CLOSERS.search(mark)
    core = tail.group() if tail else ""
    if any(c in "。！？｡．؟۔।॥።" for c in core):
        return after
    if not any(c in ".!?…" for c in core) or glued:
        return after if any(c in "։။។᠃᠉‼⁇⁈⁉" for c in mark) else 0
    lower = following[0].islower() or (
        not following[0].isalnum() and _next_lower(text, start, end, kind, after)
    )
    if core[0] == "." and core[:2] != "..":
        if lower:
            return 0
        return after if _full_stop(text, start, end, kind, unit, following) else 0
    if core[0] in "!?" and lower and len(core.rstrip("!?")) == 0:
        return after if not following[0].islower() or core[0] == "?" else 0
    return 0 if lower else after


def _closing(mark: str) -> bool:
    return all(c in '"”’»›)]}」』）】〉》!?.…' for c in mark) and mark not in ('"',)


def _next_lower(text: str, start: list[int], end: list[int], kind: Int64, unit: int) -> bool:
    if kind[unit] != Kind.PUNCT or unit + 1 >= len(start):
        return False
    return text[start[unit + 1]].islower()


def _full_stop(
    text: str, start: list[int], end: list[int], kind: Int64, unit: int, following: str
) -> bool:
    """Whether the full stop in ``unit`` ends a sentence before ``following``."""
    if unit == 0 or end[unit - 1] != start[unit] or kind[unit - 1] == Kind.PUNCT:
        return True
    word = text[start[unit - 1] : end[unit - 1]]
    low = word.lower()
    if low in _NUMBERED and following[0].isdigit():
        return False
    if low in _NEVER:
        return False
    if len(word) == 1 and word.isalpha() and word.isupper() and word != "I":
        return following.lower() in _STARTERS and len(following) > 1
    if low in _MAYBE:
        return _maybe(low, following)
    return True


def _maybe(word: str, following: str) -> bool:
    """Whether a sentence ends after an abbreviation which may stand at the end of one."""
    if word in _NEVER:
        return False
    return following[0].isupper() and following.lower() in _STARTERS


def _capped(text: str, start: Int64, end: Int64, kind: Int64, ids: Int64) -> Int64:
    """Cut sentences of more than ``CAP`` units, at a newline or clause mark where there is one."""
    edges = np.r_[0, np.flatnonzero(np.diff(ids)) + 1, ids.shape[0]]
    long = np.flatnonzero(np.diff(edges) > CAP)
    if not long.size:
        return ids
    new: list[int] = []
    for first, last in zip(edges[long].tolist(), edges[long + 1].tolist(), strict=True):
        at = first
        while last - at > CAP:
            at = _cut(text, start, end, kind, at)
            new.append(at)
    more = np.zeros(ids.shape[0], np.int64)
    more[new] = 1
    return ids + np.cumsum(more)


def _cut(text: str, start: Int64, end: Int64, kind: Int64, first: int) -> int:
    """The best unit to start a sentence at, at most ``CAP`` units after ``first``."""
    clause = 0
    for unit in range(first + CAP, first + CAP // 2, -1):
        gap = text[int(end[unit - 1]) : int(start[unit])]
        if "\n" in gap:
            return unit
        if not clause and kind[unit - 1] == Kind.PUNCT and gap:
            if _SPLIT_AT.search(text, int(start[unit - 1]), int(end[unit - 1])):
                clause = unit
    if clause:
        return clause
    unit = first + CAP
    while kind[unit] == Kind.PUNCT and unit > first + CAP // 2:
        unit -= 1
    return unit


_ = Bool
