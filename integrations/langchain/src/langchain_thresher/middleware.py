"""Middleware for ``langchain.agents.create_agent``; needs the extra ``agents``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias, Unpack

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from langchain_thresher._counting import MessageCounter
from langchain_thresher._history import History
from langchain_thresher._text import question, role
from langchain_thresher.messages import MessageOptions, OnError, check_on_error, fitted, history

try:
    from langchain.agents.middleware.types import (
        AgentMiddleware,
        ModelRequest,
        ModelResponse,
        ToolCallRequest,
    )
    from langgraph.types import Command
except ImportError as error:  # pragma: no cover - exercised in a subprocess
    raise ImportError(
        f"the agent middleware of langchain_thresher needs the package langchain ({error}). "
        "Install it with: pip install 'langchain-thresher[agents]'"
    ) from error

if TYPE_CHECKING:
    from langchain.agents.middleware.types import ExtendedModelResponse

    Reply: TypeAlias = ModelResponse[Any] | AIMessage | ExtendedModelResponse[Any]


class ThresherMiddleware(AgentMiddleware):
    """Send the model a compressed history; the agent's state keeps the originals.

    Long tool results and answers are compressed on their way to the model, each once: it has the
    same text on every later turn, so provider prompt caches survive. What is never changed is
    listed under ``compress_messages``.

    Args:
        max_tokens: budget of the conversation as the model receives it; the system prompt and the
            tool schemas come on top.
        token_counter: a callable over a list of messages or over one, a chat model, or
            ``"approximate"``.
        query: what to compress for; None for the human message before each result.
        keep_last: this many messages at the end are left as they are; see ``roles`` in
            ``MessageOptions`` for what that costs.
        on_error: ``"warn"``: the request goes on uncompressed, and the log says why; or
            ``"raise"``.
        **options: see ``MessageOptions``. ``share`` decides how much of the budget that is left
            one step may take.

    Raises:
        InputError, CounterError: an argument is not what it should be.

    Example:
        .. code-block:: python

            agent = create_agent(
                model, tools, middleware=[ThresherMiddleware(max_tokens=20_000)]
            )
    """

    def __init__(
        self,
        *,
        max_tokens: int,
        token_counter: MessageCounter = "approximate",
        query: str | None = None,
        keep_last: int = 0,
        on_error: OnError = "warn",
        **options: Unpack[MessageOptions],
    ) -> None:
        super().__init__()
        self.on_error = check_on_error(on_error)
        self._history: History = history(
            max_tokens=max_tokens,
            token_counter=token_counter,
            query=query,
            keep_last=keep_last,
            eager=True,
            options=options,
        )

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> Reply:
        """Call the model with the compressed history.

        Args:
            request: the request; it is not changed.
            handler: what calls the model.

        Returns:
            What the handler returns.
        """
        return handler(self._compressed(request))

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> Reply:
        """``wrap_model_call`` with the compression in a worker thread.

        Args:
            request: the request; it is not changed.
            handler: what calls the model.

        Returns:
            What the handler returns.
        """
        return await handler(await asyncio.to_thread(self._compressed, request))

    def _compressed(self, request: ModelRequest[Any]) -> ModelRequest[Any]:
        given: list[Any] = request.messages
        found: list[Any] = fitted(self._history, given, on_error=self.on_error)
        if all(a is b for a, b in zip(given, found, strict=True)):
            return request
        return request.override(messages=found)


class ThresherToolMiddleware(AgentMiddleware):
    """Compress tool results as they come in, before they reach the agent's state.

    The originals are gone afterwards: use this where the state itself must stay small, and
    ``ThresherMiddleware`` otherwise. Error results, artifacts, ids and media are untouched.

    Args:
        max_tokens: budget of what one tool call returns, all its texts together.
        token_counter: as for ``ThresherMiddleware``.
        query: what to compress for; None for the last human message of the state.
        on_error: ``"warn"``: the result stays as it is, and the log says why; or ``"raise"``.
        **options: see ``MessageOptions``; ``share`` and ``roles`` have no effect here.

    Raises:
        InputError, CounterError: an argument is not what it should be.
    """

    def __init__(
        self,
        *,
        max_tokens: int,
        token_counter: MessageCounter = "approximate",
        query: str | None = None,
        on_error: OnError = "warn",
        **options: Unpack[MessageOptions],
    ) -> None:
        super().__init__()
        self.on_error = check_on_error(on_error)
        self._history: History = history(
            max_tokens=max_tokens,
            token_counter=token_counter,
            query=query,
            options={**options, "share": 1.0, "roles": ("tool",)},
        )

    def wrap_tool_call(
        self,
        request: ToolCallRequest,
        handler: Callable[[ToolCallRequest], ToolMessage | Command[Any]],
    ) -> ToolMessage | Command[Any]:
        """Run the tool and compress its result.

        Args:
            request: the tool call.
            handler: what runs the tool.

        Returns:
            The result, or a copy with compressed texts.
        """
        return self._shortened(handler(request), request)

    async def awrap_tool_call(
        self,
        request: ToolCallRequest,
        handler: Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]],
    ) -> ToolMessage | Command[Any]:
        """``wrap_tool_call`` with the compression in a worker thread.

        Args:
            request: the tool call.
            handler: what runs the tool.

        Returns:
            The result, or a copy with compressed texts.
        """
        result = await handler(request)
        return await asyncio.to_thread(self._shortened, result, request)

    def _shortened(
        self, result: ToolMessage | Command[Any], request: ToolCallRequest
    ) -> ToolMessage | Command[Any]:
        if isinstance(result, ToolMessage):
            return self._fit([result], request)[0] if self._concerns(result) else result
        update = result.update
        if not isinstance(update, dict) or not isinstance(update.get("messages"), list):
            return result
        messages = list(update["messages"])
        at = [i for i, m in enumerate(messages) if self._concerns(m)]
        for i, message in zip(at, self._fit([messages[i] for i in at], request), strict=True):
            messages[i] = message
        return replace(result, update={**update, "messages": messages})

    def _concerns(self, message: Any) -> bool:
        if not isinstance(message, ToolMessage) or role(message) is None:
            return False
        return message.name not in self._history.settings.exclude_tools

    def _fit(self, results: list[ToolMessage], request: ToolCallRequest) -> list[ToolMessage]:
        query = _asked(request.state)
        found: list[Any] = fitted(self._history, results, on_error=self.on_error, query=query)
        return found


def _asked(state: Any) -> str | None:
    """The last human message of an agent's state, which may be a dict, a list or an object."""
    if isinstance(state, Mapping):
        state = state.get("messages")
    elif not isinstance(state, list):
        state = getattr(state, "messages", None)
    known = isinstance(state, list) and all(isinstance(m, BaseMessage) for m in state)
    return question(state) if known else None
