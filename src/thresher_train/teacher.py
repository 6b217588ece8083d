"""Put many requests to a chat model: concurrent, rate-limited, retried, with the tokens counted.

A teacher is anything with LangChain's ``ainvoke`` or ``invoke``; this module never imports
LangChain itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from thresher_train.prompts import AnswerError, Messages

T = TypeVar("T")


class Teacher(Protocol):
    """The part of a LangChain chat model that is used (``ainvoke`` is preferred when present)."""

    def invoke(self, input: Any, /) -> Any:
        """Answer a list of (role, text) messages with a message or a string."""
        ...


@dataclass(frozen=True)
class PaceConfig:
    """How fast a teacher is asked.

    Attributes:
        concurrency: Requests in flight at once.
        requests_per_minute: Upper limit of started requests; 0 for none.
        attempts: Tries of a request before it counts as failed.
        backoff: Seconds before the second try, doubled for each further one.
        timeout: Seconds that one try may take; 0 for no limit.
    """

    concurrency: int = 8
    requests_per_minute: float = 0.0
    attempts: int = 4
    backoff: float = 2.0
    timeout: float = 120.0


@dataclass(frozen=True)
class Usage:
    """Tokens a teacher reported.

    Attributes:
        input_tokens: Tokens read.
        output_tokens: Tokens written.
    """

    input_tokens: int = 0
    output_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens, self.output_tokens + other.output_tokens
        )


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What came of one request.

    Attributes:
        index: Number of the request.
        value: What was read from the answer, None where every try failed.
        usage: Tokens of all tries.
        error: Why the last try failed, or None.
    """

    index: int
    value: T | None
    usage: Usage
    error: str | None = None


class _Pace:
    """Spaces out the starts of requests evenly."""

    def __init__(self, requests_per_minute: float) -> None:
        self._gap = 60.0 / requests_per_minute if requests_per_minute > 0 else 0.0
        self._next = 0.0

    async def wait(self) -> None:
        now = time.monotonic()
        start = max(now, self._next)
        self._next = start + self._gap
        if start > now:
            await asyncio.sleep(start - now)


async def ask_all(
    teacher: Teacher,
    requests: Sequence[Messages],
    read: Callable[[str], T],
    config: PaceConfig,
) -> AsyncIterator[Answer[T]]:
    """Yield the answers as they come, in no particular order.

    Args:
        teacher: The chat model.
        requests: Messages of each request.
        read: Turns an answer's text into a value; an ``AnswerError`` counts as a failed try.
        config: The pace.
    """
    pace = _Pace(config.requests_per_minute)
    queue = iter(enumerate(requests))
    results: asyncio.Queue[Answer[T]] = asyncio.Queue()

    async def worker() -> None:
        for index, messages in queue:
            results.put_nowait(await _ask(teacher, index, messages, read, config, pace))

    workers = [asyncio.create_task(worker()) for _ in range(max(1, config.concurrency))]
    try:
        for _ in range(len(requests)):
            yield await results.get()
    finally:
        for task in workers:
            task.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


async def _ask(
    teacher: Teacher,
    index: int,
    messages: Messages,
    read: Callable[[str], T],
    config: PaceConfig,
    pace: _Pace,
) -> Answer[T]:
    usage, error = Usage(), "no try was made"
    for attempt in range(config.attempts):
        if attempt:
            await asyncio.sleep(config.backoff * 2 ** (attempt - 1))
        await pace.wait()
        try:
            reply = await asyncio.wait_for(_invoke(teacher, messages), config.timeout or None)
            usage += usage_of(reply)
            return Answer(index, read(text_of(reply)), usage)
        except AnswerError as problem:
            error = str(problem)
        except Exception as problem:  # a provider may raise anything; the row is tried again
            error = f"{type(problem).__name__}: {problem}"
    return Answer(index, None, usage, error)


async def _invoke(teacher: Teacher, messages: Messages) -> Any:
    ainvoke = getattr(teacher, "ainvoke", None)
    if ainvoke is not None:
        return await ainvoke(messages)
    return await asyncio.to_thread(teacher.invoke, messages)


def text_of(reply: Any) -> str:
    """Text of a reply: a string, a message, or a message made of content blocks."""
    content = getattr(reply, "content", reply)
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else [content]
    return "".join(b if isinstance(b, str) else str(b.get("text", "")) for b in blocks)


def usage_of(reply: Any) -> Usage:
    """Tokens from a reply's ``usage_metadata``; zeros where it has none."""
    found = getattr(reply, "usage_metadata", None) or {}
    return Usage(int(found.get("input_tokens", 0)), int(found.get("output_tokens", 0)))
