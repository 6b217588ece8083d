"""The rule-based side: Selective-Context, LLMLingua and LongLLMLingua with any causal model.

Written from the papers. Where the originals end near a budget, the last cut here meets it exactly:
the share kept of every segment is scaled alike. Sources: https://arxiv.org/abs/2310.06201,
https://arxiv.org/abs/2310.05736, https://arxiv.org/abs/2310.06839.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from thresher.analyse import parse
from thresher.render import render
from thresher.scoring.entropy import EntropyScorer
from thresher.segment import unit_texts
from thresher.types import Float32, Int64, Kind, Segmentation
from thresher.windows import Tokens
from thresher.words import overlaps
from thresher_eval.baselines import Method
from thresher_eval.data import Item
from thresher_eval.measures import Kept
from thresher_eval.packing import Counter, largest

Floats = NDArray[np.float64]
_STEPS = 1000
_SEGMENT = 200  # tokens of one iteration, as in LLMLingua
_COARSE = 2.0  # the coarse stage keeps this many times the budget, at least _SPARE tokens more
_SPARE = 100
_RESTRICT = " We can get the answer to this question in the given documents."
_FUNCTION_WORDS = """
a an the and or but nor of in on at by to for from with without into over under between as than that
which who whom whose this these those it its he she they we you i him her them his their our your is
are was were be been being am do does did has have had will would can could may might shall should
must not no if then so such there when where while also
"""
_FUNCTION = frozenset(_FUNCTION_WORDS.split())


def selective_context(scorer: EntropyScorer, count: Counter, *, phrases: bool = False) -> Method:
    """Selective-Context: units of lowest self-information go, by one percentile over the context.

    Args:
        scorer: the language model.
        count: the target tokenizer.
        phrases: whether a run of content words is one unit (the paper's noun phrases, found here
            without a parser), else every word.
    """

    @lru_cache(maxsize=2)
    def read(item: Item) -> list[tuple[Segmentation, Floats]]:
        return [
            (p.segmentation, _unit_information(p.text, p.tokens, p.segmentation, scorer, phrases))
            for p in parse(item.texts, scorer)
        ]

    def method(item: Item, budget: int) -> Kept:
        parsed = read(item)
        flat = np.concatenate([v for _, v in parsed]) if parsed else np.zeros(0)
        levels = np.quantile(flat, 1 - np.arange(_STEPS + 1) / _STEPS) if flat.size else [0.0]

        def make(n: int) -> Kept:
            least = -math.inf if n == _STEPS else levels[n]
            return tuple(
                (i, render(t, s, v > least).text)
                for i, (t, (s, v)) in enumerate(zip(item.texts, parsed, strict=True))
            )

        return largest(make, _STEPS, budget, count).kept

    return method


def _unit_information(
    text: str, tokens: Tokens, s: Segmentation, scorer: EntropyScorer, phrases: bool
) -> Floats:
    """Mean surprise of each unit, or of the phrase that it belongs to. Shape: (U,)."""
    surprise = _surprise(scorer, tokens.ids.tobytes())
    token, unit = overlaps(tokens, s)
    group = _phrases(text, s) if phrases else np.arange(len(s))
    size = int(group.max()) + 1 if group.size else 0
    total = np.bincount(group[unit], weights=surprise[token], minlength=size)
    number = np.bincount(group[unit], minlength=size)
    return (total / np.maximum(number, 1))[group]


@lru_cache(maxsize=64)
def _surprise(scorer: EntropyScorer, ids: bytes) -> Float32:
    """Surprise of a passage, which several methods ask for. Shape: (T,)."""
    return scorer.surprise(np.frombuffer(ids, dtype=np.int64))


def _phrases(text: str, s: Segmentation) -> Int64:
    """Group runs of content words of one sentence. Shape: (U,) -> (U,)."""
    content = np.asarray([t.casefold() not in _FUNCTION for t in unit_texts(text, s)], np.bool_)
    content &= s.kind != Kind.PUNCT
    joined = np.zeros(len(s), dtype=np.bool_)
    joined[1:] = content[1:] & content[:-1] & (s.sentence[1:] == s.sentence[:-1])
    return np.cumsum(~joined) - 1


@dataclass(frozen=True, slots=True)
class _Segments:
    """Tokens of the chosen passages with what they are worth, for the last cut.

    Attributes:
        documents: passages in the order of the output.
        rank: position of each token within its segment by value, as a share. Shape of each: (T,)
        tokens: of each passage.
    """

    documents: tuple[int, ...]
    rank: tuple[Floats, ...]
    tokens: tuple[Tokens, ...]


def llmlingua(scorer: EntropyScorer, count: Counter) -> Method:
    """LLMLingua: passages of high perplexity first, then tokens, segment after segment.

    Every segment of 200 tokens is read behind what has been kept of those before it.
    """

    @lru_cache(maxsize=2)
    def encoded(item: Item) -> tuple[tuple[Tokens, ...], Floats]:
        tokens = tuple(p.tokens for p in parse(item.texts, scorer))
        means = [
            float(_surprise(scorer, t.ids.tobytes()).mean()) if len(t) else 0.0 for t in tokens
        ]
        return tokens, np.asarray(means)

    def method(item: Item, budget: int) -> Kept:
        tokens, perplexity = encoded(item)
        chosen = _coarse(-perplexity, item, budget, count)
        order = sorted(chosen)
        rate = _rate(order, tokens, item, budget, count)
        segments = _iterate(scorer, order, tokens, [rate] * len(order))
        return _cut(segments, item, budget, count)

    return method


def longllmlingua(scorer: EntropyScorer, count: Counter, *, reorder: bool = True) -> Method:
    """LongLLMLingua: passages by the perplexity of the question behind them, then contrast.

    Passages stand in order of relevance, the better half is compressed less, and a token is worth
    what the question takes off its surprise.
    """

    @lru_cache(maxsize=2)
    def encoded(item: Item) -> tuple[tuple[Tokens, ...], Floats]:
        tokens = tuple(p.tokens for p in parse(item.texts, scorer))
        question = scorer.encode(f"\n{item.question}{_RESTRICT}")
        means = [float(scorer.surprise(question, before=t.ids).mean()) for t in tokens]
        return tokens, np.asarray(means)

    def method(item: Item, budget: int) -> Kept:
        tokens, perplexity = encoded(item)
        chosen = _coarse(perplexity, item, budget, count)
        order = list(chosen) if reorder else sorted(chosen)
        rate = _rate(order, tokens, item, budget, count)
        rates = _dynamic(rate, [chosen.index(i) for i in order])
        question = scorer.encode(f"{item.question}{_RESTRICT}\n")
        segments = _iterate(scorer, order, tokens, rates, question=question)
        return _cut(segments, item, budget, count)

    return method


def _coarse(cost: Floats, item: Item, budget: int, count: Counter) -> list[int]:
    """Passages by rising cost until a multiple of the budget is reached."""
    room = max(_COARSE * budget, budget + _SPARE)
    chosen: list[int] = []
    for index in np.argsort(cost, kind="stable").tolist():
        if room <= 0 and chosen:
            break
        chosen.append(index)
        room -= count(item.texts[index])
    return chosen


def _rate(
    order: Sequence[int], tokens: Sequence[Tokens], item: Item, budget: int, count: Counter
) -> float:
    whole = sum(count(item.texts[i]) for i in order)
    return min(budget / max(whole, 1), 1.0)


def _dynamic(rate: float, ranks: Sequence[int], *, spread: float = 0.3) -> list[float]:
    """Rates that fall linearly with the rank, the mean unchanged (LongLLMLingua, equation 4)."""
    last = max(len(ranks) - 1, 1)
    return [min(max(rate + spread * rate * (1 - 2 * r / last), 0.0), 1.0) for r in ranks]


def _iterate(
    scorer: EntropyScorer,
    order: Sequence[int],
    tokens: Sequence[Tokens],
    rates: Sequence[float],
    *,
    question: Int64 | None = None,
) -> _Segments:
    """Iterative token-level compression: each segment behind the compressed ones before it."""
    plain = scorer.reader()
    asked = None if question is None else scorer.reader(question)
    ranks: list[Floats] = []
    for index, rate in zip(order, rates, strict=True):
        ids, parts = tokens[index].ids, []
        for at in range(0, len(ids), _SEGMENT):
            piece = ids[at : at + _SEGMENT]
            if plain.length + len(piece) > scorer.max_length:
                plain = scorer.reader()
                asked = None if question is None else scorer.reader(question)
            value = plain.score(piece)
            if asked is not None:
                value = value - asked.score(piece)
            kept = np.zeros(len(piece), dtype=np.bool_)
            best = np.argsort(-value, kind="stable")
            kept[best[: round(rate * len(piece))]] = True
            share = np.empty(len(piece))
            share[best] = (np.arange(len(piece)) + 1) / (len(piece) * max(rate, 1e-6))
            parts.append(share)
            plain.extend(piece[kept])
            if asked is not None:
                asked.extend(piece[kept])
        ranks.append(np.concatenate(parts) if parts else np.zeros(0))
    return _Segments(tuple(order), tuple(ranks), tuple(tokens[i] for i in order))


def _cut(segments: _Segments, item: Item, budget: int, count: Counter) -> Kept:
    """Keep the same multiple of every segment's share, the largest that fits the budget."""
    top = max((float(r.max()) for r in segments.rank if r.size), default=1.0)

    def make(n: int) -> Kept:
        return tuple(
            (i, _token_text(item.texts[i], t, r <= top * n / _STEPS))
            for i, r, t in zip(segments.documents, segments.rank, segments.tokens, strict=True)
        )

    return largest(make, _STEPS, budget, count).kept


def _token_text(text: str, tokens: Tokens, kept: NDArray[np.bool_]) -> str:
    """Kept tokens with the white space before them, parts of words included, as the originals."""
    starts = np.r_[0, tokens.end[:-1]] if len(tokens) else np.zeros(0, np.int64)
    spans = zip(starts[kept].tolist(), tokens.end[kept].tolist(), strict=True)
    return "".join(text[a:b] for a, b in spans).strip()
