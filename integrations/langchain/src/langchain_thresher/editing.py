"""Thresher inside LangChain's own agent middleware: a context edit and a summariser."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Unpack

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, ToolMessage
from thresher import CompressConfig, Document, Scorer

from langchain_thresher._core import Engine, as_config, build, text_counter
from langchain_thresher._text import question, texts
from langchain_thresher.messages import MessageOptions, OnError, check_on_error, fitted, history


class ThresherEdit:
    """A context edit for ``ContextEditingMiddleware``: compress instead of clearing.

    Counts as the middleware does (``token_count_method``). That middleware applies its edits on
    the event loop, also in async agents: there, ``ThresherMiddleware`` is the better choice.

    Args:
        max_tokens: budget of the messages; nothing is changed below it.
        query: as for ``compress_messages``.
        keep_last: as for ``compress_messages``.
        on_error: ``"warn"``: messages stay as they are, and the log says why; or ``"raise"``.
        **options: see ``MessageOptions``.

    Example:
        .. code-block:: python

            ContextEditingMiddleware(edits=[ThresherEdit(max_tokens=30_000)])
    """

    def __init__(
        self,
        *,
        max_tokens: int,
        query: str | None = None,
        keep_last: int = 0,
        on_error: OnError = "warn",
        **options: Unpack[MessageOptions],
    ) -> None:
        self.max_tokens = max_tokens
        self.query = query
        self.keep_last = keep_last
        self.on_error = check_on_error(on_error)
        self.options = options
        self._history("approximate")  # the arguments are checked here, not in the first turn

    def apply(
        self,
        messages: list[AnyMessage],
        *,
        count_tokens: Callable[[Sequence[BaseMessage]], int],
    ) -> None:
        """Replace messages of the list by compressed copies.

        Args:
            messages: the history; the list is changed in place, its messages are not.
            count_tokens: tokens of a list of messages.
        """
        messages[:] = fitted(self._history(count_tokens), messages, on_error=self.on_error)  # type: ignore[assignment]

    def _history(self, token_counter: Any) -> Any:
        return history(
            max_tokens=self.max_tokens,
            token_counter=token_counter,
            query=self.query,
            keep_last=self.keep_last,
            options=self.options,
        )


class ThresherSummarizer:
    """A summariser for ``SummarizationMiddleware(summarizer=...)`` that calls no chat model.

    The summary is extractive: the words of the messages which matter for the last question among
    them, with the speaker of each. Give the middleware ``trim_tokens_to_summarize=None``, or it
    cuts the history to 4,000 tokens first.

    Args:
        max_tokens: budget of the summary.
        counter: what counts tokens, as for ``ThresherCompressor``.
        query: what to summarise for; None for the last human message that is summarised.
        model: as for ``ThresherCompressor``.
        engine: as for ``ThresherCompressor``.
        config: as for ``ThresherCompressor``.

    Example:
        .. code-block:: python

            SummarizationMiddleware(
                model,
                trigger=("tokens", 30_000),
                trim_tokens_to_summarize=None,
                summarizer=ThresherSummarizer(max_tokens=2000),
            )
    """

    def __init__(
        self,
        *,
        max_tokens: int,
        counter: Any = None,
        query: str | None = None,
        model: str | Scorer = "small",
        engine: Engine = "auto",
        config: CompressConfig | dict[str, Any] | None = None,
    ) -> None:
        self.max_tokens = max_tokens
        self.counter = text_counter(counter)
        self.query = query
        self.model = model
        self.engine: Engine = engine
        self.config = as_config(config).with_(separator="\n")

    def __call__(self, messages: Sequence[BaseMessage]) -> str:
        """The summary of some messages, within ``max_tokens``."""
        documents = [
            Document(body, prefix=f"{_speaker(m)}: ") for m in messages if (body := _body(m))
        ]
        if not documents:
            return ""
        core = build(self.model, engine=self.engine, counter=self.counter, config=self.config)
        query = self.query or question(messages)
        return core.compress(documents, query=query, budget=self.max_tokens).text


def _speaker(message: BaseMessage) -> str:
    if isinstance(message, ToolMessage):
        return f"Tool {message.name}" if message.name else "Tool"
    return {"human": "Human", "ai": "AI", "system": "System"}.get(message.type, message.type)


def _body(message: BaseMessage) -> str:
    """What a message says: its texts, and the tools that it calls."""
    said = [text for text in texts(message) if text.strip()]
    calls = message.tool_calls if isinstance(message, AIMessage) else []
    for call in calls:
        arguments = json.dumps(call["args"], ensure_ascii=False, default=str)
        said.append(f"[called {call['name']} with {arguments}]")
    return "\n".join(said)
