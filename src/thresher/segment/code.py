"""Code: fenced blocks, and lines that can hardly be prose."""

from __future__ import annotations

import re

from thresher.segment.layout import Layout, Lines
from thresher.types import Kind

_FENCE = re.compile(r"(`{3,}|~{3,})([^`\n]*)$")
_CODE = re.compile(
    r"""(?:def|class|import|from|return|if|elif|else|for|while|try|except|with|public|private|static|
    const|let|var|function|func|fn|struct|enum|package|using|namespace|template|\#include|\#define|
    SELECT|INSERT|CREATE|UPDATE|echo|sudo|pip|npm|git|cd|export|@\w+)\b.*[:;{}()=\w]$
    |.*[;{}]$ | [\])}]+[;,]?$ | [\w.\[\]"']+\s*(?:[-+*/|&]|:)?=\s*\S | [\w.]+\(.*\)[:;,]?$ | \$\s\S
    | (?://|/\*|\*/|\#!|<\?|<!--)""",
    re.VERBOSE,
)


def fences(lines: Lines, layout: Layout, taken: bytearray) -> None:
    """Code fences: each line of code requires both of them; an open one runs to the end."""
    found: list[tuple[int, str, str]] = []
    for line in range(len(lines)):
        if lines.text[lines.start[line] : lines.start[line] + 3] in ("```", "~~~"):
            match = _FENCE.match(lines[line])
            if match:
                found.append((line, match.group(1), match.group(2).strip()))
    at = 0
    while at < len(found):
        line, mark, info = found[at]
        close = at + 1
        while close < len(found) and not _closes(found[close], mark):
            if not info and found[close][2] and found[close][1][0] == mark[0]:
                break  # a fence with a language opens: the one before it was a closing one
            close += 1
        if close == len(found):
            _code(lines, layout, taken, line, len(lines), closed=False)
            return
        if _closes(found[close], mark):
            _code(lines, layout, taken, line, found[close][0], closed=True)
            at = close + 1
        else:
            first = 0 if at == 0 else line
            _orphan(lines, layout, taken, first, line)
            at = close


def _closes(fence: tuple[int, str, str], mark: str) -> bool:
    return fence[1][0] == mark[0] and len(fence[1]) >= len(mark) and not fence[2]


def _code(
    lines: Lines, layout: Layout, taken: bytearray, first: int, last: int, *, closed: bool
) -> None:
    """The fence at line ``first``, its code, and the fence at ``last`` where there is one."""
    ends = [first, last] if closed else [first]
    for fence in ends:
        layout.line(lines.start[fence], lines.end[fence], support=True, kind=Kind.FENCE)
    body = [line for line in range(first + 1, last) if not lines.blank(line)]
    for line in body:
        layout.line(lines.start[line], lines.end[line])
    for fence in ends if body else ():
        layout.needs.append((lines.start[body[0]], lines.end[body[-1]], lines.start[fence]))
    stop = last + 1 if closed else last
    taken[first:stop] = b"\1" * (stop - first)


def _orphan(lines: Lines, layout: Layout, taken: bytearray, first: int, line: int) -> None:
    """A closing fence whose opening one was cut off: what stands before it is code."""
    layout.line(lines.start[line], lines.end[line], support=True, kind=Kind.FENCE)
    body = [x for x in range(first, line) if not lines.blank(x)]
    for x in body:
        layout.line(lines.start[x], lines.end[x])
    if body:
        layout.needs.append((lines.start[body[0]], lines.end[body[-1]], lines.start[line]))
    taken[first : line + 1] = b"\1" * (line + 1 - first)


def code_like(line: str) -> bool:
    """Whether a line can hardly be prose."""
    return bool(_CODE.match(line))


def code_lines(lines: Lines, layout: Layout, taken: bytearray, first: int, last: int) -> None:
    """Lines ``[first, last)`` as code without fences."""
    for line in range(first, last):
        if not lines.blank(line):
            layout.line(lines.start[line], lines.end[line])
        taken[line] = 1
