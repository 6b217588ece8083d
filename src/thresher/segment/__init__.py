"""Cut a document into units: words, edge punctuation, atoms, markers, lines of code and tables."""

from __future__ import annotations

import numpy as np

from thresher.segment.atoms import Atom, find_atoms
from thresher.segment.chars import (
    DIGIT,
    DOT,
    G_HAN,
    G_HIRA,
    G_PUNCT,
    G_SEA,
    G_WORD,
    GROUP,
    JOIN,
    LETTER,
    OPEN,
    UNDER,
    UPPER,
    Codes,
    classify,
)
from thresher.segment.layout import Layout
from thresher.segment.relations import hosts, requirements
from thresher.segment.sentences import sentence_ids
from thresher.segment.structure import layout
from thresher.segment.unspaced import HIRAGANA, SYLLABLE, cut
from thresher.types import Bool, Int64, Kind, Segmentation

__all__ = ["segment", "unit_texts"]

_WORD, _NUMBER, _ATOM, _PUNCT = (
    np.uint8(k) for k in (Kind.WORD, Kind.NUMBER, Kind.ATOM, Kind.PUNCT)
)
_KIND_OF_GROUP = np.full(8, _WORD, np.uint8)
_KIND_OF_GROUP[G_PUNCT] = _PUNCT


def segment(text: str) -> Segmentation:
    """Cut a document into units, in time linear in its length.

    Every character but white space lies in exactly one unit, and a grapheme cluster is never
    split. In prose a unit is a word, its edge punctuation, or an atom; in code, JSON and tables a
    line or element. Scripts without spaces are cut as ``unspaced`` says.

    Args:
        text: the document; any string.

    Returns:
        Its units with kind, sentence, host and requirements. Shapes: (U,), and (E, 2).
    """
    if not text or text.isspace():
        return _empty()
    lines = layout(text)
    codes, clusters = classify(text)
    codes = _joined(codes)
    free = np.ones(len(text), np.bool_)
    for start, end, _, _ in lines.units:
        free[start:end] = False
    atoms, breaks = find_atoms(text, codes, free)
    lines.breaks += breaks
    begin, cover, kinds = _borders(text, codes, clusters, atoms, lines)
    return _assemble(text, codes, begin, cover, kinds, lines)


def unit_texts(text: str, segmentation: Segmentation) -> list[str]:
    """The text of every unit, in order."""
    starts, ends = segmentation.start.tolist(), segmentation.end.tolist()
    return [text[a:b] for a, b in zip(starts, ends, strict=True)]


def _empty() -> Segmentation:
    none = np.zeros(0, np.int32)
    return Segmentation(
        start=none,
        end=none,
        kind=np.zeros(0, np.uint8),
        sentence=none,
        host=none,
        requires=np.zeros((0, 2), np.int32),
        support=np.zeros(0, np.bool_),
    )


def _joined(codes: Codes) -> Codes:
    """Hyphens, apostrophes and dots within a word become letters. Shape: (C,) -> (C,)."""
    at = np.flatnonzero((codes == JOIN) | (codes == DOT))
    at = at[(at > 0) & (at < codes.shape[0] - 1)]
    inside = at[(GROUP[codes[at - 1]] == G_WORD) & (GROUP[codes[at + 1]] == G_WORD)]
    if not inside.size:
        return codes
    codes = codes.copy()
    codes[inside] = LETTER
    return codes


def _borders(
    text: str, codes: Codes, clusters: Bool, atoms: list[Atom], lines: Layout
) -> tuple[Bool, Bool, Codes]:
    """Where units start, what they cover, and the kind that a character gives to its unit."""
    group = GROUP[codes]
    begin = np.ones(codes.shape[0] + 1, np.bool_)
    np.not_equal(group[1:], group[:-1], out=begin[1:-1])
    begin[1:-1] |= (codes[1:] == OPEN) & (codes[:-1] != OPEN)
    begin[:-1] |= group == G_HAN
    cover = group > 0
    kinds = _KIND_OF_GROUP[group]
    for wanted, pattern in ((G_HIRA, HIRAGANA), (G_SEA, SYLLABLE)):
        runs = group == wanted
        if runs.any():
            cut(text, runs, begin, pattern)
    fixed = [(a, b, int(k)) for a, b, k in atoms] + [(a, b, int(k)) for a, b, k, _ in lines.units]
    if fixed and not clusters.all():
        fixed = _snapped(fixed, clusters)
    for start, end, kind in fixed:
        begin[start:end] = False
        begin[start] = begin[end] = True
        cover[start:end] = True
        kinds[start:end] = kind
    begin[:-1] &= clusters
    return begin, cover, kinds


def _snapped(fixed: list[tuple[int, int, int]], clusters: Bool) -> list[tuple[int, int, int]]:
    """Widen spans to whole grapheme clusters."""
    borders = np.flatnonzero(np.concatenate((clusters, [True])))
    rows = np.asarray(fixed)
    starts = borders[np.searchsorted(borders, rows[:, 0], side="right") - 1].tolist()
    ends = borders[np.searchsorted(borders, rows[:, 1], side="left")].tolist()
    return list(zip(starts, ends, rows[:, 2].tolist(), strict=True))


def _assemble(
    text: str, codes: Codes, begin: Bool, cover: Bool, kinds: Codes, lines: Layout
) -> Segmentation:
    """Arrays of units from the borders between characters."""
    begin[1:-1] |= cover[1:] != cover[:-1]
    at = np.flatnonzero(begin)
    solid = cover[at[:-1]]
    start, end = at[:-1][solid], at[1:][solid]
    kind = _kinds(codes, start, kinds)
    sentence = sentence_ids(text, start, end, kind, codes, lines.breaks)
    host = hosts(codes, start, end, kind, sentence)
    kind[(kind == _PUNCT) & (host < 0)] = _WORD
    support = np.zeros(start.shape[0], np.bool_)
    helpers = [a for a, _, _, serves in lines.units if serves]
    if helpers:
        support[np.searchsorted(start, helpers, side="right") - 1] = True
    return Segmentation(
        start=start.astype(np.int32),
        end=end.astype(np.int32),
        kind=kind,
        sentence=sentence,
        host=host,
        requires=requirements(start, end, kind, lines.needs),
        support=support,
    )


def _kinds(codes: Codes, start: Int64, kinds: Codes) -> Codes:
    """Kind of each unit; a word with a leading digit is a number, an identifier an atom."""
    kind = kinds[start]
    odd = (codes == DIGIT) | (codes == UNDER)
    odd[1:] |= (codes[1:] == UPPER) & (codes[:-1] == LETTER)
    if odd.any():
        marked = np.logical_or.reduceat(odd, start) & (kind == _WORD)
        kind[marked] = np.where(codes[start[marked]] == DIGIT, _NUMBER, _ATOM)
    return kind
