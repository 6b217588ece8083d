"""Tables: rows with pipes or tabs, each a unit that requires the rows of the header."""

from __future__ import annotations

import re
from itertools import pairwise

from thresher.segment.layout import LONG, Layout, Lines

_RULE = re.compile(r"\|?\s*:?-{1,}:?\s*(?:[|+]\s*:?-*:?\s*)*\|?$|[+|][-=+|\s:]+$")
_PIPE = re.compile(r"(?<!\\)\|")
_YEAR = re.compile(r"(?:19|20)\d\d(?:\s?[A-Z*]{1,3})?$")
_FIGURE = re.compile(
    r"[^\w\s]{0,4}\s?(?:[A-Z]{1,3}\s?)?[$€£¥]?\s?\d[\d,.\s]*(?:[%)\w°]{0,4}\s?){0,2}$"
)
_HEADER_ROWS = 4
_UNEVEN = 2  # empty cells that a row may lack or have too many
_SINGLE_ROWS = 3


def tables(lines: Lines, layout: Layout, taken: bytearray) -> None:
    """Mark the tables of a document.

    At least two rows in a row with about the same number, at least two, of pipes or tabs; one is
    enough where a rule of dashes stands under the header, or in three rows with one each.

    Args:
        lines: the document's lines.
        layout: gets a unit for each row, and what it requires.
        taken: set to 1 for the rows.
    """
    for char in "|\t":
        if char not in lines.text:
            continue
        line = 0
        while line < len(lines):
            stop = _table_end(lines, taken, line, char)
            if stop > line + 1:
                _rows(lines, layout, line, stop, char)
                taken[line:stop] = b"\1" * (stop - line)
            line = max(stop, line + 1)


def _separators(lines: Lines, line: int, char: str) -> int:
    """Pipes, or tabs with those at the ends: there the cells are empty."""
    start, end = lines.start[line], lines.end[line]
    if char == "\t":
        return lines.text.count("\t", lines.raw[line], lines.raw[line + 1])
    found = lines.text.count("|", start, end)
    return len(_PIPE.findall(lines.text, start, end)) if found else 0


def _table_end(lines: Lines, taken: bytearray, first: int, char: str) -> int:
    """One past the last row of the table that starts at a line; the line itself for none."""
    if taken[first] or lines.blank(first):
        return first
    count = _separators(lines, first, char)
    if not count:
        return first
    ruled = (
        char == "|"
        and first + 1 < len(lines)
        and not taken[first + 1]
        and "-" in lines[first + 1]
        and _RULE.match(lines[first + 1]) is not None
    )
    single = count < 2 and not ruled
    if single and (char == "\t" or " | " not in lines[first]):
        return first
    if char == "\t" and lines.text.count("\t", lines.start[first], lines.end[first]) < 2:
        return first  # indentation
    stop = first + 1
    while stop < len(lines) and not taken[stop] and not lines.blank(stop):
        here = _separators(lines, stop, char)
        near = char == "|" and here and not single and abs(here - count) <= _UNEVEN
        if here != count and not near and not (ruled and (here or stop == first + 1)):
            break
        stop += 1
    return first if single and stop - first < _SINGLE_ROWS else stop


def _rows(lines: Lines, layout: Layout, first: int, last: int, char: str) -> None:
    """A table: the rows require the header, the header its rule."""
    start, end = lines.start, lines.end
    rules = {line for line in range(first, last) if _RULE.match(lines[line])}
    header = _header(lines, first, last, rules, char)
    rest = [line for line in range(header[-1] + 1, last) if line not in rules]
    for line in range(first, last):
        serves = line in rules or (line in header and bool(rest))
        layout.line(start[line], end[line], support=serves)
    if any(end[line] - start[line] > LONG for line in header):
        return
    for line in sorted(rules):
        if line not in header:
            layout.needs.append((start[header[0]], start[header[0]] + 1, start[line]))
    for above, line in pairwise(header):
        layout.needs.append((start[line], end[line], start[above]))
    layout.needs += [(start[line], end[line], start[header[-1]]) for line in rest]


def _header(lines: Lines, first: int, last: int, rules: set[int], char: str) -> list[int]:
    """The first row, and those below it that go on with it.

    A header of several rows fills in what stands above: its rows have no figures but years and
    dates, and only the last of them has a label in the first column.
    """
    rows = [line for line in range(first, last) if line not in rules]
    if not rows:
        return [first]
    header = rows[:1]
    above = _cells(lines, rows[0], char)
    for line in rows[1:_HEADER_ROWS]:
        cells = _cells(lines, line, char)
        names = [c for c in cells[1:] if c]
        ended = line - 1 in rules or above[0] or not names
        if ended or any(_is_figure(c) for c in (*above[1:], *names)):
            break
        header.append(line)
        above = cells
    return header if len(header) < len(rows) else rows[:1]


def _cells(lines: Lines, line: int, char: str) -> list[str]:
    """Cells of a row without outer white space; at least one."""
    start, end = lines.raw[line], lines.end[line]
    row = lines.text[start:end].rstrip("\r\n")
    if char == "\t":
        return [c.strip() for c in row.split("\t")]
    row = row.strip()
    cells = [c.strip() for c in _PIPE.split(row)]
    return cells[1:] if row.startswith("|") and not _leads(cells) else cells


def _leads(cells: list[str]) -> bool:
    """Whether a pipe at the start of a row follows an empty first cell rather than frames it."""
    return bool(cells[-1])


def _is_figure(cell: str) -> bool:
    return _YEAR.match(cell) is None and _FIGURE.match(cell) is not None
