"""Read rows, label them and mine hard negatives.

Rows are JSON lines. A passage row has ``id``, ``text``, ``light`` and ``tight``; a question row has
``id``, ``text``, ``question`` and ``focus``; a question-answering item has ``id``, ``question``,
``answers`` and ``passages`` (``text``, ``is_gold``, and ``title`` or none: it becomes the first
line of the passage, as it is for most who retrieve).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from thresher.errors import InputError
from thresher_train.align import single_labels, split_words, two_level_labels
from thresher_train.encode import Labelled

Row = Mapping[str, Any]

LEVEL_TARGETS = np.array([0.0, 0.5, 1.0], dtype=np.float32)
"""Soft target of each label: in neither compression, only in the light one, in the tight one."""

_NOT_WORD = re.compile(r"[\W_]+")
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_TRIVIAL_ANSWERS = frozenset({"yes", "no", "maybe", "true", "false"})


def read_rows(path: str | Path) -> list[dict[str, Any]]:
    """Read a JSON-lines file.

    Raises:
        InputError: A line is not a JSON object; the message names the line.
    """
    rows = []
    with Path(path).open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise InputError(f"{path}, line {number}: not JSON ({error})") from error
            if not isinstance(row, dict):
                raise InputError(f"{path}, line {number}: got {type(row).__name__}, not an object")
            rows.append(row)
    return rows


def write_rows(path: str | Path, rows: Iterable[Row]) -> int:
    """Write JSON lines, creating the folder; return how many."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with target.open("w", encoding="utf-8", newline="\n") as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    return count


def document_id(row: Row) -> str:
    """Name the document of a row: its ``document`` field, else its id up to ``#``."""
    return str(row.get("document") or str(row["id"]).split("#", maxsplit=1)[0])


def label_keep(row: Row) -> Labelled:
    """Label a passage with the soft targets 0, 0.5 and 1 for its keep output.

    A row that was labelled before (``labels``: 0, 1, 2 per word, or any mean of these) is not
    aligned again.
    """
    text = str(row["text"])
    if "labels" in row:
        levels = np.asarray(row["labels"], dtype=np.float32) / 2.0
        return Labelled(str(row["id"]), document_id(row), text, None, levels)
    labels = two_level_labels(text, str(row["light"]), str(row["tight"]))
    return Labelled(str(row["id"]), document_id(row), text, None, LEVEL_TARGETS[labels])


def label_focus(row: Row) -> Labelled:
    """Label a passage with targets 0 and 1 for its focus output, given the row's question."""
    text, question = str(row["text"]), str(row["question"])
    if "focus_labels" in row:
        targets = np.asarray(row["focus_labels"], dtype=np.float32)
    else:
        targets = single_labels(text, str(row["focus"])).astype(np.float32)
    return Labelled(str(row["id"]), document_id(row), text, question, targets)


def normalise_answer(text: str) -> str:
    """Lower case, punctuation to spaces, articles dropped, single spaces."""
    return " ".join(_ARTICLES.sub(" ", _NOT_WORD.sub(" ", text.lower())).split())


def passage_text(passage: Row) -> str:
    """The passage as a retriever hands it over: its title, where it has one, is the first line."""
    title, text = str(passage.get("title") or "").strip(), str(passage["text"])
    return f"{title}\n{text}" if title else text


def holds_answer(text: str, answers: Sequence[str]) -> bool:
    """Whether the normalised text of some answer stands in the passage; yes and no never count."""
    haystack = f" {normalise_answer(text)} "
    keys = {normalise_answer(answer) for answer in answers} - _TRIVIAL_ANSWERS - {""}
    return any(f" {key} " in haystack for key in keys)


def mine_helpful(items: Iterable[Row], questions: Iterable[Row]) -> list[Labelled]:
    """Pair questions with gold passages whose words were not labelled for them.

    Only items with several gold passages count: a second hop looks irrelevant to its question,
    and negatives alone would teach a model to drop it.

    Args:
        items: Question-answering items.
        questions: Rows with a ``focus``; their passages are left out.
    """
    labelled = _labelled(questions)
    found = []
    for item in items:
        question = str(item["question"]).strip()
        gold = [passage_text(p) for p in item["passages"] if p.get("is_gold")]
        known = labelled.get(question, set())
        for number, text in enumerate(gold if len(gold) > 1 else []):
            if not any(text in other or other in text for other in known):
                targets = np.full(len(split_words(text)), np.nan, dtype=np.float32)
                name = f"{item['id']}#g{number}"
                found.append(Labelled(name, str(item["id"]), text, question, targets, helps=True))
    return found


def _labelled(questions: Iterable[Row]) -> dict[str, set[str]]:
    """Labelled passages of each question."""
    labelled: dict[str, set[str]] = {}
    for row in questions:
        labelled.setdefault(str(row["question"]).strip(), set()).add(str(row["text"]))
    return labelled


def mine_negatives(
    items: Iterable[Row], questions: Iterable[Row], *, count: int, rng: np.random.Generator
) -> list[Labelled]:
    """Pair questions with passages of the same item that do not help: all-zero focus targets.

    Only items whose question also has a positive row are used, and only passages that are not
    gold, hold no answer and are not themselves labelled for the question. The choice is spread
    evenly over the items, since many hard negatives on few questions teach a model to suppress
    second hops.

    Args:
        items: Question-answering items.
        questions: Rows with a ``focus``.
        count: How many negatives to return at most.
        rng: Source of randomness.
    """
    labelled = _labelled(questions)
    candidates: list[list[Labelled]] = []
    for item in items:
        question = str(item["question"]).strip()
        if question in labelled:
            found = list(_negatives(item, question, labelled[question]))
            candidates.append([found[i] for i in rng.permutation(len(found))])
    rounds = (row for turn in _zip_all(candidates) for row in turn)
    return [row for row, _ in zip(rounds, range(count), strict=False)]


def _negatives(item: Row, question: str, positive: set[str]) -> Iterator[Labelled]:
    for number, passage in enumerate(item["passages"]):
        text = passage_text(passage)
        known = any(text in other or other in text for other in positive)
        if passage.get("is_gold") or known or holds_answer(text, item.get("answers", ())):
            continue
        targets = np.zeros(len(split_words(text)), dtype=np.float32)
        yield Labelled(f"{item['id']}#n{number}", str(item["id"]), text, question, targets)


def _zip_all(lists: Sequence[Sequence[Labelled]]) -> Iterator[list[Labelled]]:
    longest = max(map(len, lists), default=0)
    for turn in range(longest):
        yield [values[turn] for values in lists if turn < len(values)]
