"""Cut long documents into passages that end at a sentence, for the teacher to read whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from thresher_train.align import split_words
from thresher_train.encode import sentence_spans


def chunk_spans(text: str, *, maximum: int, count: Callable[[str], int]) -> list[tuple[int, int]]:
    """Cut a text into spans of at most ``maximum`` tokens.

    Spans end at a sentence; a sentence that is longer than ``maximum`` is cut between words, and a
    single word longer than that stays whole. White space between spans is left out.

    Args:
        text: The document.
        maximum: Most tokens of a span.
        count: Tokens of a text.
    """
    pieces = [
        piece
        for sentence in sentence_spans(text)
        for piece in _pieces(text, sentence, maximum, count)
    ]
    spans: list[tuple[int, int]] = []
    for start, end in pieces:
        if spans and count(text[spans[-1][0] : end]) <= maximum:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans


def chunk_row(
    row: Mapping[str, Any], *, maximum: int, count: Callable[[str], int]
) -> Iterator[dict[str, Any]]:
    """Cut a row's text; chunks keep the row's fields, its id becomes their ``document``."""
    spans = chunk_spans(str(row["text"]), maximum=maximum, count=count)
    if len(spans) <= 1:
        yield dict(row)
        return
    for number, (start, end) in enumerate(spans):
        yield {
            **row,
            "id": f"{row['id']}#c{number}",
            "document": row.get("document", row["id"]),
            "text": str(row["text"])[start:end],
        }


def _pieces(
    text: str, sentence: tuple[int, int], maximum: int, count: Callable[[str], int]
) -> list[tuple[int, int]]:
    """Cut one sentence between words where it is too long."""
    start, end = sentence
    if count(text[start:end]) <= maximum:
        return [sentence]
    words = split_words(text[start:end])
    pieces: list[tuple[int, int]] = []
    for a, b in zip(words.start + start, words.end + start, strict=True):
        if pieces and count(text[pieces[-1][0] : b]) <= maximum:
            pieces[-1] = (pieces[-1][0], int(b))
        else:
            pieces.append((int(a), int(b)))
    return pieces
