"""``thresher compress``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from thresher.cli import options
from thresher.cli.examples import examples
from thresher.cli.files import Input, dumps, read_documents, write
from thresher.compression import Compression

_BY_SUFFIX = {".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".html": "html"}


@click.command(
    epilog=examples(
        'thresher compress docs/ --budget 1200 -q "Who signs?" --counter gpt-4o',
        "thresher compress hits.jsonl --ratio 0.3 --format jsonl",
        "thresher compress page.md --threshold 0.5 -o page.html",
    )
)
@options.paths_argument
@options.limit_options
@click.option("-q", "--query", metavar="TEXT", help="The question that the documents answer.")
@options.counter_option
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(["text", "json", "jsonl", "html"]),
    help="text (the assembled context), json (everything), jsonl (a document a line) or html. "
    "Default: by the name of --output, else text.",
)
@options.output_option
@options.input_option
@options.relevance_option
@options.config_options
@options.model_options
@options.quiet_option
def compress(
    paths: tuple[str, ...],
    budget: int | None,
    ratio: float | None,
    threshold: float | None,
    query: str | None,
    counter: str | None,
    form: str | None,
    output: str | None,
    kind: Input,
    relevance: str | None,
    model: str,
    engine: str,
    device: str | None,
    quiet: bool,
    **config: Any,
) -> None:
    """Compress documents, together, to one budget of tokens.

    PATH is a file, a directory, a file of JSON lines, or - for stdin (the default). A line of
    JSON is a document: {"text": ..., "id": ..., "score": ..., "metadata": {...}}.
    """
    settings = options.build_config(**config)
    documents = read_documents(paths, kind)
    with options.working(f"Compressing {len(documents):,} documents", quiet=quiet):
        compressor = options.build_compressor(
            model, engine, device, counter=counter, relevance=relevance, config=settings
        )
        result = compressor.compress(
            documents, query=query, budget=budget, ratio=ratio, threshold=threshold
        )
    write(formatted(result, form or _BY_SUFFIX.get(Path(output or "").suffix, "text")), output)
    for line in summary(result):
        options.say(line, quiet=quiet)


def formatted(result: Compression, form: str) -> str:
    """A result as text, json, jsonl or html."""
    if form == "json":
        return dumps(result.to_dict(), indent=2) + "\n"
    if form == "jsonl":
        return "".join(dumps(d.to_dict()) + "\n" for d in result.documents)
    if form == "html":
        return result.to_html()
    return result.text


def summary(result: Compression) -> list[str]:
    """What happened, in one line, and the notes."""
    kept = sum(d.kept for d in result.documents)
    budget = "" if result.budget is None else f" (budget {result.budget:,})"
    return [
        f"{result.tokens_before:,} -> {result.tokens:,} tokens{budget}, "
        f"{kept:,} of {len(result.documents):,} documents, "
        f"{result.timings.get('total', 0.0):.2f} s",
        *result.notes,
    ]
