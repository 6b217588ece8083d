"""Documents from files, directories, JSON lines and stdin; results to files and stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from thresher.cache import StoredScores
from thresher.errors import InputError
from thresher.types import Document

Input = Literal["auto", "text", "jsonl"]

_LINES = {".jsonl", ".ndjson"}
_FIELDS = ("text", "id", "score", "metadata", "prefix", "suffix", "scores")


def read_documents(paths: Sequence[str], kind: Input = "auto") -> list[Document]:
    """Read documents.

    Args:
        paths: files, directories (searched through, hidden and binary files passed over), ``-``
            for stdin. No path means stdin.
        kind: ``text`` (a document a file), ``jsonl`` (a document a line), or ``auto``: by the
            file's suffix; stdin is taken for JSON lines where its first line is such a document.

    Raises:
        InputError: a file is not UTF-8 text, or a line is not a document.
        OSError: a file cannot be read.
    """
    documents: list[Document] = []
    for path in paths or ("-",):
        if path == "-":
            text = _stdin()
            by_line = _looks_like_lines(text) if kind == "auto" else kind == "jsonl"
            documents += _parse(text, "stdin", by_line) if text.strip() else []
        elif Path(path).is_dir():
            documents += _directory(Path(path), kind)
        else:
            documents += _file(Path(path), kind)
    if not documents:
        raise InputError(
            f"there is no document in {', '.join(paths) or 'stdin'}; give files or directories "
            "with text, or JSON lines with a 'text' field"
        )
    return documents


def _stdin() -> str:
    if sys.stdin is None or sys.stdin.isatty():
        raise InputError(
            "nothing to read: name files or directories, or pipe text or JSON lines to stdin"
        )
    return _decode(sys.stdin.buffer.read(), "stdin")


def _file(path: Path, kind: Input) -> list[Document]:
    by_line = path.suffix in _LINES if kind == "auto" else kind == "jsonl"
    return _parse(_decode(path.read_bytes(), str(path)), str(path), by_line)


def _directory(folder: Path, kind: Input) -> Iterator[Document]:
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).parts
        if any(part.startswith(".") for part in inside) or not path.is_file():
            continue
        if not _is_binary(path):
            yield from _file(path, kind)


def _is_binary(path: Path) -> bool:
    with path.open("rb") as file:
        return b"\0" in file.read(8192)


def _decode(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name} is not UTF-8 text (byte {error.start} is 0x{data[error.start]:02x}); convert "
            f"it first, for example: iconv -f latin1 -t utf-8 {name}"
        ) from error


def _parse(text: str, name: str, by_line: bool) -> list[Document]:
    return list(parse_lines(text, name)) if by_line else [Document(text, id=name)]


def _looks_like_lines(text: str) -> bool:
    first = text.lstrip("\ufeff \t\r\n").split("\n", 1)[0]
    if not first.startswith("{"):
        return False
    try:
        return isinstance(json.loads(first).get("text"), str)
    except ValueError:
        return False


def parse_lines(text: str, name: str) -> Iterator[Document]:
    """Documents from JSON lines: ``{"text", "id"?, "score"?, "metadata"?, "scores"?, ...}``.

    ``scores`` is what ``thresher score`` wrote. Fields of other names go into the metadata.

    Raises:
        InputError: a line is not such an object; the message has its number.
    """
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        if line.strip():
            try:
                yield _document(json.loads(line))
            except (ValueError, TypeError) as error:
                raise InputError(
                    f"{name}, line {number}: {error}; expected one JSON object a line, such as "
                    '{"text": "...", "id": "a", "score": 0.7}'
                ) from error


def _document(value: Any) -> Document:
    if not isinstance(value, dict):
        raise TypeError(f"this is a JSON {type(value).__name__}, not an object")
    if not isinstance(value.get("text"), str):
        raise TypeError("the field 'text' is missing or not a string")
    metadata = value.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise TypeError("the field 'metadata' is not an object")
    others = {k: v for k, v in value.items() if k not in _FIELDS}
    stored = value.get("scores")
    identity = value.get("id")
    return Document(
        value["text"],
        id=None if identity is None else str(identity),
        score=value.get("score"),
        metadata={**others, **(metadata or {})} or None,
        prefix=value.get("prefix", ""),
        suffix=value.get("suffix", ""),
        scores=None if stored is None else StoredScores.from_dict(stored),
    )


def as_line(document: Document, **more: Any) -> dict[str, Any]:
    """A document as ``parse_lines`` reads it, without the fields that are empty."""
    values = {name: getattr(document, name) for name in _FIELDS[:-1]} | more
    return {k: v for k, v in values.items() if v is not None and v != ""} | {"text": document.text}


def dumps(value: Any, *, indent: int | None = None) -> str:
    """JSON, readable unless the text holds something that UTF-8 cannot carry."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, default=str)
    return text if _encodes(text) else json.dumps(value, indent=indent, default=str)


def write(text: str, output: str | None) -> None:
    """Write exactly this text, to a file or to stdout (where a terminal gets a last newline)."""
    data = text.encode("utf-8", "replace")
    if output is not None and output != "-":
        Path(output).write_bytes(data)
        return
    stream = sys.stdout.buffer
    stream.write(data)
    if sys.stdout.isatty() and not text.endswith("\n"):
        stream.write(b"\n")
    stream.flush()


def _encodes(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
