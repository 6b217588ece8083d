"""Every setting of a compressor, in one frozen value with JSON round trip."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Self, get_args

from thresher.errors import InputError

Strategy = Literal["pooled", "uniform", "weighted"]
Granularity = Literal["word", "sentence", "auto"]
Order = Literal["original", "relevance", "two_stage"]
ForceKeep = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class LLMLingua2:
    """Selection as llmlingua 0.2.2 does it: see ``CompressConfig.llmlingua2``."""

    rate: float
    force_tokens: tuple[str, ...] = ()
    force_reserve_digit: bool = False
    drop_consecutive: bool = False
    token_to_word: Literal["mean", "first"] = "mean"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressConfig:
    """How to allocate, what to protect, and how to put the result together.

    Allocation (one solver, see ``allocate``)
        strategy: ``pooled`` one threshold over all documents; ``uniform`` every document at the
            same rate; ``weighted`` one threshold, bent by document scores (``Document.score``).
        min_tokens: a document that would keep less than this is dropped whole, and its share goes
            to the others.
        max_tokens: no document keeps more than this; None for no ceiling.
        min_ratio: every document keeps at least this share of its tokens, in [0, 1].
        keep_documents: indices or ids of documents that are kept whole.
        threshold: keep what scores at least this, in (0, 1), at whatever length results; with a
            budget, the budget is the ceiling. None for budget alone.

    Value (see ``utility`` and ``coherence``)
        relevance_weight: weight of everything but the keep score in a word's utility; 0 ignores
            the query.
        granularity: ``word`` every word by its own utility; ``sentence`` whole sentences only;
            ``auto`` words, but the sentences that are most relevant to the query whole, and
            without a query names and the beginnings of passages before the rest. Under a
            threshold ``auto`` is ``word``.
        second_look: whether relevance is taken a second time with the two best sentences added
            to the query, for questions of several hops. Costs a second pass of the model; a
            strong reader gained nothing from it over bridges (``relevance.bridge``) alone.
        order: of the documents in the text: ``original``, ``relevance`` (most relevant first) or
            ``two_stage`` (LongLLMLingua: most relevant at both ends).

    Guards
        force_keep: words that are always kept (whole words, case-insensitive).
        force_patterns: regular expressions; every unit that a match touches is kept.
        keep_digits: keep every unit with a digit.
        force: a callable on the unit's text; True keeps it. Not JSON-safe.
        negations: never drop a negation while the word it negates is kept.

    Form
        separator: between the documents of the assembled text.
        gap: put where words were dropped, for example ``" … "``; None joins with white space.
        window: tokens of one model window, special tokens included.
        reference: selection as in llmlingua 0.2.2 instead of the allocation and guards above;
            made by ``CompressConfig.llmlingua2``.
    """

    strategy: Strategy = "pooled"
    min_tokens: int = 0
    max_tokens: int | None = None
    min_ratio: float = 0.0
    keep_documents: tuple[int | str, ...] = ()
    threshold: float | None = None

    relevance_weight: float = 1.0
    granularity: Granularity = "auto"
    second_look: bool = False
    order: Order = "original"

    force_keep: tuple[str, ...] = ()
    force_patterns: tuple[str, ...] = ()
    keep_digits: bool = False
    force: ForceKeep | None = None
    negations: bool = True

    separator: str = "\n\n"
    gap: str | None = None
    window: int = 256
    reference: LLMLingua2 | None = None

    def __post_init__(self) -> None:
        for name in ("keep_documents", "force_keep", "force_patterns"):
            value = getattr(self, name)
            if isinstance(value, str):
                raise InputError(
                    f"CompressConfig.{name} is the string {value!r}; give a list of them: "
                    f"{name}=({value!r},)"
                )
            object.__setattr__(self, name, tuple(value))
        if isinstance(self.reference, Mapping):
            values = {**self.reference, "force_tokens": tuple(self.reference["force_tokens"])}
            object.__setattr__(self, "reference", LLMLingua2(**values))
        _check(self)

    def with_(self, **changes: Any) -> Self:
        """A copy with some fields changed."""
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-safe dict of the fields that differ from the default.

        Raises:
            InputError: ``force`` is set; a callable cannot be written as JSON.
        """
        if self.force is not None:
            raise InputError(
                "CompressConfig.force is a callable and cannot be written as JSON; "
                "use force_keep or force_patterns where the config must be stored"
            )
        out: dict[str, Any] = {}
        for f in fields(self):
            value = getattr(self, f.name)
            if value == f.default:
                continue
            if isinstance(value, tuple):
                value = list(value)
            if isinstance(value, LLMLingua2):
                value = {x.name: getattr(value, x.name) for x in fields(value)}
                value["force_tokens"] = list(value["force_tokens"])
            out[f.name] = value
        return out

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of ``to_dict``; an unknown key is an error that lists the known ones."""
        known = {f.name for f in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise InputError(
                f"unknown CompressConfig fields {unknown}; the known ones are {sorted(known)}"
            )
        return cls(**values)

    @classmethod
    def llmlingua2(
        cls,
        *,
        rate: float,
        force_tokens: tuple[str, ...] | list[str] = (),
        force_reserve_digit: bool = False,
        drop_consecutive: bool = False,
        token_to_word: Literal["mean", "first"] = "mean",
    ) -> Self:
        """Settings that keep the words which ``llmlingua`` 0.2.2 keeps with the same weights.

        Args:
            rate: share of the (cl100k) tokens to keep per chunk, in (0, 1].
            force_tokens: strings which are always kept.
            force_reserve_digit: keep every word with a digit.
            drop_consecutive: drop a forced token which repeats the last kept forced one.
            token_to_word: how the probabilities of a word's pieces are joined.

        Raises:
            InputError: a value is out of range.

        Source: LLMLingua-2, https://arxiv.org/abs/2403.12968, and the package llmlingua 0.2.2.
        """
        return cls(
            reference=LLMLingua2(
                rate=rate,
                force_tokens=tuple(force_tokens),
                force_reserve_digit=force_reserve_digit,
                drop_consecutive=drop_consecutive,
                token_to_word=token_to_word,
            )
        )


def _check(config: CompressConfig) -> None:
    for name, allowed in (
        ("strategy", get_args(Strategy)),
        ("granularity", get_args(Granularity)),
        ("order", get_args(Order)),
    ):
        value = getattr(config, name)
        if value not in allowed:
            raise InputError(
                f"CompressConfig.{name} is {value!r}; it must be one of {', '.join(allowed)}"
            )
    for name, low, high in (
        ("min_tokens", 0, math.inf),
        ("min_ratio", 0.0, 1.0),
        ("relevance_weight", 0.0, math.inf),
        ("window", 16, math.inf),
    ):
        value = getattr(config, name)
        if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
            raise InputError(f"CompressConfig.{name} is {value!r}; it must be a number")
        if not low <= value <= high:
            raise InputError(
                f"CompressConfig.{name} is {value!r}; it must lie between {low} and {high}"
            )
    if config.max_tokens is not None and config.max_tokens < max(config.min_tokens, 1):
        raise InputError(
            f"CompressConfig.max_tokens is {config.max_tokens}, below min_tokens "
            f"({config.min_tokens}) or 1; raise it or lower min_tokens"
        )
    if config.threshold is not None and not 0.0 < config.threshold < 1.0:
        raise InputError(
            f"CompressConfig.threshold is {config.threshold!r}; it is a probability between "
            "0 and 1, both excluded"
        )
    for pattern in config.force_patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise InputError(
                f"CompressConfig.force_patterns holds {pattern!r}, which is not a regular "
                f"expression: {error}"
            ) from error
    if config.reference is not None and not 0.0 < config.reference.rate <= 1.0:
        raise InputError(
            f"the LLMLingua-2 rate is {config.reference.rate!r}; it must lie in (0, 1] "
            "(the reference fails at 0 as well)"
        )
