"""Tables: rows with pipes or tabs, each a unit that requires the header."""

from __future__ import annotations

import re

from thresher.segment.layout import LONG, Layout, Lines

_RULE = re.compile(r"\|?\s*:?-{1,}:?\s*(?:[|+]\s*:?-*:?\s*)*\|?$|[+|][-=+|\s:]+$")
_PIPE = re.compile(r"(?<!\\)\|")


def tables(lines: Lines, layout: Layout, taken: bytearray) -> None:
    """Mark the tables of a document.

    At least two rows in a row with the same number, at least two, of pipes or tabs; one is enough
    where a rule of dashes stands under the header.

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
                _rows(lines, layout, line, stop)
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
    if count < 2 and not ruled:
        return first
    if char == "\t" and lines.text.count("\t", lines.start[first], lines.end[first]) < 2:
        return first  # indentation
    stop = first + 1
    while stop < len(lines) and not taken[stop] and not lines.blank(stop):
        here = _separators(lines, stop, char)
        if here != count and not (ruled and (here or stop == first + 1)):
            break
        stop += 1
    return stop


def _rows(lines: Lines, layout: Layout, first: int, last: int) -> None:
    """A table: the rows require the header, the header its rule."""
    start, end = lines.start, lines.end
    rules = {line for line in range(first, last) if _RULE.match(lines[line])}
    header = next((line for line in range(first, last) if line not in rules), first)
    rest = [line for line in range(header + 1, last) if line not in rules]
    for line in range(first, last):
        serves = line in rules or (line == header and bool(rest))
        layout.line(start[line], end[line], support=serves)
    if end[header] - start[header] > LONG:
        return
    for line in sorted(rules):
        if line != header:
            layout.needs.append((start[header], start[header] + 1, start[line]))
    layout.needs += [(start[line], end[line], start[header]) for line in rest]
