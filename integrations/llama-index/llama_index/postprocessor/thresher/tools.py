"""Tool outputs within a budget, before an agent sees them.

``FunctionAgent`` keeps the results of the running turn outside memory, so a memory cannot shorten
them: the tool has to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal

from llama_index.core.base.llms.types import TextBlock
from llama_index.core.bridge.pydantic import ConfigDict, Field
from llama_index.core.schema import BaseNode, MetadataMode, NodeWithScore
from llama_index.core.tools import (
    AsyncBaseTool,
    BaseTool,
    FunctionTool,
    ToolMetadata,
    ToolOutput,
    adapt_to_async_tool,
)
from llama_index.postprocessor.thresher.messages import MARK, compress_texts, guarded
from llama_index.postprocessor.thresher.settings import CompressionFields

QUERY_ARGUMENTS = ("query", "question", "input")


class ToolOutputCompressor(CompressionFields):
    """Compresses what a tool gives.

    Args:
        max_tokens: tokens of the output's text, all text blocks together.
        query_argument: the argument of the tool that holds the question; None for the first of
            ``query``, ``question`` and ``input`` that is there.
        on_error: ``pass``: give the output uncompressed, with a warning in the log; or ``raise``.
        counter: what counts tokens; None for LlamaIndex's global tokenizer.
        relevance: what rates sentences for the query; None for the model's own query head.
        model: ``"small"`` (bundled), a folder, or a Hugging Face hub id.
        engine: ``auto``, ``onnx`` or ``torch``.
        device: torch device.
        config: a ``thresher.CompressConfig``, or its fields as a dict.
    """

    model_config = ConfigDict(extra="forbid")

    max_tokens: int = Field(ge=1, description="Tokens of the output's text.")
    query_argument: str | None = Field(
        default=None,
        description=(
            "The argument of the tool that holds the question; None for the first of 'query', "
            "'question' and 'input' that is there."
        ),
    )
    on_error: Literal["pass", "raise"] = Field(
        default="pass", description="Give the output uncompressed on failure, or raise."
    )

    def output(self, output: ToolOutput, arguments: dict[str, Any]) -> ToolOutput:
        """A copy of the output with its text blocks compressed.

        Errors, other blocks and ``raw_output`` stay as they are.

        Args:
            output: what the tool gave. It is not changed.
            arguments: what the tool was called with.
        """
        where = [i for i, b in enumerate(output.blocks) if _is_text(b)]
        if output.is_error or not where:
            return output
        texts = [getattr(output.blocks[i], "text", "") for i in where]
        shorter = self.texts(texts, self._query(arguments))
        if shorter == texts:
            return output
        blocks = list(output.blocks)
        for i, text in zip(where, shorter, strict=True):
            blocks[i] = blocks[i].model_copy(update={"text": text})
        return output.model_copy(update={"blocks": blocks})

    def texts(self, texts: list[str], query: str | None = None) -> list[str]:
        """Texts, together, within ``max_tokens``."""

        def work() -> list[str]:
            compressor = self._compressor()
            if sum(compressor.counter(t) for t in texts) <= self.max_tokens:
                return texts
            return compress_texts(texts, compressor, query=query, budget=self.max_tokens)

        return guarded(work, texts, on_error=self.on_error)

    def callback(self, raw_output: Any) -> str | None:
        """For ``FunctionTool.from_defaults(callback=...)``.

        Returns:
            The compressed text; None, which leaves the output as it is, where it fits or is not
            text.
        """
        texts = _raw_texts(raw_output)
        if not texts:
            return None
        shorter = self.texts(texts)
        return None if shorter == texts else "\n\n".join(t for t in shorter if t != MARK) or MARK

    async def acallback(self, raw_output: Any) -> str | None:
        """For ``FunctionTool.from_defaults(async_callback=...)``; works in a thread."""
        return await asyncio.to_thread(self.callback, raw_output)

    def _query(self, arguments: dict[str, Any]) -> str | None:
        names = (self.query_argument,) if self.query_argument else QUERY_ARGUMENTS
        values = (arguments.get(name) for name in names)
        return next((v for v in values if isinstance(v, str) and v.strip()), None)


def tool_callbacks(max_tokens: int, **settings: Any) -> dict[str, Callable[..., Any]]:
    """The two callbacks of a ``FunctionTool`` which compress what it gives.

    Args:
        max_tokens: tokens of the output's text.
        **settings: see ``ToolOutputCompressor``. A callback does not learn the arguments of the
            call, so there is no question; ``compress_tool`` passes it on.

    Example:
        >>> tool = FunctionTool.from_defaults(read_page, **tool_callbacks(max_tokens=800))
    """
    compressor = ToolOutputCompressor(max_tokens=max_tokens, **settings)
    return {"callback": compressor.callback, "async_callback": compressor.acallback}


def compress_tool(
    tool: BaseTool | Callable[..., Any], max_tokens: int, **settings: Any
) -> AsyncBaseTool:
    """A tool that does what the given one does, with its text output within a budget.

    Args:
        tool: any tool (function, query engine, retriever), or a function to make one of.
        max_tokens: tokens of the output's text.
        **settings: see ``ToolOutputCompressor``.

    Example:
        >>> agent = FunctionAgent(tools=[compress_tool(search, max_tokens=800)], llm=llm)
    """
    if not isinstance(tool, BaseTool):
        tool = FunctionTool.from_defaults(tool)
    compressor = ToolOutputCompressor(max_tokens=max_tokens, **settings)
    if isinstance(tool, FunctionTool):
        return CompressedFunctionTool(tool, compressor)
    return CompressedTool(tool, compressor)


class CompressedTool(AsyncBaseTool):
    """Any tool with its output compressed; made by ``compress_tool``."""

    def __init__(self, tool: BaseTool, compressor: ToolOutputCompressor) -> None:
        self.tool = adapt_to_async_tool(tool)
        self.compressor = compressor

    @property
    def metadata(self) -> ToolMetadata:
        """As the wrapped tool has it."""
        return self.tool.metadata

    def call(self, *args: Any, **kwargs: Any) -> ToolOutput:
        """Call the tool and compress its output."""
        return self.compressor.output(self.tool.call(*args, **kwargs), _arguments(args, kwargs))

    async def acall(self, *args: Any, **kwargs: Any) -> ToolOutput:
        """Call the tool and compress its output in a worker thread."""
        output = await self.tool.acall(*args, **kwargs)
        return await asyncio.to_thread(self.compressor.output, output, _arguments(args, kwargs))


class CompressedFunctionTool(FunctionTool):
    """A function tool with its output compressed; agents hand it their context as they do."""

    def __init__(self, tool: FunctionTool, compressor: ToolOutputCompressor) -> None:
        super().__init__(
            fn=tool.real_fn,
            metadata=tool.metadata,
            partial_params=tool.partial_params,
        )
        self.tool = tool
        self.compressor = compressor

    def call(self, *args: Any, **kwargs: Any) -> ToolOutput:
        """Call the tool and compress its output."""
        return self.compressor.output(self.tool.call(*args, **kwargs), _arguments(args, kwargs))

    async def acall(self, *args: Any, **kwargs: Any) -> ToolOutput:
        """Call the tool and compress its output in a worker thread."""
        output = await self.tool.acall(*args, **kwargs)
        return await asyncio.to_thread(self.compressor.output, output, _arguments(args, kwargs))


def _arguments(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Arguments by name; a single positional one is LlamaIndex's ``input``."""
    return {"input": args[0], **kwargs} if args else kwargs


def _is_text(block: Any) -> bool:
    return isinstance(block, TextBlock) and bool(block.text.strip())


def _raw_texts(raw: Any) -> list[str]:
    """What a function tool makes text of, as it does it."""
    items = raw if isinstance(raw, list) and raw else [raw]
    if all(isinstance(x, NodeWithScore) for x in items):
        return [x.node.get_content(metadata_mode=MetadataMode.LLM) for x in items]
    if all(isinstance(x, BaseNode) for x in items):
        return [x.get_content() for x in items]
    if all(isinstance(x, TextBlock) for x in items):
        return [x.text for x in items]
    if any(hasattr(x, "block_type") for x in items):  # media and the like
        return []
    text = raw if isinstance(raw, str) else str(raw)
    return [text] if text.strip() else []
