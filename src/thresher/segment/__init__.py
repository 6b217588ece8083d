"""Cut a document into units: words, edge punctuation, atoms, markers, lines of code and tables."""

from __future__ import annotations

from collections.abc import Sequence

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
    INNER_DOT,
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
_WORDLIKE = GROUP == G_WORD
_JOINING = np.zeros(32, np.bool_)
_JOINING[[JOIN, DOT]] = True
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
    free = ~_inside(len(text), _spans(lines.units)) if lines.units else np.ones(len(text), np.bool_)
    atoms, breaks = find_atoms(text, codes, free, lines.breaks)
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
    """Hyphens, apostrophes and dots within a word become part of it. Shape: (C,) -> (C,)."""
    at = _JOINING[codes[1:-1]].nonzero()[0]  # the character before each
    inside = at[_WORDLIKE[codes[at]] & _WORDLIKE[codes[at + 2]]] + 1
    codes[inside] = np.where(codes[inside] == DOT, INNER_DOT, LETTER)
    return codes


def _spans(rows: Sequence[tuple[int, int, Kind] | tuple[int, int, Kind, bool]]) -> Int64:
    """Start, end and kind of atoms or fixed units. Shape: (N, 3)."""
    return np.asarray([row[:3] for row in rows], np.int64).reshape(-1, 3)


def _inside(size: int, spans: Int64) -> Bool:
    """Characters that lie in one of the spans, which do not overlap. Shape: (size,)."""
    change = np.zeros(size + 1, np.int8)
    change[spans[:, 0]] += 1
    np.subtract.at(change, spans[:, 1], np.int8(1))
    return np.cumsum(change[:-1], dtype=np.int8) > 0


def _borders(
    text: str, codes: Codes, clusters: Bool | None, atoms: list[Atom], lines: Layout
) -> tuple[Bool, Bool, Codes]:
    """Where units start, what they cover, and the kind that a character gives to its unit."""
    size = codes.shape[0]
    group = GROUP[codes]
    begin = np.ones(size + 1, np.bool_)
    np.not_equal(group[1:], group[:-1], out=begin[1:-1])
    begin[1:-1] |= (codes[1:] == OPEN) & (codes[:-1] != OPEN)
    cover = group > 0
    kinds = _KIND_OF_GROUP[group]
    if not text.isascii():
        begin[:-1] |= group == G_HAN
        for wanted, pattern in ((G_HIRA, HIRAGANA), (G_SEA, SYLLABLE)):
            runs = group == wanted
            if runs.any():
                cut(text, runs, begin, pattern)
    fixed = _spans([*atoms, *lines.units])
    if fixed.size:
        if clusters is not None:
            fixed = _snapped(fixed, clusters)
        inside = _inside(size, fixed)
        begin[:-1] &= ~inside
        begin[fixed[:, 0]] = begin[fixed[:, 1]] = True
        cover |= inside
        kinds[fixed[:, 0]] = fixed[:, 2]
    if clusters is not None:
        begin[:-1] &= clusters
    return begin, cover, kinds


def _snapped(fixed: Int64, clusters: Bool) -> Int64:
    """Widen spans to whole grapheme clusters; what reaches into another span is cut there."""
    borders = np.concatenate((clusters, [True])).nonzero()[0]
    fixed = fixed[fixed[:, 0].argsort(kind="stable")]
    fixed[:, 0] = borders[np.searchsorted(borders, fixed[:, 0], side="right") - 1]
    fixed[:, 1] = borders[np.searchsorted(borders, fixed[:, 1], side="left")]
    fixed[1:, 0] = np.maximum(fixed[1:, 0], fixed[:-1, 1])
    return fixed[fixed[:, 0] < fixed[:, 1]]


def _assemble(
    text: str, codes: Codes, begin: Bool, cover: Bool, kinds: Codes, lines: Layout
) -> Segmentation:
    """Arrays of units from the borders between characters."""
    begin[1:-1] |= cover[1:] != cover[:-1]
    at = begin.nonzero()[0]
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
