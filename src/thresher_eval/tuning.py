"""Try weights of the utility: a fast estimate of survival for fitting, the product's own for truth.

The queue of the allocation orders all bundles of an item, and any prefix of it is the solution at
some budget. The least share of the tokens at which an answer is complete (its critical ratio) thus
tells its survival at every ratio at once, and moves smoothly with the weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from thresher import CompressConfig, Document
from thresher.allocate import FORCED, Limits, Offers, queue
from thresher.assemble import arrange
from thresher.coherence import filled, prior
from thresher.count import TokenCounter
from thresher.fit import Fitted, Scored, fit
from thresher.request import plan
from thresher.segment import unit_texts
from thresher.select import bundles, close
from thresher.types import Bool, Int32, Kind, Request, Segmentation
from thresher.utility import Signals, Weights, logit, relevance_terms, utilities
from thresher_eval.data import Item, answer_keys, gold_titles, normalise
from thresher_eval.occurrences import occurrences
from thresher_eval.signals import Collected
from thresher_train.align import single_labels, split_words

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
NAMES = tuple(f.name for f in fields(Weights))


@dataclass(frozen=True, slots=True)
class Prepared:
    """One item, ready to be allocated under any weights.

    Axis letters: B bundles, F terms of the utility (one a weight), U units of all documents.

    Attributes:
        item: the item.
        collected: its signals.
        keep: logit of the keep score, one array a document. Shape of each: (U,)
        terms: each term of the relevance under a weight of 1. Shape of each: (U, F)
        sentence: sentence of each unit. Shape of each: (U,)
        rows: units that are table rows. Shape of each: (U,)
        bundle: bundle of each unit. Shape: (U,)
        share: weight of each unit in the utility of its bundle; they sum to 1. Shape: (U,)
        fixed: added to the utility: ``FORCED``, or -inf where a bundle is never bought. Shape: (B,)
        offers: bundles as the allocation takes them, utilities still zero.
        requires: rows ``(bundle, needed)``. Shape: (E, 2)
        groups: bundles of each occurrence of each thing that should survive: the answer first,
            then the title of each gold passage.
        gold: cost of each bundle of a gold passage, 0 for others. Shape: (B,)
        needed: bundles that the answer needs, one array for each passage of which that is known.
    """

    item: Item
    collected: Collected
    keep: list[Floats]
    terms: list[Floats]
    sentence: list[Int32]
    rows: list[Bool | None]
    bundle: Ints
    share: Floats
    fixed: Floats
    offers: Offers
    requires: Ints
    groups: list[list[Ints]]
    gold: Floats
    needed: tuple[Ints, ...] = ()

    def spent(self, weights: Floats) -> Floats:
        """Share of the tokens spent when each bundle is bought; inf for never. Shape: (B,)."""
        relevance = [t @ weights for t in self.terms]
        units = np.concatenate(filled(self.keep, relevance, self.sentence, self.rows))
        mean = np.bincount(self.bundle, weights=self.share * units, minlength=self.fixed.size)
        value = close(mean + self.fixed, self.requires)
        offers = replace(self.offers, utility=value)
        documents = self.offers.framing.shape[0]
        line = queue(offers, Limits(np.zeros(documents), np.full(documents, np.inf)))
        out = np.full(value.shape[0], np.inf)
        out[line.order] = line.spent() / (self.offers.cost.sum() + self.offers.framing.sum())
        return out


def prepare(
    item: Item,
    collected: Collected,
    config: CompressConfig,
    count: TokenCounter,
    *,
    focus: bool,
    chain: Mapping[str, str] | None = None,
) -> Prepared:
    """Everything about an item that does not depend on the weights.

    Args:
        item: the item.
        collected: its signals.
        config: of the compressor.
        count: the target tokenizer.
        focus: whether the query head's scores are used.
        chain: words that the answer needs, by the text of their passage: rows that
            ``thresher distill --task chain`` writes.
    """
    bundle, weight, edges = [], [], []
    offset, owner = 0, []
    segmentations, guards = collected.segmentations(), collected.guards()
    cost = collected.split("cost", "units")
    for index, (s, g, c) in enumerate(zip(segmentations, guards, cost, strict=True)):
        local = bundles(s)
        carries = ((s.kind != Kind.PUNCT) | (s.host < 0)) & ~g.support
        weight.append(np.where(carries, c, 0.0))
        size = int(local.max()) + 1 if local.size else 0
        if g.requires.size:
            edges.append(local[g.requires].astype(np.int64) + offset)
        bundle.append(local + offset)
        owner.append(np.full(size, index, dtype=np.int64))
        offset += size
    flat, w = np.concatenate(bundle), np.concatenate(weight)
    total = np.bincount(flat, weights=w, minlength=offset)
    forced = np.concatenate([g.force for g in guards])
    must = np.bincount(flat, weights=forced, minlength=offset) > 0
    fixed = np.where(must, FORCED, np.where(total > 0, 0.0, -np.inf))
    requires = np.concatenate(edges) if edges else np.zeros((0, 2), np.int64)
    offers = Offers(
        utility=np.zeros(offset),
        cost=np.bincount(flat, weights=np.concatenate(cost), minlength=offset).astype(np.float64),
        document=np.concatenate(owner),
        framing=np.full(len(segmentations), float(count(config.separator))),
    )
    signals = collected.signals(focus=focus)
    return Prepared(
        item=item,
        collected=collected,
        keep=[logit(s.keep) for s in signals],
        terms=_unit_terms(signals),
        sentence=[s.sentence for s in signals],
        rows=[s.rows for s in signals],
        bundle=flat,
        share=w / np.where(total > 0, total, 1.0)[flat],
        fixed=fixed,
        offers=offers,
        requires=requires[requires[:, 0] != requires[:, 1]],
        groups=_groups(item, collected, bundle),
        gold=offers.cost * np.isin(offers.document, item.gold),
        needed=tuple(_needed(item, segmentations, bundle, chain or {})),
    )


def _unit_terms(signals: Sequence[Signals]) -> list[Floats]:
    """Terms of each unit, by asking for one weight at a time. Shape of each: (U, F)."""
    out = [np.zeros((s.keep.size, len(NAMES))) for s in signals]
    for column, name in enumerate(NAMES):
        weights = Weights(**{n: float(n == name) for n in NAMES})
        for into, terms in zip(out, relevance_terms(signals, weights=weights), strict=True):
            if terms is not None:
                into[:, column] = terms
    return out


def _groups(item: Item, collected: Collected, bundle: Sequence[Ints]) -> list[list[Ints]]:
    """Bundles of each occurrence of what should survive; see ``Prepared.groups``.

    Units that the measure does not look at, punctuation and articles, need not survive.
    """
    keys = [answer_keys(item.answers), *([t] for t in gold_titles(item))]
    out: list[list[Ints]] = [[] for _ in keys]
    for text, s, local in zip(item.texts, collected.segmentations(), bundle, strict=True):
        counts = np.asarray([bool(normalise(u)) for u in unit_texts(text, s)], dtype=np.bool_)
        for found, wanted in zip(out, keys, strict=True):
            for a, b in occurrences(text, wanted):
                first = int(np.searchsorted(s.end, a, side="right"))
                last = int(np.searchsorted(s.start, b, side="left"))
                found.append(np.unique(local[first:last][counts[first:last]]))
    return out


def _needed(
    item: Item,
    segmentations: Sequence[Segmentation],
    bundle: Sequence[Ints],
    chain: Mapping[str, str],
) -> Iterator[Ints]:
    """Bundles of the needed words of each passage; articles and punctuation do not count."""
    for text, s, local in zip(item.texts, segmentations, bundle, strict=True):
        words = split_words(text)
        labels = single_labels(text, chain.get(text, ""))
        found = [
            local[
                np.searchsorted(s.end, a, side="right") : np.searchsorted(s.start, b, side="left")
            ]
            for a, b, form, label in zip(words.start, words.end, words.forms, labels, strict=True)
            if label and normalise(form)
        ]
        if found:
            yield np.unique(np.concatenate(found))


def critical(prepared: Prepared, weights: Floats) -> tuple[float, float, Floats]:
    """Least ratio at which the answer is complete, and at which the titles are too.

    Returns:
        Both (NaN where there is nothing to look for), and the share spent at each bundle.
    """
    spent = prepared.spent(weights)
    each = [
        min((float(spent[o].max()) for o in group if o.size), default=np.nan)
        for group in prepared.groups
    ]
    answer = each[0]
    chain = max(each) if len(each) > 1 and not np.isnan(each).any() else np.nan
    return answer, chain, spent


@dataclass(frozen=True, slots=True)
class Quick:
    """Fast estimates for many items. NaN where an item does not count.

    Attributes:
        answer: critical ratio of the answer. Shape: (N,)
        chain: critical ratio of answer and subjects together. Shape: (N,)
        gold: share of the gold passages' tokens kept, by ratio. Shape: (N, R)
        least: the same of the gold passage that keeps least. Shape: (N, R)
        needed: share of the needed words kept, of the passage that keeps least. Shape: (N, R)
        ratios: the R ratios.
    """

    answer: Floats
    chain: Floats
    gold: Floats
    least: Floats
    needed: Floats
    ratios: tuple[float, ...]

    def survival(self, ratio: float) -> Floats:
        """1, 0 or NaN an item. Shape: (N,)."""
        return np.where(np.isnan(self.answer), np.nan, self.answer <= ratio)

    def chain_survival(self, ratio: float) -> Floats:
        """The same for answer and subjects together. Shape: (N,)."""
        return np.where(np.isnan(self.chain), np.nan, self.chain <= ratio)

    def soft(self, softness: float) -> tuple[float, float]:
        """Mean survival over items and ratios, with the step at the critical ratio smoothed."""
        means = []
        for values in (self.answer, self.chain):
            known = np.log(np.minimum(values[~np.isnan(values)], 4.0))
            steps = [(np.log(r) - known) / softness for r in self.ratios]
            means.append(float(np.mean(1 / (1 + np.exp(-np.stack(steps))))) if known.size else 0.0)
        return means[0], means[1]


def quick(prepared: Sequence[Prepared], weights: Floats, ratios: Sequence[float]) -> Quick:
    """Estimate survival of all items at all ratios; some tenths of a millisecond an item."""
    rows, gold, least, needed = [], [], [], []
    for p in prepared:
        answer, chain, spent = critical(p, weights)
        rows.append((answer, chain))
        kept = np.stack([_by_document(p, p.gold * (spent <= r)) for r in ratios])
        whole = _by_document(p, p.gold)
        known = whole > 0
        gold.append(kept.sum(axis=1) / whole.sum() if known.any() else np.full(len(ratios), np.nan))
        shares = kept[:, known] / whole[known]
        least.append(shares.min(axis=1) if known.any() else np.full(len(ratios), np.nan))
        each = [[(spent[n] <= r).mean() for n in p.needed] for r in ratios]
        needed.append([min(shares, default=np.nan) for shares in each])
    table = np.asarray(rows, dtype=np.float64).reshape(-1, 2)
    return Quick(
        answer=table[:, 0],
        chain=table[:, 1],
        gold=np.asarray(gold),
        least=np.asarray(least),
        needed=np.asarray(needed),
        ratios=tuple(ratios),
    )


def _by_document(prepared: Prepared, cost: Floats) -> Floats:
    """Sums of a cost of each bundle by document. Shape: (B,) -> (D,)."""
    documents = prepared.offers.framing.shape[0]
    return np.bincount(prepared.offers.document, cost, documents).astype(np.float64)


def exact(
    item: Item,
    collected: Collected,
    weights: Weights,
    config: CompressConfig,
    count: TokenCounter,
    *,
    budget: int | None = None,
    ratio: float | None = None,
    focus: bool = True,
) -> Fitted:
    """The text which ``Compressor.compress`` would give with these weights.

    Args:
        item: the item.
        collected: its signals.
        weights: of the utility.
        config: of the compressor; the guards are those of ``collected``.
        count: the target tokenizer.
        budget: tokens, or
        ratio: their share of the input.
        focus: whether the query head's scores are used.
    """
    documents: list[Document | str] = [Document(t) for t in item.texts]
    request = plan(Request(documents, item.question, budget, ratio), config, count)
    parts = collected.segmentations()
    signals = [
        replace(s, prior=prior(t, part))
        for s, t, part in zip(collected.signals(focus=focus), item.texts, parts, strict=True)
    ]
    values = utilities(
        signals,
        weight=config.relevance_weight,
        weights=weights,
        coherent=config.granularity == "auto" and request.threshold is None,
    )
    scored = [
        Scored(*x)
        for x in zip(
            parts,
            values,
            collected.split("cost", "units"),
            collected.guards(),
            strict=True,
        )
    ]
    return fit(request, scored, config, arrange([None] * len(documents), "original"))
