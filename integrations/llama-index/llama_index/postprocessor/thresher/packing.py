"""Nodes within one budget, measured as the synthesizer packs them into the prompt."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from llama_index.core.schema import MetadataMode, NodeWithScore
from llama_index.postprocessor.thresher.nodes import Framed, compressed, unchanged

from thresher import BudgetError, Compression, Compressor

_TRIES = 8
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Limits:
    """At most one of ``max_tokens`` and ``ratio``; see ``Compressor.compress``."""

    max_tokens: int | None
    ratio: float | None
    threshold: float | None


@dataclass(frozen=True, slots=True)
class Packed:
    """What goes into the prompt.

    Attributes:
        nodes: copies with compressed bodies, and the untouched ones, in the order of the prompt.
        dropped: ids of the nodes of which nothing was kept.
        tokens: tokens of all of it as the prompt shows it.
        tokens_before: the same before compression.
        budget: in tokens, where there was one.
        notes: what the user should know.
    """

    nodes: list[NodeWithScore]
    dropped: list[str]
    tokens: int
    tokens_before: int
    budget: int | None
    notes: tuple[str, ...] = ()


def pack(
    framed: Sequence[Framed],
    compressor: Compressor,
    *,
    query: str | None,
    limits: Limits,
    listed: bool = False,
    report: bool = False,
) -> Packed:
    """Compress the bodies of nodes so that everything together fits.

    Args:
        framed: the nodes, in the order of the prompt.
        compressor: scores, counts and selects.
        query: the question, or None.
        limits: how much may be kept.
        listed: whether the synthesizer shows the context as a Python list (``simple_summarize``).
        report: whether the copies say in their metadata what was kept of them.

    Raises:
        BudgetError: the nodes that are never compressed leave nothing of the budget, or it cannot
            hold anything.
    """
    joined = _Joined(compressor, listed=listed)
    before = joined.tokens(f.content for f in framed)
    budget = limits.max_tokens
    if limits.ratio is not None:
        budget = max(1, math.floor(limits.ratio * before + 1e-9))
    documents = [f.document for f in framed if f.document is not None]
    fits = budget is not None and before <= budget
    if fits and limits.threshold is None and compressor.config.threshold is None:
        same = [unchanged(f, compressor.counter, report=report) for f in framed]
        return Packed(same, [], before, before, budget)
    reserved = joined.tokens(f.content for f in framed if f.document is None)
    if not documents:
        _check(reserved, budget)
        return Packed([f.given for f in framed], [], before, before, budget)

    def attempt(allowance: int | None) -> tuple[int, Packed]:
        result = compressor.compress(
            documents, query=query, budget=allowance, threshold=limits.threshold
        )
        nodes, dropped = _arranged(framed, result, report=report)
        tokens = joined.tokens(n.get_content(metadata_mode=MetadataMode.LLM) for n in nodes)
        return tokens, Packed(nodes, dropped, tokens, before, budget, result.notes)

    if budget is None:
        return attempt(None)[1]
    _check(reserved, budget)
    return within(budget, budget - reserved, attempt)


def within(budget: int, allowance: int, attempt: Callable[[int], tuple[int, T]]) -> T:
    """Lower the allowance until what is measured fits.

    The compressor keeps to its budget by itself. What it cannot see, such as white space that a
    template strips or a text that is not compressed, may cost a token more or less where pieces
    meet; the budget is hard all the same.

    Args:
        budget: what the measured tokens must not exceed.
        allowance: the budget of the first attempt.
        attempt: from an allowance to measured tokens and a result.

    Raises:
        BudgetError: nothing fits.
    """
    tokens = budget
    for _ in range(_TRIES):
        if allowance < 1:
            break
        tokens, result = attempt(allowance)
        if tokens <= budget:
            return result
        allowance -= tokens - budget
    raise BudgetError(
        f"the least that can be kept takes {tokens} tokens, more than the budget of {budget}; "
        "raise the budget, or compress fewer texts"
    )


class _Joined:
    """Counts texts as the synthesizers show them.

    ``simple_summarize`` formats a list of one text into its template, so that the prompt holds
    the text as Python writes it: in brackets and quotes, with line breaks escaped.
    """

    def __init__(self, compressor: Compressor, *, listed: bool) -> None:
        self._count = compressor.counter
        self._separator = compressor.config.separator
        self._listed = listed

    def tokens(self, contents: Iterable[str]) -> int:
        """Tokens of the contents, joined."""
        if self._listed:
            return int(self._count(str([self._separator.join(contents)])))
        return int(self._count(self._separator.join(c for x in contents if (c := x.strip()))))


def _check(reserved: int, budget: int | None) -> None:
    if budget is not None and reserved > budget:
        raise BudgetError(
            f"the nodes that are never compressed (images, index nodes, nodes without text) take "
            f"{reserved} of {budget} tokens; raise the budget or retrieve fewer of them"
        )


def _arranged(
    framed: Sequence[Framed], result: Compression, *, report: bool
) -> tuple[list[NodeWithScore], list[str]]:
    """Compressed nodes in the order of the result, round the untouched ones."""
    texts = [f for f in framed if f.document is not None]
    kept = iter([compressed(texts[i], result.documents[i], report=report) for i in result.order])
    nodes: list[NodeWithScore] = []
    original = list(result.order) == sorted(result.order)
    position = 0
    for f in framed:
        if f.document is None:
            nodes.append(f.given)
            continue
        if not original or result.documents[position].kept:
            nodes.extend(n for n in [next(kept, None)] if n is not None)
        position += 1
    return nodes, [texts[d.index].given.node.node_id for d in result.dropped]
