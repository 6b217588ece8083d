"""Evaluation items: questions over several passages, and whether an answer still stands in a text.

Files are JSON lines with ``question``, ``answers`` (a list, any of which counts, or one string as
``answer``) and ``passages``: strings, or objects with ``text`` and optionally ``title`` and
``is_gold``. ``id`` and ``meta`` are optional. One file is one set, named after the file.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thresher.errors import InputError

_NOT_WORD = re.compile(r"[\W_]+")
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_BRACKETS = re.compile(r"\s*\([^()]*\)\s*$")
_VERDICTS = frozenset({"yes", "no", "maybe", "true", "false"})


@dataclass(frozen=True, slots=True)
class Passage:
    """A retrieved passage; the title is its first line, and counts like any other line.

    Attributes:
        text: the passage with its title.
        title: the title, or an empty string.
        gold: whether it is needed for the answer.
    """

    text: str
    title: str = ""
    gold: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """A question over passages.

    Attributes:
        set: name of the data set.
        id: unique within the set.
        question: what the reader is asked.
        answers: any of them counts.
        passages: in the order in which they reach the reader.
        meta: whatever else the file says.
    """

    set: str
    id: str
    question: str
    answers: tuple[str, ...]
    passages: tuple[Passage, ...]
    meta: Mapping[str, Any] = field(default_factory=dict, hash=False, compare=False)

    @property
    def texts(self) -> list[str]:
        """Texts of the passages. Length D."""
        return [p.text for p in self.passages]

    @property
    def gold(self) -> list[int]:
        """Indices of the gold passages."""
        return [i for i, p in enumerate(self.passages) if p.gold]

    def context(self, separator: str = "\n\n") -> str:
        """All passages, uncompressed."""
        return separator.join(self.texts)

    @property
    def key(self) -> str:
        """Set and id."""
        return f"{self.set}/{self.id}"


class DataError(InputError):
    """A data file is missing or not of the documented form; the message names file and line."""


def load(
    source: str | Path, *, sets: Iterable[str] = (), limit: int | None = None, seed: int = 0
) -> list[Item]:
    """Read one file, or all ``*.jsonl`` files of a folder.

    Args:
        source: file or folder.
        sets: names of the sets to read; all where empty.
        limit: at most this many items of each set, drawn at random, in file order; a larger limit
            adds items to those of a smaller one.
        seed: of the draw.

    Raises:
        DataError: nothing there, or a row is not of the documented form.
    """
    path = Path(source).expanduser()
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    wanted = set(sets)
    known = {f.stem for f in files}
    if not files or not all(f.is_file() for f in files):
        raise DataError(f"{path} is neither a .jsonl file nor a folder that holds some")
    if wanted - known:
        raise DataError(f"{path} has no sets {sorted(wanted - known)}; it has {sorted(known)}")
    items: list[Item] = []
    for file in files:
        if wanted and file.stem not in wanted:
            continue
        found = _read(file)
        if limit is not None and limit < len(found):
            order = list(range(len(found)))
            random.Random(seed).shuffle(order)
            found = [found[i] for i in sorted(order[:limit])]
        items += found
    return items


def _read(file: Path) -> list[Item]:
    out = []
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            where = f"{file}, line {number}"
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise DataError(f"{where}: not JSON ({error})") from error
            out.append(item(row, name=file.stem, number=number, where=where))
    return out


def item(row: Any, *, name: str = "data", number: int = 0, where: str = "row") -> Item:
    """An item from a parsed row.

    Raises:
        DataError: a field is missing or of the wrong type.
    """
    if not isinstance(row, dict):
        raise DataError(f"{where}: got {type(row).__name__}, expected an object")
    answers = row.get("answers", row.get("answer"))
    answers = [answers] if isinstance(answers, str) else answers
    passages = row.get("passages")
    if not isinstance(row.get("question"), str):
        raise DataError(f"{where}: 'question' must be a string")
    if not isinstance(answers, list) or not all(isinstance(a, str) for a in answers):
        raise DataError(f"{where}: 'answers' must be a list of strings, or 'answer' a string")
    if not isinstance(passages, list) or not passages:
        raise DataError(f"{where}: 'passages' must be a list of strings or of objects with 'text'")
    return Item(
        set=name,
        id=str(row.get("id", number)),
        question=row["question"],
        answers=tuple(answers),
        passages=tuple(_passage(p, where) for p in passages),
        meta=row.get("meta") or {},
    )


def _passage(value: Any, where: str) -> Passage:
    if isinstance(value, str):
        return Passage(value)
    if not isinstance(value, dict) or not isinstance(value.get("text"), str):
        raise DataError(f"{where}: a passage must be a string or an object with 'text'")
    title = str(value.get("title") or "")
    text = f"{title}\n{value['text']}" if title else value["text"]
    return Passage(text, title, bool(value.get("is_gold", False)))


def normalise(text: str) -> str:
    """Lower case, punctuation to spaces, articles dropped, single spaces."""
    return " ".join(_ARTICLES.sub(" ", _NOT_WORD.sub(" ", text.lower())).split())


def answer_keys(answers: Sequence[str]) -> list[str]:
    """Normalised answers that can be looked for: not empty, and more than yes, no or maybe."""
    keys = dict.fromkeys(normalise(a) for a in answers)
    return [k for k in keys if k and k not in _VERDICTS]


def stands(key: str, normalised: str) -> bool:
    """Whether a normalised key stands in a normalised text, as whole words."""
    return f" {key} " in f" {normalised} "


def survives(text: str, answers: Sequence[str]) -> bool:
    """Whether the normalised text of some answer stands in the normalised text."""
    normalised = normalise(text)
    return any(stands(k, normalised) for k in answer_keys(answers))


def answerable(item: Item) -> bool:
    """Whether the answer stands in the uncompressed context; only such items count."""
    return survives(item.context(), item.answers)


def gold_titles(item: Item) -> list[str]:
    """Normalised titles of the gold passages, without a bracketed remark at the end.

    The title of a gold passage names its subject: where it is lost, what is said of the subject
    cannot be tied to the question or to another passage. A title that another passage has too, or
    that has no capital letter (``table``, ``paragraph 3``), names nothing and is left out.
    """
    titles = [
        normalise(_BRACKETS.sub("", p.title)) if p.title != p.title.lower() else ""
        for p in item.passages
    ]
    return [titles[i] for i in item.gold if titles[i] and titles.count(titles[i]) == 1]


def chain_survives(text: str, item: Item) -> bool:
    """Whether the answer and the titles of all gold passages stand in the text.

    A proxy for the key facts of every hop, where answer survival looks at the last one alone.
    """
    normalised = normalise(text)
    found = any(stands(k, normalised) for k in answer_keys(item.answers))
    return found and all(stands(t, normalised) for t in gold_titles(item))
