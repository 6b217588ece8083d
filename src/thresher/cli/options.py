"""Options that several commands share, and the compressor that they describe."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from thresher import Compressor
from thresher.config import CompressConfig, Order, Strategy
from thresher.errors import InputError
from thresher.relevance import NAMES

F = TypeVar("F", bound=Callable[..., Any])

paths_argument = click.argument("paths", nargs=-1, metavar="[PATH]...")

output_option = click.option(
    "-o", "--output", metavar="FILE", help="Write here instead of to standard output."
)
quiet_option = click.option("--quiet", is_flag=True, help="No progress and no summary on stderr.")
input_option = click.option(
    "--input",
    "kind",
    type=click.Choice(["auto", "text", "jsonl"]),
    default="auto",
    show_default=True,
    help="A document a file (text) or a line (jsonl); auto goes by the file's name, and by the "
    "first line of stdin.",
)


def model_options(command: F) -> F:
    """``--model``, ``--engine`` and ``--device``."""
    for option in (
        click.option("--device", metavar="NAME", help="Torch device, such as cuda or cpu."),
        click.option(
            "--engine",
            type=click.Choice(["auto", "onnx", "torch"]),
            default="auto",
            show_default=True,
            help="What runs the model.",
        ),
        click.option(
            "--model",
            default="small",
            show_default=True,
            metavar="NAME",
            help="'small' (bundled), a folder, or a Hugging Face hub id.",
        ),
    ):
        command = option(command)
    return command


def limit_options(command: F) -> F:
    """``--budget``, ``--ratio`` and ``--threshold``."""
    for option in (
        click.option(
            "--threshold",
            type=float,
            metavar="P",
            help="Keep what scores at least this, 0 to 1; alone, or under a budget.",
        ),
        click.option(
            "-r", "--ratio", type=float, metavar="SHARE", help="Share of the tokens to keep."
        ),
        click.option(
            "-b",
            "--budget",
            type=int,
            metavar="TOKENS",
            help="Most tokens of the result, for all documents together.",
        ),
    ):
        command = option(command)
    return command


def config_options(command: F) -> F:
    """What goes into ``CompressConfig``; ``--config`` reaches the rest."""
    for option in (
        click.option(
            "--config",
            "config_file",
            type=click.Path(dir_okay=False),
            metavar="FILE",
            help="JSON object with any fields of CompressConfig; the options here override it.",
        ),
        click.option(
            "--keep",
            "force_keep",
            multiple=True,
            metavar="WORD",
            help="Always keep this word (repeatable).",
        ),
        click.option("--gap", metavar="TEXT", help="Put this where words were dropped."),
        click.option("--separator", metavar="TEXT", help="Put this between documents."),
        click.option(
            "--min-tokens",
            type=click.IntRange(min=0),
            metavar="N",
            help="Drop a document whole when less than this would remain of it.",
        ),
        click.option("--order", type=click.Choice(get_args(Order)), help="Of the documents."),
        click.option(
            "--strategy", type=click.Choice(get_args(Strategy)), help="How the budget is shared."
        ),
    ):
        command = option(command)
    return command


relevance_option = click.option(
    "--relevance",
    type=click.Choice(NAMES),
    help="What rates sentences for the query, in place of the model's own head.",
)
counter_option = click.option(
    "--counter",
    metavar="NAME",
    help="Whose tokens count: a tiktoken model or encoding (gpt-4o), a Hugging Face repo id or a "
    "folder with tokenizer.json. Default: the model's own tokenizer.",
)


def build_config(config_file: str | None, **options: Any) -> CompressConfig:
    """The configuration from a file and from those options that were given.

    Raises:
        InputError: the file is not a JSON object, or a value is out of range.
    """
    values: dict[str, Any] = {}
    if config_file is not None:
        try:
            values = json.loads(Path(config_file).read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(f"{config_file} is not JSON: {error}") from error
        if not isinstance(values, dict):
            raise InputError(
                f"{config_file} holds a JSON {type(values).__name__}; expected an object with "
                'fields of CompressConfig, such as {"strategy": "weighted"}'
            )
    given = {k: v for k, v in options.items() if v not in (None, ())}
    return CompressConfig.from_dict({**values, **given})


def build_compressor(model: str, engine: str, device: str | None, **more: Any) -> Compressor:
    """A compressor from the options of ``model_options`` and keyword arguments of its own."""
    return Compressor(model, engine=engine, device=device, **more)  # type: ignore[arg-type]


@contextmanager
def working(message: str, *, quiet: bool) -> Iterator[None]:
    """A spinner on stderr while something runs, on a terminal only."""
    if quiet or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(message):
        yield


def say(message: str, *, quiet: bool) -> None:
    """One line on stderr."""
    if not quiet:
        click.echo(f"thresher: {message}", err=True)
