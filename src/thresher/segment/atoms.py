"""Atoms: what must not be split, from numbers with their unit to URLs and inline code."""

from __future__ import annotations

import re

import numpy as np

from thresher.segment.chars import (
    BACKSLASH,
    BREAK,
    COLON,
    DIGIT,
    DOT,
    G_WORD,
    GROUP,
    INNER_DOT,
    JOIN,
    OPEN,
    SLASH,
    Codes,
)
from thresher.segment.quantities import (
    AFTER_DATE,
    AFTER_DAY,
    AFTER_NUMBER,
    CJK_COUNTER,
    CJK_DATE,
    CURRENCIES,
    DATE,
    DAY,
    ISO,
    MONTH_DAY,
    MONTHS,
    NUMBER,
    TAIL,
    L,
)
from thresher.types import Bool, Kind

Atom = tuple[int, int, Kind]

_ATOM = re.compile(
    rf"""(?<!{L})(?:
    (?P<url>(?:[a-zA-Z][a-zA-Z0-9+.-]{{1,20}}://|www\.(?={L})|mailto:)[^\s<>"`]+
      |10\.\d{{4,9}}/[^\s<>"`]+)
    |(?P<number>{ISO}|{CJK_DATE}|{NUMBER}(?:{CJK_COUNTER}|{TAIL}))
    |(?P<mail>(?<![\w.+-])[A-Za-z0-9_.+-]++@[\w-]++(?:\.[\w-]+)++)
    |(?P<path>(?<![\w.@/\\:~-])(?:
        [A-Za-z]:\\[^\s"<>|,;)]*+|\\\\[\w.$-]++\\[^\s"<>|,;)]*+
        |(?:~|\.{{1,2}})?/(?:[\w.@+%-]++/)*+[\w.@+%-]*+
        |(?:[\w.@-]++/){{2,}}+[\w.@-]*+|[\w@.-]++/[\w-]*+\.\w++
        |[A-Z]{{1,4}}/[A-Z]{{1,4}}(?!\w)|[a-z]{{1,2}}/[a-z]{{1,2}}(?!\w)))
    |(?P<code>(?<![\w.:])(?:[A-Za-z_]\w*+(?:::~?\w++)++(?:\(\))?
        |[A-Za-z_][\w.]*+\([^\s()]{{0,40}}\)(?:\.\w++(?:\([^\s()]{{0,40}}\))?)*+))
    |(?P<flag>(?<![^\s(\[\"'`,=/|])(?:--[A-Za-z][\w-]*+(?:=[^\s,;)]++)?|-[A-Za-z](?![\w'’-])
        |\.[A-Za-z]\w*+))
    |(?P<abbr>(?<![\w.])(?:(?:[^\W\d_]\.){{2,}}(?!\w)|(?:Ph|M|B|Ed|M\.Sc|B\.Sc)\.[A-Z]\w?\.(?!\w)))
    )""",
    re.VERBOSE,
)
_TAG = re.compile(
    r"<(/?)([A-Za-z][\w:-]{0,60})(?:\s[^<>]{0,1000})?/?>|<!--[^<>]{0,1000}-->"
    r"|<![A-Z]\w+[^<>]{0,200}>"
)
_BLOCKS = """p div li ul ol dl dt dd tr td th table thead tbody h1 h2 h3 h4 h5 h6 br hr section
article header footer nav aside main pre blockquote figure figcaption title body head option form"""
_BLOCK_TAGS = frozenset(_BLOCKS.split())
_MATH = re.compile(
    r"\$(?=[A-Za-z\\({|])[^\s$](?:[^$\n]{0,80}?[^\s$\\])?\$(?![\w$])|\\\([^\n$]{1,80}?\\\)"
)
_WORDLIKE = GROUP == G_WORD
_HOT = np.zeros(32, np.bool_)
_HOT[[DIGIT, SLASH, BACKSLASH]] = True
_MAYBE_HOT = np.zeros(32, np.bool_)
_MAYBE_HOT[[DOT, OPEN, COLON, JOIN]] = True
_ONE_SPACE = frozenset(" \u00a0\u2009\u202f")
_TICKS = re.compile(r"`+|\n")
_PAIRS = {")": "(", "]": "[", "}": "{"}


def find_atoms(
    text: str, codes: Codes, free: Bool, starts: list[int]
) -> tuple[list[Atom], list[int]]:
    """Atoms of the prose, in order, not overlapping.

    Args:
        text: the document.
        codes: class of each character. Shape: (C,)
        free: False where a line, fence or marker is a unit already. Shape: (C,)
        starts: characters at which the lines start a sentence; no number reaches over one.

    Returns:
        Rows ``(start, end, kind)``, and where block-level tags start a sentence.
    """
    spans: list[Atom] = []
    breaks: list[int] = []
    if "`" in text:
        spans += inline_code(text)
    if "<" in text and ">" in text:
        for match in _TAG.finditer(text):
            spans.append((*match.span(), Kind.ATOM))
            if (match.group(2) or "").lower() in _BLOCK_TAGS:
                breaks.append(match.end() if match.group(1) else match.start())
                if match.group(2) in ("br", "hr"):
                    breaks.append(match.end())
    if "$" in text or "\\(" in text:
        spans += [(*match.span(), Kind.ATOM) for match in _MATH.finditer(text)]
    spans = [a for a in _apart(spans) if free[a[0] : a[1]].all()]
    found = _widened(_scan(text, codes, free, frozenset(starts)), codes, free)
    return _merge(spans, found) if spans else found, breaks


def _scan(text: str, codes: Codes, free: Bool, starts: frozenset[int]) -> list[Atom]:
    """Atoms of the chunks between white space that may hold one."""
    begin, stop, hot = _chunks(codes, free)
    out: list[Atom] = []
    done = 0
    for chunk in hot:
        start, end = begin[chunk], stop[chunk]
        if done >= end:
            continue
        lead = _lead(text, begin[chunk - 1], stop[chunk - 1], start, starts) if chunk else -1
        if lead >= done and text[lead].isalpha():
            match = MONTH_DAY.match(text, lead)
            if match and _flows(text, lead, match.end(), starts):
                done = match.end()
                out.append((lead, done, Kind.NUMBER))
        if codes[start] != DIGIT or lead < done:
            lead = -1
        for match in _ATOM.finditer(text, max(start, done), end):
            first, last, kind = _atom(match, text)
            if kind == Kind.NUMBER and text[last:end] in ("", "."):
                last = _extended(text, first, last, end, starts)
            if lead >= 0 and first == start:
                first = lead
            out.append((first, last, kind))
            done = last
    return out


def _lead(text: str, first: int, last: int, start: int, starts: frozenset[int]) -> int:
    """Where the month or currency in the chunk before starts; -1 when it holds none."""
    if start - first > 16 or start in starts:
        return -1
    gap = text[last:start]
    if gap not in _ONE_SPACE and gap.count("\n") != 1:
        return -1
    if text[first] in "([\"'“":
        first += 1
    before = text[first:last]
    return first if before in MONTHS or before in CURRENCIES else -1


def _atom(match: re.Match[str], text: str) -> Atom:
    start, end = match.span()
    name = match.lastgroup
    if name == "number":
        return start, end, Kind.NUMBER
    if name == "url":
        return start, _trim_url(text, start, end), Kind.ATOM
    if name == "path":
        while end > start + 1 and text[end - 1] in ".-":
            end -= 1
    return start, end, Kind.WORD if name == "abbr" else Kind.ATOM


def _extended(text: str, start: int, end: int, stop: int, starts: frozenset[int]) -> int:
    """End of a number with the unit, scale, month or time that follows after white space.

    ``stop`` is the end of its chunk, with the full stop of a German day before the month.
    """
    match = None
    if end - start <= 5 and DAY.fullmatch(text, start, end):
        match = AFTER_DAY.match(text, stop)
    if match is None and end != stop:
        return end
    if match is None and end - start == 10 and DATE.fullmatch(text, start, end):
        match = AFTER_DATE.match(text, end)
    if match is None:
        match = AFTER_NUMBER.match(text, end)
    if match is None or not _flows(text, end, match.end(), starts):
        return end
    return match.end()


def _flows(text: str, start: int, end: int, starts: frozenset[int]) -> bool:
    """Whether no line in between starts a sentence of its own."""
    line = text.find("\n", start, end)
    return line < 0 or not any(at in starts for at in range(line + 1, end))


def _trim_url(text: str, start: int, end: int) -> int:
    """End of a URL without the punctuation of the sentence around it; brackets must balance."""
    body = text[start:end]
    surplus = {c: body.count(c) - body.count(o) for c, o in _PAIRS.items()}
    while end > start + 1:
        last = text[end - 1]
        if surplus.get(last, 0) > 0:
            surplus[last] -= 1
        elif last not in ".,;:!?'\"’”*_»|\\":
            break
        end -= 1
    return end


def inline_code(text: str) -> list[Atom]:
    """Code spans in backticks: a run of them up to the next run as long, on the same line."""
    runs = [m.span() for m in _TICKS.finditer(text)]
    closer = [-1] * len(runs)
    seen: dict[int, int] = {}
    for at in range(len(runs) - 1, -1, -1):
        start, end = runs[at]
        if text[start] == "\n":
            seen.clear()
        else:
            closer[at] = seen.get(end - start, -1)
            seen[end - start] = at
    out: list[Atom] = []
    at = 0
    while at < len(runs):
        close = closer[at]
        if close > 0:
            out.append((runs[at][0], runs[close][1], Kind.ATOM))
            at = close
        at += 1
    return out


def _chunks(codes: Codes, free: Bool) -> tuple[list[int], list[int], list[int]]:
    """Starts and ends of the chunks between white space, and which of them may hold an atom."""
    size = codes.shape[0]
    hot = _HOT[codes]
    marks = _MAYBE_HOT[codes].nonzero()[0]
    if marks.size:
        kind = codes[marks]
        around = np.zeros(size + 3, np.uint8)
        around[2:-1] = codes
        before, after = around[marks + 1], around[marks + 3]
        inner, outer = _WORDLIKE[before], _WORDLIKE[after]
        hot[marks] = (
            (kind == DOT) & (outer | (around[marks] == INNER_DOT))  # .NET, U.S.
            | (kind == OPEN) & inner  # f(
            | (kind == COLON) & (after == COLON)  # a::b
            | (kind == JOIN) & ~inner & (outer | (after == JOIN))  # -5, --flag
        )
    at = (hot & free).nonzero()[0]
    if not at.size:
        return [], [], []
    solid = np.zeros(size + 2, np.bool_)
    np.greater(codes, BREAK, out=solid[1:-1])
    solid[1:-1] &= free
    edges = (solid[1:] != solid[:-1]).nonzero()[0]
    begin, stop = edges[::2], edges[1::2]
    chunk = np.searchsorted(begin, at, side="right") - 1
    wanted = np.bincount(chunk).nonzero()[0]
    return begin.tolist(), stop.tolist(), wanted.tolist()


def _widened(atoms: list[Atom], codes: Codes, free: Bool) -> list[Atom]:
    """Atoms that start or end within a word take the whole of it in; overlapping ones join."""
    if not atoms:
        return atoms
    word = np.zeros(codes.shape[0] + 1, np.bool_)
    np.equal(GROUP[codes], G_WORD, out=word[:-1])
    word[:-1] &= free
    spans = np.asarray([a[:2] for a in atoms], np.int64)
    inner = (spans > 0) & word[spans] & word[spans - 1]
    if not inner.any():
        return atoms
    edges = np.flatnonzero(word[1:] != word[:-1]) + 1
    if word[0]:
        edges = np.concatenate(([0], edges))
    at = np.searchsorted(edges, spans, side="right")
    spans[:, 0] = np.where(inner[:, 0], edges[at[:, 0] - 1], spans[:, 0])
    spans[:, 1] = np.where(inner[:, 1], edges[np.minimum(at[:, 1], edges.size - 1)], spans[:, 1])
    out: list[Atom] = []
    for (start, end), (was, _, kind) in zip(spans.tolist(), atoms, strict=True):
        if start != was:  # v2.1, COVID-19
            kind = Kind.ATOM
        if out and start < out[-1][1]:
            first, last, kept = out[-1]
            out[-1] = (min(first, start), max(last, end), kept)
        else:
            out.append((start, end, kind))
    return out


def _apart(atoms: list[Atom]) -> list[Atom]:
    """The earliest of overlapping atoms."""
    atoms.sort()
    out: list[Atom] = []
    for atom in atoms:
        if not out or atom[0] >= out[-1][1]:
            out.append(atom)
    return out


def _merge(first: list[Atom], second: list[Atom]) -> list[Atom]:
    """Both lists in order; where they overlap, those of the first."""
    out: list[Atom] = []
    at = 0
    for atom in second:
        while at < len(first) and first[at][1] <= atom[0]:
            out.append(first[at])
            at += 1
        if at == len(first) or atom[1] <= first[at][0]:
            out.append(atom)
    return out + first[at:]
