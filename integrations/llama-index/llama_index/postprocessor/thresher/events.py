"""Instrumentation events of a compression."""

from __future__ import annotations

from llama_index.core.bridge.pydantic import ConfigDict, Field
from llama_index.core.instrumentation.events.base import BaseEvent  # type: ignore[attr-defined]
from llama_index.core.schema import NodeWithScore


class ContextCompressionStartEvent(BaseEvent):
    """Nodes are about to be compressed."""

    model_config = ConfigDict(protected_namespaces=())
    query: str | None = Field(description="The question, where there is one.")
    nodes: list[NodeWithScore] = Field(description="The nodes as they came in.")
    model_name: str = Field(description="The scoring model.")
    max_tokens: int | None = Field(description="The budget as given.")
    ratio: float | None = Field(description="The budget as a share, as given.")
    threshold: float | None = Field(description="The least score to keep, as given.")

    @classmethod
    def class_name(cls) -> str:
        """Name of the event."""
        return "ContextCompressionStartEvent"


class ContextCompressionEndEvent(BaseEvent):
    """Nodes were compressed."""

    nodes: list[NodeWithScore] = Field(description="The nodes as they go into the prompt.")
    dropped: list[str] = Field(description="Ids of the nodes of which nothing was kept.")
    tokens: int = Field(description="Tokens of the context as the prompt shows it.")
    tokens_before: int = Field(description="Tokens before compression.")
    budget: int | None = Field(description="The budget in tokens, where there was one.")
    notes: list[str] = Field(description="Why less was used than asked, and the like.")
    seconds: float = Field(description="Time the compression took.")

    @classmethod
    def class_name(cls) -> str:
        """Name of the event."""
        return "ContextCompressionEndEvent"
