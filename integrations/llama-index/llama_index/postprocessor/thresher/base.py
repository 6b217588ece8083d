"""The postprocessor: one element of ``node_postprocessors=[...]``."""

from __future__ import annotations

import logging
from time import perf_counter
from typing import Any

from llama_index.core.bridge.pydantic import ConfigDict, Field, field_validator
from llama_index.core.callbacks import CallbackManager
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.response_synthesizers import ResponseMode
from llama_index.core.schema import NodeWithScore, QueryBundle
from llama_index.postprocessor.thresher.events import (
    ContextCompressionEndEvent,
    ContextCompressionStartEvent,
)
from llama_index.postprocessor.thresher.nodes import frame
from llama_index.postprocessor.thresher.packing import Limits, pack
from llama_index.postprocessor.thresher.settings import LimitFields

dispatcher = get_dispatcher(__name__)
_log = logging.getLogger(__name__)


class ThresherPostprocessor(LimitFields, BaseNodePostprocessor):
    """Compress retrieved nodes, together, to one token budget.

    What is counted is what the response synthesizer puts into the prompt: every node's
    ``get_content(MetadataMode.LLM)``, metadata included, joined by blank lines. Only the bodies
    are compressed. Nodes come back as copies with their ids, scores, metadata and relationships;
    a node of which nothing is worth its tokens is left out. Images, index nodes with an object,
    and empty nodes are counted and left as they are.

    Args:
        max_tokens: tokens for the whole context together. Give this or ``ratio``.
        ratio: the budget as a share of the tokens that come in, in (0, 1].
        threshold: keep what scores at least this, in (0, 1); alone or under a budget.
        counter: what counts tokens; None for LlamaIndex's global tokenizer.
        relevance: what rates sentences for the query; None for the model's own query head.
        model: ``"small"`` (bundled), a folder, or a Hugging Face hub id.
        engine: ``auto``, ``onnx`` or ``torch``.
        device: torch device.
        config: a ``thresher.CompressConfig``, or its fields as a dict. Unless it says otherwise
            the node scores weigh in (``strategy="weighted"``).
        response_mode: how the response synthesizer packs the nodes. It matters only for
            ``simple_summarize``, which shows the context as a Python list, line breaks escaped.
        report: whether ``metadata["thresher"]`` of each node says what was kept of it.
        callback_manager: LlamaIndex's callback manager.

    Raises:
        ValueError: arguments are missing, contradictory or unknown.
        BudgetError: on a query, the budget cannot hold anything.

    Example:
        >>> engine = index.as_query_engine(
        ...     similarity_top_k=20, node_postprocessors=[ThresherPostprocessor(max_tokens=1500)]
        ... )
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    response_mode: str = Field(
        default=ResponseMode.COMPACT.value,
        description=(
            "The response mode of the synthesizer. It matters only for 'simple_summarize', which "
            "shows the context as a Python list, so that escaped line breaks count."
        ),
    )
    report: bool = Field(
        default=False,
        description=(
            "Whether each node's metadata['thresher'] holds its tokens before and after and the "
            "kept spans. Language and embedding models do not see it."
        ),
    )

    @field_validator("callback_manager", mode="before")
    @classmethod
    def _some_manager(cls, value: Any) -> Any:
        return CallbackManager() if value is None else value

    @field_validator("response_mode", mode="before")
    @classmethod
    def _known_mode(cls, value: Any) -> str:
        return ResponseMode(value).value

    @classmethod
    def class_name(cls) -> str:
        """Name used in serialization."""
        return "ThresherPostprocessor"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        if not nodes:
            return []
        query = None if query_bundle is None else query_bundle.query_str
        start = perf_counter()
        dispatcher.event(
            ContextCompressionStartEvent(
                query=query,
                nodes=list(nodes),
                model_name=self.model,
                max_tokens=self.max_tokens,
                ratio=self.ratio,
                threshold=self.threshold,
            )
        )
        listed = self.response_mode == ResponseMode.SIMPLE_SUMMARIZE.value
        defaults = {"strategy": "weighted", "separator": "\n" if listed else "\n\n"}
        packed = pack(
            [frame(n) for n in nodes],
            self._compressor(**{**defaults, **self.config}),
            query=query,
            limits=Limits(self.max_tokens, self.ratio, self.threshold),
            listed=listed,
            report=self.report,
        )
        for note in packed.notes:
            _log.info("%s", note)
        dispatcher.event(
            ContextCompressionEndEvent(
                nodes=packed.nodes,
                dropped=packed.dropped,
                tokens=packed.tokens,
                tokens_before=packed.tokens_before,
                budget=packed.budget,
                notes=list(packed.notes),
                seconds=perf_counter() - start,
            )
        )
        return packed.nodes
