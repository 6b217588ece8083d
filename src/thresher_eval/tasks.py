"""Tasks beyond questions over passages: chain-of-thought prompts, and the way back to a text."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from thresher_eval.data import DataError, Item, Passage

_BLANK = re.compile(r"\n\s*\n(?=Q:)")
_STEP = re.compile(r"<<[^<>]*>>")


def few_shot(path: str | Path, *, shots: int = 8, limit: int | None = None) -> list[Item]:
    """GSM8K rows (``question``, ``rationale``, ``answer``) as items.

    The first ``shots`` rows become demonstrations, one passage each; the others are asked.

    Raises:
        DataError: the file has too few rows or a row lacks a field.
    """
    rows = _rows(Path(path), ("question", "rationale", "answer"))
    if len(rows) <= shots:
        raise DataError(f"{path} has {len(rows)} rows; more than {shots} are needed")
    demonstrations = tuple(
        Passage(f"Question: {r['question']}\nAnswer: {_STEP.sub('', r['rationale'])}")
        for r in rows[:shots]
    )
    return [
        Item("gsm8k", str(r.get("id", i)), r["question"], (str(r["answer"]),), demonstrations)
        for i, r in enumerate(rows[shots:][:limit])
    ]


def chain_of_thought(path: str | Path) -> list[Item]:
    """BBH prompts (``task``, ``prompt``) as items: every demonstration is a passage.

    They carry no question of their own; the task's description stands for it.

    Raises:
        DataError: a row lacks a field.
    """
    out = []
    for row in _rows(Path(path), ("task", "prompt")):
        parts = [p.strip() for p in _BLANK.split(row["prompt"]) if p.strip()]
        head = parts[0].split("\n")[0]
        passages = tuple(Passage(p) for p in parts)
        out.append(Item("bbh", row["task"], head, (), passages))
    return out


def reconstruction(items: Sequence[Item]) -> list[Item]:
    """The longest gold passage of each item, to be written anew from what is kept of it.

    The answer is the passage itself, so that ROUGE-L against it tells how much of the text a reader
    can put back (prompt reconstruction, as in LLMLingua-2).
    """
    out = []
    for one in items:
        gold = [one.passages[i] for i in one.gold] or list(one.passages)
        passage = max(gold, key=lambda p: len(p.text))
        out.append(Item(one.set, one.id, "", (passage.text,), (passage,)))
    return out


def _rows(path: Path, names: tuple[str, ...]) -> list[dict[str, str]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines if line.strip()]
    except (OSError, json.JSONDecodeError) as error:
        raise DataError(f"{path}: {error}") from error
    for number, row in enumerate(rows, start=1):
        missing = [n for n in names if not isinstance(row.get(n), str)]
        if missing:
            raise DataError(f"{path}, row {number}: lacks {', '.join(missing)}")
    return rows
