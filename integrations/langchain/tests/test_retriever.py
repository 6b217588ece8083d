from __future__ import annotations

import pytest
from blockbuster import blockbuster_ctx
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.runnables import RunnableLambda
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_tests.integration_tests import RetrieversIntegrationTests
from thresher import InputError

from conftest import QUESTION, OverlapScorer, text
from langchain_thresher import ThresherCompressor, ThresherRetriever


def base(documents: list[Document] | None = None):
    store = InMemoryVectorStore(DeterministicFakeEmbedding(size=16))
    store.add_documents(
        documents or [Document(page_content=text(6, seed=i), id=str(i)) for i in range(8)]
    )
    return store.as_retriever()


class TestStandard(RetrieversIntegrationTests):
    @property
    def retriever_constructor(self) -> type[ThresherRetriever]:
        return ThresherRetriever

    @property
    def retriever_constructor_params(self) -> dict:
        compressor = ThresherCompressor(
            ratio=0.5, model=OverlapScorer(), config={"min_ratio": 0.2}, report=True
        )
        return {"base_retriever": base(), "compressor": compressor}

    @property
    def retriever_query_example(self) -> str:
        return QUESTION


def test_documents_are_compressed(documents, scorer):
    compressor = ThresherCompressor(max_tokens=150, model=scorer)
    retriever = ThresherRetriever(base_retriever=base(documents), compressor=compressor, k=8)
    out = retriever.invoke(QUESTION)
    joined = "\n\n".join(d.page_content for d in out)
    assert len(scorer.tokenizer.encode(joined, add_special_tokens=False).ids) <= 150
    assert "KX-4471" in joined
    assert {d.id for d in out} <= {d.id for d in documents}


def test_any_runnable_and_bound_retrievers(documents, scorer):
    compressor = ThresherCompressor(max_tokens=100_000, model=scorer)
    lambda_ = RunnableLambda(lambda query: documents)
    assert len(ThresherRetriever(base_retriever=lambda_, compressor=compressor).invoke("q")) == 8
    assert (
        len(ThresherRetriever(base_retriever=lambda_, compressor=compressor, k=2).invoke("q")) == 2
    )
    bound = base(documents).with_config(tags=["x"])
    assert len(ThresherRetriever(base_retriever=bound, compressor=compressor).invoke("q", k=6)) == 6
    nothing = RunnableLambda(lambda query: [])
    assert ThresherRetriever(base_retriever=nothing, compressor=compressor).invoke("q") == []


async def test_async_does_not_block(documents, scorer):
    compressor = ThresherCompressor(max_tokens=150, model=scorer)
    retriever = ThresherRetriever(base_retriever=base(documents), compressor=compressor, k=8)
    with blockbuster_ctx():
        out = await retriever.ainvoke(QUESTION)
    assert out == retriever.invoke(QUESTION)


def test_bad_arguments(documents, scorer):
    compressor = ThresherCompressor(max_tokens=150, model=scorer)
    with pytest.raises(ValueError, match="retriver"):
        ThresherRetriever(base_retriver=base(), compressor=compressor)
    with pytest.raises(InputError, match="k is 0"):
        ThresherRetriever(base_retriever=base(), compressor=compressor).invoke("q", k=0)
    wrong = RunnableLambda(lambda query: "text")
    with pytest.raises(InputError, match="returned a str"):
        ThresherRetriever(base_retriever=wrong, compressor=compressor).invoke("q")
