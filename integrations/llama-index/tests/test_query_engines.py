"""Query and chat engines with a language model that records its prompts."""

from __future__ import annotations

import copy

import pytest
from llama_index.core import PromptTemplate
from llama_index.core.chat_engine import CondensePlusContextChatEngine, ContextChatEngine
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.schema import MetadataMode
from llama_index.core.tools import QueryEngineTool
from llama_index.postprocessor.thresher import ThresherPostprocessor, ThresherRetriever

from conftest import ANSWER, PASSAGES, QUESTION, count, prompt_of

BUDGET = 420
TEMPLATE = PromptTemplate("<context>\n{context_str}\n</context>\nQuestion: {query_str}\nAnswer: ")
REFINE = PromptTemplate(
    "<context>\n{context_msg}\n</context>\nQuestion: {query_str}\nSo far: {existing_answer}\n"
)
MODES = {
    "compact": False,
    "tree_summarize": False,
    "simple_summarize": False,
    "refine": True,
    "accumulate": True,
}


def contexts(prompts):
    return [p.split("<context>\n")[1].split("\n</context>")[0] for p in prompts]


def engine_for(index, llm, mode):
    templates = {
        "text_qa_template": TEMPLATE,
        "refine_template": REFINE,
        "summary_template": TEMPLATE,
    }
    return RetrieverQueryEngine.from_args(
        index.as_retriever(similarity_top_k=8),
        llm=llm,
        response_mode=mode,
        node_postprocessors=[ThresherPostprocessor(max_tokens=BUDGET, response_mode=mode)],
        **templates,
    )


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_response_modes(index, llm, mode, asynchronous):
    engine = engine_for(index, llm, mode)
    response = await engine.aquery(QUESTION) if asynchronous else engine.query(QUESTION)
    shown = contexts(llm.prompts)
    assert len(shown) == (len(response.source_nodes) if MODES[mode] else 1)
    context = "\n\n".join(shown)
    assert 0.95 * BUDGET <= count(context) <= BUDGET
    assert count(prompt_of(response.source_nodes)) <= BUDGET
    if mode == "refine":  # the parts are shown one at a time
        assert all(count(c) <= BUDGET for c in shown)
    assert ANSWER in context
    for n in response.source_nodes:
        assert context.count(f"title: {n.metadata['title']}") == 1
        assert "file_path" not in context
    assert ANSWER in str(response)


def test_as_query_engine_takes_it(index, llm):
    engine = index.as_query_engine(
        llm=llm,
        similarity_top_k=8,
        text_qa_template=TEMPLATE,
        node_postprocessors=[ThresherPostprocessor(max_tokens=BUDGET)],
    )
    engine.query(QUESTION)
    assert count(contexts(llm.prompts)[0]) <= BUDGET


def test_nodes_shared_between_queries_are_unchanged(index, llm):
    store = index.docstore
    before = copy.deepcopy(store.docs)
    retriever = index.as_retriever(similarity_top_k=8)
    held = retriever.retrieve(QUESTION)
    snapshot = copy.deepcopy(held)
    engine = engine_for(index, llm, "compact")
    first = engine.query(QUESTION)
    second = engine.query("When is the library open on Sundays?")
    third = engine.query(QUESTION)
    assert store.docs == before
    assert held == snapshot
    assert prompt_of(first.source_nodes) == prompt_of(third.source_nodes)
    assert prompt_of(first.source_nodes) != prompt_of(second.source_nodes)
    whole = set(PASSAGES.values())
    assert all(n.get_content(metadata_mode=MetadataMode.NONE) in whole for n in held)


def test_it_follows_other_postprocessors(index, llm):
    from llama_index.core.postprocessor import LongContextReorder, SimilarityPostprocessor

    engine = index.as_query_engine(
        llm=llm,
        similarity_top_k=8,
        text_qa_template=TEMPLATE,
        node_postprocessors=[
            SimilarityPostprocessor(similarity_cutoff=0.01),
            ThresherPostprocessor(max_tokens=200),
            LongContextReorder(),
        ],
    )
    engine.query(QUESTION)
    assert count(contexts(llm.prompts)[0]) <= 200


@pytest.mark.parametrize("kind", [ContextChatEngine, CondensePlusContextChatEngine])
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_chat_engines(index, llm, kind, asynchronous):
    template = "<context>\n{context_str}\n</context>"
    name = "context_template" if kind is ContextChatEngine else "context_prompt"
    engine = kind.from_defaults(
        retriever=index.as_retriever(similarity_top_k=8),
        llm=llm,
        memory=ChatMemoryBuffer.from_defaults(token_limit=4000),
        node_postprocessors=[ThresherPostprocessor(max_tokens=BUDGET)],
        **{name: template},
    )
    for question in (QUESTION, "And who was the night watchman?"):
        response = await engine.achat(question) if asynchronous else engine.chat(question)
        (context,) = contexts(llm.prompts[-1:])
        assert 0.95 * BUDGET <= count(context) <= BUDGET
        assert count(prompt_of(response.source_nodes)) <= BUDGET
    assert ANSWER in contexts(llm.prompts[:1])[0] or ANSWER in contexts(llm.prompts[-1:])[0]


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_retriever_wrapper(index, asynchronous):
    inner = index.as_retriever(similarity_top_k=8)
    retriever = ThresherRetriever(
        retriever=inner, postprocessor=ThresherPostprocessor(max_tokens=BUDGET)
    )
    found = await retriever.aretrieve(QUESTION) if asynchronous else retriever.retrieve(QUESTION)
    assert 0.95 * BUDGET <= count(prompt_of(found)) <= BUDGET
    ids = [n.node_id for n in inner.retrieve(QUESTION)]
    assert [n.node_id for n in found] == [i for i in ids if i in {n.node_id for n in found}]


async def test_retriever_wrapper_in_fusion_and_in_a_tool(index, llm):
    retriever = ThresherRetriever(
        index.as_retriever(similarity_top_k=8), ThresherPostprocessor(max_tokens=BUDGET)
    )
    fusion = QueryFusionRetriever([retriever], llm=llm, num_queries=1, use_async=False)
    assert count(prompt_of(fusion.retrieve(QUESTION))) <= BUDGET
    engine = RetrieverQueryEngine.from_args(retriever, llm=llm, text_qa_template=TEMPLATE)
    tool = QueryEngineTool.from_defaults(engine, name="library", description="About the library")
    await tool.acall(QUESTION)
    assert count(contexts(llm.prompts)[0]) <= BUDGET


async def test_the_wrapper_awaits_the_async_path_of_what_it_wraps():
    from llama_index.core.base.base_retriever import BaseRetriever

    class OnlyAsync(BaseRetriever):
        def _retrieve(self, query_bundle):
            raise AssertionError("the sync path was taken")

        async def _aretrieve(self, query_bundle):
            from conftest import nodes

            return nodes()

    retriever = ThresherRetriever(OnlyAsync(), ThresherPostprocessor(max_tokens=BUDGET))
    assert count(prompt_of(await retriever.aretrieve(QUESTION))) <= BUDGET
