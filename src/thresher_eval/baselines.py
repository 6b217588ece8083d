"""Plain alternatives to compression, each at the exact budget: cut, sample, extract, rerank."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from thresher.relevance import Passage, Relevance
from thresher_eval.data import Item
from thresher_eval.measures import Kept
from thresher_eval.packing import Counter, extract, largest, pack, sentences, words

Floats = NDArray[np.float32]
_STEPS = 1000


class Method(Protocol):
    """Compress the passages of an item to a budget."""

    def __call__(self, item: Item, budget: int) -> Kept:
        """What is kept of each passage; the assembled text has at most ``budget`` tokens."""
        ...


def truncate(count: Counter) -> Method:
    """The first words of the whole context."""

    def method(item: Item, budget: int) -> Kept:
        spans = [(i, a, b) for i, t in enumerate(item.texts) for a, b in words(t)]
        return largest(lambda n: extract(item.texts, spans[:n]), len(spans), budget, count).kept

    return method


def truncate_each(count: Counter) -> Method:
    """The first words of every passage, the same share of each."""

    def method(item: Item, budget: int) -> Kept:
        spans = [words(t) for t in item.texts]

        def make(n: int) -> Kept:
            ends = [s[-(-n * len(s) // _STEPS) - 1][1] if s and n else 0 for s in spans]
            return tuple((i, t[:e]) for i, (t, e) in enumerate(zip(item.texts, ends, strict=True)))

        return largest(make, _STEPS, budget, count).kept

    return method


def random_words(count: Counter, *, seed: int = 0) -> Method:
    """Words drawn at random, in text order."""

    def method(item: Item, budget: int) -> Kept:
        spans = [(i, a, b) for i, t in enumerate(item.texts) for a, b in words(t)]
        random.Random(f"{seed}/{item.key}").shuffle(spans)
        return largest(lambda n: extract(item.texts, spans[:n]), len(spans), budget, count).kept

    return method


class Rater(Protocol):
    """Rate the sentences and the whole of every passage for a question."""

    def __call__(self, item: Item) -> tuple[list[list[float]], list[float]]:
        """Per passage, one value a sentence; one value a passage."""
        ...


def sentence_extraction(count: Counter, rate: Rater, *, document_weight: float = 0.5) -> Method:
    """The best sentences: relevance of the sentence plus that of its passage."""

    def method(item: Item, budget: int) -> Kept:
        by_sentence, by_document = rate(item)
        ranked = [
            (-value - document_weight * by_document[i], (i, *span))
            for i, text in enumerate(item.texts)
            for span, value in zip(sentences(text), by_sentence[i], strict=True)
        ]
        return pack(item.texts, [s for _, s in sorted(ranked)], budget, count)

    return method


def document_rerank(count: Counter, rate: Rater) -> Method:
    """The best passages whole; the first that does not fit is cut."""

    def method(item: Item, budget: int) -> Kept:
        _, by_document = rate(item)
        order = np.argsort(-np.asarray(by_document), kind="stable")
        ranked = [(int(i), 0, len(item.texts[i])) for i in order]
        return pack(item.texts, ranked, budget, count)

    return method


def rater(relevance: Relevance) -> Rater:
    """A rater from any of Thresher's relevances: BM25, bi-encoder, cross-encoder.

    It keeps the last item's values, since every ratio asks for them again.
    """

    @lru_cache(maxsize=2)
    def rate(item: Item) -> tuple[list[list[float]], list[float]]:
        passages = [Passage(t, tuple(t[a:b] for a, b in sentences(t))) for t in item.texts]
        found = relevance.rate(item.question, passages)
        return [s.tolist() for s in found.sentence], found.document.tolist()

    return rate


def scaled(rate: Rater) -> Rater:
    """Divide sentence and document values by their largest, for scores without a fixed scale."""

    def wrapped(item: Item) -> tuple[list[list[float]], list[float]]:
        by_sentence, by_document = rate(item)
        top = max((max(s, default=0.0) for s in by_sentence), default=0.0) or 1.0
        best = max(by_document, default=0.0) or 1.0
        return [[v / top for v in s] for s in by_sentence], [v / best for v in by_document]

    return wrapped


class SentenceEmbeddings:
    """A bi-encoder of sentence-transformers which remembers what it embedded last.

    Args:
        model: name or folder of a ``SentenceTransformer``, or the object.
    """

    def __init__(self, model: Any) -> None:
        from thresher.errors import require

        package = require("sentence_transformers", "relevance", "the bi-encoder baseline")
        self._model = package.SentenceTransformer(model) if isinstance(model, str) else model
        self._known: dict[str, Floats] = {}

    def __call__(self, texts: Sequence[str]) -> Floats:
        """Embeddings of length 1. Shape: (N, H)."""
        missing = [t for t in dict.fromkeys(texts) if t not in self._known]
        if missing:
            if len(self._known) > 20_000:
                self._known.clear()
                missing = list(dict.fromkeys(texts))
            vectors = self._model.encode(
                missing, normalize_embeddings=True, show_progress_bar=False, batch_size=32
            )
            self._known.update(zip(missing, np.asarray(vectors, np.float32), strict=True))
        return np.stack([self._known[t] for t in texts])

    def encode(self, texts: Sequence[str], **_: Any) -> Floats:
        """The name under which Thresher's ``EmbeddingRelevance`` asks."""
        return self(texts)
