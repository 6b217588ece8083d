"""Fit a message history to a budget so that no message changes again once it is compressed.

The history is replayed step by step, as the model saw it: a step is an AI message with the
results that answered it. What a step may keep depends on the messages up to it alone, so the same
message has the same text on every later turn, in every process, without stored state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from thresher import BudgetError, CompressConfig, Compressor, InputError, Scorer

from langchain_thresher._core import Engine, as_config, build, logger
from langchain_thresher._counting import Counters, Memo, digest, identity
from langchain_thresher._text import last_human, question, role, texts, with_texts

Role = Literal["tool", "ai", "human"]
EMPTY = "[…]"
"""Stands for a text of which nothing could be kept: providers refuse empty ones."""

_LEAST = 4  # tokens of a text below which nothing sensible is left of it
_EVEN = 0.25  # least share of the common rate that every text keeps
_ATTEMPTS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class HistorySettings:
    """What ``compress_messages`` and ``ThresherMiddleware`` were asked for, checked."""

    max_tokens: int
    counters: Counters
    query: str | None = None
    keep_last: int = 0
    share: float = 0.5
    min_tokens: int = 64
    roles: tuple[Role, ...] = ("tool", "ai")
    exclude_tools: tuple[str, ...] = ()
    model: str | Scorer = "small"
    engine: Engine = "auto"
    device: str | None = None
    relevance: Any = None
    config: CompressConfig = field(default_factory=CompressConfig)
    eager: bool = False

    def __post_init__(self) -> None:
        for name in ("roles", "exclude_tools"):
            value = getattr(self, name)
            object.__setattr__(self, name, (value,) if isinstance(value, str) else tuple(value))
        object.__setattr__(self, "config", as_config(self.config))
        for name, least in (("max_tokens", 1), ("keep_last", 0), ("min_tokens", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(f"{name} is {value!r}; it must be a whole number, {least} or more")
        if not 0.0 < self.share <= 1.0:
            raise InputError(f"share is {self.share!r}; it must lie in (0, 1], for example 0.5")
        unknown = set(self.roles) - {"tool", "ai", "human"}
        if unknown:
            raise InputError(f"roles holds {sorted(unknown)}; it may hold 'tool', 'ai' and 'human'")


@dataclass(frozen=True, slots=True)
class Fitted:
    """A history that was fitted.

    Attributes:
        messages: as many as before, in the same order; unchanged ones are the same objects.
        tokens: of all of them together.
        changed: how many were compressed.
    """

    messages: list[BaseMessage]
    tokens: int
    changed: int


@dataclass(slots=True)
class _Item:
    """One message during the replay.

    ``long`` are the indices of its texts that may be compressed, ``bare`` its tokens without them.
    """

    source: BaseMessage
    pieces: list[str]
    long: list[int]
    full: int
    bare: int
    now: BaseMessage
    tokens: int


class History:
    """Fits histories; keeps only a memory of pure results. Safe from several threads."""

    def __init__(self, settings: HistorySettings) -> None:
        self.settings = settings
        self._counts: Memo[bytes, int] = Memo(8192)
        self._squeezed: Memo[bytes, tuple[str, ...]] = Memo(1024)

    def fit(self, messages: Sequence[BaseMessage], *, query: str | None = None) -> Fitted:
        """Compress the history to the budget.

        Args:
            messages: the whole history, oldest first. Not changed.
            query: what to compress for where the history itself does not ask anything.

        Returns:
            The fitted history. Its ``tokens`` exceed the budget only where what may not be
            changed does not leave enough.

        Raises:
            ThresherError: counter or model failed.
        """
        s = self.settings
        total = self._total(messages)
        if not messages or (total <= s.max_tokens and (s.share == 1.0 or not s.eager)):
            return Fitted(list(messages), total, 0)
        limit = s.max_tokens
        for _ in range(_ATTEMPTS):
            items = self._items(messages)
            if s.share == 1.0:
                self._refit(items, limit, question(messages) or query, share=1.0)
            else:
                self._replay(items, limit, query)
            out = [item.now for item in items]
            total = self._total(out)
            over = total - s.max_tokens
            counted = sum(item.tokens for item in items)
            if over <= 0 or counted <= limit - over:
                break
            limit -= over  # a counter by which the whole is more than its parts
        changed = sum(item.now is not item.source for item in items)
        return Fitted(out, total, changed)

    def squeeze(self, pieces: Sequence[str], query: str | None, budget: int) -> tuple[str, ...]:
        """Compress texts together to a budget; no text becomes empty."""
        key = digest([list(pieces), query, budget])
        return self._squeezed.get(key, lambda: self._squeeze(pieces, query, budget))

    def count(self, message: BaseMessage) -> int:
        """Tokens of one message."""
        counter = self.settings.counters.messages
        return self._counts.get(identity(message), lambda: int(counter([message])))

    def _total(self, messages: Sequence[BaseMessage]) -> int:
        return int(self.settings.counters.messages(list(messages))) if messages else 0

    def _items(self, messages: Sequence[BaseMessage]) -> list[_Item]:
        asked = last_human(messages)
        recent = len(messages) - self.settings.keep_last
        return [self._item(m, editable=i != asked and i < recent) for i, m in enumerate(messages)]

    def _item(self, message: BaseMessage, *, editable: bool) -> _Item:
        s = self.settings
        full = self.count(message)
        editable = editable and full > s.min_tokens and role(message) in s.roles
        if isinstance(message, ToolMessage) and message.name in s.exclude_tools:
            editable = False
        pieces = texts(message) if editable else []
        long = [i for i, piece in enumerate(pieces) if self._text(piece) > s.min_tokens]
        bare = full
        if long:
            emptied = ["" if i in long else piece for i, piece in enumerate(pieces)]
            bare = self.count(with_texts(message, emptied))
        return _Item(message, pieces, long, full, bare, message, full)

    def _text(self, text: str) -> int:
        return self._counts.get(digest(["text", text]), lambda: self.settings.counters.text(text))

    def _replay(self, items: Sequence[_Item], limit: int, otherwise: str | None) -> None:
        """Walk through the steps; each may keep a share of what is left when it arrives."""
        s = self.settings
        for first, last in _steps([item.source for item in items]):
            step = [item for item in items[first:last] if item.long]
            before = sum(item.tokens for item in items[:first])
            fixed = sum(item.full for item in items[first:last] if not item.long)
            room = int(s.share * (limit - before - fixed))
            asked = question([item.source for item in items[:first]]) or otherwise
            if step and sum(item.full for item in step) > room:
                spare = room - sum(item.bare for item in step)
                if spare >= s.min_tokens * sum(len(item.long) for item in step):
                    self._shrink(step, asked, room)
                else:
                    self._refit(items[:last], limit, asked, share=s.share)
            elif before + fixed > limit:
                self._refit(items[:last], limit, asked, share=s.share)

    def _refit(
        self, items: Sequence[_Item], limit: int, query: str | None, *, share: float
    ) -> None:
        """Compress everything so far again, from the originals, to make room."""
        flexible = [item for item in items if item.long]
        if not flexible:
            return
        room = limit - sum(item.full for item in items if not item.long)
        bare = sum(item.bare for item in flexible)
        pieces = sum(len(item.long) for item in flexible)
        if room - bare < _LEAST * pieces:  # hopeless: better over the budget than nothing left
            room = bare + self.settings.min_tokens * pieces
        elif int(share * room) - bare >= self.settings.min_tokens:
            room = int(share * room)
        if share < 1.0:
            logger.info(
                "the history has used its %d tokens; %d earlier messages are compressed again",
                limit,
                len(flexible),
            )
        self._shrink(flexible, query, room)

    def _shrink(self, items: Sequence[_Item], query: str | None, room: int) -> None:
        """Compress the long texts of some messages together, so that these count ``room``."""
        pieces = [item.pieces[i] for item in items for i in item.long]
        budget = room - sum(item.bare for item in items)
        for _ in range(_ATTEMPTS):
            rest = iter(self.squeeze(pieces, self.settings.query or query, max(budget, 1)))
            for item in items:
                new = list(item.pieces)
                for i in item.long:
                    new[i] = next(rest)
                item.now = with_texts(item.source, new) if new != item.pieces else item.source
                item.tokens = self.count(item.now)
            over = sum(item.tokens for item in items) - room
            if over <= 0 or budget <= 1:
                return
            budget -= over

    def _squeeze(self, pieces: Sequence[str], query: str | None, budget: int) -> tuple[str, ...]:
        s = self.settings
        rate = budget / max(sum(self._text(p) for p in pieces), 1)
        floor = max(s.config.min_ratio, min(_EVEN * rate, 1.0))
        core = self._compressor(s.config.with_(min_ratio=floor))
        try:
            result = core.compress(pieces, query=query, budget=budget)
        except BudgetError:
            return (EMPTY,) * len(pieces)
        return tuple(d.text if d.text.strip() else EMPTY for d in result.documents)

    def _compressor(self, config: CompressConfig) -> Compressor:
        s = self.settings
        return build(
            s.model,
            engine=s.engine,
            device=s.device,
            counter=s.counters.text,
            relevance=s.relevance,
            config=config,
        )


def _steps(messages: Sequence[BaseMessage]) -> list[tuple[int, int]]:
    """Spans of messages that reach the model together: each starts at an AI message."""
    starts = [i for i, m in enumerate(messages) if isinstance(m, AIMessage) or i == 0]
    return list(zip(starts, [*starts[1:], len(messages)], strict=True))


def over_budget(fitted: Fitted, settings: HistorySettings) -> str | None:
    """What to say where even the compressed history exceeds the budget, or None."""
    if fitted.tokens <= settings.max_tokens:
        return None
    return (
        f"the messages count {fitted.tokens} tokens after compression, {settings.max_tokens} were "
        "asked for; the rest may not be changed (system, last human and error messages, tool "
        "calls, short texts). Raise max_tokens, or lower keep_last or min_tokens"
    )
