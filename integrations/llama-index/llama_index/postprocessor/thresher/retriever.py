"""A retriever that compresses what another one finds."""

from __future__ import annotations

from typing import Any

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.callbacks import CallbackManager
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import IndexNode, NodeWithScore, QueryBundle


class ThresherRetriever(BaseRetriever):
    """Wrap any retriever: what it finds comes back compressed to the postprocessor's budget.

    For places that take a retriever and no postprocessors: query fusion, routers, tools, agents.

    Args:
        retriever: finds nodes.
        postprocessor: compresses them, usually a ``ThresherPostprocessor``.
        callback_manager: LlamaIndex's callback manager.
        object_map: objects behind index nodes, by index id.
        objects: the same as index nodes.
        verbose: whether recursive retrieval prints what it does.

    Example:
        >>> retriever = ThresherRetriever(
        ...     retriever=index.as_retriever(similarity_top_k=20),
        ...     postprocessor=ThresherPostprocessor(max_tokens=1500),
        ... )
    """

    def __init__(
        self,
        retriever: BaseRetriever,
        postprocessor: BaseNodePostprocessor,
        *,
        callback_manager: CallbackManager | None = None,
        object_map: dict[str, Any] | None = None,
        objects: list[IndexNode] | None = None,
        verbose: bool = False,
    ) -> None:
        self.retriever = retriever
        self.postprocessor = postprocessor
        super().__init__(
            callback_manager=callback_manager,
            object_map=object_map,
            objects=objects,
            verbose=verbose,
        )

    def _get_prompt_modules(self) -> dict[str, Any]:
        return {"retriever": self.retriever}

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        nodes = self.retriever.retrieve(query_bundle)
        return self.postprocessor.postprocess_nodes(nodes, query_bundle=query_bundle)

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        nodes = await self.retriever.aretrieve(query_bundle)
        return await self.postprocessor.apostprocess_nodes(nodes, query_bundle=query_bundle)
