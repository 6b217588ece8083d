"""``thresher evaluate``: a model against labels, or compression against questions and answers."""

from __future__ import annotations

import dataclasses
import importlib
import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import click

from thresher.cli.examples import examples
from thresher.cli.files import dumps, write
from thresher.cli.train import explained
from thresher.errors import require
from thresher.scoring.checkpoint import resolve

_RATIOS = (0.5, 0.33, 0.25, 0.15)
_METHODS = (
    "thresher",
    "pooled",
    "uniform",
    "llmlingua2",
    "bm25_sentences",
    "truncate_each",
    "truncate",
    "random",
)
_MEASURES = {
    "survival": "answers that still stand in the compressed text, %",
    "chain": "answers with the subjects of all passages they need, %",
    "used": "share of the budget used, %",
}


_PATH = click.Path(path_type=Path, exists=True)
_OUT = click.Path(path_type=Path)


@click.command(
    epilog=examples(
        "thresher evaluate --data questions.jsonl --ratio 0.25 --counter o200k_base",
        "thresher evaluate --model run/model --engine torch --passages dev.jsonl",
    )
)
@click.option(
    "--data",
    type=_PATH,
    help="File or folder of questions over passages (JSON lines with question, answers, passages): "
    "what does compression cost in answers?",
)
@click.option("--passages", type=_PATH, multiple=True, help="Rows with labels for keep.")
@click.option("--questions", type=_PATH, multiple=True, help="Rows with labels for focus.")
@click.option("--model", default="small", show_default=True, help="Bundled model or folder.")
@click.option(
    "--engine",
    type=click.Choice(["onnx", "torch", "both"]),
    default="onnx",
    show_default=True,
    help="With labels: which weights to measure; both adds their agreement.",
)
@click.option(
    "--ratio",
    type=click.FloatRange(0, 1, min_open=True),
    multiple=True,
    help="With --data: share of the tokens to keep.",
)
@click.option(
    "--method",
    multiple=True,
    help="With --data: what to compare, for example thresher, pooled, llmlingua2, bm25_sentences, "
    "or thresher:relevance_weight=0.5.",
)
@click.option("--limit", type=click.IntRange(1), help="With --data: questions of each file.")
@click.option("--counter", help="With --data: target tokenizer, for example o200k_base.")
@click.option("--cache", type=_OUT, help="With --data: folder from which a stopped run goes on.")
@click.option("--page", type=_OUT, help="With --data: also write a Markdown page and its JSON.")
def evaluate(
    data: Path | None,
    passages: tuple[Path, ...],
    questions: tuple[Path, ...],
    model: str,
    engine: str,
    page: Path | None,
    **settings: Any,
) -> None:
    """Measure what compression costs in answers (--data), or a model against labels.

    Answers: every method gets the same exact number of tokens, and an answer counts where it still
    stands in the compressed text. Labels: word AUC, and precision at the teacher's own rate.
    """
    if (data is None) == (not passages and not questions):
        raise click.UsageError("give either --data, or --passages and --questions with labels")
    if data is None:
        _against_labels(model, passages, questions, engine)
        return
    found = _answers(data, model, **settings)
    write(table(found), None)
    if page is not None:
        _write_page(found, page)


def _against_labels(
    model: str, passages: tuple[Path, ...], questions: tuple[Path, ...], engine: str
) -> None:
    for package in ("torch", "transformers"):
        require(package, "train", "thresher evaluate")
    module: Any = importlib.import_module("thresher_train.evaluate")
    config = module.EvaluateConfig(resolve(model), passages, questions, engine)
    report = explained(module.evaluate, config)
    write(dumps(dataclasses.asdict(report), indent=2) + "\n", None)


def _answers(
    data: Path,
    model: str,
    *,
    ratio: tuple[float, ...],
    method: tuple[str, ...],
    limit: int | None,
    counter: str | None,
    cache: Path | None,
) -> Any:
    from tqdm import tqdm

    require("bm25s", "lexical", "thresher evaluate --data")
    library: Any = importlib.import_module("thresher_eval")
    config = library.EvalConfig(
        ratios=tuple(sorted(set(ratio or _RATIOS), reverse=True)),
        methods=method or _METHODS,
        limit=limit,
        counter=counter,
        cache=cache,
        model=model,
    )
    quiet = sys.stderr is None or not sys.stderr.isatty()
    progress = partial(tqdm, desc="compress", disable=quiet, leave=False)
    return explained(lambda c: library.run(data, c, progress=progress), config)


def table(found: Any) -> str:
    """Means of each measure, by method and ratio, as plain text."""
    ratios = found.config.ratios
    width = max(len(_label(name)) for name in found.outcomes) + 2
    lines = [f"{len(found.items)} questions from {', '.join(sorted({i.set for i in found.items}))}"]
    for measure, text in _MEASURES.items():
        rows = {n: [found.estimate(n, r, measure) for r in ratios] for n in found.outcomes}
        if not any(e.n for row in rows.values() for e in row):
            continue
        lines += ["", f"{text}; n = {max(e.n for row in rows.values() for e in row)}"]
        lines.append("tokens kept".ljust(width) + "".join(f"{r:>9.0%}" for r in ratios))
        for name, row in rows.items():
            cells = "".join(f"{100 * e.mean:9.1f}" for e in row)
            lines.append(_label(name).ljust(width) + cells)
    lines += [f"left out {name}: {why}" for name, why in found.skipped.items()]
    return "\n".join(lines) + "\n"


def _label(name: str) -> str:
    return str(importlib.import_module("thresher_eval.variants").entry(name).label)


def _write_page(found: Any, path: Path) -> None:
    result = path.with_suffix(".json")
    studies: Any = importlib.import_module("thresher_eval.studies")
    ratio = min(found.config.ratios, key=lambda r: abs(r - 0.25))
    facts = found.to_dict() | {"losses": studies.losses(found, ratio)}
    result.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    importlib.import_module("thresher_eval.page").write_page([result], path)
