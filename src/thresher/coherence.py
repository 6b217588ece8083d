"""Coherence: what a reader needs beyond the best words.

With a query, the sentences that matter most to it are kept whole or nearly so: a reader quotes and
follows them, and an answer of many words survives only as a whole. All others stay skeletons of
their best words; a strong reader answered questions of several hops worse where more sentences
than the most relevant ones were filled up. Without a query nobody knows which sentences these will
be, so that all words of a sentence draw nearer to its mean, and two things that hold for most
passages speak for a word: it is a name, or it stands near the beginning of the passage (the lead
baseline of summarisation; Nenkova, 2005).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from thresher.types import Bool, Float64, Int32, Kind, Segmentation

_REACH = 1.5  # a sentence this much less relevant than the best one is filled up by half
_LEAST = 1.0  # and one that stands out by less than this from the mean is never that relevant
_SLOPE = 0.5
_UNASKED = 0.3  # how far words draw to the mean of their sentence without a query
_NAME = 0.5
_LEAD = 0.1  # lost with every sentence further from the beginning
_LEAD_SENTENCES = 6


def filled(
    keep: Sequence[Float64],
    relevance: Sequence[Float64],
    sentence: Sequence[Int32],
    rows: Sequence[Bool | None],
) -> list[Float64]:
    """Utilities under which the most relevant sentences of a request are kept whole.

    With k the logit of the keep score, R the relevance of a word, and R_s its mean over the
    sentence, c = 1 / (1 + exp((t - R_s) / 0.5)) and u = R + (1 - c) k + c mean_s(k), where t is
    1.5 below the best R_s of the request, and at least 1 above their mean.

    Args:
        keep: logit of the keep score. Shape of each: (U,)
        relevance: the relevance terms of the utility. Shape of each: (U,)
        sentence: sentence of each unit. Shape of each: (U,)
        rows: units that are table rows, which are whole anyway and have no say in what the best
            sentence is. Shape of each: (U,)

    Returns:
        Utilities. Shape of each: (U,)
    """
    means = [sentence_mean(r, s) for r, s in zip(relevance, sentence, strict=True)]
    prose = [
        m if t is None else m[sentence_mean(t.astype(np.float64), s) == 0]
        for m, t, s in zip(means, rows, sentence, strict=True)
    ]
    known = np.concatenate([np.zeros(0), *prose])
    least = max(known.max() - _REACH, known.mean() + _LEAST) if known.size else np.inf
    out = []
    for k, r, m, s in zip(keep, relevance, means, sentence, strict=True):
        share = 1.0 / (1.0 + np.exp(np.clip((least - m) / _SLOPE, -30.0, 30.0)))
        out.append(r + k + share[s] * (sentence_mean(k, s)[s] - k))
    return out


def unasked(keep: Float64, sentence: Int32, prior: Float64) -> Float64:
    """Utility of each unit of a document where there is no query. Shape: (U,)."""
    value = keep + prior
    return value + _UNASKED * (sentence_mean(value, sentence)[sentence] - value)


def prior(text: str, segmentation: Segmentation) -> Float64:
    """What form and place of a unit say without a query, on the scale of a logit.

    A capital letter stands for a name; beginnings of sentences get away with theirs. Lines of code
    and data stay as they are: order means something else there.

    Returns:
        Shape: (U,)
    """
    starts = segmentation.start.tolist()
    name = np.asarray([text[i].isupper() for i in starts], dtype=np.float64)
    late = np.minimum(segmentation.sentence, _LEAD_SENTENCES)
    lines = (segmentation.kind == Kind.LINE) | (segmentation.kind == Kind.FENCE)
    return np.where(lines, 0.0, _NAME * name - _LEAD * late)


def sentence_mean(values: Float64, sentence: Int32) -> Float64:
    """Mean of each sentence. Shape: (U,), (U,) -> (S,)."""
    count = np.bincount(sentence)
    return np.bincount(sentence, weights=values) / np.maximum(count, 1)
