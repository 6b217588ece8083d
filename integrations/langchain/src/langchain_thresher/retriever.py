"""``ThresherRetriever``: any retriever, its documents compressed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.callbacks import (
    AsyncCallbackManagerForRetrieverRun,
    CallbackManagerForRetrieverRun,
)
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnableBinding
from pydantic import ConfigDict, Field
from thresher import InputError


class ThresherRetriever(BaseRetriever):
    """Wrap a retriever, or any Runnable from a query to documents, and compress what it finds.

    Example:
        .. code-block:: python

            retriever = ThresherRetriever(
                base_retriever=vector_store.as_retriever(),
                compressor=ThresherCompressor(max_tokens=1500, counter="gpt-4o"),
                k=20,
            )
            documents = retriever.invoke("Which valve failed?")
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    base_retriever: Runnable[Any, Any] = Field(
        description="Retriever, or Runnable from a query to a list of documents."
    )
    compressor: BaseDocumentCompressor = Field(
        description="What compresses the documents, usually a ThresherCompressor."
    )
    k: int | None = Field(
        default=None,
        ge=1,
        description="Documents to retrieve; None for the base retriever's own number.",
    )

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, **kwargs: Any
    ) -> list[Document]:
        k, passed = self._split(kwargs)
        config = {"callbacks": run_manager.get_child()}
        found = self.base_retriever.invoke(query, config=config, **passed)  # type: ignore[arg-type]
        documents = _checked(found, k)
        if not documents:
            return []
        compressed = self.compressor.compress_documents(
            documents, query, callbacks=run_manager.get_child()
        )
        return list(compressed)

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, **kwargs: Any
    ) -> list[Document]:
        k, passed = self._split(kwargs)
        config = {"callbacks": run_manager.get_child()}
        found = await self.base_retriever.ainvoke(
            query,
            config=config,  # type: ignore[arg-type]
            **passed,
        )
        documents = _checked(found, k)
        if not documents:
            return []
        compressed = await self.compressor.acompress_documents(
            documents, query, callbacks=run_manager.get_child()
        )
        return list(compressed)

    def _split(self, kwargs: Mapping[str, Any]) -> tuple[int | None, dict[str, Any]]:
        """How many documents to take, and what to pass on to the base retriever.

        ``k`` is passed to retrievers, which take or ignore it; a plain Runnable might fail on it.
        """
        passed = {name: value for name, value in kwargs.items() if name != "k"}
        k = kwargs.get("k", self.k)
        if k is not None and (isinstance(k, bool) or not isinstance(k, int) or k < 1):
            raise InputError(f"k is {k!r}; it must be a whole number of documents, 1 or more")
        base = self.base_retriever
        while isinstance(base, RunnableBinding):
            base = base.bound
        if k is not None and isinstance(base, BaseRetriever):
            passed["k"] = k
        return k, passed


def _checked(found: Any, k: int | None) -> list[Document]:
    if not isinstance(found, Sequence) or not all(isinstance(d, Document) for d in found):
        raise InputError(
            f"base_retriever returned a {type(found).__name__}; expected a list of LangChain "
            "Documents"
        )
    return list(found)[:k]
