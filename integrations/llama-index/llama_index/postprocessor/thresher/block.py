"""A memory block that keeps the turns which the short-term memory lets go, within a budget."""

from __future__ import annotations

import asyncio
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, TextBlock
from llama_index.core.bridge.pydantic import BaseModel, ConfigDict, Field, PrivateAttr
from llama_index.core.memory import BaseMemoryBlock
from llama_index.postprocessor.thresher.messages import guarded, last_question
from llama_index.postprocessor.thresher.settings import CompressionFields

from thresher import BudgetError, Document, StoredScores


class MemoryEntry(BaseModel):
    """One message of the past."""

    role: str = Field(description="Who said it.")
    text: str = Field(description="What was said.")
    scores: dict[str, Any] | None = Field(
        default=None, description="Its keep scores, computed once when it was stored."
    )


class ThresherMemoryBlock(CompressionFields, BaseMemoryBlock[str]):
    """Long-term memory of old turns, compressed to a budget for the question of each turn.

    Messages that leave the short-term memory are stored whole and scored once. Each turn gets what
    matters of them for its question, in at most ``max_tokens``; and where ``Memory`` asks for less
    still, ``atruncate`` compresses further instead of dropping the block.

    Args:
        max_tokens: tokens that the block may take in the prompt.
        name: name of the block, the XML tag round it in the prompt.
        description: what it holds.
        priority: 1 is truncated last, larger numbers sooner, 0 never.
        accept_short_term_memory: whether ejected messages are taken in.
        entries: what is remembered, oldest first.
        counter: what counts tokens; None for LlamaIndex's global tokenizer.
        relevance: what rates sentences for the query; None for the model's own query head.
        model: ``"small"`` (bundled), a folder, or a Hugging Face hub id.
        engine: ``auto``, ``onnx`` or ``torch``.
        device: torch device.
        config: a ``thresher.CompressConfig``, or its fields as a dict.

    Example:
        >>> memory = Memory.from_defaults(
        ...     token_limit=8000, memory_blocks=[ThresherMemoryBlock(max_tokens=1500)]
        ... )
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    name: str = Field(default="EarlierConversation", description="The name of the memory block.")
    description: str | None = Field(
        default="Earlier turns of this conversation, shortened.",
        description="A description of the memory block.",
    )
    priority: int = Field(
        default=1, description="1 is truncated last, larger numbers sooner, 0 never."
    )
    max_tokens: int = Field(ge=1, description="Tokens that the block may take in the prompt.")
    entries: list[MemoryEntry] = Field(
        default_factory=list, description="What is remembered, oldest first."
    )

    _query: str | None = PrivateAttr(default=None)

    async def _aget(self, messages: list[ChatMessage] | None = None, **block_kwargs: Any) -> str:
        """What matters of the past for the last user message, within ``max_tokens``."""
        self._query = last_question(messages or [])
        if not self.entries:
            return ""
        documents = [_document(e) for e in self.entries]
        return await asyncio.to_thread(self._within, documents, self._query, self.max_tokens)

    async def _aput(self, messages: list[ChatMessage]) -> None:
        """Remember messages that leave the short-term memory."""
        said = [MemoryEntry(role=m.role.value, text=t) for m in messages if (t := _said(m))]
        if not said:
            return
        scores = await asyncio.to_thread(self._scored, [e.text for e in said])
        for entry, found in zip(said, scores, strict=True):
            self.entries.append(entry.model_copy(update={"scores": found}))

    async def atruncate(self, content: str, tokens_to_truncate: int) -> str | None:
        """Compress the content further.

        Args:
            content: what the block gave.
            tokens_to_truncate: by how many tokens it has to become shorter, at least.

        Returns:
            The shorter content, or None where nothing can be kept.
        """
        if not content or tokens_to_truncate <= 0:
            return content
        return await asyncio.to_thread(self._truncated, content, tokens_to_truncate)

    def _truncated(self, content: str, excess: int) -> str | None:
        goal = self._compressor().counter(content) - excess
        if goal < 1:
            return None
        try:
            return self._within([Document(content)], self._query, goal) or None
        except BudgetError:
            return None

    def _within(self, documents: list[Document], query: str | None, budget: int) -> str:
        return self._compressor().compress(documents, query=query, budget=budget).text

    def _scored(self, texts: list[str]) -> list[dict[str, Any] | None]:
        """Keep scores; none where the model fails, which the next query will then say."""

        def work() -> list[dict[str, Any] | None]:
            return [s.pack().to_dict() for s in self._scorer().score(texts)]

        return guarded(work, [None] * len(texts), on_error="pass")


def _document(entry: MemoryEntry) -> Document:
    scores = None if entry.scores is None else StoredScores.from_dict(entry.scores)
    return Document(entry.text, prefix=f"{entry.role}: ", scores=scores)


def _said(message: ChatMessage) -> str:
    texts = [b.text for b in message.blocks if isinstance(b, TextBlock)]
    return "\n".join(t for t in texts if t.strip())
