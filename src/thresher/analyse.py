"""Texts to scores: segment, tokenise, window, score, and gather by unit and sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from thresher.errors import ScorerError
from thresher.scoring import Scorer
from thresher.segment import segment
from thresher.types import Float32, Int64, Segmentation, TokenScores, Window
from thresher.windows import (
    QUERY_MAX_LENGTH,
    Frame,
    Tokens,
    build_windows,
    encode,
    unit_of_token,
)
from thresher.words import pool_sentences, unit_costs, unit_length, unit_scores

_WINDOWS_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class Parsed:
    """A text with its units and tokens.

    Attributes:
        text: the text.
        segmentation: its units.
        tokens: its tokens by the scorer's tokenizer.
    """

    text: str
    segmentation: Segmentation
    tokens: Tokens

    @property
    def sentences(self) -> int:
        """Number of sentences S."""
        return int(self.segmentation.sentence[-1]) + 1 if len(self.segmentation) else 0

    def sentence_spans(self) -> list[tuple[int, int]]:
        """Start and end of each sentence, in code points. Length S."""
        ids = np.arange(self.sentences)
        first = np.searchsorted(self.segmentation.sentence, ids, side="left")
        last = np.searchsorted(self.segmentation.sentence, ids, side="right") - 1
        starts, ends = self.segmentation.start[first], self.segmentation.end[last]
        return list(zip(starts.tolist(), ends.tolist(), strict=True))

    def sentence_of_token(self) -> Int64:
        """Sentence of each token; empty for a text without units. Shape: (T,)."""
        parts = self.segmentation
        if not len(parts):
            return np.zeros(0, dtype=np.int64)
        return parts.sentence[unit_of_token(self.tokens, parts)].astype(np.int64)

    def costs(self) -> Int64:
        """Scorer tokens of each unit. Shape: (U,)."""
        return unit_costs(self.tokens, self.segmentation)


@dataclass(frozen=True, slots=True)
class Read:
    """What one pass of the model over one text gave.

    Attributes:
        scores: keep probability of each unit. Shape: (U,)
        embedding: sentence embeddings of length 1, or None. Shape: (S, H)
        focus: probability of each unit to matter to the query, or None. Shape: (U,)
    """

    scores: Float32
    embedding: Float32 | None = None
    focus: Float32 | None = None


class Clock:
    """Adds up seconds per stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._start = self._last = perf_counter()

    def mark(self, stage: str) -> None:
        """Book the time since the last mark on a stage."""
        now = perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now

    def total(self) -> dict[str, float]:
        """All stages and their total."""
        return {**self.seconds, "total": perf_counter() - self._start}


def parse(texts: Sequence[str], scorer: Scorer) -> list[Parsed]:
    """Segment and tokenise texts."""
    segmentations = [segment(t) for t in texts]
    tokens = encode(scorer.tokenizer, texts)
    return [Parsed(*x) for x in zip(texts, segmentations, tokens, strict=True)]


def read(
    parsed: Sequence[Parsed],
    frames: Sequence[Frame],
    scorer: Scorer,
    *,
    window: int,
    embed: bool = False,
    progress: bool = False,
) -> list[Read]:
    """Run the model over texts, each in its own frame; documents never share a window.

    Windows go to the scorer some hundred at a time, so that memory stays bounded by that and not
    by the corpus.

    Args:
        parsed: the texts.
        frames: the special tokens, and the query where there is one, around each text.
        scorer: the model.
        window: tokens of one window.
        embed: also gather sentence embeddings, where the scorer gives hidden states.
        progress: show a progress bar on stderr.

    Raises:
        ScorerError: the scorer returned something of the wrong shape or range.
    """
    size = min(window, scorer.max_length)
    embed = embed and bool(getattr(scorer, "gives_hidden", False))
    keep = [np.zeros(len(p.tokens), dtype=np.float32) for p in parsed]
    focus = [np.zeros_like(k) if f.paired else None for k, f in zip(keep, frames, strict=True)]
    sums: list[Float32 | None] = [None] * len(parsed)
    sentence_of = [p.sentence_of_token() for p in parsed] if embed else []
    total = sum(len(p.tokens) for p in parsed)
    bar = _bar(total) if progress else None
    for group in _groups(parsed, frames, size):
        if bar is not None:
            bar.update(sum(w.last - w.first for w in group))
        for w, scores in zip(group, _checked(scorer, group, embed), strict=True):
            end = w.token + w.last - w.first
            keep[w.document][w.token : end] = scores.keep[w.first : w.last]
            if (asked := focus[w.document]) is not None:
                matters = scores.keep if scores.focus is None else scores.focus
                asked[w.token : end] = matters[w.first : w.last]
            if embed and scores.hidden is not None:
                part = pool_sentences(
                    scores.hidden[w.first : w.last],
                    sentence_of[w.document][w.token : end],
                    parsed[w.document].sentences,
                )
                before = sums[w.document]
                sums[w.document] = part if before is None else before + part
    if bar is not None:
        bar.close()
    return [
        Read(
            unit_scores(k, p.tokens, p.segmentation),
            None if s is None else unit_length(s),
            None if f is None else unit_scores(f, p.tokens, p.segmentation),
        )
        for k, f, p, s in zip(keep, focus, parsed, sums, strict=True)
    ]


def _bar(total: int) -> Any:
    """A progress bar on stderr; tqdm is imported for those who want one."""
    from tqdm import tqdm

    return tqdm(total=total, unit="tok", unit_scale=True, leave=False)


def embed_query(query: str, scorer: Scorer) -> Float32 | None:
    """Embedding of a query by the scorer's own hidden states. Shape: (H,)."""
    if not getattr(scorer, "gives_hidden", False):
        return None
    frame = Frame.single(scorer.tokenizer)
    ids = encode(scorer.tokenizer, [query])[0].ids[:QUERY_MAX_LENGTH]
    full = np.concatenate(
        (np.asarray(frame.before, np.int64), ids, np.asarray(frame.after, np.int64))
    )
    first, last = len(frame.before), len(frame.before) + len(ids)
    window = Window(0, full, np.zeros_like(full), first, last, 0)
    hidden = scorer.score([window], hidden=True)[0].hidden
    if hidden is None or first == last:
        return None
    return unit_length(hidden[first:last].mean(axis=0, keepdims=True))[0]  # type: ignore[no-any-return]


def _groups(parsed: Sequence[Parsed], frames: Sequence[Frame], size: int) -> Iterator[list[Window]]:
    group: list[Window] = []
    for index, (p, frame) in enumerate(zip(parsed, frames, strict=True)):
        group += build_windows(index, p.tokens, p.segmentation, frame, size=size)
        while len(group) >= _WINDOWS_AT_ONCE:
            yield group[:_WINDOWS_AT_ONCE]
            group = group[_WINDOWS_AT_ONCE:]
    if group:
        yield group


def _checked(scorer: Scorer, windows: list[Window], hidden: bool) -> list[TokenScores]:
    name = type(scorer).__name__
    found = scorer.score(windows, hidden=True) if hidden else scorer.score(windows)
    if len(found) != len(windows):
        raise ScorerError(f"{name} returned {len(found)} results for {len(windows)} windows")
    for w, s in zip(windows, found, strict=True):
        for given in (s.keep, s.focus):
            if given is not None:
                _check_scores(name, np.asarray(given), len(w))
    return list(found)


def _check_scores(name: str, given: Float32, tokens: int) -> None:
    if given.shape != (tokens,):
        raise ScorerError(
            f"{name} returned scores of shape {given.shape} for a window of {tokens} tokens; "
            "expected one score per token, special tokens included"
        )
    if given.size and not (given.min() >= 0.0 and given.max() <= 1.0):
        raise ScorerError(
            f"{name} returned scores from {given.min()} to {given.max()}; expected "
            "probabilities in [0, 1] without NaN"
        )
