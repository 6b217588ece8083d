"""``thresher explain`` and ``thresher score``: what the model thinks of each word."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from thresher.cli import options
from thresher.cli.examples import examples
from thresher.cli.files import Input, as_line, dumps, read_documents, write
from thresher.types import Document, UnitScores

if TYPE_CHECKING:
    from rich.text import Text

BANDS = (
    (0.2, "bright_black"),
    (0.4, ""),
    (0.6, "black on color(230)"),
    (0.8, "black on color(222)"),
    (1.01, "bold black on color(214)"),
)
"""Upper end of each band of scores, and its style: readable on dark and light terminals."""

_AT_ONCE = 64


@click.command(
    epilog=examples(
        "thresher explain notes.md",
        "thresher explain notes.md --format tsv > scores.tsv",
    )
)
@options.paths_argument
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(["color", "tsv"]),
    help="color (the text, words shaded by score) or tsv (document, start, end, score, word). "
    "Default: color on a terminal, else tsv.",
)
@options.output_option
@options.input_option
@options.model_options
@options.quiet_option
def explain(
    paths: tuple[str, ...],
    form: str | None,
    output: str | None,
    kind: Input,
    model: str,
    engine: str,
    device: str | None,
    quiet: bool,
) -> None:
    """Show how much the model wants to keep each word."""
    documents = read_documents(paths, kind)
    with options.working(f"Scoring {len(documents):,} documents", quiet=quiet):
        compressor = options.build_compressor(model, engine, device)
        scores = compressor.score(documents)
    terminal = output is None and sys.stdout.isatty()
    if (form or ("color" if terminal else "tsv")) == "tsv":
        write("".join(_table(documents, scores)), output)
    else:
        _print(documents, scores, output)


def _table(documents: Sequence[Document], scores: Sequence[UnitScores]) -> Iterable[str]:
    yield "document\tstart\tend\tscore\tword\n"
    for index, (document, s) in enumerate(zip(documents, scores, strict=True)):
        name = _one_line(document.id or str(index))
        for start, end, keep in zip(s.start.tolist(), s.end.tolist(), s.keep.tolist(), strict=True):
            word = _one_line(document.text[start:end])
            yield f"{name}\t{start}\t{end}\t{keep:.4f}\t{word}\n"


def _one_line(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def _print(documents: Sequence[Document], scores: Sequence[UnitScores], output: str | None) -> None:
    from rich.console import Console
    from rich.rule import Rule

    file = None if output in (None, "-") else open(output or "", "w", encoding="utf-8")  # noqa: PTH123, SIM115
    try:
        console = Console(file=file, force_terminal=True, highlight=False, legacy_windows=False)
        console.print(legend())
        for index, (document, s) in enumerate(zip(documents, scores, strict=True)):
            console.print(Rule(document.id or f"document {index + 1}", align="left"))
            console.print(shaded(document.text, s), soft_wrap=True)
    finally:
        if file is not None:
            file.close()


def legend() -> Text:
    """The bands of scores in their own styles."""
    from rich.text import Text

    text, low = Text("score  "), 0.0
    for high, style in BANDS:
        text.append(f" {low:.1f} to {min(high, 1.0):.1f} ", style=style)
        text.append("  ")
        low = high
    return text


def shaded(text: str, scores: UnitScores) -> Text:
    """The text with every word in the style of its score; nothing is added or left out."""
    from rich.text import Text

    out = Text(text)
    for start, end, keep in zip(
        scores.start.tolist(), scores.end.tolist(), scores.keep.tolist(), strict=True
    ):
        style = next(s for high, s in BANDS if keep < high)
        if style:
            out.stylize(style, start, end)
    return out


@click.command(
    epilog=examples(
        "thresher score docs/ -o docs.jsonl",
        "thresher compress docs.jsonl --budget 800",
    )
)
@options.paths_argument
@options.output_option
@options.input_option
@options.model_options
@options.quiet_option
def score(
    paths: tuple[str, ...],
    output: str | None,
    kind: Input,
    model: str,
    engine: str,
    device: str | None,
    quiet: bool,
) -> None:
    """Score documents once, at index time, so that no model runs at query time.

    Writes each document as a line of JSON with its scores, one byte a word, which
    `thresher compress` reads; `StoredScores.from_dict` reads them in Python.
    """
    from tqdm import tqdm

    documents = read_documents(paths, kind)
    compressor = options.build_compressor(model, engine, device)
    hidden = True if quiet else None  # None: tqdm shows itself on a terminal only
    lines = []
    with tqdm(total=len(documents), unit="doc", disable=hidden, leave=False) as bar:
        for at in range(0, len(documents), _AT_ONCE):
            group = documents[at : at + _AT_ONCE]
            for document, s in zip(group, compressor.score(group), strict=True):
                lines.append(dumps(as_line(document, scores=s.pack().to_dict())) + "\n")
            bar.update(len(group))
    write("".join(lines), output)
    words = sum(line.count(" ") for line in (d.text for d in documents))
    options.say(f"scored {len(documents):,} documents, about {words:,} words", quiet=quiet)
