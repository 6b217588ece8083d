from __future__ import annotations

import asyncio
import json
import pickle
from typing import Any

import pytest
from blockbuster import blockbuster_ctx
from langchain_classic.chains import create_retrieval_chain
from langchain_classic.chains.combine_documents import create_stuff_documents_chain
from langchain_classic.retrievers import ContextualCompressionRetriever
from langchain_classic.retrievers.document_compressors import (
    DocumentCompressorPipeline,
    EmbeddingsFilter,
)
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.prompts import ChatPromptTemplate, PromptTemplate
from langchain_core.runnables import RunnablePassthrough
from langchain_core.tracers.base import BaseTracer
from langchain_core.vectorstores import InMemoryVectorStore
from pydantic import ValidationError
from thresher import BudgetError, CompressConfig, CounterError, InputError, ScorerError

from conftest import ANSWER, QUESTION, OverlapScorer, RecordingChat, is_part_of, text
from langchain_thresher import ThresherCompressor

DOCUMENT_PROMPT = PromptTemplate.from_template(
    "<doc source={source} page={page}>\n{page_content}\n</doc>"
)
SEPARATOR = "\n---\n"
CHAT_PROMPT = ChatPromptTemplate.from_messages(
    [("system", "Answer from the context.\n\n{context}"), ("human", "{input}")]
)


def store(documents: list[Document]) -> InMemoryVectorStore:
    found = InMemoryVectorStore(DeterministicFakeEmbedding(size=32))
    found.add_documents(documents)
    return found


class Recorder(BaseTracer):
    def __init__(self) -> None:
        super().__init__()
        self.runs: list[Any] = []

    def _persist_run(self, run: Any) -> None:
        self.runs.append(run)


def test_budget_covers_everything_and_the_answer_is_kept(documents, scorer):
    chat = RecordingChat()
    compressor = ThresherCompressor(max_tokens=300, counter=chat, model=scorer)
    before = [d.model_copy(deep=True) for d in documents]
    out = compressor.compress_documents(documents, QUESTION)
    context = "\n\n".join(d.page_content for d in out)
    assert 0.97 * 300 <= chat.get_num_tokens(context) <= 300
    assert "KX-4471" in context
    assert documents == before
    by_id = {d.id: d for d in documents}
    for d in out:
        assert d.metadata == by_id[d.id].metadata
        assert d.metadata is not by_id[d.id].metadata
        assert is_part_of(d.page_content, by_id[d.id].page_content)


def test_within_budget_is_unchanged_and_runs_no_model(documents, scorer):
    out = ThresherCompressor(max_tokens=100_000, model=scorer).compress_documents(
        documents, QUESTION
    )
    assert list(out) == documents
    assert all(a is not b for a, b in zip(out, documents, strict=True))
    assert scorer.windows == 0


def test_ratio_and_callable_counter(documents, scorer):
    def count(t: str) -> int:
        return len(t) // 4

    out = ThresherCompressor(ratio=0.3, counter=count, model=scorer).compress_documents(
        documents, QUESTION
    )
    whole = count("\n\n".join(d.page_content for d in documents))
    kept = count("\n\n".join(d.page_content for d in out))
    assert 0.25 * whole <= kept <= 0.3 * whole


def test_tokenizer_objects_count(documents, scorer):
    out = ThresherCompressor(
        max_tokens=200, counter=scorer.tokenizer, model=scorer
    ).compress_documents(documents, QUESTION)
    joined = "\n\n".join(d.page_content for d in out)
    assert len(scorer.tokenizer.encode(joined, add_special_tokens=False).ids) <= 200


@pytest.mark.parametrize("prompt", [DOCUMENT_PROMPT, DOCUMENT_PROMPT.template])
def test_stuff_chain_prompt_is_within_the_models_own_count(documents, scorer, prompt):
    chat = RecordingChat()
    compressor = ThresherCompressor(
        max_tokens=250,
        counter=chat,
        model=scorer,
        document_prompt=prompt,
        document_separator=SEPARATOR,
    )
    chain = create_stuff_documents_chain(
        chat, CHAT_PROMPT, document_prompt=DOCUMENT_PROMPT, document_separator=SEPARATOR
    )
    rag = RunnablePassthrough.assign(context=compressor.as_runnable()) | chain
    assert rag.invoke({"context": documents, "input": QUESTION}) == "Done."
    [system, human] = chat.seen[0]
    context = system.content.removeprefix("Answer from the context.\n\n")
    assert 0.97 * 250 <= chat.get_num_tokens(context) <= 250
    assert "KX-4471" in context
    assert "<doc source=log-4.txt page=4>" in context
    assert human.content == QUESTION
    empty = chat.get_num_tokens_from_messages(
        CHAT_PROMPT.format_messages(context="", input=QUESTION)
    )
    assert chat.get_num_tokens_from_messages(chat.seen[0]) <= 250 + empty


def test_contextual_compression_retriever_in_a_retrieval_chain(documents, scorer):
    chat = RecordingChat()
    retriever = ContextualCompressionRetriever(
        base_compressor=ThresherCompressor(max_tokens=200, counter=chat, model=scorer),
        base_retriever=store(documents).as_retriever(search_kwargs={"k": 8}),
    )
    chain = create_retrieval_chain(retriever, create_stuff_documents_chain(chat, CHAT_PROMPT))
    out = chain.invoke({"input": QUESTION})
    context = "\n\n".join(d.page_content for d in out["context"])
    assert chat.get_num_tokens(context) <= 200
    assert "KX-4471" in context
    assert context in chat.seen[0][0].content


async def test_pipeline_after_an_embeddings_filter(documents, scorer):
    embeddings = DeterministicFakeEmbedding(size=32)
    pipeline = DocumentCompressorPipeline(
        transformers=[
            EmbeddingsFilter(embeddings=embeddings, k=5),
            ThresherCompressor(max_tokens=150, model=scorer, report=True),
        ]
    )
    retriever = ContextualCompressionRetriever(
        base_compressor=pipeline,
        base_retriever=store(documents).as_retriever(search_kwargs={"k": 8}),
    )
    sync = retriever.invoke(QUESTION)
    assert 1 <= len(sync) <= 5
    joined = "\n\n".join(d.page_content for d in sync)
    assert len(scorer.tokenizer.encode(joined, add_special_tokens=False).ids) <= 150
    assert await retriever.ainvoke(QUESTION) == sync


def test_pipeline_after_a_reranker_uses_its_scores(documents, scorer):
    class Reranker(BaseDocumentCompressor):
        def compress_documents(self, documents, query, callbacks=None):
            return [
                d.model_copy(
                    update={"metadata": {**d.metadata, "relevance_score": float(d.id == "doc-2")}}
                )
                for d in documents
            ]

    def share(strategy: str) -> float:
        pipeline = DocumentCompressorPipeline(
            transformers=[
                Reranker(),
                ThresherCompressor(
                    ratio=0.3,
                    model=scorer,
                    report=True,
                    config={"strategy": strategy, "relevance_weight": 0},
                ),
            ]
        )
        out = {
            d.id: d.metadata["thresher"] for d in pipeline.compress_documents(documents, QUESTION)
        }
        return out["doc-2"]["tokens_after"] / out["doc-2"]["tokens_before"]

    assert share("weighted") > 1.3 * share("uniform")


@pytest.mark.parametrize(
    ("metadata", "key", "score"),
    [
        ({"relevance_score": 0.7, "score": 0.1}, None, 0.7),
        ({"score": 3}, None, 3.0),
        ({"rerank": 0.2, "score": 1.0}, "rerank", 0.2),
        ({"score": "high"}, None, None),
        ({"score": float("nan")}, None, None),
        ({"score": True}, None, None),
        ({}, None, None),
    ],
)
def test_score_keys(metadata, key, score, scorer, monkeypatch):
    seen = []
    arguments = {} if key is None else {"score_key": key}
    compressor = ThresherCompressor(max_tokens=5, model=scorer, **arguments)
    core = compressor._core()
    original = core.compress

    def spy(documents, **kwargs):
        seen.extend(d.score for d in documents)
        return original(documents, **kwargs)

    monkeypatch.setattr(core, "compress", spy)
    compressor.compress_documents([Document(page_content=text(3), metadata=metadata)], QUESTION)
    assert seen == [score]


def test_dropped_documents(scorer):
    documents = [
        Document(page_content=text(12, seed=i), metadata={"source": "s", "page": i})
        for i in range(6)
    ]
    documents[3] = Document(
        page_content=f"{text(1)} {ANSWER}", id="x", metadata={"source": "s", "page": 3}
    )
    config = CompressConfig(min_tokens=40)
    arguments = {"max_tokens": 200, "model": scorer, "config": config, "report": True}
    omitted = ThresherCompressor(**arguments).compress_documents(documents, QUESTION)
    assert 0 < len(omitted) < len(documents)
    assert all(d.page_content for d in omitted)
    emptied = ThresherCompressor(
        **arguments, dropped="empty", document_prompt=DOCUMENT_PROMPT
    ).compress_documents(documents, QUESTION)
    assert [d.metadata["page"] for d in emptied] == list(range(6))
    gone = [d for d in emptied if not d.page_content]
    assert gone
    assert all(d.metadata["thresher"]["dropped"] and d.metadata["thresher"]["reason"] for d in gone)
    # the framing of the empty ones is rendered by the chain, so it counts as well
    rendered = "\n\n".join(
        DOCUMENT_PROMPT.format(
            page_content=d.page_content, **{k: d.metadata[k] for k in ("source", "page")}
        )
        for d in emptied
    )
    assert len(scorer.tokenizer.encode(rendered, add_special_tokens=False).ids) <= 200
    with pytest.raises(BudgetError, match="dropped='omit'"):
        ThresherCompressor(
            max_tokens=40, model=scorer, dropped="empty", document_prompt=DOCUMENT_PROMPT
        ).compress_documents(documents, QUESTION)


def test_report(documents, scorer):
    out = ThresherCompressor(max_tokens=200, model=scorer, report=True).compress_documents(
        documents, QUESTION
    )
    sources = {d.id: d.page_content for d in documents}
    for d in out:
        report = d.metadata["thresher"]
        json.dumps(report)
        assert report["tokens_after"] < report["tokens_before"]
        pieces = [sources[d.id][a:b] for a, b in report["spans"]]
        assert "".join(d.page_content.split()) == "".join("".join(pieces).split())
    plain = ThresherCompressor(max_tokens=200, model=scorer).compress_documents(documents, QUESTION)
    assert all("thresher" not in d.metadata for d in plain)


def test_order_of_the_config(documents, scorer):
    config = {"order": "relevance"}
    out = ThresherCompressor(max_tokens=300, model=scorer, config=config).compress_documents(
        documents, QUESTION
    )
    assert out[0].id == "doc-4"


def test_trace_span_with_counts(documents, scorer):
    recorder = Recorder()
    compressor = ThresherCompressor(max_tokens=200, model=scorer)
    compressor.compress_documents(documents, QUESTION, callbacks=[recorder])
    [run] = recorder.runs
    assert run.name == "ThresherCompressor"
    assert run.inputs["query"] == QUESTION
    assert run.outputs["tokens_after"] <= 200 < run.outputs["tokens_before"]


async def test_trace_span_is_a_child_of_the_retriever(documents, scorer):
    recorder = Recorder()
    retriever = ContextualCompressionRetriever(
        base_compressor=ThresherCompressor(max_tokens=200, model=scorer),
        base_retriever=store(documents).as_retriever(),
    )
    await retriever.ainvoke(QUESTION, config={"callbacks": [recorder]})
    [run] = recorder.runs
    assert [child.name for child in run.child_runs] == [
        "VectorStoreRetriever",
        "ThresherCompressor",
    ]


async def test_event_loop_is_never_blocked(documents, scorer):
    compressor = ThresherCompressor(max_tokens=200, model=scorer)
    with blockbuster_ctx():
        out = await compressor.acompress_documents(documents, QUESTION)
        via_chain = await compressor.as_runnable().ainvoke(
            {"context": documents, "input": QUESTION}
        )
    assert out == via_chain == compressor.compress_documents(documents, QUESTION)


def test_blockbuster_would_notice(documents, scorer):
    """The scorer sleeps: the sync call on a loop is caught, so the test above means something."""

    async def wrong() -> None:
        with blockbuster_ctx():
            ThresherCompressor(max_tokens=200, model=scorer).compress_documents(documents, QUESTION)

    with pytest.raises(Exception, match="Blocking call"):
        asyncio.run(wrong())


async def test_fifty_concurrent_calls(documents):
    scorer = OverlapScorer()
    retriever = ContextualCompressionRetriever(
        base_compressor=ThresherCompressor(max_tokens=200, model=scorer),
        base_retriever=store(documents).as_retriever(search_kwargs={"k": 8}),
    )
    questions = [f"{QUESTION} ({i % 5})" for i in range(50)]
    expected = {q: retriever.invoke(q) for q in set(questions)}
    found = await asyncio.gather(*(retriever.ainvoke(q) for q in questions))
    assert found == [expected[q] for q in questions]


def test_bundled_model_keeps_the_answer(documents):
    chat = RecordingChat()
    compressor = ThresherCompressor(ratio=0.4, counter=chat)
    story = [
        Document(
            page_content=(
                "On 3 March the maintenance crew inspected the north station. The weather was mild "
                "and the crew had lunch early. During the inspection the engineers found that a "
                "relief valve had failed. The failed valve carries the serial number KX-4471 and "
                "was installed in 2009. After that everybody went home, and nothing else worth "
                "mentioning happened that day."
            )
        ),
        Document(
            page_content=(
                "The canteen at the south station has a new menu. Visitors praised the soup in "
                "particular. There was also some discussion about where to put the plants, without "
                "any result."
            )
        ),
    ]
    out = compressor.compress_documents(story, QUESTION)
    whole = chat.get_num_tokens("\n\n".join(d.page_content for d in story))
    context = "\n\n".join(d.page_content for d in out)
    assert chat.get_num_tokens(context) <= 0.4 * whole
    assert "KX-4471" in context


def test_settings_round_trip():
    compressor = ThresherCompressor(
        max_tokens=100,
        counter="o200k_base",
        document_prompt=DOCUMENT_PROMPT,
        config=CompressConfig(strategy="uniform", force_keep=("valve",)),
        score_key="rerank",
    )
    again = ThresherCompressor.model_validate(json.loads(compressor.model_dump_json()))
    assert again.model_dump() == compressor.model_dump()
    assert again.config == compressor.config
    assert ThresherCompressor.model_validate(again.model_dump()) == again


def test_live_objects_survive_a_python_dump_and_are_refused_as_json(documents, scorer):
    chat = RecordingChat()
    compressor = ThresherCompressor(max_tokens=150, counter=chat, model=scorer)
    again = ThresherCompressor.model_validate(compressor.model_dump())
    assert again.counter is chat
    assert again.model is scorer
    assert again.compress_documents(documents, QUESTION) == compressor.compress_documents(
        documents, QUESTION
    )
    with pytest.raises(Exception, match="cannot be written as JSON"):
        compressor.model_dump_json()


def test_pickle_after_use(documents):
    compressor = ThresherCompressor(max_tokens=60)
    out = compressor.compress_documents(documents[:2], QUESTION)
    again = pickle.loads(pickle.dumps(compressor))
    assert again == compressor
    assert again.compress_documents(documents[:2], QUESTION) == out


def test_changed_fields_take_effect(documents, scorer):
    compressor = ThresherCompressor(max_tokens=200, model=scorer)
    compressor.compress_documents(documents, QUESTION)
    copy = compressor.model_copy(update={"counter": lambda t: len(t)})
    joined = "\n\n".join(d.page_content for d in copy.compress_documents(documents, QUESTION))
    assert len(joined) <= 200
    joined = "\n\n".join(d.page_content for d in compressor.compress_documents(documents, QUESTION))
    assert len(joined) > 200


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "no limit was given"),
        ({"max_tokens": 10, "ratio": 0.5}, "give one"),
        ({"max_tokens": 0}, "1 or more"),
        ({"ratio": 1.5}, r"\(0, 1\]"),
        ({"threshold": 1.5}, "between 0 and 1"),
        ({"max_token": 10}, "max_token"),
        ({"max_tokens": 10, "config": {"strategi": "x"}}, "unknown CompressConfig fields"),
        ({"max_tokens": 10, "config": 3}, "expected thresher.CompressConfig"),
        ({"max_tokens": 10, "document_prompt": 3}, "PromptTemplate"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValidationError, match=message):
        ThresherCompressor(**arguments)


def test_bad_calls(documents, scorer):
    compressor = ThresherCompressor(max_tokens=100, model=scorer)
    assert compressor.compress_documents([], QUESTION) == []
    with pytest.raises(InputError, match=r"lacks \['input'\]"):
        compressor.as_runnable().invoke({"context": documents, "question": QUESTION})
    with pytest.raises(InputError, match="page_content 0 times"):
        ThresherCompressor(
            max_tokens=100, model=scorer, document_prompt="{source}"
        ).compress_documents(documents, QUESTION)
    with pytest.raises(ValueError, match="missing metadata"):
        ThresherCompressor(
            max_tokens=100, model=scorer, document_prompt="{nope}: {page_content}"
        ).compress_documents(documents, QUESTION)
    with pytest.raises(CounterError):
        ThresherCompressor(max_tokens=100, model=scorer, counter=lambda t: None).compress_documents(
            documents, QUESTION
        )


def test_a_failing_model_is_an_error(documents):
    with pytest.raises((ScorerError, RuntimeError), match="fire"):
        ThresherCompressor(max_tokens=100, model=OverlapScorer(fails=True)).compress_documents(
            documents, QUESTION
        )
