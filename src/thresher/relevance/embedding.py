"""Relevance by sentence-transformers: a bi-encoder or a cross-encoder of the caller's choice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from thresher.errors import require
from thresher.relevance import Passage, RelevanceScores
from thresher.types import Float32

DEFAULT_BI_ENCODER = "sentence-transformers/all-MiniLM-L6-v2"
DEFAULT_CROSS_ENCODER = "cross-encoder/ms-marco-MiniLM-L6-v2"


class EmbeddingRelevance:
    """Cosine of the query's and the sentence's (or document's) embedding.

    Args:
        model: a ``SentenceTransformer``, or its name or folder.

    Raises:
        MissingExtraError: sentence-transformers is not installed.
    """

    def __init__(self, model: Any = DEFAULT_BI_ENCODER) -> None:
        package: Any = require("sentence_transformers", "relevance", "embedding relevance")
        self._model = package.SentenceTransformer(model) if isinstance(model, str) else model

    def rate(self, query: str, passages: Sequence[Passage]) -> RelevanceScores:
        """See ``Relevance.rate``."""
        texts = [query, *(p.text for p in passages), *(s for p in passages for s in p.sentences)]
        vectors = np.asarray(
            self._model.encode(texts, normalize_embeddings=True, show_progress_bar=False),
            dtype=np.float32,
        )
        return _split(vectors[1:] @ vectors[0], passages)


class CrossEncoderRelevance:
    """Score of a cross-encoder that reads query and sentence (or document) together.

    Args:
        model: a ``CrossEncoder``, or its name or folder.

    Raises:
        MissingExtraError: sentence-transformers is not installed.
    """

    def __init__(self, model: Any = DEFAULT_CROSS_ENCODER) -> None:
        package: Any = require("sentence_transformers", "relevance", "cross-encoder relevance")
        self._model = package.CrossEncoder(model) if isinstance(model, str) else model

    def rate(self, query: str, passages: Sequence[Passage]) -> RelevanceScores:
        """See ``Relevance.rate``."""
        texts = [*(p.text for p in passages), *(s for p in passages for s in p.sentences)]
        scores = self._model.predict([(query, t) for t in texts], show_progress_bar=False)
        return _split(np.asarray(scores, dtype=np.float32).reshape(-1), passages)


def _split(values: Float32, passages: Sequence[Passage]) -> RelevanceScores:
    """Values of all documents, then of all sentences, back to their passages."""
    document, sentences = values[: len(passages)], values[len(passages) :]
    borders = np.cumsum([len(p.sentences) for p in passages])[:-1]
    return RelevanceScores(
        sentence=tuple(np.split(sentences, borders)) if passages else (), document=document
    )
