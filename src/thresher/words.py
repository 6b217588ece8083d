"""Token scores to unit scores, and token states to sentence embeddings."""

from __future__ import annotations

import numpy as np

from thresher.types import Float32, Int64, Segmentation
from thresher.windows import Tokens


def overlaps(tokens: Tokens, segmentation: Segmentation) -> tuple[Int64, Int64]:
    """Pairs of a token and a unit that share a character, in token order.

    A token may touch several units (``),`` as one piece) and a unit several tokens.

    Returns:
        Token indices and unit indices of the pairs. Shape: (P,), (P,)
    """
    first = np.searchsorted(segmentation.end, tokens.start, side="right")
    last = np.searchsorted(segmentation.start, tokens.end, side="left")
    count = np.maximum(last - first, 0)
    token = np.repeat(np.arange(len(tokens)), count)
    within = np.arange(token.shape[0]) - np.repeat(np.cumsum(count) - count, count)
    return token, first[token] + within


def unit_scores(keep: Float32, tokens: Tokens, segmentation: Segmentation) -> Float32:
    """Mean score of the tokens that touch each unit; 0 where the tokenizer saw none.

    Args:
        keep: score of each token. Shape: (T,)
        tokens: the document's tokens.
        segmentation: its units.

    Returns:
        Scores in the range of ``keep``. Shape: (U,)
    """
    token, unit = overlaps(tokens, segmentation)
    units = len(segmentation)
    total = np.bincount(unit, weights=keep[token], minlength=units)
    count = np.bincount(unit, minlength=units)
    return (total / np.maximum(count, 1)).astype(np.float32)


def unit_costs(tokens: Tokens, segmentation: Segmentation) -> Int64:
    """Tokens that start in each unit, or in the white space before it. Shape: (U,)."""
    if not len(segmentation):
        return np.zeros(0, dtype=np.int64)
    solid = tokens.end > tokens.start
    at = np.searchsorted(segmentation.end, tokens.end[solid] - 1, side="right")
    at = np.minimum(at, len(segmentation) - 1)
    return np.bincount(at, minlength=len(segmentation)).astype(np.int64)


def pool_sentences(hidden: Float32, sentence: Int64, sentences: int) -> Float32:
    """Sum token states by sentence; sums of several windows add up before ``unit_length``.

    Args:
        hidden: token states. Shape: (T, H)
        sentence: sentence of each token, non-decreasing. Shape: (T,)
        sentences: number of sentences S.

    Returns:
        Sums. Shape: (S, H)
    """
    out = np.zeros((sentences, hidden.shape[1]), dtype=np.float32)
    if hidden.shape[0]:
        starts = np.flatnonzero(np.r_[True, np.diff(sentence) != 0])
        out[sentence[starts]] = np.add.reduceat(hidden, starts, axis=0)
    return out


def unit_length(vectors: Float32) -> Float32:
    """Rows scaled to length 1; zero rows stay zero. Shape: (S, H) -> (S, H)."""
    norm = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(norm > 0, norm, 1.0)).astype(np.float32)
