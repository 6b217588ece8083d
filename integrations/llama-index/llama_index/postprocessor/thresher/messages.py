"""Chat messages within a budget: only text blocks change, and messages stay where they are."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from llama_index.core.base.llms.types import ChatMessage, MessageRole, TextBlock
from llama_index.postprocessor.thresher.packing import within

from thresher import BudgetError, Compressor, Document

T = TypeVar("T")
_log = logging.getLogger(__name__)

MARK = "[...]"  # what a text of which nothing is kept becomes: providers refuse empty ones
_INSTRUCTIONS = (MessageRole.SYSTEM, MessageRole.DEVELOPER)
_MEDIA = {"image": 256, "audio": 256, "video": 256, "document": 2048}


@dataclass(frozen=True, slots=True)
class Slot:
    """A text block that may be compressed: block ``block`` of message ``message``."""

    message: int
    block: int
    text: str


def slots(messages: Sequence[ChatMessage], *, keep_last: int) -> list[Slot]:
    """Text blocks that may be compressed.

    Never the instructions (system, developer), the last user message, or the last messages; of
    the others only plain text blocks, so that tool calls, thinking, media, citations, cache points
    and keyword arguments stay as they are.

    Args:
        messages: the history, oldest first.
        keep_last: how many of the last messages are left as they are.
    """
    last_user = max((i for i, m in enumerate(messages) if m.role == MessageRole.USER), default=-1)
    return [
        Slot(i, j, block.text)
        for i, message in enumerate(messages[: max(len(messages) - keep_last, 0)])
        if message.role not in _INSTRUCTIONS and i != last_user
        for j, block in enumerate(message.blocks)
        if isinstance(block, TextBlock) and block.text.strip()
    ]


def replaced(messages: Sequence[ChatMessage], changes: Mapping[Slot, str]) -> list[ChatMessage]:
    """The messages with other texts in some slots; changed messages are copies."""
    blocks = {s.message: list(messages[s.message].blocks) for s in changes}
    for slot, text in changes.items():
        old = blocks[slot.message][slot.block]
        blocks[slot.message][slot.block] = old.model_copy(update={"text": text})
    return [
        m.model_copy(update={"blocks": blocks[i]}) if i in blocks else m
        for i, m in enumerate(messages)
    ]


def measure(messages: Iterable[ChatMessage], count: Callable[[str], int]) -> int:
    """Tokens of messages: text, thinking, tool calls, keyword arguments.

    Media count as LlamaIndex's ``Memory`` estimates them.
    """
    total = 0
    for message in messages:
        if message.additional_kwargs:
            total += count(str(message.additional_kwargs))
        for block in message.blocks:
            kind = getattr(block, "block_type", "")
            if isinstance(block, TextBlock):
                total += count(block.text)
            elif kind in _MEDIA:
                total += _MEDIA[kind]
            elif kind == "thinking":
                total += count(getattr(block, "content", None) or "")
            elif kind in ("tool_call", "citable", "citation"):
                total += count(block.model_dump_json())
    return total


def compress_texts(
    texts: Sequence[str], compressor: Compressor, *, query: str | None, budget: int
) -> list[str]:
    """Compress texts that stand apart from each other to one budget.

    Args:
        texts: the texts.
        compressor: scores, counts and selects.
        query: what they are to answer, or None.
        budget: tokens for all of them, counted one by one.

    Returns:
        As many texts; ``[...]`` where nothing is kept.

    Raises:
        BudgetError: the budget cannot hold anything.
    """
    documents = [Document(t) for t in texts]
    count = compressor.counter

    def attempt(allowance: int) -> tuple[int, list[str]]:
        result = compressor.compress(documents, query=query, budget=allowance)
        out = [d.text if d.kept else MARK for d in result.documents]
        return sum(count(t) for t in out), out

    return within(budget, budget, attempt)


def text_of(message: ChatMessage | str | None) -> str | None:
    """The plain text of a message, or None."""
    if message is None or isinstance(message, str):
        return message or None
    return message.content or None


def last_question(messages: Sequence[ChatMessage]) -> str | None:
    """The text of the last user message, or None."""
    users = (m for m in reversed(messages) if m.role == MessageRole.USER)
    return text_of(next(users, None))


class History:
    """Compresses one conversation, and keeps what it wrote stable from turn to turn.

    A provider's prompt cache holds only while the messages before the new ones stay the same, byte
    for byte. So a text, once compressed, stays as it is until the history outgrows the budget
    again; then all of it is compressed anew, from the originals, to ``refill`` of the budget.

    Args:
        budget: tokens for all messages.
        refill: share of the budget to compress to, in (0, 1].
        keep_last: how many of the last messages are left as they are.
        min_tokens: texts of so many tokens or fewer are left as they are.
    """

    def __init__(self, budget: int, *, refill: float, keep_last: int, min_tokens: int) -> None:
        self._budget = budget
        self._goal = max(1, int(refill * budget))
        self._keep_last = keep_last
        self._min_tokens = min_tokens
        self._written: dict[str, str] = {}

    def compress(
        self, messages: Sequence[ChatMessage], compressor: Compressor, query: str | None
    ) -> list[ChatMessage]:
        """The messages within the budget; the given ones are not changed.

        Raises:
            BudgetError: the messages that must not change leave nothing of the budget.
        """
        count = compressor.counter
        total = measure(messages, count)
        if total <= self._budget:
            return list(messages)
        found = [
            s
            for s in slots(messages, keep_last=self._keep_last)
            if count(s.text) > self._min_tokens
        ]
        written = self._written
        same = replaced(messages, {s: written[s.text] for s in found if s.text in written})
        if measure(same, count) <= self._budget:
            return same
        fixed = total - sum(count(s.text) for s in found)
        room = max(self._goal - fixed, 0) or self._budget - fixed
        if room < 1 or not found:
            raise BudgetError(
                f"what is never compressed (instructions, the last user message, the last "
                f"{self._keep_last} messages, tool calls, media, texts of up to "
                f"{self._min_tokens} tokens) takes {fixed} of {self._budget} tokens; raise "
                "max_tokens, or lower keep_last or min_tokens"
            )
        texts = [s.text for s in found]
        out = compress_texts(texts, compressor, query=query, budget=room)
        self._written = dict(zip(texts, out, strict=True))
        return replaced(messages, dict(zip(found, out, strict=True)))


def guarded(work: Callable[[], T], otherwise: T, *, on_error: str) -> T:
    """What the work gives, or the other value with a warning where it fails and may fail."""
    try:
        return work()
    except Exception as error:
        if on_error == "raise":
            raise
        _log.warning("not compressed: %s: %s", type(error).__name__, error)
        return otherwise
