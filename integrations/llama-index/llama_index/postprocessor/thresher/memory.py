"""A memory that compresses old turns when the history outgrows a budget."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import llama_index.core.memory as memories
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.bridge.pydantic import (
    ConfigDict,
    Field,
    PrivateAttr,
    SerializeAsAny,
    field_serializer,
    field_validator,
)
from llama_index.core.memory import BaseMemory
from llama_index.postprocessor.thresher.messages import (
    History,
    guarded,
    last_question,
    text_of,
)
from llama_index.postprocessor.thresher.settings import CompressionFields


class ThresherMemory(CompressionFields, BaseMemory):
    """Wrap any memory: what it gives is compressed to a budget, what it stores is not.

    System messages, tool calls, thinking, media, cache points, keyword arguments and the last user
    message are never altered, and no message is moved, added or removed. A compressed text stays
    the same from turn to turn until the history outgrows the budget again, so that the provider's
    prompt cache holds.

    Args:
        memory: the memory to wrap, for example ``Memory.from_defaults()`` or a
            ``ChatMemoryBuffer``; its own token limit should be larger than ``max_tokens``.
        max_tokens: tokens of all messages together: text, thinking, tool calls and keyword
            arguments by the counter, media as ``Memory`` estimates them.
        keep_last: how many of the last messages are left as they are.
        min_tokens: texts of so many tokens or fewer are left as they are.
        refill: share of ``max_tokens`` to compress to once it is exceeded, in (0, 1].
        on_error: ``pass``: give the messages uncompressed, with a warning in the log; or ``raise``.
        counter: what counts tokens; None for LlamaIndex's global tokenizer.
        relevance: what rates sentences for the query; None for the model's own query head.
        model: ``"small"`` (bundled), a folder, or a Hugging Face hub id.
        engine: ``auto``, ``onnx`` or ``torch``.
        device: torch device.
        config: a ``thresher.CompressConfig``, or its fields as a dict.

    Example:
        >>> memory = ThresherMemory(memory=Memory.from_defaults(), max_tokens=4000)
        >>> response = await agent.run("And in 1997?", memory=memory)
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    memory: SerializeAsAny[BaseMemory] = Field(description="The memory that is wrapped.")
    max_tokens: int = Field(ge=1, description="Tokens of all messages together.")
    keep_last: int = Field(
        default=0, ge=0, description="How many of the last messages are left as they are."
    )
    min_tokens: int = Field(
        default=64, ge=0, description="Texts of so many tokens or fewer are left as they are."
    )
    refill: float = Field(
        default=0.8,
        gt=0.0,
        le=1.0,
        description="Share of max_tokens to compress to once it is exceeded.",
    )
    on_error: Literal["pass", "raise"] = Field(
        default="pass", description="Give the messages uncompressed on failure, or raise."
    )

    _history: History | None = PrivateAttr(default=None)

    @field_validator("memory", mode="before")
    @classmethod
    def _memory_from_dict(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        kind = getattr(memories, str(value.get("class_name")), None)
        if not (isinstance(kind, type) and issubclass(kind, BaseMemory)):
            raise ValueError(
                f"memory has the class name {value.get('class_name')!r}; only the classes of "
                "llama_index.core.memory can be loaded from a dict, pass the memory itself"
            )
        return kind.from_dict(dict(value))

    @field_serializer("memory")
    def _memory_to_dict(self, value: BaseMemory) -> dict[str, Any]:
        return value.to_dict()

    @classmethod
    def class_name(cls) -> str:
        """Name used in serialization."""
        return "ThresherMemory"

    @classmethod
    def from_defaults(cls, memory: BaseMemory | None = None, **kwargs: Any) -> Self:
        """Wrap a memory, by default a new ``Memory``.

        Args:
            memory: the memory to wrap.
            **kwargs: the other arguments of the class; ``max_tokens`` is needed.
        """
        return cls(memory=memory or memories.Memory.from_defaults(), **kwargs)

    def get(self, input: str | ChatMessage | None = None, **kwargs: Any) -> list[ChatMessage]:
        """The messages within the budget.

        Args:
            input: the question of this turn; None for the last user message.
            **kwargs: handed to the wrapped memory.
        """
        messages = self.memory.get(input=input, **kwargs)  # type: ignore[arg-type]
        return self._compressed(messages, input)

    async def aget(
        self, input: str | ChatMessage | None = None, **kwargs: Any
    ) -> list[ChatMessage]:
        """The messages within the budget, compressed in a worker thread.

        Args:
            input: the question of this turn; None for the last user message.
            **kwargs: handed to the wrapped memory.
        """
        messages = await self.memory.aget(input=input, **kwargs)  # type: ignore[arg-type]
        return await asyncio.to_thread(self._compressed, messages, input)

    def get_all(self) -> list[ChatMessage]:
        """All messages as they are stored."""
        return self.memory.get_all()

    async def aget_all(self) -> list[ChatMessage]:
        """All messages as they are stored."""
        return await self.memory.aget_all()

    def put(self, message: ChatMessage) -> None:
        """Store a message."""
        self.memory.put(message)

    async def aput(self, message: ChatMessage) -> None:
        """Store a message."""
        await self.memory.aput(message)

    def put_messages(self, messages: list[ChatMessage]) -> None:
        """Store messages."""
        self.memory.put_messages(messages)

    async def aput_messages(self, messages: list[ChatMessage]) -> None:
        """Store messages."""
        await self.memory.aput_messages(messages)

    def set(self, messages: list[ChatMessage]) -> None:
        """Replace what is stored."""
        self.memory.set(messages)

    async def aset(self, messages: list[ChatMessage]) -> None:
        """Replace what is stored."""
        await self.memory.aset(messages)

    def reset(self) -> None:
        """Forget everything."""
        self.memory.reset()
        self._history = None

    async def areset(self) -> None:
        """Forget everything."""
        await self.memory.areset()
        self._history = None

    def _compressed(
        self, messages: Sequence[ChatMessage], question: str | ChatMessage | None
    ) -> list[ChatMessage]:
        history = self._history
        if history is None:
            history = self._history = History(
                self.max_tokens,
                refill=self.refill,
                keep_last=self.keep_last,
                min_tokens=self.min_tokens,
            )
        query = text_of(question) or last_question(messages)
        return guarded(
            lambda: history.compress(messages, self._compressor(), query),
            list(messages),
            on_error=self.on_error,
        )
