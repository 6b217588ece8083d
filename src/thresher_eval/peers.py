"""Other packages, where they are installed, each brought to the budget by its own dial.

Where a package cannot aim at a budget its dial (share, percentile, number of passages) is turned
until the text just fits.
"""

from __future__ import annotations

from typing import Any

from thresher.errors import require
from thresher_eval.baselines import Method, SentenceEmbeddings
from thresher_eval.data import Item
from thresher_eval.measures import Kept, joined
from thresher_eval.packing import Counter, largest, words

_STEPS = 100
_COARSE_STEPS = 20
_PROMPT = """\
Shorten the passages below to at most {words} words, keeping what is needed to answer the question.
Write the shortened text only.

Question: {question}

{context}"""


def trimwise(count: Counter) -> Method:
    """Trimwise with the question: extractive spans under its own shared budget."""
    package = require("trimwise", "eval", "the trimwise baseline")
    trimmer = package.Trimmer(config=package.TrimConfig(omission_marker="…"))

    def method(item: Item, budget: int) -> Kept:
        def make(limit: int) -> Kept:
            sources = [package.ContextSource(text=t) for t in item.texts]
            found = trimmer.trim_context(
                sources, limit=limit, query=item.question, token_counter=count
            )
            return tuple((s.source_index, s.text) for s in found.sources if s.text)

        kept = make(budget)
        over = count(joined(kept)) - budget
        return kept if over <= 0 else largest(make, budget - 1, budget, count).kept

    return method


def llmslim(count: Counter) -> Method:
    """The ``compress_documents`` of llmslim with the question, its ratio turned to the budget."""
    package = require("llmslim", "eval", "the llmslim baseline")

    def method(item: Item, budget: int) -> Kept:
        def make(n: int) -> Kept:
            if n == 0:
                return ()
            found = package.compress_documents(
                item.texts, query=item.question, target_ratio=n / _STEPS
            )
            return tuple((i, r.compressed_text) for i, r in enumerate(found) if r.compressed_text)

        return largest(make, _STEPS, budget, count).kept

    return method


def langchain_embeddings_filter(count: Counter, embeddings: SentenceEmbeddings) -> Method:
    """LangChain's ``EmbeddingsFilter``: as many of the most similar passages as fit."""
    filters = require(
        "langchain_classic.retrievers.document_compressors", "eval", "the EmbeddingsFilter baseline"
    )
    documents = require("langchain_core.documents", "eval", "the EmbeddingsFilter baseline")
    adapter = _langchain_embeddings(embeddings)

    def method(item: Item, budget: int) -> Kept:
        given = [
            documents.Document(page_content=t, metadata={"index": i})
            for i, t in enumerate(item.texts)
        ]

        def make(k: int) -> Kept:
            if k == 0:
                return ()
            chosen = filters.EmbeddingsFilter(embeddings=adapter, k=k)
            found = chosen.compress_documents(given, item.question)
            return tuple((d.metadata["index"], d.page_content) for d in found)

        return largest(make, len(given), budget, count).kept

    return method


def _langchain_embeddings(embeddings: SentenceEmbeddings) -> Any:
    base: Any = require(
        "langchain_core.embeddings", "eval", "the EmbeddingsFilter baseline"
    ).Embeddings

    class Adapter(base):  # type: ignore[misc]
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return list(map(list, embeddings(texts).tolist()))

        def embed_query(self, text: str) -> list[float]:
            return list(embeddings([text])[0].tolist())

    return Adapter()


def llama_index_optimizer(count: Counter, embeddings: SentenceEmbeddings) -> Method:
    """LlamaIndex's ``SentenceEmbeddingOptimizer``: the same percentile of sentences per passage."""
    what = "the SentenceEmbeddingOptimizer baseline"
    optimizers = require("llama_index.core.postprocessor", "eval", what)
    schema = require("llama_index.core.schema", "eval", what)
    base: Any = require("llama_index.core.embeddings", "eval", what).BaseEmbedding

    class Adapter(base):  # type: ignore[misc]
        def _get_text_embedding(self, text: str) -> list[float]:
            return list(embeddings([text])[0].tolist())

        def _get_query_embedding(self, query: str) -> list[float]:
            return list(embeddings([query])[0].tolist())

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return self._get_query_embedding(query)

    adapter = Adapter(model_name="bi-encoder")

    def split(text: str) -> list[str]:
        from thresher_eval.packing import sentences

        return [text[a:b] for a, b in sentences(text)]

    def method(item: Item, budget: int) -> Kept:
        bundle = schema.QueryBundle(item.question)
        for n in range(_COARSE_STEPS, 0, -1):  # not monotone: a cutoff below one sentence keeps all
            optimizer = optimizers.SentenceEmbeddingOptimizer(
                embed_model=adapter, percentile_cutoff=n / _COARSE_STEPS, tokenizer_fn=split
            )
            nodes = [
                schema.NodeWithScore(node=schema.TextNode(text=t, metadata={"index": i}))
                for i, t in enumerate(item.texts)
            ]
            found = optimizer.postprocess_nodes(nodes, query_bundle=bundle)
            kept = tuple((x.node.metadata["index"], x.node.text) for x in found if x.node.text)
            if count(joined(kept)) <= budget:
                return kept
        return _first_words(item, budget, count)

    return method


def _first_words(item: Item, budget: int, count: Counter) -> Kept:
    """What is left to do where even one sentence a passage does not fit: cut."""
    text = item.context()
    ends = [b for _, b in words(text)]
    return largest(
        lambda n: ((-1, text[: ends[n - 1]] if n else ""),), len(ends), budget, count
    ).kept


def abstractive(count: Counter, chat: Any) -> Method:
    """A summary by a LangChain chat model, cut to the budget where it is longer.

    Its invented entities and numbers are counted by ``faithfulness.invented``.
    """

    def method(item: Item, budget: int) -> Kept:
        prompt = _PROMPT.format(
            words=max(budget * 3 // 4, 1), question=item.question, context=item.context()
        )
        text = str(chat.invoke(prompt).content)
        ends = [b for _, b in words(text)]
        return largest(
            lambda n: ((-1, text[: ends[n - 1]] if n else ""),), len(ends), budget, count
        ).kept

    return method
