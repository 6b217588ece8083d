"""The command line, ``thresher``: commands are imported when they are called."""

from __future__ import annotations

import importlib
import json
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import click

from thresher import __version__
from thresher.cli.examples import examples
from thresher.errors import ThresherError, ThresherWarning

COMMANDS = {
    "compress": "thresher.cli.compress",
    "explain": "thresher.cli.scores",
    "score": "thresher.cli.scores",
    "bench": "thresher.cli.bench",
    "demo": "thresher.cli.demo",
    "distill": "thresher.cli.train",
    "label": "thresher.cli.train",
    "train": "thresher.cli.train",
    "evaluate": "thresher.cli.evaluate",
    "export": "thresher.cli.train",
}
"""Where each command lives."""

INTERRUPTED = 130
FAILED = 2


class _Commands(click.Group):
    """Imports the module of a command only when that command is called or described."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(COMMANDS[cmd_name]), cmd_name)
        assert isinstance(command, click.Command)
        return command


@click.group(
    cls=_Commands,
    epilog=examples(
        "thresher demo",
        'thresher compress notes/ --budget 1200 --query "What was decided?"',
        "cat hits.jsonl | thresher compress --ratio 0.4 --format jsonl",
    ),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="thresher")
def group() -> None:
    """Compress retrieved passages to one hard token budget."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; a failure is one line on stderr."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", ThresherWarning)
        warnings.showwarning = _show_warning
        try:
            code = group.main(
                args=None if arguments is None else list(arguments),
                prog_name="thresher",
                standalone_mode=False,
            )
            sys.stdout.flush()
        except (BrokenPipeError, KeyboardInterrupt, click.Abort) as stop:
            return _quietly(stop)
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.ctx.get_help() if error.ctx else str(error), err=True)
            return FAILED
        except Exception as error:
            line = explanation(error)
            if line is None:
                raise
            click.echo(f"thresher: {' '.join(line.split())}", err=True)
            return FAILED
    return code if isinstance(code, int) else 0


def main() -> None:
    """Entry point of the ``thresher`` script."""
    sys.exit(run())


def explanation(error: Exception) -> str | None:
    """What to tell the user of an expected failure; None where it is a fault in Thresher."""
    if isinstance(error, click.UsageError):
        where = error.ctx.command_path if error.ctx else "thresher"
        return f"{error.format_message()} (see: {where} --help)"
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, ThresherError):
        return str(error)
    if isinstance(error, UnicodeDecodeError):
        return f"the input is not UTF-8 text ({error}); convert it first, for example with iconv"
    if isinstance(error, json.JSONDecodeError):
        return f"the input is not JSON: {error}"
    if isinstance(error, OSError):
        if not error.filename:
            return str(error)
        return (
            f"{os.fsdecode(error.filename)!r}: {error.strerror}; check the path and its permissions"
        )
    return None


def _quietly(stop: BaseException) -> int:
    """End without a word when the reader of the output went away, or the user stopped us."""
    if isinstance(stop, BrokenPipeError):
        # what is left in the buffer must not fail again when the interpreter flushes it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return INTERRUPTED


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    click.echo(f"thresher: note: {message}", err=True)
