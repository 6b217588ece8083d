"""Thresher for LlamaIndex: one hard token budget for nodes, memories and tool outputs."""

from llama_index.postprocessor.thresher.base import ThresherPostprocessor
from llama_index.postprocessor.thresher.block import MemoryEntry, ThresherMemoryBlock
from llama_index.postprocessor.thresher.events import (
    ContextCompressionEndEvent,
    ContextCompressionStartEvent,
)
from llama_index.postprocessor.thresher.ingestion import ThresherScorer
from llama_index.postprocessor.thresher.memory import ThresherMemory
from llama_index.postprocessor.thresher.retriever import ThresherRetriever
from llama_index.postprocessor.thresher.tools import (
    ToolOutputCompressor,
    compress_tool,
    tool_callbacks,
)

__all__ = [
    "ContextCompressionEndEvent",
    "ContextCompressionStartEvent",
    "MemoryEntry",
    "ThresherMemory",
    "ThresherMemoryBlock",
    "ThresherPostprocessor",
    "ThresherRetriever",
    "ThresherScorer",
    "ToolOutputCompressor",
    "compress_tool",
    "tool_callbacks",
]
