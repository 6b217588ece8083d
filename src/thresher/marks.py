"""What edge punctuation needs beside its word: a comma its next word, a bracket its partner.

A mark is never kept without its word. That alone would still leave half a pair of brackets, and
commas before words that are gone; each costs a token and tells the reader nothing. So a comma,
colon or dash also needs the word behind it, a bracket or quote both its partner and the words at
both ends. A mark that ends its sentence needs its own word only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from thresher.types import Int32, Int64, Kind, Segmentation

_PAIRS = dict(zip("([{<«‹“‘„「『【（《〈［｛", ")]}>»›”’“」』】）》〉］｝", strict=True))
_SAME = set("\"'*_~`")
_ENDS = set(".!?…。！？؟۔।")


@dataclass(frozen=True, slots=True)
class Marks:
    """Needs of the edge punctuation of one document.

    Attributes:
        root: unit whose bundle each unit belongs to: itself, or for a closing bracket its partner.
            Shape: (U,)
        needs: rows ``(mark, word)``: the mark is worth no more than the word. Shape: (E, 2)
    """

    root: Int64
    needs: Int32


def marks(text: str, segmentation: Segmentation) -> Marks:
    """Find what each mark of a document needs."""
    units = len(segmentation)
    root = np.arange(units, dtype=np.int64)
    is_mark = (segmentation.kind == Kind.PUNCT) & (segmentation.host >= 0)
    where = np.flatnonzero(is_mark)
    if not where.size:
        return Marks(root, np.zeros((0, 2), np.int32))
    host = segmentation.host
    behind = _next_word(is_mark)[where]
    sentence = segmentation.sentence
    inside = (behind < units) & (host[where] < where)
    inside[inside] &= sentence[behind[inside]] == sentence[where[inside]]
    texts = [
        text[a:b]
        for a, b in zip(
            segmentation.start[where].tolist(), segmentation.end[where].tolist(), strict=True
        )
    ]
    needs = [np.stack([where, host[where]], axis=1)]
    pairs = _pairs(texts, sentence[where].tolist())
    if pairs.size:
        opening, closing = where[pairs[:, 0]], where[pairs[:, 1]]
        root[closing] = opening
        needs.append(np.stack([opening, host[closing]], axis=1))
        inside[pairs.reshape(-1)] = False
    ends = np.fromiter((t[0] in _ENDS for t in texts), np.bool_, len(texts))
    comma = inside & ~ends
    needs.append(np.stack([where[comma], behind[comma]], axis=1))
    rows = np.concatenate(needs).astype(np.int32)
    rows[:, 0] = root[rows[:, 0]]
    return Marks(root, rows)


def _next_word(is_mark: np.ndarray) -> Int64:
    """Next unit that is no mark, the number of units where there is none. Shape: (U,)."""
    units = is_mark.shape[0]
    own = np.where(is_mark, units, np.arange(units))
    return np.minimum.accumulate(own[::-1])[::-1].astype(np.int64)


def _pairs(texts: list[str], sentence: list[int]) -> Int64:
    """Positions of opening and closing marks that belong together, within a sentence. (P, 2)."""
    found: list[tuple[int, int]] = []
    open_: list[tuple[str, int]] = []
    current = -1
    for at, piece in enumerate(texts):
        if sentence[at] != current:
            open_, current = [], sentence[at]
        for character in piece:
            if open_ and open_[-1][0] == character:
                start = open_.pop()[1]
                if start != at:
                    found.append((start, at))
            elif character in _PAIRS:
                open_.append((_PAIRS[character], at))
            elif character in _SAME:
                open_.append((character, at))
    used: set[int] = set()
    kept = []
    for pair in found:  # a run such as `),` or `"(` takes part in one pair only
        if used.isdisjoint(pair):
            kept.append(pair)
            used.update(pair)
    return np.asarray(kept, dtype=np.int64).reshape(-1, 2)
