"""Views of a segmentation as plain strings, for tests."""

from __future__ import annotations

import numpy as np

from thresher.segment import segment, unit_texts
from thresher.types import Kind


def units(text: str) -> list[str]:
    return unit_texts(text, segment(text))


def sentences(text: str) -> list[str]:
    seg = segment(text)
    ids = seg.sentence
    out = []
    for s in range(int(ids[-1]) + 1):
        at = np.flatnonzero(ids == s)
        out.append(text[int(seg.start[at[0]]) : int(seg.end[at[-1]])])
    return out


def needs(text: str) -> dict[str, set[str]]:
    seg = segment(text)
    names = unit_texts(text, seg)
    out: dict[str, set[str]] = {}
    for unit, needed in seg.requires.tolist():
        out.setdefault(names[unit], set()).add(names[needed])
    return out


def kind_of(text: str, unit: str) -> Kind:
    seg = segment(text)
    return Kind(int(seg.kind[unit_texts(text, seg).index(unit)]))


def support_of(text: str) -> list[str]:
    seg = segment(text)
    return [u for u, s in zip(unit_texts(text, seg), seg.support, strict=True) if s]


def acyclic(rows: np.ndarray, units_: int) -> bool:
    waiting = np.bincount(rows[:, 1], minlength=units_) if rows.size else np.zeros(units_, int)
    ready = [u for u in range(units_) if not waiting[u]]
    follow: dict[int, list[int]] = {}
    for unit, needed in rows.tolist():
        follow.setdefault(unit, []).append(needed)
    seen = 0
    while ready:
        seen += 1
        for needed in follow.get(ready.pop(), []):
            waiting[needed] -= 1
            if not waiting[needed]:
                ready.append(needed)
    return seen == units_
