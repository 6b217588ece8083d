"""Keep mask to text: slices of the source, joined by a space or the newline that the gap held."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from thresher.types import Bool, Int64, Kind, Segmentation

_NEWLINE = re.compile("\r\n|[\n\r\v\f\x85\u2028\u2029]")
# scripts written without spaces: Thai to Tibetan, Khmer, CJK and kana, fullwidth forms
_UNSPACED = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u2e80-\u31ff\u3400-\u9fff\uf900-\ufaff"
    "\uff00-\uffef\U00020000-\U0003ffff]"
)


@dataclass(frozen=True, slots=True)
class Rendered:
    """The kept text of one document.

    Attributes:
        text: slices of the source and what joins them.
        source: ``[start, end)`` of each slice in the source. Shape: (N, 2)
        target: first code point of each slice in ``text``. Shape: (N,)
    """

    text: str
    source: Int64
    target: Int64


def whole(text: str) -> Rendered:
    """The document unchanged, as one slice."""
    spans = np.asarray([[0, len(text)]] if text else [], dtype=np.int64).reshape(-1, 2)
    return Rendered(text, spans, np.zeros(spans.shape[0], dtype=np.int64))


def render(
    text: str, segmentation: Segmentation, mask: Bool, *, gap: str | None = None
) -> Rendered:
    """Slice the kept units out of the text.

    Neighbouring kept units form one slice, white space between them included. Where units were
    dropped, one space or newline stands; a line that is kept keeps its indentation; between
    scripts that are written without spaces nothing is put.

    Args:
        text: the source.
        segmentation: its units.
        mask: units to keep. Shape: (U,)
        gap: put in place of dropped units, instead of a space.

    Returns:
        Text and spans.
    """
    kept = np.flatnonzero(mask)
    if not kept.size:
        return Rendered("", np.zeros((0, 2), np.int64), np.zeros(0, np.int64))
    if kept.size == len(segmentation):
        return whole(text)
    breaks = np.flatnonzero(np.diff(kept) > 1) + 1
    first = kept[np.r_[0, breaks]]
    last = kept[np.r_[breaks - 1, kept.size - 1]]
    starts = segmentation.start[first].astype(np.int64).tolist()
    ends = segmentation.end[last].astype(np.int64).tolist()
    lines = (segmentation.kind[first] == Kind.LINE).tolist()
    pieces: list[str] = []
    source: list[tuple[int, int]] = []
    target: list[int] = []
    length, previous = 0, 0
    for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
        start = _with_indent(text, previous, start, line=lines[index])
        glue = _glue(text, previous, start, gap) if index else ""
        pieces += (glue, text[start:end])
        target.append(length + len(glue))
        source.append((start, end))
        length += len(glue) + end - start
        previous = end
    return Rendered("".join(pieces), np.asarray(source, np.int64), np.asarray(target, np.int64))


def _with_indent(text: str, previous: int, start: int, *, line: bool) -> int:
    """Move the start of a slice back over its line's indentation, never over the newline."""
    at = start
    while at > previous and text[at - 1] in " \t":
        at -= 1
    if at == 0:
        return 0 if line else start
    wide = line or start - at >= 2 or text[at] == "\t"
    return at if wide and text[at - 1] in "\n\r" else start


def _glue(text: str, end: int, start: int, gap: str | None) -> str:
    """What joins two slices with dropped text between them."""
    between = text[end:start]
    newline = _NEWLINE.search(between)
    if gap is not None:
        return gap if not newline else gap.rstrip() + newline.group()
    if newline:
        return newline.group()
    if any(c.isspace() for c in between):
        return " "
    unspaced = _UNSPACED.match(text[end - 1]) or _UNSPACED.match(text[start])
    return "" if unspaced and not (text[end - 1].isdigit() and text[start].isdigit()) else " "
