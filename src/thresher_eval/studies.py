"""Further looks at a finished run: losses, faithfulness, a local reader, cost, other tasks."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from thresher import Compressor
from thresher_eval import cost, faithfulness, measures
from thresher_eval import tasks as tasks_of
from thresher_eval.data import Item, normalise
from thresher_eval.environment import environment
from thresher_eval.measures import Estimate, bootstrap, paired
from thresher_eval.occurrences import occurrences
from thresher_eval.readers import AnswerReader, CausalReader
from thresher_eval.reading import FULL
from thresher_eval.runner import EvalConfig, Run, run
from thresher_eval.variants import entry

Progress = Callable[[Iterable[Item]], Iterable[Item]]
_EXCERPT = 260
_UNQUOTED = frozenset({"techqa_confusebench"})  # licence unstated: never quoted


def losses(
    run: Run, ratio: float, *, method: str = "thresher", count: int = 6
) -> list[dict[str, Any]]:
    """Items whose answer a method loses and the best extraction keeps, from every set in turn."""
    other = run.best("extraction", ratio)
    if other is None or method not in run.outcomes:
        return []
    found: dict[str, list[dict[str, Any]]] = {}
    for item in run.items:
        ours, theirs = (run.outcomes[m][item.key, ratio] for m in (method, other))
        lost = ours.values.get("survival") == 0 and theirs.values.get("survival") == 1
        if not lost or item.set in _UNQUOTED:
            continue
        keys = [normalise(a) for a in item.answers]
        where = next((i for i, t in theirs.kept if i >= 0 and occurrences(t, keys)), None)
        if where is None:
            continue
        found.setdefault(item.set, []).append(
            {
                "set": item.set, "ratio": ratio, "question": item.question,
                "answer": item.answers[0], "other_method": other,
                "ours": _excerpt(dict(ours.kept).get(where, ""), []),
                "other": _excerpt(dict(theirs.kept)[where], keys),
            }
        )  # fmt: skip
    turns = [rows[i] for i in range(count) for rows in found.values() if i < len(rows)]
    return turns[:count]


def _excerpt(text: str, keys: Sequence[str]) -> str:
    spans = occurrences(text, keys)
    at = max(spans[0][0] - _EXCERPT // 2, 0) if spans else 0
    piece = text[at : at + _EXCERPT]
    return ("…" if at else "") + piece + ("…" if at + _EXCERPT < len(text) else "")


def faithful(run: Run, ratio: float) -> dict[str, Any]:
    """Faithfulness of every method at one ratio."""
    rows = []
    for method, outcomes in run.outcomes.items():
        each = [faithfulness.faithfulness(outcomes[i.key, ratio].kept, i) for i in run.items]
        names = sorted({n for r in each for n in r})
        row: dict[str, Any] = {"method": method, "label": entry(method).label}
        for name in names:
            mean = faithfulness.mean_of(each, name)
            row[name] = mean * len(each) if name.startswith("violations") else mean
        rows.append(row)
    return {"kind": "faithfulness", "ratio": ratio, "n": len(run.items), "rows": rows,
            "environment": environment()}  # fmt: skip


def read(
    run: Run,
    ratio: float,
    reader: AnswerReader,
    *,
    name: str,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """A reader answers from the uncompressed context and from every method's at one ratio.

    Differences are paired by question, against the uncompressed context and against the extraction
    under which most answers survive.

    Args:
        run: compressed texts.
        ratio: one of its ratios.
        reader: a chat model or a local causal one.
        name: what the table calls it.
        cache: file of readings, so that a study can be resumed.
        progress: wraps the iteration over items.
    """
    known = _known(cache)
    methods = [FULL, *run.outcomes]
    values: dict[str, list[dict[str, float]]] = {m: [] for m in methods}
    for item in progress(run.items) if progress else run.items:
        reference: list[int] = []
        for method in methods:
            plain = method == FULL
            text = item.context() if plain else run.outcomes[method][item.key, ratio].text
            asked = json.dumps([item.question, item.answers, text, reference])
            stamp = f"{name}/{hash_text(asked)}"
            row = known.get((item.key, stamp))
            if row is None:
                row = {"item": item.key, "stamp": stamp} | _read(reader, item, text, reference)
                known[item.key, stamp] = row
                if cache is not None:
                    cache.parent.mkdir(parents=True, exist_ok=True)
                    with cache.open("a", encoding="utf-8") as out:
                        out.write(json.dumps(row, ensure_ascii=False) + "\n")
            if plain:
                reference = row["tokens"]
            values[method].append(row["values"])
    best = run.best("extraction", ratio)
    rows = [_reader_row(run, m, values, best) for m in methods]
    return {"kind": "reader", "reader": name, "ratio": ratio, "n": len(run.items), "rows": rows,
            "environment": environment()}  # fmt: skip


def _reader_row(
    run: Run, method: str, values: dict[str, list[dict[str, float]]], best: str | None
) -> dict[str, Any]:
    strata, seed = [i.set for i in run.items], run.config.seed
    row: dict[str, Any] = {"method": method}
    row["label"] = "Uncompressed" if method == FULL else entry(method).label
    for measure in sorted({n for v in values[method] for n in v}):
        series = {m: [v.get(measure, math.nan) for v in values[m]] for m in values}
        row[measure] = _finite(bootstrap(series[method], strata=strata, seed=seed))
        if measure in ("f1", "log_probability"):
            for other, name in ((FULL, "uncompressed"), (best, "extraction")):
                if other is not None and other != method:
                    found = paired(series[method], series[other], strata=strata, seed=seed)
                    row[f"{measure}_against_{name}"] = _finite(found)
    return row


def _known(cache: Path | None) -> dict[tuple[str, str], dict[str, Any]]:
    """Readings of earlier runs; a line that a stopped run left unfinished is read again."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    if cache is not None and cache.is_file():
        with cache.open(encoding="utf-8") as lines:
            for line in lines:
                with suppress(json.JSONDecodeError):
                    row = json.loads(line)
                    found[row["item"], row["stamp"]] = row
    return found


def _read(reader: AnswerReader, item: Item, text: str, reference: Sequence[int]) -> dict[str, Any]:
    figures: dict[str, float] = {}
    tokens: tuple[int, ...] = ()
    if hasattr(reader, "look"):
        look = reader.look(item.question, text, item.answers, reference)
        answer, tokens = look.answer, look.tokens
        figures = {n: getattr(look, n) for n in ("log_probability", "agreement", "surprise")}
    else:
        answer = reader.answer(item.question, text)
    figures |= {
        "f1": measures.f1(answer, item.answers),
        "contains": measures.contains(answer, item.answers),
        "em": measures.exact_match(answer, item.answers),
        "rouge_l": measures.rouge_l(answer, item.answers),
    }
    values = {k: v for k, v in figures.items() if not math.isnan(v)}
    return {"answer": answer, "tokens": list(tokens), "values": values}


def hash_text(text: str) -> str:
    """A short name of a text."""
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _finite(estimate: Estimate) -> dict[str, float]:
    return {k: round(v, 5) for k, v in estimate.to_dict().items()}


def costs(compressor: Compressor, items: Sequence[Item], ratios: Sequence[float]) -> dict[str, Any]:
    """Time, memory and break-even, with and without a query."""
    rows, tokens = [], 0.0
    for mode, query in (("without a query", False), ("with a query", True)):
        for ratio in ratios:
            found = cost.measure(compressor, items, ratio, query=query)
            tokens = found.tokens
            even = cost.break_even_prefill(ratio, found.per_second)
            rows.append({"mode": mode, "ratio": ratio, "break_even": even} | asdict(found))
    return {"kind": "cost", "n": len(items), "tokens": tokens, "rows": rows,
            "environment": environment()}  # fmt: skip


def tasks(
    folder: str | Path, config: EvalConfig, reader: CausalReader | None, *, limit: int = 40
) -> dict[str, Any]:
    """Chain-of-thought prompts: what of their numbers survives, and the answer's likelihood.

    Args:
        folder: holds ``gsm8k_test.jsonl`` and ``bbh_cot_prompts.jsonl``.
        config: methods and one ratio.
        reader: gives the log-probability of the right answers, where there is one.
        limit: questions of GSM8K.
    """
    root, ratio = Path(folder), config.ratios[0]
    files = {
        "GSM8K, 8 shots": tasks_of.few_shot(root / "gsm8k_test.jsonl", limit=limit),
        "BBH prompts": tasks_of.chain_of_thought(root / "bbh_cot_prompts.jsonl"),
    }
    rows = []
    for task, items in files.items():
        # the demonstrations of GSM8K are the same for all questions: methods without a query
        # compress them once, through the cache of texts
        found = run(items, config)
        texts = {FULL: [i.context() for i in items]} | {
            m: [o[i.key, ratio].text for i in items] for m, o in found.outcomes.items()
        }
        for method, each in texts.items():
            label = "Uncompressed" if method == FULL else entry(method).label
            kept = [
                faithfulness.retention(t, i.context()) for t, i in zip(each, items, strict=True)
            ]
            cells = [f"{100 * faithfulness.mean_of(kept, 'numbers'):.1f}"]
            cells.append(_likelihood(reader, items, each))
            rows.append({"task": task, "label": label, "cells": cells})
    note = (
        f"Few-shot prompts compressed as passages; GSM8K {limit} questions, BBH "
        f"{len(files['BBH prompts'])} prompts. Numbers: share of the prompt's numbers that "
        "survive, in %. log p(answer): of the right answer behind the prompt, in nats a token."
    )
    return {"kind": "tasks", "ratio": ratio, "note": note, "rows": rows,
            "columns": ["numbers", "log p(answer)"], "environment": environment()}  # fmt: skip


def _likelihood(reader: CausalReader | None, items: Sequence[Item], texts: Sequence[str]) -> str:
    if reader is None or not all(i.answers for i in items):
        return ""
    values = [
        reader.look(i.question, t, i.answers).log_probability
        for i, t in zip(items, texts, strict=True)
    ]
    found = bootstrap(values)
    return f"{found.mean:.2f} [{found.low:.2f}, {found.high:.2f}]"
