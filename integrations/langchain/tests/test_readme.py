"""Every Python snippet of the README runs, one after the other."""

from __future__ import annotations

import re
from pathlib import Path

from langchain_core.documents import BaseDocumentCompressor
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.vectorstores import InMemoryVectorStore

from conftest import RecordingChat

README = Path(__file__).parents[1] / "README.md"


class Reranker(BaseDocumentCompressor):
    def compress_documents(self, documents, query, callbacks=None):
        return [
            d.model_copy(update={"metadata": {**d.metadata, "relevance_score": 1.0 / (i + 1)}})
            for i, d in enumerate(documents)
        ]


def test_snippets(documents):
    store = InMemoryVectorStore(DeterministicFakeEmbedding(size=16))
    store.add_documents(documents)
    names = {
        "vector_store": store,
        "model": RecordingChat(),
        "tools": [],
        "reranker": Reranker(),
    }
    snippets = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert len(snippets) >= 10
    for snippet in snippets:
        exec(compile(snippet, str(README), "exec"), names)
    assert names["answer"] == "Done."
    assert names["state"]["messages"][-1].content == "Done."
