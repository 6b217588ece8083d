"""Names of several words, kept or dropped as one: "Mircea Veroiu", "Don E. Fauntleroy"."""

from __future__ import annotations

import numpy as np

from thresher.segment import unit_texts
from thresher.types import Int64, Kind, Segmentation

_LONGEST = 4
_OPENER_TEXT = """the a an in on at by as for from with of to and but or if when while after before
during he she it they we you i his her its their our your this that these those there here"""
_OPENERS = frozenset(_OPENER_TEXT.split())


def name_roots(text: str, segmentation: Segmentation) -> Int64:
    """The first unit of the name that each unit belongs to, itself where it belongs to none.

    A name is a run of at most four capitalised words of one line, without punctuation but for the
    full stop of an initial. A word that opens sentences, or stands in the text in small letters
    as well, is no part of it.

    Returns:
        Shape: (U,)
    """
    words = unit_texts(text, segmentation)
    small = {w for w in words if w.islower()} | _OPENERS
    root = np.arange(len(words), dtype=np.int64)
    start, end = segmentation.start.tolist(), segmentation.end.tolist()
    kind, sentence = segmentation.kind.tolist(), segmentation.sentence.tolist()
    first, size, last, initial = -1, 0, -2, False
    for unit, word in enumerate(words):
        if kind[unit] == Kind.PUNCT and initial and word == "." and last == unit - 1:
            last = unit
            continue
        if kind[unit] != Kind.WORD or not word[0].isupper() or word.lower() in small:
            first = -1
            continue
        near = (
            first >= 0
            and last == unit - 1
            and size < _LONGEST
            and sentence[unit] == sentence[first]
            and text[end[unit - 1] : start[unit]] == " "
        )
        if near:
            root[unit] = first
            size += 1
        else:
            first, size = unit, 1
        last, initial = unit, len(word) == 1
    return root
