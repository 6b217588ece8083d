"""``compress_messages``: fit a message history to a budget, in the manner of ``trim_messages``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, TypedDict, Unpack, overload

from langchain_core.messages import BaseMessage, MessageLikeRepresentation, convert_to_messages
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import Runnable, RunnableLambda
from thresher import BudgetError, CompressConfig, InputError, Scorer

from langchain_thresher._core import Engine, logger
from langchain_thresher._counting import MessageCounter, counters
from langchain_thresher._history import History, HistorySettings, Role, over_budget

OnError = Literal["warn", "raise"]
Messages = Iterable[MessageLikeRepresentation] | PromptValue


class MessageOptions(TypedDict, total=False):
    """Finer settings of ``compress_messages``, ``ThresherMiddleware`` and ``ThresherEdit``.

    Attributes:
        share: what one step (an AI message with the tool results that answer it) may take of the
            budget that is left when it arrives, in (0, 1]. Below 1, a message keeps the text that
            it was first given, so provider prompt caches survive. 1.0 spends the whole budget over
            all messages together: the best result for a single call, but texts change as messages
            are added.
        min_tokens: texts up to this long are never touched; and when a new step would be left
            with less, earlier messages are compressed again to make room (this breaks the
            provider's cache once, and is logged).
        roles: what may be compressed: ``"tool"`` results, ``"ai"`` answers, and ``"human"``
            messages before the last. The last are off by default: a human message is sent whole
            while it is the last, so compressing it later breaks the provider's cache from there.
        exclude_tools: names of tools whose results are never compressed.
        model: ``"small"`` (bundled), a folder, a Hugging Face hub id, or a ``thresher.Scorer``.
        engine: ``"auto"``, ``"onnx"`` or ``"torch"``.
        device: torch device, where torch is used.
        relevance: what rates sentences for the query, as for ``thresher.Compressor``.
        config: guards and allocation, ``thresher.CompressConfig`` or a dict of its fields.
    """

    share: float
    min_tokens: int
    roles: Sequence[Role]
    exclude_tools: Sequence[str]
    model: str | Scorer
    engine: Engine
    device: str | None
    relevance: Any
    config: CompressConfig | Mapping[str, Any] | None


def history(
    *,
    max_tokens: int,
    token_counter: MessageCounter,
    query: str | None = None,
    keep_last: int = 0,
    eager: bool = False,
    options: Mapping[str, Any],
) -> History:
    """A checked ``History``; equal settings share one, and with it what it remembers.

    Raises:
        InputError, CounterError: a setting is not what it should be.
        TypeError: an option is misspelt.
    """
    settings = HistorySettings(
        max_tokens=max_tokens,
        counters=counters(token_counter),
        query=query,
        keep_last=keep_last,
        eager=eager,
        **options,
    )
    try:
        return _shared(settings)
    except TypeError:  # a live object in the settings cannot be hashed
        return History(settings)


@lru_cache(maxsize=32)
def _shared(settings: HistorySettings) -> History:
    return History(settings)


def fitted(
    found: History,
    messages: Sequence[BaseMessage],
    *,
    on_error: OnError,
    query: str | None = None,
) -> list[BaseMessage]:
    """The fitted messages; with ``on_error="warn"``, the given ones where that fails.

    Raises:
        ThresherError: with ``on_error="raise"``, whatever failed, or BudgetError where the budget
            cannot be met.
    """
    try:
        result = found.fit(messages, query=query)
        complaint = over_budget(result, found.settings)
    except Exception:
        if on_error == "raise":
            raise
        logger.warning("messages could not be compressed and go on unchanged", exc_info=True)
        return list(messages)
    if complaint and on_error == "raise":
        raise BudgetError(complaint)
    if complaint:
        logger.warning("%s", complaint)
    return result.messages


def check_on_error(value: Any) -> OnError:
    """``warn`` or ``raise``.

    Raises:
        InputError: something else.
    """
    if value not in ("warn", "raise"):
        raise InputError(f"on_error is {value!r}; it must be 'warn' or 'raise'")
    checked: OnError = value
    return checked


@overload
def compress_messages(
    messages: None = None,
    *,
    max_tokens: int,
    token_counter: MessageCounter = "approximate",
    query: str | None = None,
    keep_last: int = 0,
    on_error: OnError = "raise",
    **options: Unpack[MessageOptions],
) -> Runnable[Messages, list[BaseMessage]]: ...


@overload
def compress_messages(
    messages: Messages,
    *,
    max_tokens: int,
    token_counter: MessageCounter = "approximate",
    query: str | None = None,
    keep_last: int = 0,
    on_error: OnError = "raise",
    **options: Unpack[MessageOptions],
) -> list[BaseMessage]: ...


def compress_messages(
    messages: Messages | None = None,
    *,
    max_tokens: int,
    token_counter: MessageCounter = "approximate",
    query: str | None = None,
    keep_last: int = 0,
    on_error: OnError = "raise",
    **options: Unpack[MessageOptions],
) -> list[BaseMessage] | Runnable[Messages, list[BaseMessage]]:
    """Compress a message history to a token budget.

    Where ``trim_messages`` drops messages, this shortens their texts: no message is added, removed
    or moved. Never changed are system messages, tool calls and their ids, reasoning blocks, the
    last human message, tool results with an error, media, and text with citations. A history
    within the budget is returned as it is, and the model is not run.

    Args:
        messages: messages, in any form that LangChain takes; None to get a Runnable over them.
        max_tokens: budget of the whole list.
        token_counter: a callable over a list of messages or over one, a chat model, or
            ``"approximate"``.
        query: what the texts should be compressed for; None for the last human message before
            each of them, frozen there.
        keep_last: this many messages at the end are left as they are.
        on_error: ``"raise"``, or ``"warn"``: return the messages uncompressed and log why.
        **options: see ``MessageOptions``.

    Returns:
        As many messages, compressed ones as copies; or the Runnable.

    Raises:
        BudgetError: what may not be changed exceeds the budget.
        CounterError, ScorerError, ModelError: counter or model failed.
        InputError: an argument is not what it should be.

    Example:
        .. code-block:: python

            chain = compress_messages(max_tokens=4000, token_counter=model) | model
    """
    check_on_error(on_error)
    found = history(
        max_tokens=max_tokens,
        token_counter=token_counter,
        query=query,
        keep_last=keep_last,
        options=options,
    )

    def run(given: Messages) -> list[BaseMessage]:
        return fitted(found, convert_to_messages(given), on_error=on_error)

    async def arun(given: Messages) -> list[BaseMessage]:
        return await asyncio.to_thread(run, given)

    if messages is not None:
        return run(messages)
    return RunnableLambda(run, arun, name="compress_messages")
