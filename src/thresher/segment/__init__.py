"""Cut a document into units: words, edge punctuation, atoms, markers, lines of code and tables."""

from __future__ import annotations

import re

import numpy as np
import regex

from thresher.segment.atoms import Atom, find_atoms
from thresher.segment.chars import (
    BREAK,
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
    Codes,
    classify,
)
from thresher.segment.layout import Layout
from thresher.segment.sentences import sentence_ids
from thresher.segment.structure import layout
from thresher.types import Bool, Int32, Int64, Kind, Segmentation

__all__ = ["segment", "unit_texts"]

_HIRAGANA = re.compile(
    r"ませんでした|ません|ました|ます|でした|でしょう|です|だった|なかった|ない|なく|ている|ていた|ています|"
    r"していた|している|しています|しました|します|した|して|する|される|された|から|まで|より|ので|のに|など|"
    r"では|には|とは|への|での|との|という|として|について|により|による|において|こと|もの|ため|よう|この|その|"
    r"これ|それ|あの|どの|また|しかし|そして|ある|あり|いる|いた|なる|なり|なった|だけ|しか|"
    r".[ゃゅょっァィゥェォー]*",
    re.DOTALL,
)
_THAI = regex.compile(
    r"[เแโใไ]?[ก-ฮ](?:\p{M}|[ะาำๅ]|็)*(?:[ก-ฮ]์)?|[ເແໂໃໄ]?[ກ-ຮໜໝ](?:\p{M}|[ະາຳຽ])*|"
    r"[\u0f00-\u0fff]+?(?:\u0f0b|(?=[^\u0f00-\u0fff])|$)|\X"
)


def segment(text: str) -> Segmentation:
    """Cut a document into units.

    Every character but white space lies in exactly one unit; a grapheme cluster is never split.

    Args:
        text: the document; any string.

    Returns:
        Its units with kind, sentence, host and requirements. Shapes: (U,), and (E, 2).
    """
    if not text or text.isspace():
        return _empty()
    codes, clusters = classify(text)
    lines = layout(text)
    codes = _joined(codes)
    free = np.ones(len(text), np.bool_)
    for start, end, _, _ in lines.units:
        free[start:end] = False
    atoms = find_atoms(text, codes, free)
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
    """Hyphens, apostrophes and dots within a word become letters."""
    joins = (codes == JOIN) | (codes == DOT)
    joins[0] = joins[-1] = False
    at = np.flatnonzero(joins)
    if not at.size:
        return codes
    inside = at[(GROUP[codes[at - 1]] == G_WORD) & (GROUP[codes[at + 1]] == G_WORD)]
    codes = codes.copy()
    codes[inside] = LETTER
    return codes


def _borders(
    text: str, codes: Codes, clusters: Bool, atoms: list[Atom], lines: Layout
) -> tuple[Bool, Bool, Codes]:
    """Where units start, what they cover, and the kind each character gives to a unit."""
    size = codes.shape[0]
    group = GROUP[codes]
    begin = np.ones(size + 1, np.bool_)
    begin[1:-1] = group[1:] != group[:-1]
    begin[:-1] |= group >= G_HAN
    begin[1:-1] |= (codes[1:] == OPEN) & (codes[:-1] != OPEN)
    cover = group > 0
    kinds = np.where(group == G_PUNCT, np.uint8(Kind.PUNCT), np.uint8(Kind.WORD))
    for wanted, pattern in ((G_HIRA, _HIRAGANA), (G_SEA, _THAI)):
        runs = group == wanted
        if runs.any():
            _pieces(text, runs, begin, pattern)
    fixed = [(a, b, k) for a, b, k in atoms] + [(a, b, k) for a, b, k, _ in lines.units]
    snap = None if clusters.all() else np.flatnonzero(np.r_[clusters, True])
    for start, end, kind in fixed:
        if snap is not None:
            start = int(snap[np.searchsorted(snap, start, side="right") - 1])
            end = int(snap[np.searchsorted(snap, end, side="left")])
        begin[start:end] = False
        begin[start] = begin[end] = True
        cover[start:end] = True
        kinds[start:end] = kind
    begin[:-1] &= clusters
    return begin, cover, kinds


def _pieces(text: str, runs: Bool, begin: Bool, pattern: re.Pattern[str]) -> None:
    """Cut runs of a script without spaces into the pieces that ``pattern`` finds."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], runs, [False])))).tolist()
    begin[:-1][runs] = False
    found: list[int] = []
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        found += [m.start() for m in pattern.finditer(text, first, last)]
        found.append(first)
    begin[found] = True


def _assemble(
    text: str, codes: Codes, begin: Bool, cover: Bool, kinds: Codes, lines: Layout
) -> Segmentation:
    edge = begin.copy()
    edge[1:-1] |= cover[1:] != cover[:-1]
    at = np.flatnonzero(edge)
    solid = cover[at[:-1]]
    start, end = at[:-1][solid], at[1:][solid]
    kind = _kinds(codes, start, end, kinds[start])
    sentence = sentence_ids(text, start, end, kind, codes, lines.breaks)
    host = _hosts(codes, start, end, kind, sentence)
    loose = (kind == Kind.PUNCT) & (host < 0)
    kind[loose] = Kind.WORD
    support = np.zeros(start.shape[0], np.bool_)
    helpers = [a for a, _, _, s in lines.units if s]
    support[np.searchsorted(start, helpers, side="right") - 1 if helpers else []] = True
    return Segmentation(
        start=start.astype(np.int32),
        end=end.astype(np.int32),
        kind=kind,
        sentence=sentence,
        host=host,
        requires=_edges(start, kind, lines.needs),
        support=support,
    )


def _kinds(codes: Codes, start: Int64, end: Int64, kind: Codes) -> Codes:
    """Words that start with a digit are numbers."""
    plain = (kind == Kind.WORD) & (codes[start] == DIGIT)
    kind[plain] = Kind.NUMBER
    return kind


def _hosts(codes: Codes, start: Int64, end: Int64, kind: Codes, sentence: Int32) -> Int32:
    """The unit to which each piece of punctuation is attached. Shape: (U,)"""
    units = start.shape[0]
    host = np.full(units, -1, np.int32)
    core = kind <= Kind.ATOM
    marks = np.flatnonzero(kind == Kind.PUNCT)
    if not marks.size or not core.any():
        return host
    index = np.arange(units)
    before = np.maximum.accumulate(np.where(core, index, -1))[marks]
    after = np.minimum.accumulate(np.where(core, index, units)[::-1])[::-1][marks]
    has_before = before >= 0
    has_before[has_before] = sentence[before[has_before]] == sentence[marks[has_before]]
    has_after = after < units
    has_after[has_after] = sentence[after[has_after]] == sentence[marks[has_after]]
    chunk = np.cumsum(np.r_[0, start[1:] != end[:-1]])
    glued_before = has_before.copy()
    glued_before[has_before] = chunk[before[has_before]] == chunk[marks[has_before]]
    glued_after = has_after.copy()
    glued_after[has_after] = chunk[after[has_after]] == chunk[marks[has_after]]
    opens = codes[end[marks] - 1] == OPEN
    forward = np.where(
        glued_before & glued_after,
        opens,
        np.where(glued_before | glued_after, glued_after, opens | ~has_before),
    )
    forward &= has_after
    chosen = np.where(forward, after, before)
    valid = np.where(forward, has_after, has_before)
    host[marks[valid]] = chosen[valid]
    return host


def _edges(start: Int64, kind: Codes, needs: list[tuple[int, int, int]]) -> Int32:
    """Requirements between units. Shape: (E, 2)"""
    if not needs:
        return np.zeros((0, 2), np.int32)
    rows = np.asarray(needs, np.int64)
    first = np.searchsorted(start, rows[:, 0], side="left")
    last = np.searchsorted(start, rows[:, 1], side="left")
    needed = np.searchsorted(start, rows[:, 2], side="right") - 1
    count = np.maximum(last - first, 0)
    offset = np.repeat(first - np.r_[0, np.cumsum(count)[:-1]], count)
    unit = np.arange(int(count.sum())) + offset
    pairs = np.stack([unit, np.repeat(needed, count)], 1)
    pairs = pairs[(kind[unit] != Kind.PUNCT) & (pairs[:, 0] != pairs[:, 1])]
    return np.unique(pairs, axis=0).astype(np.int32)


_ = BREAK
