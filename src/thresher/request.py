"""What the caller asked for, checked once and counted once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from thresher.config import CompressConfig
from thresher.count import Exact, TokenCounter
from thresher.errors import BudgetError, InputError
from thresher.types import Document, Request


@dataclass(frozen=True, slots=True)
class Plan:
    """A checked request.

    Attributes:
        documents: the input, strings wrapped.
        query: stripped, or None.
        budget: tokens for everything together, or None where a threshold decides alone.
        threshold: least keep probability, or None.
        exact: the caller's counter, for this request.
        tokens: tokens of each document's text. Length D.
        total: tokens of the uncompressed assembly.
        uncompressed: that assembly.
    """

    documents: tuple[Document, ...]
    query: str | None
    budget: int | None
    threshold: float | None
    exact: Exact
    tokens: tuple[int, ...]
    total: int
    uncompressed: str

    @property
    def fits(self) -> bool:
        """Whether the input can be returned as it is."""
        return self.threshold is None and self.budget is not None and self.total <= self.budget


def plan(request: Request, config: CompressConfig, counter: TokenCounter) -> Plan:
    """Check and count a request.

    Raises:
        BudgetError: budget, ratio and threshold do not go together or are out of range.
        InputError: a document or the query has the wrong type.
        CounterError: the counter failed.
    """
    documents = as_documents(request.documents)
    query = _query(request.query)
    threshold = config.threshold if request.threshold is None else request.threshold
    _check_limits(request, threshold, config)
    exact = Exact(counter)
    whole = config.separator.join(d.prefix + d.text + d.suffix for d in documents)
    total = exact(whole)
    budget = request.budget
    if request.ratio is not None:
        budget = max(1, math.floor(request.ratio * total + 1e-9))
    return Plan(
        documents=documents,
        query=query,
        budget=None if budget is None else int(budget),
        threshold=threshold,
        exact=exact,
        tokens=exact.many([d.text for d in documents]),
        total=total,
        uncompressed=whole,
    )


def as_documents(documents: Any) -> tuple[Document, ...]:
    """Documents from documents and plain strings.

    Raises:
        InputError: something else, with its position and the remedy.
    """
    if isinstance(documents, str | Document):
        return (_document(documents, 0),)
    if not isinstance(documents, Iterable):
        raise InputError(
            f"documents is a {type(documents).__name__}; give a list of strings or "
            "thresher.Document"
        )
    return tuple(_document(d, i) for i, d in enumerate(documents))


def _document(value: Any, index: int) -> Document:
    if isinstance(value, str):
        return Document(value)
    if not isinstance(value, Document):
        hint = "; use langchain-thresher" if hasattr(value, "page_content") else ""
        hint = "; use llama-index-postprocessor-thresher" if hasattr(value, "node") else hint
        raise InputError(
            f"document {index} is a {type(value).__name__}; expected a string or "
            f"thresher.Document{hint}"
        )
    for name in ("text", "prefix", "suffix"):
        if not isinstance(getattr(value, name), str):
            found = type(getattr(value, name)).__name__
            raise InputError(f"document {index} has a {name} of type {found}; expected a string")
    if value.score is not None and not _is_finite(value.score):
        raise InputError(
            f"document {index} has the score {value.score!r}; expected a finite number or None"
        )
    return value


def _query(query: Any) -> str | None:
    if query is not None and not isinstance(query, str):
        raise InputError(f"query is a {type(query).__name__}; expected a string or None")
    return (query or "").strip() or None


def _check_limits(request: Request, threshold: Any, config: CompressConfig) -> None:
    budget, ratio = request.budget, request.ratio
    if config.reference is not None:
        if budget is not None or ratio is not None or threshold is not None:
            raise BudgetError(
                "the LLMLingua-2 compatible mode decides by its own rate; give neither budget, "
                "ratio nor threshold, or use another CompressConfig"
            )
        return
    if budget is not None and ratio is not None:
        raise BudgetError(f"both budget={budget!r} and ratio={ratio!r} were given; give one")
    if budget is None and ratio is None and threshold is None:
        raise BudgetError(
            "no limit was given: pass budget= (tokens for everything together), ratio= (share of "
            "the input's tokens) or threshold= (least keep probability)"
        )
    if budget is not None and (
        isinstance(budget, bool) or not _is_finite(budget) or budget != int(budget) or budget < 1
    ):
        raise BudgetError(
            f"budget is {budget!r}; it must be a whole number of tokens, 1 or more, for all "
            "documents together"
        )
    if ratio is not None and (not _is_finite(ratio) or not 0.0 < ratio <= 1.0):
        raise BudgetError(f"ratio is {ratio!r}; it must lie in (0, 1], for example 0.4")
    if threshold is not None and (not _is_finite(threshold) or not 0.0 < threshold < 1.0):
        raise BudgetError(f"threshold is {threshold!r}; it must lie between 0 and 1")


def _is_finite(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except (TypeError, ValueError, OverflowError):
        return False


def as_requests(requests: Sequence[Any]) -> list[Request]:
    """Check the argument of ``compress_batch``."""
    for index, request in enumerate(requests):
        if not isinstance(request, Request):
            raise InputError(
                f"request {index} is a {type(request).__name__}; expected thresher.Request("
                "documents=..., query=..., budget=...)"
            )
    return list(requests)
