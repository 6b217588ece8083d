"""What each character is: one vectorised table look-up, and the borders of grapheme clusters."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

import numpy as np
import regex
from numpy.typing import NDArray

from thresher.types import Bool

Codes = NDArray[np.uint8]

SPACE, BREAK, LETTER, UPPER, DIGIT, SYMBOL = 1, 2, 3, 4, 5, 6
JOIN, DOT, SLASH, COLON, OPEN, STOP, DASH, PUNCT = 7, 8, 9, 10, 11, 12, 13, 14
HAN, KATA, HIRA, SEA, UNDER, BACKSLASH, INNER_DOT = 15, 16, 17, 18, 19, 20, 21
_GLUE = 0x80  # may belong to the grapheme cluster of a neighbour

# groups: a unit never spans two of them, unless it is an atom
G_SPACE, G_WORD, G_PUNCT, G_HAN, G_KATA, G_HIRA, G_SEA = range(7)
GROUP = np.zeros(32, np.uint8)
GROUP[[LETTER, UPPER, DIGIT, SYMBOL, UNDER, BACKSLASH, INNER_DOT]] = G_WORD
GROUP[[JOIN, DOT, SLASH, COLON, OPEN, STOP, DASH, PUNCT]] = G_PUNCT
GROUP[[HAN, KATA, HIRA, SEA]] = (G_HAN, G_KATA, G_HIRA, G_SEA)

_SINGLE = {
    **dict.fromkeys("\n\r\v\f\x85\u2028\u2029\x1c\x1d\x1e", BREAK),
    **dict.fromkeys("'’-‐‑·*", JOIN),
    **dict.fromkeys("#@%&§‰", SYMBOL),
    **dict.fromkeys("`|", PUNCT),
    **dict.fromkeys("!?…。！？｡．։؟۔।॥။។።᠃᠉‼⁇⁈⁉︒︕︖﹒﹖﹗", STOP),
    **dict.fromkeys("¿¡", OPEN),
    **dict.fromkeys("—–―⸺⸻", DASH),
    "_": UNDER,
    "\\": BACKSLASH,
    ".": DOT,
    "/": SLASH,
    ":": COLON,
    "\u0f0b": SEA,  # the Tibetan tsheg ends a syllable
    "\u3005": HAN,
    "\u3007": HAN,
}
_SCRIPTS = (
    (0x0E00, 0x0EFF, SEA),
    (0x0F00, 0x0FFF, SEA),
    (0x1000, 0x109F, SEA),
    (0x1780, 0x17FF, SEA),
    (0x1950, 0x19DF, SEA),
    (0x1A20, 0x1AAF, SEA),
    (0x2E80, 0x2FDF, HAN),
    (0x3041, 0x309F, HIRA),
    (0x30A1, 0x312F, KATA),
    (0x31A0, 0x31FF, KATA),
    (0x3400, 0x4DBF, HAN),
    (0x4E00, 0x9FFF, HAN),
    (0xA000, 0xA4CF, HAN),
    (0xA9E0, 0xA9FF, SEA),
    (0xAA60, 0xAA7F, SEA),
    (0xF900, 0xFAFF, HAN),
    (0xFF66, 0xFF9F, KATA),
    (0x20000, 0x3FFFF, HAN),
)
_PLAIN = regex.compile(
    r"[\p{GCB=Other}\p{GCB=Control}\p{GCB=CR}\p{GCB=LF}\p{GCB=LV}\p{GCB=LVT}]", regex.DOTALL
)
_CLUSTER = regex.compile(  # flags by hand: the matcher counts them from the start every time
    r"\p{RI}{1,2}[\p{GCB=Extend}\p{GCB=ZWJ}\p{GCB=SpacingMark}]*+|\X"
)
_TABLE = np.zeros(0x110000, np.uint8)  # filled as characters are met; 0 is not yet known


def _classify(code: int) -> int:
    char = chr(code)
    glue = 0 if _PLAIN.match(char) else _GLUE
    if char in _SINGLE:
        return _SINGLE[char] | glue
    if char.isspace():
        return SPACE | glue
    category = unicodedata.category(char)
    if category[0] in "LM":
        for first, last, script in _SCRIPTS:
            if first <= code <= last:
                return script | glue
        return (UPPER if category in ("Lu", "Lt") else LETTER) | glue
    if category[0] == "N":
        return DIGIT | glue
    if category[0] == "P":
        return (OPEN if category in ("Ps", "Pi") else PUNCT) | glue
    return SYMBOL | glue


def _fill(codes: Iterable[int]) -> None:
    for code in codes:
        _TABLE[code] = _classify(code)


_fill(range(0x250))


def classify(text: str) -> tuple[Codes, Bool | None]:
    """Class of every character, the same over a grapheme cluster, and where clusters start.

    Args:
        text: any string, lone surrogates included.

    Returns:
        Classes, Shape: (C,), and starts of grapheme clusters, Shape: (C,), or
        None where every character is one; C is ``len(text)``.
    """
    if text.isascii():
        codes: NDArray[np.uint8] | NDArray[np.uint32] = np.frombuffer(
            text.encode("ascii"), np.uint8
        )
        return _TABLE[codes], None
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    found = _TABLE[codes]
    if not found.all():
        _fill(np.unique(codes[found == 0]).tolist())
        found = _TABLE[codes]
    glue = found >= _GLUE
    if not glue.any():
        return found, None
    found &= _GLUE - 1
    starts = _clusters(text, glue)
    at = np.maximum.accumulate(np.where(starts, np.arange(len(text)), 0))
    marked = at[~starts & (found > BREAK)]
    marked = marked[found[marked] == SPACE]
    found[marked] = LETTER  # a mark on a space: the space belongs to its unit
    return found[at], starts


def _clusters(text: str, glue: Bool) -> Bool:
    """Starts of grapheme clusters; only the doubtful stretches are matched."""
    doubt = glue.copy()
    doubt[1:] |= glue[:-1]
    doubt[0] = False
    starts = ~doubt
    edges = np.flatnonzero(np.diff(np.concatenate(([False], doubt, [False])))).tolist()
    more: list[int] = []
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        more += [m.start() for m in _CLUSTER.finditer(text, first - 1, last)]
    starts[more] = True
    return starts
