"""Where a normalised answer stands in a text, in code points of the text."""

from __future__ import annotations

import re
from collections.abc import Sequence

_WORD = re.compile(r"[^\W_]+")
_ARTICLES = frozenset({"a", "an", "the"})


def occurrences(text: str, keys: Sequence[str]) -> list[tuple[int, int]]:
    """Spans of all places where one of the normalised keys stands, as whole words.

    Args:
        text: the source.
        keys: as ``data.normalise`` makes them.

    Returns:
        ``[start, end)`` from the first to the last word of each place.
    """
    lowered = text.lower()
    if len(lowered) != len(text):  # a letter whose lower case is longer: offsets would shift
        lowered = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    found = [m.span() for m in _WORD.finditer(lowered)]
    found = [(a, b) for a, b in found if lowered[a:b] not in _ARTICLES]
    words = [lowered[a:b] for a, b in found]
    out: list[tuple[int, int]] = []
    for key in keys:
        wanted = key.split()
        size = len(wanted)
        places = [
            at
            for at in range(len(words) - size + 1)
            if size and words[at] == wanted[0] and words[at : at + size] == wanted
        ]
        out += [(found[at][0], found[at + size - 1][1]) for at in places]
    return out
