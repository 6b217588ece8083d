"""The utility of a word: its keep score joined with what its surroundings are worth to the query.

With p the keep probability, f the probability that the word matters to the query (the model's
focus head), F_s and F_d the mean of the best f in its sentence and document, r_s, r_d the relevance
of sentence and document standardised over the request, o_s the share of the query's words in the
sentence (``relevance.overlap``), and n_s, n_d what sentence and document borrow from other
documents by the names they share (``relevance.bridge``)::

    u = logit(p) + w * (a logit(f) + b logit(F_s) + c logit(F_d) + d r_s + e r_d
                        + g o_s + h n_s + i n_d)

``w`` is ``CompressConfig.relevance_weight``, three times that for table rows: a row is kept whole
or not at all, so that nothing of it serves as the skeleton which a sentence leaves.
Terms that a request lacks count as 0. What becomes of u in whole sentences, and without a query, is
told in ``coherence``. The weights a to i are ``WEIGHTS``. They were chosen by survival of answers
together with the share kept of the words that an answer needs from each gold passage, of the
passage that keeps least (``benchmarks/fit_utility.py show --chains``); survival alone rewards
weights that starve the second hop of a question (docs/quality.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from thresher.coherence import filled, unasked
from thresher.types import Bool, Float32, Float64, Int32, Kind, Segmentation

_LEAST = 1e-4
_BEST_OF_SENTENCE = 5
_BEST_OF_DOCUMENT = 8
_ROW_RELEVANCE = 3.0


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights of the relevance terms, against 1 for the keep score."""

    focus: float
    sentence_focus: float
    document_focus: float
    sentence: float
    document: float
    overlap: float
    sentence_bridge: float
    document_bridge: float


WEIGHTS = Weights(
    focus=1.2,
    sentence_focus=0.45,
    document_focus=0.2,
    sentence=0.9,
    document=1.2,
    overlap=3.0,
    sentence_bridge=3.0,
    document_bridge=4.5,
)


@dataclass(frozen=True, slots=True)
class Signals:
    """What is known of one document's units.

    Attributes:
        keep: keep probability. Shape: (U,)
        sentence: sentence of each unit. Shape: (U,)
        focus: query-conditioned probability, or None. Shape: (U,)
        sentence_relevance: or None. Shape: (S,)
        document_relevance: or None.
        overlap: see ``relevance.overlap``, or None. Shape: (S,)
        sentence_bridge: see ``relevance.bridge``, or None. Shape: (S,)
        document_bridge: the same of the document.
        rows: units that are rows of a table, or None for none. Shape: (U,)
        prior: see ``coherence.prior``, used where nothing else is known. Shape: (U,)
    """

    keep: Float32
    sentence: Int32
    focus: Float32 | None = None
    sentence_relevance: Float32 | None = None
    document_relevance: float | None = None
    overlap: Float32 | None = None
    sentence_bridge: Float32 | None = None
    document_bridge: float = 0.0
    rows: Bool | None = None
    prior: Float64 | None = None

    @property
    def asked(self) -> bool:
        """Whether anything is known of what the document is worth to a query."""
        known = (
            self.focus, self.sentence_relevance, self.document_relevance, self.overlap,
            self.sentence_bridge,
        )  # fmt: skip
        return any(x is not None for x in known)

    def worth(self) -> Float32 | None:
        """Relevance of each sentence in [0, 1] by the model, or by its relevance. Shape: (S,)."""
        if self.focus is not None:
            return best_mean(self.focus, self.sentence, _BEST_OF_SENTENCE)
        return self.sentence_relevance


def table_rows(segmentation: Segmentation) -> Bool:
    """Lines that need another line, which is to say rows with a header. Shape: (U,)."""
    rows = np.zeros(len(segmentation), dtype=np.bool_)
    lines = segmentation.kind == Kind.LINE
    edges = segmentation.requires[lines[segmentation.requires].all(axis=1)]
    rows[edges[:, 0]] = True
    return rows


def logit(p: Float32 | Float64) -> Float64:
    """log(p / (1 - p)), with p held away from 0 and 1."""
    x = np.clip(np.asarray(p, dtype=np.float64), _LEAST, 1.0 - _LEAST)
    return np.log(x) - np.log1p(-x)


def utilities(
    signals: Sequence[Signals],
    *,
    weight: float = 1.0,
    weights: Weights = WEIGHTS,
    coherent: bool = True,
) -> list[Float64]:
    """Utility of every unit of a request, on the scale of a logit.

    Args:
        signals: one value a document.
        weight: ``CompressConfig.relevance_weight``.
        weights: of the terms.
        coherent: whether sentences are filled up (see ``coherence``); without it, every word
            stands for itself, and without a query its utility is the logit of its keep score.

    Returns:
        One array a document. Shape of each: (U,)
    """
    keep = [logit(s.keep) for s in signals]
    terms = relevance_terms(signals, weight, weights)
    if not coherent:
        return [k if r is None else k + r for k, r in zip(keep, terms, strict=True)]
    sentence = [s.sentence for s in signals]
    if any(r is not None for r in terms):
        known = [np.zeros_like(k) if r is None else r for k, r in zip(keep, terms, strict=True)]
        return filled(keep, known, sentence, [s.rows for s in signals])
    return [
        unasked(k, s.sentence, np.zeros_like(k) if s.prior is None else s.prior)
        for k, s in zip(keep, signals, strict=True)
    ]


def relevance_terms(
    signals: Sequence[Signals], weight: float = 1.0, weights: Weights = WEIGHTS
) -> list[Float64 | None]:
    """What the utility adds to the keep score. Shape of each: (U,).

    None for a document of which nothing is known beyond its keep scores, or under weight 0.
    """
    if not weight:
        return [None] * len(signals)
    sentence_moments = _moments([s.sentence_relevance for s in signals])
    document_moments = _moments(
        [
            None if s.document_relevance is None else np.asarray([s.document_relevance], np.float32)
            for s in signals
        ]
    )
    return [_terms(s, weight, weights, sentence_moments, document_moments) for s in signals]


def _terms(
    s: Signals,
    weight: float,
    weights: Weights,
    sentence_moments: tuple[float, float],
    document_moments: tuple[float, float],
) -> Float64 | None:
    if not s.asked:
        return None
    terms = np.zeros(s.keep.shape[0], dtype=np.float64)
    if s.focus is not None and s.focus.size:
        terms += _focus_terms(s.focus, s.sentence, weights)
    if s.sentence_relevance is not None:
        mean, spread = sentence_moments
        terms += weights.sentence * ((s.sentence_relevance - mean) / spread)[s.sentence]
    if s.document_relevance is not None:
        mean, spread = document_moments
        terms += weights.document * (s.document_relevance - mean) / spread
    if s.overlap is not None:
        terms += weights.overlap * s.overlap[s.sentence]
    if s.sentence_bridge is not None:
        terms += weights.sentence_bridge * s.sentence_bridge[s.sentence]
        terms += weights.document_bridge * s.document_bridge
    if s.rows is not None:
        terms[s.rows] *= _ROW_RELEVANCE
    return weight * terms


def _focus_terms(focus: Float32, sentence: Int32, weights: Weights) -> Float64:
    """The word's own focus, and the best of its sentence and document. Shape: (U,)."""
    best = best_mean(focus, sentence, _BEST_OF_SENTENCE)
    top = np.sort(focus)[-_BEST_OF_DOCUMENT:].mean(keepdims=True)
    return (
        weights.focus * logit(focus)
        + weights.sentence_focus * logit(best)[sentence]
        + weights.document_focus * logit(top)
    )


def best_mean(values: Float32, group: Int32, best: int) -> Float32:
    """Mean of the ``best`` highest values of each group. Shape: (U,), (U,) -> (S,)."""
    groups = int(group[-1]) + 1 if group.size else 0
    order = np.lexsort((-values, group))
    sizes = np.bincount(group, minlength=groups)
    rank = np.arange(group.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    top = order[rank < best]
    total = np.bincount(group[top], weights=values[top], minlength=groups)
    return (total / np.maximum(np.minimum(sizes, best), 1)).astype(np.float32)


def _moments(values: Sequence[Float32 | None]) -> tuple[float, float]:
    """Mean and standard deviation (1 where there is none) of all values of a request."""
    known = [v for v in values if v is not None and v.size]
    if not known:
        return 0.0, 1.0
    flat = np.concatenate(known)
    return float(flat.mean()), float(flat.std()) or 1.0
