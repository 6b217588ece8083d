"""The result of a compression: text, documents, spans, counts, and the way back to the source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from thresher.errors import InputError
from thresher.types import Int64


class Span(NamedTuple):
    """A kept slice of a document: ``document.text[start:end]``, in code points."""

    start: int
    end: int


class SourceSpan(NamedTuple):
    """Where a piece of the compressed text comes from."""

    document: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class CompressedDocument:
    """What became of one input document.

    Attributes:
        index: its position in the input.
        id: as given.
        score: as given.
        metadata: as given (the same object).
        source: the input text.
        text: what is kept of it; empty when dropped.
        spans: the kept slices, in input order.
        tokens: tokens of ``text`` by the caller's counter.
        tokens_before: tokens of ``source``.
        reason: why it was dropped, or None.
        relevance: relevance to the query, where there was one.
        offsets: where each span starts in ``text``.
    """

    index: int
    id: str | None
    score: float | None
    metadata: Mapping[str, Any] | None
    source: str = field(repr=False)
    text: str
    spans: tuple[Span, ...] = field(repr=False)
    tokens: int
    tokens_before: int
    reason: str | None = None
    relevance: float | None = None
    offsets: tuple[int, ...] = field(default=(), repr=False)

    @property
    def kept(self) -> bool:
        """Whether anything of the document is in the result."""
        return not self.dropped

    @property
    def dropped(self) -> bool:
        """Whether the whole document was left out."""
        return self.reason is not None

    @property
    def share(self) -> float:
        """Tokens kept / tokens before, in [0, 1]."""
        return self.tokens / self.tokens_before if self.tokens_before else 0.0

    def to_dict(self) -> dict[str, Any]:
        """A JSON-safe dict (metadata is passed on as it is)."""
        return {
            "index": self.index,
            "id": self.id,
            "score": self.score,
            "metadata": None if self.metadata is None else dict(self.metadata),
            "text": self.text,
            "spans": [list(s) for s in self.spans],
            "tokens": self.tokens,
            "tokens_before": self.tokens_before,
            "dropped": self.dropped,
            "reason": self.reason,
            "relevance": self.relevance,
        }


@dataclass(frozen=True, slots=True)
class Compression:
    """The compressed context of one request.

    Attributes:
        text: the assembled text: documents with their framing, joined by the separator.
        documents: every input document, in input order.
        tokens: tokens of ``text`` by the caller's counter.
        tokens_before: tokens of the uncompressed assembly.
        budget: the budget in tokens; None where only a threshold decided.
        query: as given.
        notes: what a user should know, for example why less than 97 % of the budget is used.
        timings: seconds per stage, and ``total``.
        order: documents in the order of ``text``.
        starts: where each document of ``order`` starts in ``text``, framing excluded.
    """

    text: str
    documents: tuple[CompressedDocument, ...]
    tokens: int
    tokens_before: int
    budget: int | None
    query: str | None = None
    notes: tuple[str, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict)
    order: tuple[int, ...] = ()
    starts: tuple[int, ...] = ()

    @property
    def ratio(self) -> float:
        """Tokens kept / tokens before, in [0, 1]."""
        return self.tokens / self.tokens_before if self.tokens_before else 1.0

    @property
    def dropped(self) -> tuple[CompressedDocument, ...]:
        """The documents that were left out whole."""
        return tuple(d for d in self.documents if d.dropped)

    def to_source(self, start: int, end: int) -> SourceSpan:
        """Find the source of ``text[start:end]``.

        Args:
            start: first code point of the piece in ``text``.
            end: one past its last code point.

        Returns:
            The shortest span of the source that holds every kept character of the piece. Gaps
            inside the piece belong to the span; joining white space at its edges does not.

        Raises:
            InputError: the piece is out of range, spans several documents, or holds nothing but
                framing and separators.
        """
        if not 0 <= start < end <= len(self.text):
            raise InputError(
                f"to_source({start}, {end}) lies outside the text of {len(self.text)} characters "
                "(or is empty)"
            )
        found = [
            SourceSpan(index, *span)
            for index, at in zip(self.order, self.starts, strict=True)
            if (span := _locate(self.documents[index], start - at, end - at)) is not None
        ]
        if len(found) != 1:
            what = "spans several documents" if found else "holds only framing or separators"
            raise InputError(
                f"text[{start}:{end}] {what}; ask for a piece within one document's kept text"
            )
        return found[0]

    def to_dict(self) -> dict[str, Any]:
        """A JSON-safe dict."""
        return {
            "text": self.text,
            "tokens": self.tokens,
            "tokens_before": self.tokens_before,
            "budget": self.budget,
            "query": self.query,
            "documents": [d.to_dict() for d in self.documents],
            "order": list(self.order),
            "notes": list(self.notes),
            "timings": {k: round(v, 6) for k, v in self.timings.items()},
        }

    def to_html(self, *, title: str = "Thresher") -> str:
        """A self-contained HTML page: kept words dark, dropped words grey."""
        from thresher.html import page

        return page(self, title=title)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        kept = sum(d.kept for d in self.documents)
        budget = "" if self.budget is None else f", budget {self.budget}"
        return (
            f"Compression({self.tokens_before} -> {self.tokens} tokens{budget}, "
            f"{kept} of {len(self.documents)} documents kept, "
            f"{1000 * self.timings.get('total', 0.0):.0f} ms)"
        )


def _locate(document: CompressedDocument, start: int, end: int) -> tuple[int, int] | None:
    """Source span of ``document.text[start:end]``, clipped to the text; None where it is empty."""
    if not document.spans or end <= 0 or start >= len(document.text):
        return None
    target: Int64 = np.asarray(document.offsets, dtype=np.int64)
    spans: Int64 = np.asarray(document.spans, dtype=np.int64)
    stop = target + spans[:, 1] - spans[:, 0]
    hit = np.flatnonzero((stop > start) & (target < end))
    if not hit.size:
        return None
    first, last = hit[0], hit[-1]
    return (
        int(spans[first, 0] + max(start - target[first], 0)),
        int(spans[last, 1] - max(stop[last] - end, 0)),
    )
