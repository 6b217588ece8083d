"""The structure which lines show: headings, lists, quotes, logs, dialogue, code, JSON, tables."""

from __future__ import annotations

import re
from bisect import bisect_right

from thresher.segment.code import fences
from thresher.segment.layout import Layout, Lines, split_lines

_HEADING = re.compile(r"(#{1,6})(?=\s)|(={1,6})(?=\s+\S.*\s\2$)")
_QUOTE = re.compile(r">(?:\s?>)*(?!\S*[=>])")
_ITEM = re.compile(
    r"(?:[-*+•‣◦▪●○–—]|\(?(?:\d{1,3}(?:\.\d{1,3})*|[a-zA-Z]|[ivxIVX]{1,5})[.)])"
    r"(?:[ \t]+\[[ xX]\])?(?=[ \t]+\S)"
)
_STAMP = (
    r"\d{4}[-/]\d\d[-/]\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|\s?[+-]\d\d:?\d\d)?)"
    r"|\d\d[:]\d\d:\d\d(?:[.,]\d+)?|[A-Z][a-z]{2}\s+\d\d?\s\d\d:\d\d:\d\d"
    r"|\d\d/[A-Z][a-z]{2}/\d{4}[: ]\d\d:\d\d:\d\d(?:\s[+-]\d{4})?"
)
_LEVEL = (
    r"(?:TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERR(?:OR)?|CRIT(?:ICAL)?|FATAL|SEVERE|ALERT|EMERG)"
)
_LOG = re.compile(
    rf"(?:\d{{1,3}}(?:\.\d{{1,3}}){{3}}\s\S+\s\S+\s)?[\[(]?(?:{_STAMP})[\])]?"
    rf"(?:[\s|,-]+[\[(<]?{_LEVEL}[\])>]?:?(?=\s|$))?(?=[\s:]|$):?"
    rf"|[\[(<]{_LEVEL}[\])>]:?(?=\s)|{_LEVEL}(?::|\s-|\s\|)(?=\s)"
)
_TURN = re.compile(
    r"(?:[\[(]?\d\d?:\d\d(?::\d\d)?[\])]?\s+)?(\*{0,2}[^\W\d_][\w.'’-]*(?:[ ](?:[^\W\d_]|\d)[\w.'’-]*){0,3}"
    r"(?:\s[\[(]\d\d?:\d\d(?::\d\d)?[\])])?\*{0,2}):\*{0,2}(?=\s+\S)"
)
_ROLES = frozenset(
    [
        "user",
        "assistant",
        "system",
        "human",
        "ai",
        "bot",
        "q",
        "a",
        "question",
        "answer",
        "speaker",
        "interviewer",
        "interviewee",
        "customer",
        "agent",
        "host",
        "guest",
        "moderator",
        "doctor",
        "patient",
        "teacher",
        "student",
        "client",
        "therapist",
        "operator",
        "caller",
        "narrator",
        "chair",
        "clerk",
        "tool",
        "developer",
        "model",
    ]
)
_UNDERLINE = re.compile(r"([=\-~^\"'*+#])\1{2,}$")


def layout(text: str) -> Layout:
    """Read the lines of a document.

    Args:
        text: the document.

    Returns:
        Fixed units, sentence starts and requirements; empty for a single line of prose.
    """
    out = Layout()
    lines = split_lines(text)
    taken = bytearray(len(lines))
    if "```" in text or "~~~" in text:
        fences(lines, out, taken)
    turns = _turns(lines, taken)
    _marks(lines, out, taken, turns)
    return out


def _turns(lines: Lines, taken: bytearray) -> dict[int, int]:
    """Lines which start a dialogue turn or a labelled field, with the end of their label."""
    found: list[tuple[int, int, str]] = []
    if ":" not in lines.text:
        return {}
    for line in range(len(lines)):
        if taken[line] or ":" not in lines.text[lines.start[line] : lines.start[line] + 80]:
            continue
        match = _TURN.match(lines.text, lines.start[line], lines.end[line])
        if match and "://" not in match.group():
            found.append((line, match.end(), match.group(1).strip("* ").casefold()))
    count: dict[str, int] = {}
    for _, _, name in found:
        count[name] = count.get(name, 0) + 1
    several = len(found) >= 3 and len(count) >= 2
    return {
        line: end
        for line, end, name in found
        if several or count[name] >= 2 or name.rstrip("0123456789 ") in _ROLES
    }


def _marks(lines: Lines, out: Layout, taken: bytearray, turns: dict[int, int]) -> None:
    """Markers at the start of lines, and where paragraphs and items start."""
    fresh = True  # whether the next line of prose starts a sentence
    opened: tuple[int, int] | None = None  # marker of the item or turn that still goes on
    at = 0

    def finish(stop: int) -> None:
        nonlocal opened
        if opened is not None:
            out.needs.append((opened[1], lines.end[stop - 1], opened[0]))
            opened = None

    while at < len(lines):
        if taken[at] or lines.blank(at):
            finish(at)
            fresh = True
            at += 1
            continue
        start, end = lines.start[at], lines.end[at]
        line = lines.text[start:end]
        head = line[0]
        match = None
        if head in "#=" and (match := _HEADING.match(line)):
            finish(at)
            out.breaks.append(start)
            out.marker(start, start + match.end(), start + match.end(), end)
            fresh, at = True, at + 1
            continue
        if head == ">" and (match := _QUOTE.match(line)):
            finish(at)
            out.marker(start, start + match.end(), start + match.end(), end)
            if fresh:
                out.breaks.append(start)
            fresh, at = False, at + 1
            continue
        stop = -1
        if at in turns:
            stop = turns[at]
        elif (head.isdigit() or head in "[(<ACDEFINSTWJFMAOS") and (match := _LOG.match(line)):
            stop = start + match.end()
            finish(at)
            out.breaks.append(start)
            if stop < end:
                out.marker(start, stop, stop, end)
            fresh, at = True, at + 1
            continue
        elif (not head.isalpha() or line[1:2] in ".)" or line[1:6].find(")") >= 0) and (
            match := _ITEM.match(line)
        ):
            stop = start + match.end()
        if stop > 0:
            finish(at)
            out.breaks.append(start)
            out.units.append((start, stop, _MARKER, True))
            opened = (start, stop)
            fresh = False
        elif fresh:
            out.breaks.append(start)
            fresh = False
        at += 1
    finish(at)


from thresher.types import Kind  # noqa: E402

_MARKER = Kind.MARKER
_ = bisect_right, _UNDERLINE
