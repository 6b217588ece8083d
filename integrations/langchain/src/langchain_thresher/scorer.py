"""``ThresherScorer``: keep scores computed when documents are ingested, stored in metadata."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from langchain_core.documents import BaseDocumentTransformer, Document
from pydantic import Field

from langchain_thresher._core import CoreSettings
from langchain_thresher._documents import SCORES_KEY


class ThresherScorer(CoreSettings, BaseDocumentTransformer):
    """Store keep scores beside each document, so that no model scores it at query time.

    Scores do not depend on the query. They are bound to text, model and window size by a
    fingerprint; ``ThresherCompressor`` with the same ``model`` and ``config.window`` uses them
    where it fits and scores anew where it does not. One byte a word, base64, JSON-safe, under
    ``metadata["thresher_scores"]``; the compressor takes them off what it returns.

    Example:
        .. code-block:: python

            documents = ThresherScorer().transform_documents(splitter.split_documents(pages))
            vector_store.add_documents(documents)
    """

    batch_size: int = Field(default=64, ge=1, description="Documents scored together.")
    flat: bool = Field(
        default=False,
        description=(
            "Whether to store a JSON string instead of a dict, for stores whose metadata values "
            "must be scalars. The compressor reads both."
        ),
    )

    def transform_documents(
        self, documents: Sequence[Document], **kwargs: Any
    ) -> Sequence[Document]:
        """Score documents.

        Args:
            documents: documents as they go into the store, after splitting. They are not changed.
            **kwargs: ignored; part of the interface.

        Returns:
            New documents with ``metadata["thresher_scores"]``.

        Raises:
            ModelError, ScorerError: the model cannot be loaded, or failed.
        """
        core = self._core()
        out: list[Document] = []
        for first in range(0, len(documents), self.batch_size):
            batch = documents[first : first + self.batch_size]
            for document, scores in zip(
                batch, core.score([d.page_content for d in batch]), strict=True
            ):
                stored = scores.pack().to_dict()
                value = json.dumps(stored) if self.flat else stored
                metadata = {**document.metadata, SCORES_KEY: value}
                out.append(document.model_copy(update={"metadata": metadata}))
        return out

    async def atransform_documents(
        self, documents: Sequence[Document], **kwargs: Any
    ) -> Sequence[Document]:
        """``transform_documents`` in a worker thread.

        Args:
            documents: as in ``transform_documents``.
            **kwargs: ignored.

        Returns:
            As ``transform_documents``.
        """
        return await asyncio.to_thread(self.transform_documents, documents, **kwargs)
