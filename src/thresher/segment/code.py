"""Code: fenced blocks, interpreter sessions, and lines that can hardly be prose."""

from __future__ import annotations

import re
from collections.abc import Iterable

from thresher.segment.layout import Layout, Lines
from thresher.types import Kind

_FENCE = re.compile(r"(`{3,}|~{3,})([^`\n]*)$")
_SURE = re.compile(  # one such line in two makes a paragraph code
    r"""(?![-*+•]\s|\(?\w{1,3}[.)]\s)(?:\d{1,5}[:|]\s*)?
    (?:from\s+[\w.]+\s+import\b | import\s+[\w.{*][^;]*(?:;|\bas\s+\w+)?$
    | (?:async\s+)?(?:def|class|func|fn|function|interface|struct|enum|namespace)\s+\w.*[({:;]
    | (?:if|elif|for|while|with|except|switch|catch)\b.*[:{]$ | (?:else|try|finally)\s*[:{]$
    | (?:public|private|protected|static|const|let|var|export|package|using|template)\s.*[;{=(]
    | return\b[^.]*[;)\]}]?$ | (?:raise|throw|yield|await|assert)\s+\S+.*[\w)\];]$
    | @\w[\w.]*(?:\(.*\))?$ | \#(?:include|define|ifdef|ifndef|endif|pragma|!/)
    | .*[;{]$ | [\])}]+[;,:]*$ | .*=>?\s*[\[({]+$ | .*[)\]]\s*[:{]$
    | [\w.\[\]"'*&>-]+(?:,\s*[\w.]+)*\s*(?:[-+*/|&:?]|\*\*|<<|>>)?=\s*\S
    | [\w.:>-]+\((?:.*\))?(?:\.\w+\(.*\))*[;,]?$
    | \$\s+\S | (?://|/\*|\*/|<\?|--\s) | (?:SELECT|INSERT|CREATE|UPDATE|DELETE|ALTER)\s
    | (?:sudo|pip|npm|git|cd|curl|docker|python3?|make|apt)
        \s+[\w./-]+(?:\s+-{0,2}[\w./=@:-]+)*$)""",
    re.VERBOSE,
)
_COMMENT = re.compile(r"(?:\d{1,5}[:|](?:\s*#|$)|#|//|/\*|\*|--|;|\"\"\"|''')")


def fences(lines: Lines, layout: Layout, taken: bytearray) -> None:
    """Code fences: each line of code requires both of them; an open one runs to the end.

    A bare fence followed by one with a language is the end of a block whose start was cut off.

    Args:
        lines: the document's lines.
        layout: gets a unit for each line.
        taken: set to 1 for the lines of the blocks.
    """
    found: list[tuple[int, str, str]] = []
    for line, start in enumerate(lines.start):
        if lines.text.startswith(("```", "~~~"), start):
            match = _FENCE.match(lines.text, start, lines.end[line])
            if match:
                found.append((line, match.group(1), match.group(2).strip()))
    at = 0
    while at < len(found):
        line, mark, info = found[at]
        close = at + 1
        while close < len(found) and not _closes(found[close], mark):
            if not info and at == 0 and found[close][1][0] == mark[0] and found[close][2]:
                break
            close += 1
        if close == len(found):
            _block(lines, layout, taken, line + 1, len(lines), [line])
            return
        other = found[close][0]
        if _closes(found[close], mark):
            _block(lines, layout, taken, line + 1, other, [line, other])
            at = close + 1
        else:
            _block(lines, layout, taken, 0, line, [line])
            at = close


def _closes(fence: tuple[int, str, str], mark: str) -> bool:
    return fence[1][0] == mark[0] and len(fence[1]) >= len(mark) and not fence[2]


def _block(
    lines: Lines, layout: Layout, taken: bytearray, first: int, last: int, marks: list[int]
) -> None:
    """Lines ``[first, last)`` of code and the fences that they require."""
    for fence in marks:
        layout.line(lines.start[fence], lines.end[fence], support=True, kind=Kind.FENCE)
        taken[fence] = 1
    body = [line for line in range(first, last) if not lines.blank(line)]
    code_lines(lines, layout, taken, first, last)
    if not body and len(marks) == 2:  # an empty block stands for itself, as one
        layout.needs.append((lines.start[marks[0]], lines.end[marks[0]], lines.start[marks[1]]))
    for fence in marks if body else ():
        layout.needs.append((lines.start[body[0]], lines.end[body[-1]], lines.start[fence]))


def code_lines(lines: Lines, layout: Layout, taken: bytearray, first: int, last: int) -> None:
    """Lines ``[first, last)`` as units."""
    for line in range(first, last):
        if not lines.blank(line):
            layout.line(lines.start[line], lines.end[line])
        taken[line] = 1


def bare_code(lines: Lines, layout: Layout, taken: bytearray) -> None:
    """Code without fences: interpreter sessions, and paragraphs that are clearly code.

    A document that is mostly code is taken as a source file, comments included. In others,
    indented paragraphs need half of their lines to look like code, others four in five and at
    least three lines. Paragraphs below a list item are left alone.

    Args:
        lines: the document's lines.
        layout: gets a unit for each line of code.
        taken: set to 1 for these lines.
    """
    line, total = 0, len(lines)
    open_lines = [x for x in range(total) if not taken[x] and not lines.blank(x)]
    sure, loose = _look(lines, open_lines)
    size = len(open_lines)
    if size >= 5 and sure * 4 >= size and (sure + loose) * 10 >= size * 7:
        for start, stop in _runs(open_lines):
            code_lines(lines, layout, taken, start, stop)
        return
    listed = literal = False
    while line < total:
        if taken[line] or lines.blank(line):
            line += 1
            continue
        stop = line
        while stop < total and not taken[stop] and not lines.blank(stop):
            stop += 1
        literal = _paragraph(lines, layout, taken, line, stop, listed=listed, literal=literal)
        if not lines.indent[line]:
            listed = (
                lines.text[lines.start[line]] in "-*+" or lines.text[lines.start[line]].isdigit()
            )
        line = stop


def _paragraph(
    lines: Lines,
    layout: Layout,
    taken: bytearray,
    first: int,
    last: int,
    *,
    listed: bool,
    literal: bool,
) -> bool:
    """One paragraph; whether it announces a literal block (reStructuredText ``::``)."""
    for line in range(first, last):
        if lines.text.startswith((">>> ", "In ["), lines.start[line]):
            code_lines(lines, layout, taken, line, last)
            last = line
            break
    if first == last:
        return False
    indented = min(lines.indent[first:last]) >= 4
    if literal and lines.indent[first] >= 2 and not listed:
        code_lines(lines, layout, taken, first, last)
        return True
    if not (indented and not listed) and last - first < 3:
        return lines.text.endswith("::", lines.start[first], lines.end[last - 1])
    sure, loose = _look(lines, range(first, last))
    size = last - first
    if (indented and not listed and sure * 2 >= size) or (
        size >= 3 and sure * 2 >= size and (sure + loose) * 5 >= size * 4
    ):
        code_lines(lines, layout, taken, first, last)
        return False
    return lines.text.endswith("::", lines.start[first], lines.end[last - 1])


def _look(lines: Lines, which: Iterable[int]) -> tuple[int, int]:
    """Lines that can hardly be prose, and others that may be code: comments, indented ones."""
    sure = loose = 0
    for line in which:
        start, end = lines.start[line], min(lines.end[line], lines.start[line] + 300)
        if _SURE.match(lines.text, start, end):
            sure += 1
        elif lines.indent[line] >= 4 or _COMMENT.match(lines.text, start, end):
            loose += 1
    return sure, loose


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    """Runs of consecutive numbers, as half-open ranges."""
    out: list[tuple[int, int]] = []
    for number in numbers:
        if out and out[-1][1] == number:
            out[-1] = (out[-1][0], number + 1)
        else:
            out.append((number, number + 1))
    return out
