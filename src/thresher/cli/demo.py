"""``thresher demo``: answer a question from the documentation of Python's standard library."""

from __future__ import annotations

import string
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from thresher.compression import CompressedDocument, Compression
from thresher.config import CompressConfig
from thresher.demo import BUDGET, QUERY

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_BAR = 10
_WIDTH = 96
CONFIG = CompressConfig(min_tokens=24)
"""A passage of which less would remain says nothing: it is dropped, and others get its share."""


@click.command()
@click.option("-q", "--query", default=QUERY, show_default=True, metavar="TEXT", help="A question.")
@click.option(
    "-b", "--budget", type=int, default=BUDGET, show_default=True, metavar="TOKENS",
    help="Most tokens of the result, for all passages together.",
)  # fmt: skip
@click.option(
    "-o", "--output", default="demo.html", show_default=True, metavar="FILE",
    help="Where the page with the dropped words in grey goes.",
)  # fmt: skip
def demo(query: str, budget: int, output: str) -> None:
    """Answer a question from the documentation of Python's own standard library.

    Finds a dozen docstrings with BM25, compresses them together to the budget, and shows what
    was kept of each.
    """
    from rich.console import Console
    from rich.rule import Rule

    from thresher import Compressor, load_scorer
    from thresher.demo import Library, prompt

    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH)
    with console.status("Reading the standard library's documentation"):
        library = Library()
        count = len(library.documents)
        began = time.perf_counter()
        documents = library.search(query)
        found = time.perf_counter() - began
    with console.status("Loading the model"):
        scorer = load_scorer("small")
        relevance = None if getattr(scorer, "query_aware", False) else "lexical"
        compressor = Compressor(scorer, relevance=relevance, config=CONFIG)
    result = compressor.compress(documents, query=query, budget=budget)
    Path(output).write_text(result.to_html(title="Thresher demo"), encoding="utf-8")

    console.print()
    console.print(f"[bold]{query}[/]", highlight=False)
    console.print(
        f"{len(documents)} passages from {count:,} docstrings of Python's "
        f"standard library (BM25, {1000 * found:.0f} ms)\n",
        style="dim",
        highlight=False,
    )
    console.print(_table(result))
    _totals(console, result)
    console.print(Rule("the prompt", align="left", style="dim"))
    console.print(prompt(result), markup=False, highlight=False, soft_wrap=True)
    console.print(Rule(style="dim"))
    console.print(f"Dropped words in grey, kept words dark: [bold]{output}[/]\n", highlight=False)


def _table(result: Compression) -> RenderableType:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("#", justify="right", style="dim")
    table.add_column("passage", overflow="ellipsis", no_wrap=True, max_width=40)
    table.add_column("before", justify="right")
    table.add_column("after", justify="right")
    table.add_column("share kept", no_wrap=True)
    table.add_column("")
    why = reasons(result)
    for d in result.documents:
        style = "dim" if d.dropped else ""
        table.add_row(
            str(d.index + 1),
            d.id,
            f"{d.tokens_before:,}",
            f"{d.tokens:,}",
            _share(d),
            "kept" if d.reason is None else f"dropped ({why[d.reason]})",
            style=style,
        )
    return table


def reasons(result: Compression) -> dict[str, str]:
    """A letter for each reason for which documents were dropped, in order."""
    found = dict.fromkeys(d.reason for d in result.documents if d.reason is not None)
    return dict(zip(found, string.ascii_lowercase, strict=False))


def _share(d: CompressedDocument) -> str:
    full = round(_BAR * d.share)
    return f"[green]{'█' * full}[/][dim]{'░' * (_BAR - full)}[/] {d.share:4.0%}"


def _totals(console: Console, result: Compression) -> None:
    kept = sum(d.kept for d in result.documents)
    console.print(
        f"[bold]{result.tokens_before:,} -> {result.tokens:,} tokens[/] of a budget of "
        f"{result.budget:,} ({result.ratio:.0%}), {kept} of {len(result.documents)} passages, "
        f"[bold]{1000 * result.timings['total']:.0f} ms[/]",
        highlight=False,
    )
    for reason, letter in reasons(result).items():
        console.print(f"({letter}) {reason}", style="dim", highlight=False)
    for note in result.notes:
        console.print(note, style="yellow", highlight=False)
    console.print()
