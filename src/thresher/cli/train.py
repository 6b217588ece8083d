"""``thresher distill | label | train | evaluate | export``: thin doors to ``thresher_train``."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable
from typing import Any

import click

from thresher.cli.configured import ConfiguredCommand
from thresher.cli.files import dumps, write


def _command(name: str, *, config: str, function: str, text: str) -> ConfiguredCommand:
    """A command that builds ``config``, calls ``function`` with it, and prints its report.

    Args:
        name: of the command, and of its module in ``thresher_train``.
        config: dataclass in that module.
        function: in that module; takes the dataclass.
        text: help; its first sentence is the short help.
    """
    module = f"thresher_train.{name}"

    def call(settings: Any) -> None:
        work: Callable[[Any], Any] = getattr(importlib.import_module(module), function)
        try:
            report = work(settings)
        except (ValueError, RuntimeError) as error:
            if _is_ours(error):
                raise click.ClickException(str(error)) from error
            raise
        if report is not None:
            write(dumps(_plain(report), indent=2) + "\n", None)

    return ConfiguredCommand(name=name, module=module, config=config, callback=call, help=text)


def _is_ours(error: BaseException) -> bool:
    """Whether the training code raised it on purpose, rather than something beneath it."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    name = place.tb_frame.f_globals.get("__name__", "") if place is not None else ""
    return str(name).startswith("thresher_train")


def _plain(report: Any) -> Any:
    """A report without arrays and dataclasses, for JSON."""
    if dataclasses.is_dataclass(report) and not isinstance(report, type):
        return dataclasses.asdict(report)
    return report


label = _command(
    "label",
    config="LabelConfig",
    function="label",
    text="""Align teacher compressions with their sources and write word labels.

    Rows whose compression strays from its source are set aside, with a report.""",
)

train = _command(
    "train",
    config="TrainConfig",
    function="train",
    text="""Train a token classifier on labelled passages and questions.""",
)

evaluate = _command(
    "evaluate",
    config="EvaluateConfig",
    function="evaluate",
    text="""Measure a model on held-out labels: word AUC and precision at the teacher's rate.""",
)

export = _command(
    "export",
    config="ExportConfig",
    function="export",
    text="""Write a trained model as int8 ONNX and safetensors, checked against float32.""",
)

distill = _command(
    "distill",
    config="DistillConfig",
    function="distill",
    text="""Let a chat model compress passages, as data to learn from.""",
)

__all__ = ["distill", "evaluate", "export", "label", "train"]
