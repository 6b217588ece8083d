"""``thresher distill | label | train | export``: thin doors to ``thresher_train``."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from thresher.cli.configured import ConfiguredCommand, replaced
from thresher.cli.examples import examples
from thresher.cli.files import dumps, write


def _command(
    name: str, text: str, *examples_: str, params: Sequence[click.Parameter] = ()
) -> ConfiguredCommand:
    """The command ``name``: calls ``thresher_train.<name>.<name>`` and prints its report.

    Args:
        name: of the command, of its module, and of the function there; the configuration that the
            function takes is the dataclass ``<Name>Config`` beside it.
        text: help; its first sentence is the short help.
        examples_: command lines.
        params: beside the fields of the configuration.
    """
    module = f"thresher_train.{name}"

    def call(settings: Any, given: Mapping[str, Any], recipe: str | None = None) -> None:
        if recipe is not None:
            recipes = importlib.import_module("thresher_train.recipes").RECIPES
            settings = replaced(recipes[recipe](settings), given)
        work: Callable[[Any], Any] = getattr(importlib.import_module(module), name)
        report = explained(work, settings)
        if report is not None:
            write(dumps(_plain(report), indent=2) + "\n", None)

    return ConfiguredCommand(
        name=name,
        module=module,
        config=f"{name.capitalize()}Config",
        callback=call,
        params=list(params),
        help=text,
        epilog=examples(*examples_),
    )


def explained(work: Callable[[Any], Any], settings: Any) -> Any:
    """Call training code; what it raises on purpose becomes one line for the user."""
    try:
        return work(settings)
    except (ValueError, RuntimeError) as error:
        if _is_explained(error):
            raise click.ClickException(str(error)) from error
        raise


def _is_explained(error: BaseException) -> bool:
    """Whether the training code, or the loading of a model, raised it on purpose."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    name = place.tb_frame.f_globals.get("__name__", "") if place is not None else ""
    return str(name).startswith(("thresher_train", "thresher_eval", "transformers"))


def _plain(report: Any) -> Any:
    """A report without arrays and dataclasses, for JSON."""
    if dataclasses.is_dataclass(report) and not isinstance(report, type):
        return dataclasses.asdict(report)
    return report


distill = _command(
    "distill",
    "Let a chat model compress passages, as data to learn from. A run that was stopped goes on.",
    "thresher distill --input passages.jsonl --output teacher.jsonl --estimate-only",
    "thresher distill --input passages.jsonl --output teacher.jsonl --teacher openai:gpt-4o",
)

label = _command(
    "label",
    "Align teacher compressions with their sources and write word labels. Rows whose compression "
    "strays from its source are set aside.",
    "thresher label teacher.jsonl --output labels",
)

train = _command(
    "train",
    "Train a token classifier on labelled passages and questions. A run that was stopped goes on.",
    "thresher train --recipe thresher --base folder --passages kept.jsonl --output run",
    params=[
        click.Option(
            ["--recipe"],
            type=click.Choice(["thresher", "llmlingua2"]),
            help="Ready-made settings; options that are given override them.",
        )
    ],
)

export = _command(
    "export",
    "Write a trained model as int8 ONNX and safetensors, checked against float32.",
    "thresher export --model run/model --output mymodel --check dev.jsonl",
    "thresher compress docs/ --model mymodel --budget 800",
)

__all__ = ["distill", "explained", "export", "label", "train"]
