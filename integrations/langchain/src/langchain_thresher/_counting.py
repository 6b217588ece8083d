"""Token counters for messages, in every form that ``trim_messages`` accepts."""

from __future__ import annotations

import hashlib
import inspect
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Generic, Literal, TypeVar

from langchain_core.language_models import BaseLanguageModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.messages.utils import count_tokens_approximately
from thresher import CounterError, InputError

ListCounter = Callable[[list[BaseMessage]], int]
MessageCounter = (
    Callable[[list[BaseMessage]], int]
    | Callable[[BaseMessage], int]
    | BaseLanguageModel[Any]
    | Literal["approximate"]
)
"""A callable over a list or over one message, a chat model, or ``"approximate"``."""

_PROBE = "every word of this sentence should count for something " * 8
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Memo(Generic[K, V]):
    """A bounded, thread-safe memory of pure results; the oldest is forgotten first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = Lock()
        self._held: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The value of the key, made where it is not held."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        value = make()
        with self._lock:
            self._held[key] = value
            while len(self._held) > self._size:
                self._held.popitem(last=False)
        return value


@dataclass(frozen=True, slots=True)
class _Summed:
    """A counter over one message, as a counter over a list."""

    one: Callable[[BaseMessage], int]

    def __call__(self, messages: list[BaseMessage]) -> int:
        return sum(self.one(m) for m in messages)


@dataclass(frozen=True, slots=True)
class _Difference:
    """Tokens of a text, from a counter over messages."""

    count: ListCounter

    def __call__(self, text: str) -> int:
        empty = self.count([HumanMessage(content="")])
        return max(self.count([HumanMessage(content=text)]) - empty, 0)


@dataclass(frozen=True, slots=True)
class Counters:
    """One way to count, for lists of messages and for texts.

    Attributes:
        messages: tokens of a list of messages.
        text: tokens of a text within a message.
    """

    messages: ListCounter
    text: Callable[[str], int]


def approximate(messages: list[BaseMessage]) -> int:
    """LangChain's own estimate: characters / 4, rounded up per message."""
    return count_tokens_approximately(messages)


def counters(token_counter: Any) -> Counters:
    """Counters from what ``trim_messages`` takes as ``token_counter``.

    Raises:
        InputError: nothing of the kind.
        CounterError: it counts messages instead of tokens.
    """
    if isinstance(token_counter, BaseLanguageModel):
        return Counters(token_counter.get_num_tokens_from_messages, token_counter.get_num_tokens)
    if token_counter == "approximate":
        return Counters(approximate, _Difference(approximate))
    if isinstance(token_counter, str) or not callable(token_counter):
        raise InputError(
            f"token_counter is {token_counter!r}; expected a callable over a list of messages or "
            "over one message, a chat model, or 'approximate'"
        )
    count: ListCounter = _Summed(token_counter) if _takes_one(token_counter) else token_counter
    found = Counters(count, _Difference(count))
    if not found.text(_PROBE):
        raise CounterError(
            "token_counter gives a long message no more tokens than an empty one; it must count "
            "tokens, not messages (len does not)"
        )
    return found


def _takes_one(counter: Callable[..., Any]) -> bool:
    try:
        first = next(iter(inspect.signature(counter).parameters.values()), None)
    except (TypeError, ValueError):
        return False
    return first is not None and first.annotation in (BaseMessage, "BaseMessage")


def identity(message: BaseMessage) -> bytes:
    """A hash of everything in a message that may count, to memoise its count."""
    parts: list[Any] = [message.type, message.content, message.name, message.additional_kwargs]
    if isinstance(message, AIMessage):
        parts += [message.tool_calls, message.invalid_tool_calls]
    if isinstance(message, ToolMessage):
        parts.append(message.tool_call_id)
    return digest(parts)


def digest(parts: Sequence[Any]) -> bytes:
    """A short hash of plain values."""
    text = repr(parts).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=16).digest()
