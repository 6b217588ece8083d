"""What the lines of a document are: the value that the structure rules hand to the segmenter."""

from __future__ import annotations

from dataclasses import dataclass, field

from thresher.types import Kind

LONG = 1000  # a line longer than this is cut into words after all


@dataclass(slots=True)
class Lines:
    """The lines of a document without their ends and outer white space.

    Attributes:
        text: the document.
        start: first solid character of each line; of a blank line, its start.
        end: one past the last solid character.
        indent: width of the white space before ``start``.
        raw: first character of each line, white space included, and the length of the text.
    """

    text: str
    start: list[int]
    end: list[int]
    indent: list[int]
    raw: list[int]

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, line: int) -> str:
        return self.text[self.start[line] : self.end[line]]

    def blank(self, line: int) -> bool:
        """Whether the line holds nothing but white space."""
        return self.start[line] == self.end[line]


@dataclass(slots=True)
class Layout:
    """Units which the lines fix, where sentences must start, and what depends on what.

    Attributes:
        units: ``(start, end, kind, support)``, not overlapping.
        breaks: characters at which a new sentence starts.
        needs: ``(first, last, needed)``: the units that start in ``[first, last)`` require the
            unit that starts at ``needed``.
    """

    units: list[tuple[int, int, Kind, bool]] = field(default_factory=list)
    breaks: list[int] = field(default_factory=list)
    needs: list[tuple[int, int, int]] = field(default_factory=list)

    def line(self, start: int, end: int, *, support: bool = False, kind: Kind = Kind.LINE) -> None:
        """A whole line or element as one unit and one sentence; words when it is too long."""
        self.breaks += (start, end)
        if end - start <= LONG or kind != Kind.LINE:
            self.units.append((start, end, kind, support))

    def marker(self, start: int, end: int, first: int, last: int) -> None:
        """A marker which the units of ``[first, last)`` require."""
        self.units.append((start, end, Kind.MARKER, True))
        self.needs.append((first, last, start))


def split_lines(text: str) -> Lines:
    """The lines of a text, by every line end that ``str.splitlines`` knows."""
    start: list[int] = []
    end: list[int] = []
    indent: list[int] = []
    raw = [0]
    at = 0
    for line in text.splitlines(keepends=True):
        body = line.strip()
        lead = len(line) - len(line.lstrip()) if body else 0
        start.append(at + lead)
        end.append(at + lead + len(body))
        indent.append(len(line[:lead].expandtabs(4)) if lead else 0)
        at += len(line)
        raw.append(at)
    return Lines(text, start, end, indent, raw)
