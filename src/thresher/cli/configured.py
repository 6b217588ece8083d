"""Commands whose options are the fields of a configuration dataclass, read when they run.

The dataclass stays the only place that names, types, defaults and describes a setting, and its
module (with torch in it) is imported only for the command that needs it.
"""

from __future__ import annotations

import dataclasses
import importlib
import re
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Union

import click
from click.core import ParameterSource

from thresher.errors import require

_PROGRESS = "progress"
_ATTRIBUTE = re.compile(r"^\s{4,8}(\w+(?:, \w+)*): (.*(?:\n\s{12,}\S.*)*)", re.MULTILINE)


class ConfiguredCommand(click.Command):
    """A command whose parameters are the fields of a dataclass, nested ones flattened.

    Args:
        module: where the dataclass is.
        config: name of the dataclass.
        callback: called with the configuration, with the values that the user gave rather than
            left at their default, and with the command's own ``params``.
        attributes: of ``click.Command``.
    """

    def __init__(
        self, *, module: str, config: str, callback: Callable[..., Any], **attributes: Any
    ) -> None:
        super().__init__(callback=self._call, **attributes)
        self._module, self._config, self._then = module, config, callback

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """What the dataclass asks for and ``--help``; of two of one name, the first counts."""
        own = super().get_params(ctx)
        params = {p.name: p for p in reversed([*own, *params_of(self._dataclass())])}
        return list(reversed(params.values()))

    def _dataclass(self) -> type:
        for package in ("torch", "transformers"):
            require(package, "train", f"thresher {self.name}")
        found = getattr(importlib.import_module(self._module), self._config)
        assert isinstance(found, type)
        return found

    def _call(self, **values: Any) -> Any:
        context = click.get_current_context()
        own = {p.name: values[p.name] for p in self.params if p.name in values}
        given = {
            name: value
            for name, value in values.items()
            if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        }
        if values.get(_PROGRESS) is None:
            values[_PROGRESS] = sys.stderr is not None and sys.stderr.isatty()
        return self._then(build(self._dataclass(), values), given, **own)


def params_of(config: type) -> Iterator[click.Parameter]:
    """An option for each field that a command line can give; others keep their default.

    A sequence without a default becomes the command's arguments. Progress is shown on a terminal
    unless the user says otherwise.
    """
    for field, kind, described in _fields(config):
        if dataclasses.is_dataclass(kind) and isinstance(kind, type):
            yield from params_of(kind)
            continue
        shape = _shape(kind)
        if shape is None:
            continue
        if field.name == _PROGRESS:
            yield click.Option(
                ["--progress/--no-progress"],
                default=None,
                help=f"{described} Default: on a terminal.",
            )
        elif "multiple" in shape and _default(field) is dataclasses.MISSING:
            name = field.name.removesuffix("s").upper()
            yield click.Argument(
                [field.name], nargs=-1, required=True, type=shape["type"], metavar=f"{name}..."
            )
        else:
            yield _option(field, shape, described)


def _option(
    field: dataclasses.Field[Any], shape: Mapping[str, Any], described: str
) -> click.Option:
    flag = "--" + field.name.replace("_", "-")
    default = _default(field)
    name = f"{flag}/--no-{flag[2:]}" if shape.get("is_flag") and default is not False else flag
    required = default is dataclasses.MISSING
    if shape.get("multiple") and not required:
        default = tuple(default or ())
    return click.Option(
        [name, field.name],
        required=required,
        default=None if required else default,
        show_default=not required and default not in (None, (), ""),
        help=described,
        **shape,
    )


def build(config: type, values: Mapping[str, Any]) -> Any:
    """The dataclass from option values; nested dataclasses from the same flat mapping."""
    given: dict[str, Any] = {}
    for field, kind, _ in _fields(config):
        if dataclasses.is_dataclass(kind) and isinstance(kind, type):
            given[field.name] = build(kind, values)
        elif field.name in values:
            given[field.name] = values[field.name]
    return config(**given)


def replaced(config: Any, given: Mapping[str, Any]) -> Any:
    """A configuration with some fields changed, those of nested dataclasses among them."""
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            changes[field.name] = replaced(value, given)
        elif field.name in given:
            changes[field.name] = given[field.name]
    return dataclasses.replace(config, **changes)


def _fields(config: type) -> Iterator[tuple[dataclasses.Field[Any], Any, str]]:
    hints = typing.get_type_hints(config)
    texts = describe(config.__doc__ or "")
    for field in dataclasses.fields(config):
        if field.init:
            yield field, hints[field.name], texts.get(field.name, "")


def describe(docstring: str) -> dict[str, str]:
    """What a docstring's ``Attributes:`` section says of each attribute."""
    _, _, section = docstring.partition("Attributes:")
    out = {}
    for names, text in _ATTRIBUTE.findall(section):
        for name in names.split(", "):
            out[name] = " ".join(text.replace("``", "").split())
    return out


def _shape(kind: Any) -> dict[str, Any] | None:
    """Arguments of ``click.Option`` for a type; None where it has no form on a command line."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType):
        rest = [a for a in arguments if a is not type(None)]
        if set(rest) == {str, Path}:
            return _shape(Path)
        return _shape(rest[0]) if len(rest) == 1 else None
    if origin is Literal:
        return {"type": click.Choice(arguments)}
    if origin in (tuple, Sequence, list):
        inner = _shape(arguments[0]) if arguments[1:] in ((), (Ellipsis,)) else None
        return None if inner is None or "multiple" in inner else {**inner, "multiple": True}
    if kind is bool:
        return {"is_flag": True}
    if kind is Path:
        return {"type": click.Path(path_type=Path)}
    return {"type": kind} if kind in (str, int, float) else None


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default
