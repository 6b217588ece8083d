"""The demonstration: a question, answered from documentation that is on every machine.

The documents are the docstrings of Python's standard library, retrieved with BM25. Nothing is
downloaded and nothing is canned: another query finds other passages.
"""

from __future__ import annotations

import importlib
import inspect
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any

from thresher.compression import Compression
from thresher.errors import InputError
from thresher.relevance import Passage
from thresher.relevance.lexical import LexicalRelevance
from thresher.types import Document

QUERY = "How do I run a command, capture its output, and stop it after a timeout?"
BUDGET = 800
PASSAGES = 12

MODULES = (
    *("argparse", "array", "ast", "asyncio", "base64", "bisect", "calendar", "codecs"),
    *("collections", "concurrent.futures", "configparser", "contextlib", "copy", "csv"),
    *("dataclasses", "datetime", "decimal", "difflib", "email.message", "enum", "fileinput"),
    *("fractions", "functools", "glob", "gzip", "hashlib", "heapq", "hmac", "html", "http.client"),
    *("http.server", "importlib", "inspect", "io", "ipaddress", "itertools", "json", "locale"),
    *("logging", "logging.handlers", "lzma", "math", "mimetypes", "multiprocessing", "os"),
    *("pathlib", "pickle", "platform", "pprint", "queue", "random", "re", "sched", "secrets"),
    *("select", "selectors", "shelve", "shlex", "shutil", "signal", "smtplib", "socket"),
    *("socketserver", "sqlite3", "statistics", "string", "struct", "subprocess", "sys", "tarfile"),
    *("tempfile", "textwrap", "threading", "time", "timeit", "traceback", "types", "typing"),
    *("unittest", "unittest.mock", "urllib.parse", "urllib.request", "uuid", "weakref"),
    *("xml.etree.ElementTree", "zipfile", "zoneinfo"),
)
_MIN_CHARACTERS = 250
_MAX_CHARACTERS = 6000
_WRAPPED = 50
_NOT_PROSE = " \t>|-*+="
_PROSE = re.compile(r"[A-Za-z0-9\"'`(](?![.)]\s)")
_STOP = frozenset(
    (
        *("a", "an", "and", "are", "as", "at", "be", "by", "can", "do", "does", "for", "from"),
        *("how", "i", "if", "in", "is", "it", "its", "me", "my", "of", "on", "or", "that", "the"),
        *("this", "to", "was", "what", "when", "where", "which", "who", "why", "will", "with"),
        *("you", "your"),
    )
)


@dataclass(frozen=True)
class Library:
    """The docstrings of some modules.

    Attributes:
        modules: their importable names; those that this Python lacks are passed over.
    """

    modules: tuple[str, ...] = MODULES

    @cached_property
    def documents(self) -> tuple[Document, ...]:
        """One document a docstring, with its qualified name as id.

        Raises:
            InputError: this Python runs without docstrings.
        """
        found: dict[str, Document] = {}
        for name in self.modules:
            for qualified, text in _docstrings(name):
                found.setdefault(text, Document(text, id=qualified, prefix=f"[{qualified}]\n"))
        if not found:
            raise InputError(
                "this Python has no docstrings to search (it runs with -OO or PYTHONOPTIMIZE=2); "
                "run it without that option"
            )
        return tuple(found.values())

    def search(self, query: str, count: int = PASSAGES) -> list[Document]:
        """The documents that BM25 ranks best, best first, with their scores.

        Raises:
            InputError: no document holds a word of the query.
            MissingExtraError: ``bm25s`` is not installed.
        """
        words = " ".join(w for w in query.split() if w.casefold().strip("?!.,;:") not in _STOP)
        passages = [Passage(f"{d.id} {d.text}", ()) for d in self.documents]
        scores = LexicalRelevance().rate(words or query, passages).document
        best = sorted(range(len(passages)), key=lambda i: (-scores[i], i))[:count]
        hits = [
            Document(d.text, id=d.id, score=round(float(scores[i]), 3), prefix=d.prefix)
            for i, d in ((i, self.documents[i]) for i in best if scores[i] > 0)
        ]
        if not hits:
            raise InputError(
                f"no docstring of the standard library holds a word of {query!r}; ask about "
                "something that Python's documentation covers"
            )
        return hits


def prompt(compression: Compression) -> str:
    """The prompt that a language model would be given."""
    return (
        "Answer the question from the documentation below. Words were left out of it to save "
        f"space.\n\n{compression.text}\n\nQuestion: {compression.query}\nAnswer:"
    )


def _docstrings(name: str) -> Iterator[tuple[str, str]]:
    """Qualified names and docstrings of a module, its functions, classes and methods."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            module = importlib.import_module(name)
        except ImportError:
            return
        for qualified, thing in _members(module):
            text = _clean(thing)
            if _MIN_CHARACTERS <= len(text) <= _MAX_CHARACTERS:
                yield qualified, text


def _members(module: ModuleType) -> Iterator[tuple[str, Any]]:
    name = module.__name__
    yield name, module
    for key, value in sorted(vars(module).items()):
        if key.startswith("_") or getattr(value, "__name__", None) != key:
            continue
        if not (inspect.isclass(value) or inspect.isroutine(value)):
            continue
        yield f"{name}.{key}", value
        if inspect.isclass(value):
            for method, function in sorted(vars(value).items()):
                if not method.startswith("_") and inspect.isroutine(function):
                    yield f"{name}.{key}.{method}", function


def _clean(thing: Any) -> str:
    text = vars(thing).get("__doc__") if isinstance(thing, type) else thing.__doc__
    return unwrap(inspect.cleandoc(text).strip()) if isinstance(text, str) else ""


def unwrap(text: str) -> str:
    """Join the lines of each wrapped paragraph; lists, examples and indented lines stay.

    A line is joined to the one before it where both start at the margin and the one before is
    so long that it was wrapped rather than ended.
    """
    lines: list[str] = []
    previous = ""
    for line in text.split("\n"):
        if len(previous) >= _WRAPPED and previous[0] not in _NOT_PROSE and _PROSE.match(line):
            lines[-1] += " " + line
        else:
            lines.append(line)
        previous = line
    return "\n".join(lines)
