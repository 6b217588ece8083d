"""Scored documents to a text that fits the budget: offers, queue, and a few exact counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from thresher import allocate
from thresher.assemble import Assembly, assemble
from thresher.config import CompressConfig
from thresher.errors import BudgetError
from thresher.guards import Guards
from thresher.marks import marks
from thresher.render import Rendered, render
from thresher.request import Plan
from thresher.select import bundles, cap, close, drop_idle_support
from thresher.types import Bool, Float64, Int64, Kind, Segmentation
from thresher.utility import logit

_CANDIDATES = 5  # with the count of the input, six full counts in all
_ENOUGH = 2  # candidates after which 97 % will do
_GOOD = 0.985  # share of the budget at which no further count is worth its time
_LEAST_USED = 0.97


@dataclass(frozen=True, slots=True)
class Scored:
    """One document, ready for allocation.

    Attributes:
        segmentation: its units.
        utility: value of each unit. Shape: (U,)
        cost: estimated tokens of each unit. Shape: (U,)
        guards: what must be kept, and what requires what.
    """

    segmentation: Segmentation
    utility: Float64
    cost: Float64
    guards: Guards


@dataclass(frozen=True, slots=True)
class Fitted:
    """A text within the budget.

    Attributes:
        bodies: kept text of each document, None where it was dropped. Length D.
        reasons: why a document was dropped. Length D.
        assembly: all of them together.
        tokens: exact count of the assembly.
        notes: what the caller should know.
    """

    bodies: tuple[Rendered | None, ...]
    reasons: tuple[str | None, ...]
    assembly: Assembly
    tokens: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Problem:
    """Everything a candidate is made from."""

    plan: Plan
    scored: Sequence[Scored]
    config: CompressConfig
    order: Sequence[int]
    bundle: Sequence[Int64]
    support: Bool
    requires: Int64
    queue: allocate.Queue
    total: float

    def candidate(self, budget: float) -> _Candidate:
        """Spend an estimated budget and put the text together."""
        bought = allocate.take(
            self.queue,
            budget,
            self.requires,
            support=self.support,
            min_tokens=self.config.min_tokens,
        )
        bodies: list[Rendered | None] = []
        for scored, bundle, document in zip(
            self.scored, self.bundle, self.plan.documents, strict=True
        ):
            mask = bought.kept[bundle]
            guards = scored.guards
            mask = drop_idle_support(mask, scored.segmentation, guards.support, guards.requires)
            body = render(document.text, scored.segmentation, mask, gap=self.config.gap)
            bodies.append(body if mask.any() else None)
        assembly = assemble(self.plan.documents, bodies, self.order, self.config.separator)
        return _Candidate(bought, tuple(bodies), assembly, self.plan.exact(assembly.text))


@dataclass(frozen=True, slots=True)
class _Candidate:
    bought: allocate.Purchase
    bodies: tuple[Rendered | None, ...]
    assembly: Assembly
    tokens: int


def fit(
    plan: Plan, scored: Sequence[Scored], config: CompressConfig, order: Sequence[int]
) -> Fitted:
    """Keep what is worth most within the budget, by the caller's exact count.

    Args:
        plan: the request.
        scored: one value a document.
        config: floors, ceilings, strategy, form.
        order: documents in the order of the text.
    """
    problem = _problem(plan, scored, config, order)
    if plan.budget is None:
        best = problem.candidate(np.inf)
    else:
        best = _search(problem, plan.budget)
        _check_not_empty(problem, best)
    return Fitted(
        bodies=best.bodies,
        reasons=_reasons(problem, best),
        assembly=best.assembly,
        tokens=best.tokens,
        notes=_notes(problem, best),
    )


def _search(problem: _Problem, budget: int) -> _Candidate:
    """Find the estimate whose exact count comes closest to the budget from below.

    The exact count grows about linearly with the estimate, so each count corrects the scale of
    the next. Should no candidate fit within the usual number of counts, the estimate is halved
    until one does: the budget is hard.
    """
    scale = problem.plan.total / max(problem.total, 1e-9)
    low, high = (0.0, 0), (np.inf, 0)
    estimate = 0.995 * budget / max(scale, 1e-9)
    best: _Candidate | None = None
    tries = 0
    while True:
        tries += 1
        found = problem.candidate(estimate)
        spent = found.bought.spent
        if found.tokens <= budget:
            if best is None or found.tokens >= best.tokens:
                best = found
            everything = spent >= problem.total - 1e-6 or bool(found.bought.kept.all())
            if found.tokens >= _GOOD * budget or everything:
                return best
            low = (max(estimate, spent), found.tokens)
        else:
            high = (min(spent, estimate), found.tokens)
        if best is not None and (
            tries >= _CANDIDATES or (tries >= _ENOUGH and best.tokens >= _LEAST_USED * budget)
        ):
            return best
        following = _next(budget, low, high, tries if best is None else 0)
        if best is not None and (following <= low[0] or following >= high[0] > 0):
            return best
        estimate = following
        if tries > 60:
            return best if best is not None else problem.candidate(0.0)


def _check_not_empty(problem: _Problem, best: _Candidate) -> None:
    """Raise where the budget, and nothing else, is why nothing is kept."""
    line, config = problem.queue, problem.config
    if best.assembly.order or not line.order.size:
        return
    scale = problem.plan.total / max(problem.total, 1e-9)
    least = float((line.cost + line.framing[line.document]).min()) * scale
    least = max(least, min(float(config.min_tokens), problem.plan.total))
    raise BudgetError(
        f"a budget of {problem.plan.budget} tokens cannot hold anything of these documents, which "
        f"have {problem.plan.total}: the smallest piece that may be kept takes about "
        f"{max(least, 1.0):.0f} with its framing"
        + (f" (min_tokens={config.min_tokens})" if config.min_tokens else "")
        + "; raise the budget, or lower min_tokens or the framing"
    )


def _next(budget: int, low: tuple[float, int], high: tuple[float, int], failures: int) -> float:
    """The estimate to try after brackets ``(estimate, tokens)`` below and above the budget."""
    aim = 0.995 * budget
    if failures >= _CANDIDATES:
        return high[0] / 2
    if np.isinf(high[0]):
        return low[0] * min(max(aim / max(low[1], 1), 1.02), 4.0) + 1.0
    if high[1] <= low[1]:
        return (low[0] + high[0]) / 2
    share = (aim - low[1]) / (high[1] - low[1])
    return low[0] + min(max(share, 0.02), 0.98) * (high[0] - low[0])


@dataclass(frozen=True, slots=True)
class _Bundled:
    """The bundles of one document, numbered from 0.

    Attributes:
        bundle: bundle of each unit. Shape: (U,)
        utility: value of each bundle, before requirements. Shape: (B,)
        requires: rows ``(bundle, needed)``, see ``select.close``. Shape: (E, 2)
        needs: rows ``(mark, needed)``, see ``select.cap``. Shape: (N, 2)
        support: bundles of nothing but ``Guards.support``. Shape: (B,)
    """

    bundle: Int64
    utility: Float64
    requires: Int64
    needs: Int64
    support: Bool


def _bundle(plan: Plan, s: Scored, config: CompressConfig, index: int) -> _Bundled:
    text, parts = plan.documents[index].text, s.segmentation
    forced = s.guards.force | _kept_whole(plan, config, index)
    if config.granularity == "sentence":
        bundle, rows = parts.sentence.astype(np.int64), np.zeros((0, 2), dtype=np.int32)
    else:
        found = marks(text, parts)
        bundle, rows = bundles(parts, found.root), found.needs
        rows = rows[~forced[rows[:, 0]] | (rows[:, 1] == parts.host[rows[:, 0]])]
    count = int(bundle.max()) + 1 if bundle.size else 0
    requires = bundle[s.guards.requires].reshape(-1, 2)
    supports = s.guards.support | ((parts.kind == Kind.PUNCT) & (parts.host >= 0))
    useful = np.bincount(bundle, weights=~supports, minlength=count)
    serving = np.bincount(bundle, weights=s.guards.support, minlength=count)
    return _Bundled(
        bundle=bundle,
        utility=_bundle_utility(s, bundle, count, forced, plan.threshold),
        requires=requires[requires[:, 0] != requires[:, 1]],
        needs=bundle[rows].reshape(-1, 2),
        support=(serving > 0) & (useful == 0),
    )


def _problem(
    plan: Plan, scored: Sequence[Scored], config: CompressConfig, order: Sequence[int]
) -> _Problem:
    parts = [_bundle(plan, s, config, index) for index, s in enumerate(scored)]
    sizes = np.asarray([p.utility.size for p in parts], dtype=np.int64)
    offsets = (np.cumsum(sizes) - sizes).tolist()
    none = np.zeros((0, 2), dtype=np.int64)
    requires = np.concatenate(
        [none, *(p.requires + at for p, at in zip(parts, offsets, strict=True))]
    )
    needs = np.concatenate([none, *(p.needs + at for p, at in zip(parts, offsets, strict=True))])
    bundle = [p.bundle + at for p, at in zip(parts, offsets, strict=True)]
    utility = np.concatenate([np.zeros(0), *(p.utility for p in parts)])
    cost = np.bincount(
        np.concatenate([np.zeros(0, np.int64), *bundle]),
        weights=np.concatenate([np.zeros(0), *(s.cost for s in scored)]),
        minlength=utility.size,
    )
    offers = allocate.Offers(
        utility=cap(close(utility, requires), needs),
        cost=cost.astype(np.float64),
        document=np.repeat(np.arange(len(parts), dtype=np.int64), sizes),
        framing=_framing(plan, config),
    )
    return _Problem(
        plan=plan,
        scored=scored,
        config=config,
        order=order,
        bundle=bundle,
        support=np.concatenate([np.zeros(0, np.bool_), *(p.support for p in parts)]),
        requires=np.concatenate([requires, needs]),
        queue=_queue(plan, offers, config),
        total=float(offers.cost.sum() + offers.framing.sum()),
    )


def _queue(plan: Plan, offers: allocate.Offers, config: CompressConfig) -> allocate.Queue:
    documents = len(plan.documents)
    body = np.bincount(offers.document, weights=offers.cost, minlength=documents).astype(float)
    weight = None
    if config.strategy == "weighted":
        given = [np.nan if d.score is None else float(d.score) for d in plan.documents]
        weight = allocate.document_weights(np.asarray(given))
    limits = allocate.limits(
        body, min_ratio=config.min_ratio, max_tokens=config.max_tokens, weight=weight
    )
    return allocate.queue(offers, limits, uniform=config.strategy == "uniform")


def _bundle_utility(
    s: Scored, bundle: Int64, count: int, forced: Bool, threshold: float | None
) -> Float64:
    """Cost-weighted mean over the units that carry meaning; -inf where there is none."""
    carries = (s.segmentation.kind != Kind.PUNCT) | (s.segmentation.host < 0)
    carries &= ~s.guards.support
    weight = np.where(carries, s.cost, 0.0)
    total = np.bincount(bundle, weights=weight, minlength=count)
    value = np.bincount(bundle, weights=weight * s.utility, minlength=count)
    out = np.where(total > 0, value / np.where(total > 0, total, 1.0), -np.inf)
    if threshold is not None:
        out[out < logit(np.asarray([threshold]))[0]] = -np.inf
    must = np.bincount(bundle, weights=forced, minlength=count) > 0
    out[must] = np.where(np.isneginf(out[must]), 0.0, out[must]) + allocate.FORCED
    return out


def _kept_whole(plan: Plan, config: CompressConfig, index: int) -> bool:
    return any(
        name == index if isinstance(name, int) else name == plan.documents[index].id
        for name in config.keep_documents
    )


def _framing(plan: Plan, config: CompressConfig) -> Float64:
    """Tokens that each document costs beside its body. Shape: (D,)."""
    return np.asarray(
        [
            plan.exact(d.prefix + config.separator + d.suffix) if d.text.strip() else 0
            for d in plan.documents
        ],
        dtype=np.float64,
    )


def _reasons(problem: _Problem, found: _Candidate) -> tuple[str | None, ...]:
    out: list[str | None] = []
    for index, body in enumerate(found.bodies):
        document, config = problem.plan.documents[index], problem.config
        if body is not None:
            out.append(None)
        elif not document.text.strip():
            out.append("it is empty")
        elif found.bought.removed[index]:
            out.append(f"fewer than min_tokens={config.min_tokens} tokens of it would remain")
        elif problem.plan.budget is None:
            out.append(f"nothing in it reaches the threshold {problem.plan.threshold}")
        else:
            out.append("other documents were worth more of the budget")
    return tuple(out)


def _notes(problem: _Problem, found: _Candidate) -> tuple[str, ...]:
    plan, config = problem.plan, problem.config
    notes: list[str] = []
    if plan.budget is None or plan.total <= plan.budget:
        return ()
    forced = problem.queue.order[: problem.queue.forced]
    lost = int((~found.bought.kept[forced]).sum())
    if lost:
        notes.append(
            f"{lost} of {forced.size} forced words do not fit into the budget of {plan.budget} "
            "tokens and were dropped"
        )
    used = found.tokens / plan.budget
    if used < _LEAST_USED:
        causes = [
            name
            for name, active in (
                ("threshold", plan.threshold is not None),
                ("max_tokens", config.max_tokens is not None),
                ("min_tokens", bool(found.bought.removed.any())),
            )
            if active
        ]
        why = " and ".join(causes) or "the next word, line or element is larger than what is left"
        notes.append(f"{100 * used:.0f} % of the budget is used: {why}")
    return tuple(notes)
