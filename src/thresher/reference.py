"""Selection as llmlingua 0.2.2 does it: percentiles per chunk, over words of its own making.

Kept words are the reference's; the text is not. Where the reference joins tokens again, the words
here are spans of the source, so spacing, case and lines survive.

Source: https://arxiv.org/abs/2403.12968 and the behaviour of the package llmlingua 0.2.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from thresher.config import LLMLingua2
from thresher.errors import ScorerError, require
from thresher.reference_vocabulary import Vocabulary
from thresher.reference_words import Chunk, Words, chunks_of, words_of
from thresher.scoring import Scorer
from thresher.types import Bool, Float32, Float64, Int32, Int64, Kind, Segmentation, Window

LENGTH = 512


@dataclass(frozen=True, slots=True)
class Selection:
    """Words of one document as the reference forms them, and which are kept.

    Attributes:
        segmentation: spans of the source: the words, and what lies between them (text that the
            tokenizer does not know), which is never kept.
        mask: spans that are kept. Shape: (U,)
        words: the reference's words, in its own spelling. A word may own no span: "½" is three
            words to some tokenizers. Length: N
        kept: words that are kept. Shape: (N,)
        keep: their probabilities, forced words at 1. Shape: (N,)
    """

    segmentation: Segmentation
    mask: Bool
    words: tuple[str, ...] = ()
    kept: Bool | None = None
    keep: Float32 | None = None


def select(texts: Sequence[str], scorer: Scorer, settings: LLMLingua2) -> list[Selection]:
    """Choose words as the reference does with the same weights.

    Args:
        texts: documents; each is chunked and thresholded on its own.
        scorer: the model. Windows are framed as the reference frames them, which for XLM-R means
            unknown tokens at both ends.
        settings: rate and forced words.

    Returns:
        One selection a text. At rate 1 everything is kept and no model runs.

    Raises:
        InputError: a force token is empty.
        MissingExtraError: tiktoken, which weighs the words, is not installed.
        ScorerError: the scorer returned something of the wrong shape.
    """
    if settings.rate >= 1.0:
        return [_everything(text) for text in texts]
    vocabulary = Vocabulary.of(scorer.tokenizer, settings.force_tokens)
    chunks = chunks_of(texts, vocabulary, size=min(LENGTH, scorer.max_length))
    found: list[list[tuple[Words, Float32, Bool]]] = [[] for _ in texts]
    for chunk, scores in zip(chunks, _scores(chunks, scorer), strict=True):
        words = words_of(chunk, vocabulary)
        if words.text:
            keep, plain = word_probabilities(words, scores, settings)
            found[chunk.document].append((words, keep, _kept(words, keep, plain, settings)))
    return [_selection(text, parts) for text, parts in zip(texts, found, strict=True)]


def word_probabilities(words: Words, scores: Float32, settings: LLMLingua2) -> tuple[Float32, Bool]:
    """Probability of each word, summed piece by piece in float32 as the reference does.

    Args:
        words: words of one chunk.
        scores: probability of each token of the chunk. Shape: (T,)
        settings: how pieces are joined and what is forced.

    Returns:
        Probabilities, and whether each was forced as a whole. Shape: (N,), (N,)
    """
    piece = scores[words.piece].astype(np.float32)
    forced = words.forced.copy()
    if settings.force_reserve_digit:
        forced |= words.digit
    piece[forced] = 1.0
    total, plain = piece[words.first], forced[words.first]
    if settings.token_to_word == "first":
        return total, plain
    length = np.diff(np.r_[words.first, piece.shape[0]])
    for k in range(1, int(length.max())):
        longer = np.flatnonzero(length > k)
        total[longer] += piece[words.first[longer] + k]
        plain[longer] &= forced[words.first[longer] + k]
    return (total / length.astype(np.float32)).astype(np.float32), plain


def _kept(words: Words, keep: Float32, plain: Bool, settings: LLMLingua2) -> Bool:
    """The percentile rule of one chunk.

    The reference holds forced values as Python floats and the others as float32; a list which
    mixes them becomes float64, and the percentile with it. The last bit decides, so the same is
    done here.
    """
    rate = max(0.0, 1 - settings.rate)
    values: Float64 | Float32 = keep.astype(np.float64) if plain.any() else keep.copy()
    if settings.drop_consecutive:
        again = _repeats(words, values, np.percentile(values, int(100 * rate)))
        values[again] = 0.0
        if again.size:
            values = values.astype(np.float64)
    counts = _cl100k_counts(words.text)
    threshold = np.percentile(np.repeat(values, counts), min(int(100 * rate + 1), 100))
    kept: Bool = values > threshold
    if threshold == 1.0:
        kept |= values == threshold
    if settings.drop_consecutive:
        at = np.flatnonzero(kept)
        same = words.identity[at[1:]] == words.identity[at[:-1]]
        kept[at[1:][same & words.listed[at[1:]]]] = False
    return kept


def _repeats(words: Words, values: Float64 | Float32, threshold: np.floating[Any]) -> Int64:
    """Forced words that equal the forced word before, with nothing worth keeping between."""
    at = np.flatnonzero(words.listed)
    worth = np.cumsum((values > threshold) & ~words.listed)
    same = words.identity[at[1:]] == words.identity[at[:-1]]
    again: Int64 = at[1:][same & (worth[at[1:]] == worth[at[:-1]])]
    return again


def _scores(chunks: Sequence[Chunk], scorer: Scorer) -> list[Float32]:
    """Probabilities of the chunks' own tokens, special tokens cut off."""
    windows = [
        Window(
            document=c.document,
            ids=c.framed,
            type_ids=np.zeros_like(c.framed),
            first=c.before,
            last=c.before + len(c),
            token=0,
        )
        for c in chunks
    ]
    found = scorer.score(windows)
    shapes = [np.asarray(s.keep).shape for s in found]
    if shapes != [(len(w),) for w in windows]:
        raise ScorerError(
            f"{type(scorer).__name__} returned scores of shapes {shapes[:4]} for {len(windows)} "
            f"windows of {[len(w) for w in windows[:4]]} tokens (the first four of each); "
            "expected one score per token"
        )
    return [
        np.asarray(s.keep, np.float32)[w.first : w.last]
        for w, s in zip(windows, found, strict=True)
    ]


@lru_cache(maxsize=65_536)
def _cl100k_count(word: str) -> int:
    return len(_cl100k().encode_ordinary(word))


def _cl100k_counts(words: Sequence[str]) -> Int64:
    return np.asarray([_cl100k_count(w) for w in words], dtype=np.int64)


@lru_cache(maxsize=1)
def _cl100k() -> Any:
    tiktoken = require("tiktoken", "tiktoken", "The LLMLingua-2 compatible mode")
    return tiktoken.get_encoding("cl100k_base")


def _everything(text: str) -> Selection:
    span = np.asarray([[0, len(text)]] if text else [], dtype=np.int32).reshape(-1, 2)
    every = np.ones(span.shape[0], dtype=np.bool_)
    return Selection(_segmentation(span[:, 0], span[:, 1]), every)


def _selection(text: str, parts: Sequence[tuple[Words, Float32, Bool]]) -> Selection:
    """Words of all chunks of a text to disjoint spans without white space at their edges."""
    if not parts:
        return _left_out(text)
    kept = np.concatenate([k for _, _, k in parts])
    start, end, owner = _own(
        text,
        np.concatenate([w.start for w, _, _ in parts]),
        np.concatenate([w.end for w, _, _ in parts]),
    )
    mask = np.zeros(start.shape[0], dtype=np.bool_)
    np.logical_or.at(mask, owner[owner >= 0], kept[owner >= 0])
    gaps = _gaps(text, start, end)
    starts, ends = np.r_[start, gaps[:, 0]], np.r_[end, gaps[:, 1]]
    order = np.argsort(starts, kind="stable")
    return Selection(
        _segmentation(starts[order].astype(np.int32), ends[order].astype(np.int32)),
        np.r_[mask, np.zeros(gaps.shape[0], dtype=np.bool_)][order],
        tuple(t for w, _, _ in parts for t in w.text),
        kept,
        np.concatenate([p for _, p, _ in parts]),
    )


def _left_out(text: str) -> Selection:
    gaps = _gaps(text, np.zeros(0, np.int64), np.zeros(0, np.int64)).astype(np.int32)
    none = np.zeros(gaps.shape[0], dtype=np.bool_)
    return Selection(_segmentation(gaps[:, 0], gaps[:, 1]), none)


def _own(text: str, start: Int64, end: Int64) -> tuple[Int64, Int64, Int64]:
    """Trim white space, and give characters that two words share to the first of them.

    Returns:
        Spans, and the span that each word is kept with, -1 for a word of white space alone.
        Shape: (U,), (U,), (N,)
    """
    solid = _solid(text)
    lo, hi = np.searchsorted(solid, start), np.searchsorted(solid, end)
    visible = hi > lo
    taken = np.maximum.accumulate(np.r_[0, np.where(visible, hi, 0)])[:-1]
    free = np.maximum(lo, taken)
    owns = hi > free
    owner = np.where(visible, np.cumsum(owns) - 1, -1)
    return solid[free[owns]], solid[hi[owns] - 1] + 1, owner


def _gaps(text: str, start: Int64, end: Int64) -> Int64:
    """Spans of visible text which no word covers. Shape: (G, 2)."""
    solid = _solid(text)
    lo = np.searchsorted(solid, np.concatenate(([0], end)))
    hi = np.searchsorted(solid, np.concatenate((start, [len(text)])))
    open_ = hi > lo
    return np.stack((solid[lo[open_]], solid[hi[open_] - 1] + 1), axis=1)


_WHITE = np.asarray([i for i in range(0x3001) if chr(i).isspace()], dtype=np.uint32)


def _solid(text: str) -> Int64:
    """Positions of characters that are not white space, in order."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    return np.flatnonzero(~np.isin(codes, _WHITE))


def _segmentation(start: Int32, end: Int32) -> Segmentation:
    units = start.shape[0]
    return Segmentation(
        start=start,
        end=end,
        kind=np.full(units, Kind.WORD, dtype=np.uint8),
        sentence=np.zeros(units, dtype=np.int32),
        host=np.full(units, -1, dtype=np.int32),
        requires=np.zeros((0, 2), dtype=np.int32),
        support=np.zeros(units, dtype=np.bool_),
    )
