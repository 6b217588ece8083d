"""The structure that lines show: headings, lists, quotes, logs, dialogue, paragraphs."""

from __future__ import annotations

import re

from thresher.segment.code import bare_code, fences
from thresher.segment.jsons import json_lines
from thresher.segment.layout import Layout, Lines, split_lines
from thresher.segment.quantities import AFTER_DAY
from thresher.segment.tables import tables
from thresher.types import Kind

_HEADING = re.compile(r"#{1,6}(?=[ \t])|(={1,6})(?=[ \t].*[ \t]\1$)")
_QUOTE = re.compile(r">(?:[ \t]?>)*(?![=>])")
_ITEM = re.compile(
    r"(?:[-*+•‣⁃◦▪■●○–—]|\(?(?:\d{1,3}(?:\.\d{1,3})*|[a-zA-Z]|[ivxIVX]{1,5})[.)])"
    r"(?:[ \t]+\[[ xX]\])?(?=[ \t]+\S)"
)
_INITIAL = re.compile(r"[A-Z]\.[ \t]+(?:[A-Z]\.|[A-Z][a-z]+ (?:[a-z]+ed|is|was|has)\b)")
_LETTERED = re.compile(r"[a-zA-Z][.)]|[ivxIVX]{2,5}[.)]")
_STARTS = ("-", "*", "+", "•", "‣", "⁃", "◦", "▪", "■", "●", "○", "1", "a", "A", "i", "I")
_BLANKS = re.compile(r"[ \t]*")
_STAMP = (
    r"\d{4}[-/]\d\d[-/]\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[ \t]?[+-]\d\d:?\d\d)?)"
    r"|\d\d:\d\d:\d\d(?:[.,]\d+)?|[A-Z][a-z]{2}\s{1,2}\d\d?\s\d\d:\d\d:\d\d"
    r"|\d\d/[A-Z][a-z]{2}/\d{4}[: ]\d\d:\d\d:\d\d(?:\s[+-]\d{4})?|\d{10}(?:\.\d+)?(?=[\])])"
)
_LEVEL = (
    r"(?:TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERR(?:OR)?|CRIT(?:ICAL)?|FATAL|SEVERE|ALERT|EMERG)"
)
_LOG = re.compile(
    rf"(?:\d{{1,3}}(?:\.\d{{1,3}}){{3}}\s\S+\s\S+\s)?[\[(]?(?:{_STAMP})[\])]?"
    rf"(?:[\s|,-]{{1,8}}[\[(<]?{_LEVEL}\s?[\])>]?(?=[\s:|-]|$))?(?=[\s:|-]|$):?"
    rf"|[\[(<]{_LEVEL}\s?[\])>]:?(?=\s)|{_LEVEL}(?::|\s-|\s\|)(?=\s)"
)
_TURN = re.compile(
    r"(?:[\[(]?\d\d?:\d\d(?::\d\d)?[\])]?\s{1,3})?(?P<name>\*{0,2}[^\W\d_][\w.'’-]*"
    r"(?:[ ](?:[^\W\d_]|\d)[\w.'’-]*){0,3}(?:\s[\[(][^\])\n]{1,30}[\])])?\*{0,2})[:：]\*{0,2}"
    r"(?=\s+\S)"
)
_ROLE_NAMES = """user assistant system human ai bot q a question answer speaker interviewer
interviewee customer agent host guest moderator doctor patient teacher student client therapist
operator caller narrator chair clerk tool developer model"""
_ROLES = frozenset(_ROLE_NAMES.split())
_UNDERLINE = re.compile(r"([=\-~^\"'*+#])\1{2,}$")
_BREAK = re.compile(r"(?:[-*_=~#+]\s*){3,}$")


def layout(text: str) -> Layout:
    """Read the lines of a document.

    Args:
        text: the document.

    Returns:
        Fixed units, sentence starts and requirements.
    """
    out = Layout()
    lines = split_lines(text)
    taken = bytearray(len(lines))
    if "```" in text or "~~~" in text:
        fences(lines, out, taken)
    if len(lines) > 1 and ("|" in text or "\t" in text):
        tables(lines, out, taken)
    if "{" in text or "[" in text or '":' in text:
        json_lines(lines, out, taken)
    if len(lines) > 1:
        bare_code(lines, out, taken)
    _Reader(lines, out, taken, _turns(lines, taken)).read()
    return out


def _turns(lines: Lines, taken: bytearray) -> dict[int, int]:
    """Lines which start a dialogue turn or a labelled field, with the end of their label."""
    found: list[tuple[int, int, str]] = []
    text = lines.text
    if ":" not in text and "：" not in text:
        return {}
    for line, start in enumerate(lines.start):
        stop = min(lines.end[line], start + 80)
        if taken[line] or (text.find(":", start, stop) < 0 and text.find("：", start, stop) < 0):
            continue
        match = _TURN.match(text, start, min(lines.end[line], start + 160))
        if match:
            name = match.group("name").split("(")[0].split("[")[0]
            role = "speaker" if match.start("name") > start else name.strip("* ").casefold()
            found.append((line, match.end(), role))
    count: dict[str, int] = {}
    for _, _, name in found:
        count[name] = count.get(name, 0) + 1
    several = len(found) >= 3 and len(count) >= 2
    return {
        line: end
        for line, end, name in found
        if several or count[name] >= 2 or name.rstrip("0123456789 ") in _ROLES
    }


class _Reader:
    """Walks over the lines that are not taken yet, and notes markers and sentence starts."""

    def __init__(self, lines: Lines, out: Layout, taken: bytearray, turns: dict[int, int]) -> None:
        self.lines, self.out, self.taken, self.turns = lines, out, taken, turns
        self.fresh = True  # whether the next line starts a paragraph
        self.first = 0  # first line of the paragraph at hand
        self.width = 0  # longest line of the block up to ``block``, a line without text
        self.block = 0
        self.opened: tuple[int, int] | None = None  # marker of the item that still goes on

    def read(self) -> None:
        lines, taken = self.lines, self.taken
        for line, start in enumerate(lines.start):
            if start == lines.end[line] or taken[line]:
                self._finish(line)
                self.fresh = True
            else:
                self._line(line, start, lines.end[line])
        self._finish(len(lines))

    def _line(self, line: int, start: int, end: int) -> None:
        text = self.lines.text
        head = text[start]
        if head.isalpha() and line not in self.turns and not _LETTERED.match(text, start, end):
            if not (head.isupper() and self._log(line, start, end)):
                self._prose(line, start)
            return
        match = _HEADING.match(text, start, end) if head in "#=" else None
        if match or (head == ">" and (match := _QUOTE.match(text, start, end))):
            self._mark(line, start, end, match.end())
        elif line in self.turns:
            self._open(line, start, self.turns[line])
        elif self._log(line, start, end) or (
            head in "=-~^\"'*+#_" and self._rule(line, start, end)
        ):
            pass
        elif (match := _ITEM.match(text, start, end)) and self._may_open(match):
            self._open(line, start, match.end())
        else:
            self._prose(line, start)

    def _may_open(self, match: re.Match[str]) -> bool:
        """Whether an item may start here: within a paragraph only a bullet or a first number."""
        if _INITIAL.match(match.string, match.start(), match.start() + 60):
            return False
        if AFTER_DAY.match(match.string, match.end()) and match.group()[0].isdigit():
            return False
        if self.fresh or self.opened is not None:
            return True
        return match.group().strip("()").startswith(_STARTS)

    def _mark(self, line: int, start: int, end: int, stop: int) -> None:
        """A heading, or one line of a quotation with what it starts inside."""
        quoted = self.lines.text[start] == ">"
        goes_on = quoted and not self.fresh
        self._finish(line)
        if quoted:
            text = self.lines.text
            blanks = _BLANKS.match(text, stop, end)
            inner = blanks.end() if blanks else stop
            match = _ITEM.match(text, inner, end) or _HEADING.match(text, inner, end)
            if match:
                stop, goes_on = match.end(), False
        if not goes_on:
            self.out.breaks.append(start)
        if stop < end:
            self.out.marker(start, stop, stop, end)
        self.fresh = not quoted

    def _open(self, line: int, start: int, stop: int) -> None:
        """A list item or a dialogue turn: its marker holds for the lines that follow."""
        self._finish(line)
        self.out.breaks.append(start)
        self.out.units.append((start, stop, Kind.MARKER, True))
        self.opened = (start, stop)
        self._paragraph(line)

    def _log(self, line: int, start: int, end: int) -> bool:
        match = _LOG.match(self.lines.text, start, end)
        if not match:
            return False
        self._finish(line)
        self.out.breaks.append(start)
        if match.end() < end:
            self.out.marker(start, match.end(), match.end(), end)
        self.fresh = True
        return True

    def _rule(self, line: int, start: int, end: int) -> bool:
        """The underline of a heading, or a line across the page."""
        text = self.lines.text
        if text[start] not in "=-~^\"'*+#_" or not _BREAK.match(text, start, end):
            return False
        title = not self.fresh and self.first == line - 1 and _UNDERLINE.match(text, start, end)
        above = self.lines.end[line - 1] - self.lines.start[line - 1] if line else 0
        if title and self.opened is None and end - start >= min(above // 2, 3):
            self.out.units.append((start, end, Kind.MARKER, True))
            self.out.needs.append((self.lines.start[line - 1], self.lines.end[line - 1], start))
        else:
            self._finish(line)
            self.out.breaks.append(start)
        self.fresh = True
        return True

    def _prose(self, line: int, start: int) -> None:
        """A line of a paragraph; it starts a sentence when the line above was ended on purpose."""
        if self.fresh:
            self.out.breaks.append(start)
            self._paragraph(line)
        elif self._ended(line, start):
            self.out.breaks.append(start)

    def _paragraph(self, line: int) -> None:
        self.fresh = False
        self.first = line

    def _ended(self, line: int, start: int) -> bool:
        """Whether the first word here would have fitted on the line above, had it been wrapped."""
        lines = self.lines
        text = lines.text
        if text[start].islower() or text[lines.end[line - 1] - 1] in ",;-–—(":
            return False
        if line >= self.block:
            self._measure(line - 1)
        space = text.find(" ", start, min(lines.end[line], start + 60))
        word = (space if space > 0 else lines.end[line]) - start
        above = lines.end[line - 1] - lines.start[line - 1]
        return above + 1 + word + 8 < self.width

    def _measure(self, line: int) -> None:
        """Find the end of the block that starts here, and its longest line."""
        lines = self.lines
        self.width, self.block = 0, line
        while self.block < len(lines) and not (lines.blank(self.block) or self.taken[self.block]):
            self.width = max(self.width, lines.end[self.block] - lines.start[self.block])
            self.block += 1

    def _finish(self, stop: int) -> None:
        """End the item or turn at hand before the line ``stop``."""
        if self.opened is not None:
            first = self.opened[1]
            self.out.needs.append((first, self.lines.end[stop - 1], self.opened[0]))
            self.opened = None
