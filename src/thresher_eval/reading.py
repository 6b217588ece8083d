"""Experiments with a reader of any kind, people and frontier models included: files out, files in.

The questions are laid out as a Latin square: as many files as methods, every question once in each
file, each time under another method, and the methods balanced within each data set. Whoever reads
one file thus never sees a question twice. The reader's answers come back as JSON lines with ``id``
and ``answer``.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from thresher_eval import measures
from thresher_eval.data import Item
from thresher_eval.runner import ALL, Run

FULL = "full"
"""The name of the uncompressed context among the methods."""

INSTRUCTIONS = """\
Each line of a contexts file is a JSON object with "id", "question" and "context". The context may
be a compressed text with words left out. Answer each question from its context alone: a name, a
number, a date, yes or no, or as short a phrase as answers it (a few sentences where the question
asks for an explanation). Where the context does not settle it, give the answer that it makes most
likely. Do not look at other lines for help. Write one JSON object a line:
{"id": ..., "answer": ...}
"""

RECONSTRUCT = """\
Each line of a contexts file is a JSON object with "id" and "context": a text from which a program
has deleted words. Write the original text as you believe it was, complete and fluent: put back what
the remaining words imply, add no facts that they do not. Do not look at other lines for help. Write
one JSON object a line:
{"id": ..., "answer": ...}
"""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One question under one method.

    Attributes:
        id: says nothing of the method.
        file: number of the file it stands in.
        item: the question.
        method: or ``full``.
        ratio: of the budget; 1 where uncompressed.
        context: what the reader sees.
    """

    id: str
    file: int
    item: Item
    method: str
    ratio: float
    context: str


def square(run: Run, ratio: float, *, full: bool = True, seed: int = 0) -> list[Sheet]:
    """Lay out the compressed contexts of a run at one ratio as a Latin square.

    Args:
        run: a run whose methods are compared.
        ratio: one of its ratios.
        full: also compare the uncompressed context.
        seed: of the order of the questions and of the methods.
    """
    methods = [*([FULL] if full else []), *run.outcomes]
    random.Random(seed).shuffle(methods)
    items = list(run.items)
    random.Random(seed + 1).shuffle(items)
    rank: dict[str, int] = {}
    sheets = []
    for number, item in enumerate(items):
        place = rank.get(item.set, len(rank))
        rank[item.set] = place + 1
        for file in range(len(methods)):
            method = methods[(place + file) % len(methods)]
            plain = method == FULL
            text = item.context() if plain else run.outcomes[method][item.key, ratio].text
            name = f"{file}-{number:04d}"
            sheets.append(Sheet(name, file, item, method, 1.0 if plain else ratio, text))
    return sheets


def write(
    sheets: Sequence[Sheet], folder: str | Path, instructions: str = INSTRUCTIONS
) -> list[Path]:
    """Write contexts, instructions and, apart from them, the key.

    Returns:
        The contexts files; the key is ``key.jsonl`` beside them.
    """
    root = Path(folder).expanduser()
    root.mkdir(parents=True, exist_ok=True)
    out = []
    for number in sorted({s.file for s in sheets}):
        path = root / f"contexts-{number}.jsonl"
        _write_lines(
            path,
            (
                {"id": s.id, "question": s.item.question, "context": s.context}
                for s in sheets
                if s.file == number
            ),
        )
        out.append(path)
    _write_lines(
        root / "key.jsonl",
        (
            {
                "id": s.id,
                "item": s.item.key,
                "set": s.item.set,
                "method": s.method,
                "ratio": s.ratio,
                "answers": list(s.item.answers),
            }
            for s in sheets
        ),
    )
    (root / "INSTRUCTIONS.txt").write_text(instructions, encoding="utf-8")
    return out


def _write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as out:
        out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def read_lines(path: str | Path) -> list[dict[str, Any]]:
    """Rows of a JSON-lines file."""
    with Path(path).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


@dataclass(frozen=True, slots=True)
class Read:
    """One scored answer.

    Attributes:
        item: ``set/id``.
        set: data set.
        method: under which it was read.
        values: ``f1``, ``contains``, ``em``, ``rouge_l``.
    """

    item: str
    set: str
    method: str
    values: dict[str, float]


def score(
    key: Sequence[dict[str, Any]], answers: Sequence[dict[str, Any]]
) -> tuple[list[Read], list[str]]:
    """Score answers.

    Args:
        key: rows of ``key.jsonl``.
        answers: rows with ``id`` and ``answer``; the last of an id counts.

    Returns:
        The scored answers, and what is wrong with the files.
    """
    given = {str(r["id"]): str(r.get("answer", "")) for r in answers}
    known = {str(r["id"]) for r in key}
    problems = [f"unknown id {i}" for i in given if i not in known]
    files = {i.split("-")[0] for i in given}
    problems += [f"no answer to {i}" for i in known if i.split("-")[0] in files and i not in given]
    out = []
    for row in key:
        answer = given.get(str(row["id"]))
        if answer is not None:
            references = row["answers"]
            values = {
                "f1": measures.f1(answer, references),
                "contains": measures.contains(answer, references),
                "em": measures.exact_match(answer, references),
                "rouge_l": measures.rouge_l(answer, references),
            }
            out.append(Read(row["item"], row["set"], row["method"], values))
    return out, problems


def table(reads: Sequence[Read], names: Sequence[str] = ("f1", "contains")) -> list[dict[str, Any]]:
    """Means with standard errors per method and set, and differences to the uncompressed context.

    Returns:
        Rows with ``method``, ``set``, ``n``, and per measure its mean, ``se``, and where the same
        questions were also read uncompressed, ``loss`` with ``loss_se`` (paired by question).
    """
    methods = list(dict.fromkeys(r.method for r in reads))
    sets = [ALL, *sorted({r.set for r in reads})]
    full = {r.item: r.values for r in reads if r.method == FULL}
    rows = []
    for method in methods:
        for name in sets:
            part = [r for r in reads if r.method == method and name in (ALL, r.set)]
            if not part:
                continue
            row: dict[str, Any] = {"method": method, "set": name, "n": len(part)}
            for measure in names:
                values = [r.values[measure] for r in part]
                row[measure], row[f"{measure}_se"] = _mean(values)
                lost = [full[r.item][measure] - r.values[measure] for r in part if r.item in full]
                if method != FULL and lost:
                    row[f"{measure}_loss"], row[f"{measure}_loss_se"] = _mean(lost)
            rows.append(row)
    return rows


def _mean(values: Sequence[float]) -> tuple[float, float]:
    x = np.asarray(values, dtype=np.float64)
    error = float(x.std(ddof=1) / math.sqrt(x.size)) if x.size > 1 else float("nan")
    return float(x.mean()), error
