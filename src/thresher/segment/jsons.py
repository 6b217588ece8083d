"""JSON: pretty-printed over lines, one value a line, or one long value cut into its elements."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from thresher.segment.layout import LONG, Layout, Lines

DEEP = 50  # containers are not cut below this depth
SHORT = 200  # a JSON value up to this length is one unit

_STRING = r'"(?:[^"\\\n]|\\.)*+"'
_LINE = re.compile(
    rf"(?:{_STRING}|[\[\]{{}},:]|-?\d++(?:\.\d++)?(?:[eE][+-]?\d++)?(?![\w.])|true|false|null|NaN"
    r"|[^\S\n]++)++"
)
_KEY = re.compile(rf"{_STRING}\s*:")
_TOKEN = re.compile(rf"{_STRING}|[\[\]{{}},]")
_LONG_STRING = re.compile(rf'(?:{_STRING}\s*:\s*)?"(?=.*",?$)', re.DOTALL)
_FIRST = frozenset('{["]},-0123456789tfnN')


@dataclass(slots=True)
class _Frame:
    """An open container: the unit of its bracket, and the units directly inside."""

    opened: int
    inside: list[int] = field(default_factory=list)


def json_lines(lines: Lines, layout: Layout, taken: bytearray) -> None:
    """Mark the JSON of a document; a block may have lost its start or end.

    Args:
        lines: the document's lines.
        layout: gets a unit for each line or element, and what each requires.
        taken: set to 1 for the lines of JSON.
    """
    total = len(lines)
    line = 0
    while line < total:
        if taken[line] or not _shaped(lines, line):
            line += 1
            continue
        stop = line + 1
        last = stop
        while stop < total and not taken[stop] and (lines.blank(stop) or _shaped(lines, stop)):
            stop += 1
            if not lines.blank(stop - 1):
                last = stop
        if _credible(lines, line, last):
            _block(lines, layout, line, last)
            taken[line:last] = b"\1" * (last - line)
        line = max(stop, last)


def _shaped(lines: Lines, line: int) -> bool:
    """Whether a line holds nothing but JSON tokens."""
    start, end = lines.start[line], lines.end[line]
    if start == end or lines.text[start] not in _FIRST:
        return False
    return _LINE.fullmatch(lines.text, start, end) is not None


def _credible(lines: Lines, first: int, last: int) -> bool:
    """Whether lines of JSON tokens are JSON, and not a column of numbers or a quotation."""
    opening = lines.text[lines.start[first]] in "[{"
    if opening and (last - first >= 3 or lines.text[lines.end[last - 1] - 1] in "]}"):
        return True
    keys = 0
    for line in range(first, last):
        body = lines[line]
        keys += _KEY.match(body.lstrip("[{ ,")) is not None
        if body[:1] in ("[", "{") and body.rstrip(",")[-1:] in ("]", "}"):
            return True
    return keys >= 2 or (keys == 1 and last - first <= 2)


def _block(lines: Lines, layout: Layout, first: int, last: int) -> None:
    """Lines of JSON: each requires the brackets around it."""
    stack: list[_Frame] = []
    for line in range(first, last):
        start, end = lines.start[line], lines.end[line]
        if start == end:
            continue
        closes, opens = _balance(lines.text, start, end)
        inside = [start]
        if closes == opens == 0 and end - start > SHORT and lines.text[start] in "[{":
            inside = _elements(layout, lines.text, start, end)
        elif closes == opens == 0:
            inside = _leaf(layout, lines.text, start, end)
        else:
            layout.line(start, end, support=True)
        for _ in range(min(closes, len(stack))):
            _close(layout, stack.pop(), start)
        if stack:
            stack[-1].inside += inside
        stack += [_Frame(start) for _ in range(opens)]
    while stack:
        frame = stack.pop()
        layout.needs += [(child, child + 1, frame.opened) for child in frame.inside]


def _balance(text: str, start: int, end: int) -> tuple[int, int]:
    """Brackets that a line closes for earlier lines and leaves open for later ones."""
    closes = opens = 0
    for match in _TOKEN.finditer(text, start, end):
        token = match.group()
        if token in "[{":
            opens += 1
        elif token in "]}":
            if opens:
                opens -= 1
            else:
                closes += 1
    return closes, opens


def _close(layout: Layout, frame: _Frame, closed: int) -> None:
    """What a container holds requires both of its brackets."""
    if closed == frame.opened:
        return
    if not frame.inside:  # an empty container stands for itself
        layout.needs += [(frame.opened, frame.opened + 1, closed)]
        return
    for child in frame.inside:
        layout.needs += [(child, child + 1, frame.opened), (child, child + 1, closed)]


def _leaf(layout: Layout, text: str, start: int, end: int) -> list[int]:
    """One element as one unit; the words of a very long string require its key and quotes."""
    match = _LONG_STRING.match(text, start, end) if end - start > LONG else None
    if match is None:
        layout.line(start, end)
        return [start]
    tail = end - (2 if text[end - 1] == "," else 1)
    layout.breaks += (start, end)
    for a, b in ((start, match.end()), (tail, end)):
        layout.marker(a, b, match.end(), tail)
    return [start, tail]


def _elements(layout: Layout, text: str, start: int, end: int) -> list[int]:
    """Cut a long value on one line into elements, and long elements again.

    Returns:
        The units of its outermost brackets, and of what follows on the line.
    """
    tokens = [m.start() for m in _TOKEN.finditer(text, start, end) if text[m.start()] != '"']
    match = _matching(text, tokens)
    root = _Frame(-1)
    stack = [root]
    begin = start  # where the element at hand starts
    closing = -1  # the bracket unit just closed: a comma after it belongs to it
    at = 0
    while at < len(tokens):
        where = tokens[at]
        char = text[where]
        if char in "[{" and (tokens[match[at]] - where <= SHORT or len(stack) > DEEP):
            at = match[at]  # a short container is part of its element
        elif char in "[{":
            begin = _solid(text, begin)
            layout.line(begin, where + 1, support=True)
            stack[-1].inside.append(begin)
            stack.append(_Frame(begin))
            begin, closing = where + 1, -1
        elif char == ",":
            if closing >= 0:
                layout.line(closing, where + 1, support=True)
            else:
                stack[-1].inside += _element(layout, text, begin, where + 1)
            begin, closing = where + 1, -1
        else:
            if closing >= 0:
                layout.line(closing, begin, support=True)
            else:
                stack[-1].inside += _element(layout, text, begin, where)
            frame = stack.pop()
            _close(layout, frame, where)
            stack[-1].inside.append(where)
            begin, closing = where + 1, where
        at += 1
    if closing >= 0:
        layout.line(closing, end, support=True)
    return root.inside


def _solid(text: str, at: int) -> int:
    """The first character from ``at`` on that is not white space."""
    while text[at].isspace():
        at += 1
    return at


def _element(layout: Layout, text: str, start: int, end: int) -> list[int]:
    body = text[start:end]
    start += len(body) - len(body.lstrip())
    end -= len(body) - len(body.rstrip())
    return _leaf(layout, text, start, end) if start < end else []


def _matching(text: str, tokens: list[int]) -> list[int]:
    """Index of the token that closes each opening one; its own index for the others."""
    match = list(range(len(tokens)))
    stack: list[int] = []
    for at, where in enumerate(tokens):
        if text[where] in "[{":
            stack.append(at)
        elif text[where] in "]}":
            match[stack.pop()] = at
    return match
