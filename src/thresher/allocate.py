"""One budget over all documents: a single concave problem, solved by sorting once.

Every document offers its bundles (words with what hangs on them) by falling utility. Spending the
budget on the best offers first is the solution at every budget, and the utility of the last offer
taken is the shadow price of a token. ``pooled`` compares all offers directly; ``uniform`` makes an
offer's value its position in its own document, so that all documents advance at the same rate;
``weighted`` adds the logarithm of the document's weight. Floors and ceilings move offers to the
front of the queue, or out of it.

Source: the dynamic rate of LLMLingua-2 (https://arxiv.org/abs/2403.12968, appendix L) is
``pooled``; its fixed rate is ``uniform``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from thresher.types import Bool, Float64, Int64

_FILL_ROUNDS = 4
_SKIPS = 64
_WORTH_SKIPPING = 0.02  # share of the budget that would else be lost
FORCED = 1e9
"""Added to the utility of what must be kept: far above any logit, order left among the forced."""


@dataclass(frozen=True, slots=True)
class Offers:
    """What all documents have to offer. A bundle is what is kept or dropped as one.

    Attributes:
        utility: value of each bundle; ``-inf`` never taken, ``FORCED`` and above always first.
            A bundle that others require is worth more than any of them (``select.close``).
            Shape: (B,)
        cost: tokens of each bundle, positive. Shape: (B,)
        document: document of each bundle, non-decreasing. Shape: (B,)
        framing: tokens that a document costs as soon as anything of it is kept. Shape: (D,)
    """

    utility: Float64
    cost: Float64
    document: Int64
    framing: Float64


@dataclass(frozen=True, slots=True)
class Limits:
    """Floors and ceilings of each document, in tokens of body. Shape of each: (D,)."""

    floor: Float64
    ceiling: Float64
    weight: Float64 | None = None


@dataclass(frozen=True, slots=True)
class Queue:
    """The order in which a growing budget takes the bundles; any prefix is a solution.

    Attributes:
        order: bundles, best offer first; those never taken are absent. Shape: (Q,)
        cost: their tokens. Shape: (Q,)
        document: their documents. Shape: (Q,)
        framing: see ``Offers``. Shape: (D,)
        forced: how many at the front must be kept whatever the budget.
    """

    order: Int64
    cost: Float64
    document: Int64
    framing: Float64
    forced: int

    def spent(self) -> Float64:
        """Tokens spent after each bundle, framing of the documents opened so far included."""
        cost = self.cost.copy()
        first = first_of_each(self.document, self.framing.shape[0])
        opened = first >= 0
        cost[first[opened]] += self.framing[opened]
        return np.cumsum(cost)

    def price(self, kept: Bool) -> float:
        """Tokens of some of the bundles, framing included. Shape of ``kept``: (B,)."""
        mine = kept[self.order]
        opened = np.zeros(self.framing.shape[0], dtype=np.bool_)
        opened[self.document[mine]] = True
        return float(self.cost[mine].sum() + self.framing[opened].sum())

    def only(self, stay: Bool) -> Queue:
        """The queue with some of its entries. Shape of ``stay``: (Q,)."""
        return replace(
            self,
            order=self.order[stay],
            cost=self.cost[stay],
            document=self.document[stay],
            forced=int(stay[: self.forced].sum()),
        )


def first_of_each(document: Int64, documents: int) -> Int64:
    """Position of the first entry of each document, -1 where it has none. Shape: (D,)."""
    first = np.full(documents, -1, dtype=np.int64)
    first[document[::-1]] = np.arange(document.shape[0] - 1, -1, -1)
    return first


def queue(offers: Offers, limits: Limits, *, uniform: bool = False) -> Queue:
    """Sort all offers into the order in which the budget takes them.

    Args:
        offers: the bundles of all documents.
        limits: floors, ceilings and weights of the documents.
        uniform: all documents at the same rate instead of one threshold.

    Returns:
        The queue. Sorting dominates: O(B log B).
    """
    documents = offers.framing.shape[0]
    value = offers.utility
    if limits.weight is not None:
        value = value + np.log(np.maximum(limits.weight, 1e-9))[offers.document]
    order = np.argsort(-value, kind="stable")
    bounded = bool(limits.floor.any() or np.isfinite(limits.ceiling).any())
    tier = (value[order] >= FORCED / 2).astype(np.int8) * 2
    tier[np.isneginf(value[order])] = -1
    if uniform or bounded:
        spent = _spent_within(offers.cost[order], offers.document[order], documents)
        d = offers.document[order]
        floor = (spent - offers.cost[order] < limits.floor[d]) & (limits.floor[d] > 0)
        tier[(tier == 0) & (spent > limits.ceiling[d])] = -1
        tier[(tier == 0) & floor] = 1
        if uniform:
            total = np.bincount(offers.document, weights=offers.cost, minlength=documents)
            share = spent / np.maximum(total, 1.0)[d]
            resort = np.lexsort((share, -tier))
        else:
            resort = np.argsort(-tier, kind="stable")
        order, tier = order[resort], tier[resort]
    elif tier.any():
        resort = np.argsort(-tier, kind="stable")
        order, tier = order[resort], tier[resort]
    order = order[tier >= 0]
    return Queue(
        order=order,
        cost=offers.cost[order],
        document=offers.document[order],
        framing=offers.framing,
        forced=int((tier == 2).sum()),
    )


def _spent_within(cost: Float64, document: Int64, documents: int) -> Float64:
    """Running sum of ``cost`` within each document, for entries in any order. Shape: (B,)."""
    by_document = np.argsort(document, kind="stable")
    running = np.cumsum(cost[by_document])
    counts = np.bincount(document, minlength=documents)
    ends = np.cumsum(counts)
    before = np.zeros(documents)
    before[1:] = np.where(ends[:-1] > 0, np.r_[0.0, running][ends[:-1]], 0.0)
    out = np.empty_like(running)
    out[by_document] = running - before[document[by_document]]
    return out


@dataclass(frozen=True, slots=True)
class Purchase:
    """What a budget buys.

    Attributes:
        kept: bundles that are kept. Shape: (B,)
        spent: estimated tokens, framing included.
        removed: documents that ``min_tokens`` took out. Shape: (D,)
    """

    kept: Bool
    spent: float
    removed: Bool


def take(
    line: Queue, budget: float, requires: Int64, *, support: Bool, min_tokens: int = 0
) -> Purchase:
    """Spend a budget on the queue.

    A document that would keep fewer than ``min_tokens`` tokens is taken out, smallest first, and
    its share goes to the others. A bundle that does not fit any more, such as a long table row in
    a small budget, is passed over, and so is what requires it; a header or a negation whose words
    did not fit gives its tokens back.

    Args:
        line: the queue.
        budget: tokens to spend, framing included.
        requires: rows ``(bundle, needed)``. Shape: (E, 2)
        support: bundles that are of use only to those which require them. Shape: (B,)
        min_tokens: least body tokens of a document that is kept at all.
    """
    removed = np.zeros(line.framing.shape[0], dtype=np.bool_)
    offered, skips = line, _SKIPS
    while True:
        spent = line.spent()
        count = int(np.searchsorted(spent, budget, side="right"))
        small = _too_small(line, count, min_tokens)
        if small.any():
            removed |= small
            line = line.only(~small[line.document])
            offered = offered.only(~small[offered.document])
            continue
        kept = np.zeros(support.shape[0], dtype=np.bool_)
        kept[line.order[:count]] = True
        total = float(spent[count - 1]) if count else 0.0
        passed = np.zeros_like(kept)
        if skips and count < line.order.size:
            if budget - total >= _WORTH_SKIPPING * budget:
                passed[line.order[count]] = True
            else:
                idle = _idle(line, kept, count, support, requires)
                freed = line.cost[idle[line.order]].sum()
                passed = idle if freed >= _WORTH_SKIPPING * budget else passed
        if not passed.any():
            break
        skips -= 1
        line = _without(line, passed, support, requires)
    kept &= ~_idle(line, kept, count, support, requires)
    _fill(offered, kept, budget - offered.price(kept), support, requires)
    return Purchase(kept, offered.price(kept), removed)


def _without(line: Queue, passed: Bool, support: Bool, requires: Int64) -> Queue:
    """The queue without some bundles, what requires them, and support that then serves nothing."""
    gone = passed.copy()
    while True:
        found = requires[gone[requires[:, 1]] & ~gone[requires[:, 0]], 0]
        if not found.size:
            break
        gone[found] = True
    line = line.only(~gone[line.order])
    able = support.copy()
    able[line.order[: line.forced]] = False
    offered = np.zeros_like(gone)
    offered[line.order] = True
    served = np.zeros_like(gone)
    served[requires[offered[requires[:, 0]], 1]] = True
    return line.only(~(able & ~served)[line.order])


def _idle(line: Queue, kept: Bool, count: int, support: Bool, requires: Int64) -> Bool:
    """Kept support which nothing that is kept requires, unless it is forced. Shape: (B,)."""
    able = support.copy()
    able[line.order[: min(line.forced, count)]] = False
    idle = np.zeros_like(kept)
    while True:
        live = kept & ~idle
        needed = np.zeros_like(kept)
        needed[requires[live[requires[:, 0]], 1]] = True
        found = live & able & ~needed
        if not found.any():
            return idle
        idle |= found


def _too_small(line: Queue, count: int, min_tokens: int) -> Bool:
    """The smaller half of the documents that would keep too little. Shape: (D,)."""
    documents = line.framing.shape[0]
    drop = np.zeros(documents, dtype=np.bool_)
    if min_tokens > 0:
        kept = np.bincount(line.document[:count], weights=line.cost[:count], minlength=documents)
        small = (kept > 0) & (kept < min_tokens)
        small[line.document[: line.forced]] = False
        found = np.flatnonzero(small)
        drop[found[np.argsort(kept[found], kind="stable")][: (found.size + 1) // 2]] = True
    return drop


def _fill(line: Queue, kept: Bool, left: float, support: Bool, requires: Int64) -> None:
    """Add bundles of documents already opened that still fit, to ``kept`` itself."""
    opened = np.zeros(line.framing.shape[0], dtype=np.bool_)
    opened[line.document[kept[line.order]]] = True
    for _ in range(_FILL_ROUNDS):
        unmet = requires[~kept[requires[:, 1]], 0]
        able = ~kept & ~support
        able[unmet] = False
        fits = able[line.order] & opened[line.document] & (line.cost <= left)
        chosen = np.flatnonzero(fits)
        chosen = chosen[np.cumsum(line.cost[chosen]) <= left]
        if not chosen.size:
            break
        kept[line.order[chosen]] = True
        left -= float(line.cost[chosen].sum())


def limits(
    tokens: Float64,
    *,
    min_ratio: float = 0.0,
    max_tokens: int | None = None,
    weight: Float64 | None = None,
) -> Limits:
    """Floors and ceilings from the configuration, for body tokens of Shape: (D,)."""
    ceiling = np.full(tokens.shape, np.inf if max_tokens is None else float(max_tokens))
    return Limits(floor=np.minimum(min_ratio * tokens, ceiling), ceiling=ceiling, weight=weight)


def document_weights(scores: Float64) -> Float64:
    """Weights in (0, 1] from retriever scores of any scale: softmax of standardised scores.

    Scores that are missing (NaN) count as the mean of the others. Shape: (D,) -> (D,)
    """
    known = scores[~np.isnan(scores)]
    if not known.size:
        return np.ones_like(scores)
    spread = float(known.std())
    z = (np.where(np.isnan(scores), known.mean(), scores) - known.mean()) / (spread or 1.0)
    weights: Float64 = np.exp(z - z.max())
    return weights
