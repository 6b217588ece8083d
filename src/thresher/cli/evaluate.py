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
        "thresher evaluate --data questions.jsonl --limit 50 --reader openai:gpt-4o-mini",
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
@click.option(
    "--reader",
    help="With --data: also let a chat model answer from every context, as provider:model for "
    "LangChain's init_chat_model, or package.module:attribute.",
)
@click.option("--page", type=_OUT, help="With --data: also write a Markdown page and its JSON.")
def evaluate(
    data: Path | None,
    passages: tuple[Path, ...],
    questions: tuple[Path, ...],
    model: str,
    engine: str,
    page: Path | None,
    reader: str | None,
    **settings: Any,
) -> None:
    """Measure what compression costs in answers (--data), or a model against labels.

    Answers: every method gets the same exact number of tokens, and an answer counts where it still
    stands in the compressed text. Labels: word AUC, and precision at the teacher's own rate.
    """
    if (data is None) == (not passages and not questions):
        raise click.UsageError("give either --data, or --passages and --questions with labels")
    if reader is not None and data is None:
        raise click.UsageError("--reader answers questions over passages; give --data as well")
    if data is None:
        _against_labels(model, passages, questions, engine)
        return
    chat = None if reader is None else _chat(reader)
    found = _answers(data, model, **settings)
    write(table(found), None)
    readings = [] if reader is None or not found.items else _read(found, chat, reader)
    if page is not None:
        _write_page(found, readings, page)


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


def _chat(name: str) -> Any:
    """A reader around a chat model."""
    models: Any = importlib.import_module("thresher_train.chat")
    readers: Any = importlib.import_module("thresher_eval.readers")
    return readers.ChatReader(explained(models.load_chat_model, name))


def _read(found: Any, reader: Any, name: str) -> list[dict[str, Any]]:
    """Answers of a reader at every ratio, printed as they come."""
    studies: Any = importlib.import_module("thresher_eval.studies")
    cache = None if found.config.cache is None else Path(found.config.cache) / "readings.jsonl"
    results = []
    for ratio in found.config.ratios:
        results.append(studies.read(found, ratio, reader, name=name, cache=cache))
        write(read_table(results[-1]), None)
    return results


def read_table(result: dict[str, Any]) -> str:
    """F1 and contained answers of one reading, by method, as plain text."""
    rows = result["rows"]
    width = max(len(r["label"]) for r in rows) + 2
    lines = ["", f"answers of {result['reader']} at {result['ratio']:.0%}; n = {result['n']}"]
    lines.append("".ljust(width) + "       F1  contains   F1 against uncompressed")
    for r in rows:
        lost = r.get("f1_against_uncompressed")
        paired = (
            ""
            if lost is None
            else f"{100 * lost['mean']:+9.1f} [{100 * lost['low']:+.1f}, {100 * lost['high']:+.1f}]"
        )
        means = f"{100 * r['f1']['mean']:9.1f}{100 * r['contains']['mean']:10.1f}"
        lines.append(f"{r['label'].ljust(width)}{means}{paired}".rstrip())
    return "\n".join(lines) + "\n"


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


def _write_page(found: Any, readings: list[dict[str, Any]], path: Path) -> None:
    studies: Any = importlib.import_module("thresher_eval.studies")
    ratio = min(found.config.ratios, key=lambda r: abs(r - 0.25))
    results = [found.to_dict() | {"losses": studies.losses(found, ratio)}, *readings]
    files = [path.with_suffix(".json")]
    files += [path.with_suffix(f".reader-{r['ratio']:g}.json") for r in readings]
    for file, result in zip(files, results, strict=True):
        file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    importlib.import_module("thresher_eval.page").write_page(files, path)
