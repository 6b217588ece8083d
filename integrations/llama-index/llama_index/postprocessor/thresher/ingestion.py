"""Score nodes once, when they are indexed; queries then run no keep model at all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from llama_index.core.bridge.pydantic import ConfigDict, Field
from llama_index.core.schema import BaseNode, TransformComponent
from llama_index.postprocessor.thresher.nodes import SCORES_KEY, body, exclude
from llama_index.postprocessor.thresher.settings import ModelFields

from thresher import UnitScores


class ThresherScorer(ModelFields, TransformComponent):
    """Store keep scores beside each node: one byte a word, in ``metadata["thresher_scores"]``.

    Put it last but for the embedding in an ``IngestionPipeline``, after the splitter: scores
    belong to one exact text. Language and embedding models do not see the key. The postprocessor
    uses the scores where text, model and window are still the same, and computes them anew where
    they are not.

    Args:
        model: as in the postprocessor that is to use the scores.
        engine: ``auto``, ``onnx`` or ``torch``.
        device: torch device.
        config: as in the postprocessor; only ``window`` matters here.
        batch_size: nodes scored together.
        flat: whether to store one JSON string (any vector store) instead of a dict.

    Example:
        >>> IngestionPipeline(transformations=[SentenceSplitter(), ThresherScorer(), embed_model])
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    batch_size: int = Field(default=64, ge=1, description="Nodes scored together.")
    flat: bool = Field(
        default=True,
        description=(
            "Whether to store the scores as one JSON string, which every vector store takes "
            "(many refuse nested metadata), instead of a dict. The postprocessor reads both."
        ),
    )

    @classmethod
    def class_name(cls) -> str:
        """Name used in serialization."""
        return "ThresherScorer"

    def __call__(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """Score nodes.

        Args:
            nodes: nodes as they are to be indexed. They are not changed.
            **kwargs: ignored; part of the interface.

        Returns:
            Copies with scores; nodes without text are handed through.

        Raises:
            ModelError, ScorerError: the model cannot be loaded, or failed.
        """
        out = list(nodes)
        found = [(i, text) for i, n in enumerate(nodes) if (text := body(n)) is not None]
        for first in range(0, len(found), self.batch_size):
            batch = found[first : first + self.batch_size]
            scored = self._scorer().score([text for _, text in batch])
            for (index, _), scores in zip(batch, scored, strict=True):
                out[index] = self._stored(nodes[index], scores)
        return out

    async def acall(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """The same in a worker thread."""
        return await asyncio.to_thread(self.__call__, nodes, **kwargs)

    def _stored(self, node: BaseNode, scores: UnitScores) -> BaseNode:
        packed = scores.pack().to_dict()
        value = json.dumps(packed, separators=(",", ":")) if self.flat else packed
        metadata = {**node.metadata, SCORES_KEY: value}
        return node.model_copy(update={"metadata": metadata, **exclude(node, SCORES_KEY)})
