"""``thresher bench``: how long compression takes on this machine, and where the time goes."""

from __future__ import annotations

import json
import platform
import statistics
import time

import click

from thresher.cli import options
from thresher.cli.examples import examples
from thresher.cli.files import read_documents, write
from thresher.compression import Compression
from thresher.scoring.onnx import available_cores
from thresher.types import Document

_MODEL = "score"


@click.command(
    epilog=examples(
        "thresher bench", 'thresher bench docs/ --ratio 0.3 --query "What was decided?" --repeat 20'
    )
)
@options.paths_argument
@click.option("-q", "--query", metavar="TEXT", help="A question; the time differs with one.")
@click.option(
    "-r", "--ratio", type=float, default=0.5, show_default=True, help="Share of tokens to keep."
)
@click.option("--repeat", type=click.IntRange(1), default=5, show_default=True, help="Runs.")
@options.counter_option
@options.model_options
def bench(
    paths: tuple[str, ...],
    query: str | None,
    ratio: float,
    repeat: int,
    counter: str | None,
    model: str,
    engine: str,
    device: str | None,
) -> None:
    """Time compression of your documents, or of docstrings of Python's standard library.

    The last line is JSON. Seconds are medians over the runs, after one run to warm up.
    """
    documents = read_documents(paths, "auto") if paths else _docstrings()
    began = time.perf_counter()
    compressor = options.build_compressor(model, engine, device, counter=counter)
    loaded = time.perf_counter() - began
    compressor.compress(documents, query=query, ratio=ratio)
    with options.working(f"Compressing {len(documents)} documents {repeat} times", quiet=False):
        runs = [compressor.compress(documents, query=query, ratio=ratio) for _ in range(repeat)]
    write(report(runs, repr(compressor.scorer), loaded), None)


def report(runs: list[Compression], scorer: str, loaded: float) -> str:
    """The table and, as its last line, the same as JSON."""
    stages = {
        name: statistics.median(r.timings.get(name, 0.0) for r in runs) for name in runs[0].timings
    }
    total = stages.pop("total")
    tokens = runs[0].tokens_before
    lines = [
        f"{scorer}, {available_cores()} cores, {platform.machine()}",
        f"{len(runs[0].documents)} documents, {tokens:,} -> {runs[0].tokens:,} tokens, "
        f"{len(runs)} runs",
        "",
        f"{'loading':12s}{1000 * loaded:10.1f} ms",
        *(f"{n:12s}{1000 * s:10.1f} ms{s / total:8.0%}" for n, s in stages.items()),
        f"{'total':12s}{1000 * total:10.1f} ms   {tokens / total:,.0f} tokens a second",
    ]
    facts = {
        "documents": len(runs[0].documents),
        "tokens_before": tokens,
        "tokens": runs[0].tokens,
        "seconds": round(total, 6),
        "tokens_per_second": round(tokens / total, 1),
        "outside_model": round(1 - stages.get(_MODEL, 0.0) / total, 4),
        "stages": {n: round(s, 6) for n, s in stages.items()},
        "cores": available_cores(),
        "scorer": scorer,
    }
    return "\n".join([*lines, json.dumps(facts)]) + "\n"


def _docstrings() -> list[Document]:
    from thresher.demo import PASSAGES, QUERY, Library

    return [Document(d.text, id=d.id) for d in Library().search(QUERY)[:PASSAGES]]
