"""Relevance: what each sentence and document is worth to the query.

A relevance is anything with the one method of ``Relevance``. ``load_relevance`` turns a name into
one. The bundled model's own query head works on words rather than sentences and needs none of
these: see ``thresher.utility``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from thresher.errors import InputError
from thresher.types import Float32

NAMES = ("lexical", "embedding", "cross", "retriever")

__all__ = ["NAMES", "Passage", "Relevance", "RelevanceScores", "load_relevance"]


@dataclass(frozen=True, slots=True)
class Passage:
    """A document as a relevance sees it.

    Attributes:
        text: the whole text.
        sentences: its sentences, in order.
        score: the retriever's score, where the caller gave one.
    """

    text: str
    sentences: tuple[str, ...]
    score: float | None = None


@dataclass(frozen=True, slots=True)
class RelevanceScores:
    """Relevance on any scale, higher is better; only differences within one request count.

    Attributes:
        sentence: per passage, one value a sentence. Shape of each: (S,)
        document: one value a passage. Shape: (D,)
    """

    sentence: tuple[Float32, ...]
    document: Float32


@runtime_checkable
class Relevance(Protocol):
    """What rates sentences and documents for a query. Plug in your own."""

    def rate(self, query: str, passages: Sequence[Passage]) -> RelevanceScores:
        """Rate every sentence and every passage for the query."""
        ...


def load_relevance(relevance: str | Relevance) -> Relevance:
    """A relevance by name, or the given object.

    Args:
        relevance: ``lexical`` (BM25), ``retriever`` (the scores that documents arrive with),
            ``embedding`` or ``cross`` with the default sentence-transformers model; or an object
            such as ``EmbeddingRelevance("my/model")``.

    Raises:
        InputError: no such relevance.
        MissingExtraError: its package is not installed.
    """
    if not isinstance(relevance, str):
        if isinstance(relevance, Relevance):
            return relevance
        raise InputError(
            f"relevance is a {type(relevance).__name__}; give one of {', '.join(NAMES)} or an "
            "object with rate(query, passages)"
        )
    if relevance == "lexical":
        from thresher.relevance.lexical import LexicalRelevance

        return LexicalRelevance()
    if relevance == "retriever":
        from thresher.relevance.retriever import RetrieverRelevance

        return RetrieverRelevance()
    if relevance in ("embedding", "cross"):
        from thresher.relevance import embedding

        made: Any = (
            embedding.EmbeddingRelevance()
            if relevance == "embedding"
            else embedding.CrossEncoderRelevance()
        )
        return made  # type: ignore[no-any-return]
    raise InputError(f"relevance is {relevance!r}; it must be one of {', '.join(NAMES)}")
