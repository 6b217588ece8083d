"""Many queries at once, and nothing that blocks the event loop."""

from __future__ import annotations

import asyncio

import pytest
from blockbuster import BlockBuster
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.tools import FunctionTool
from llama_index.postprocessor.thresher import (
    ThresherMemory,
    ThresherMemoryBlock,
    ThresherPostprocessor,
    ThresherRetriever,
    ThresherScorer,
    compress_tool,
    loading,
    tool_callbacks,
)

from conftest import PASSAGES, QUESTION, RecordingLLM, count, nodes, prompt_of


@pytest.fixture
def no_blocking():
    """Raise where our package makes a blocking call on the event loop."""
    guard = BlockBuster(scanned_modules=["llama_index.postprocessor.thresher", "thresher"])
    loading._scorer.cache_clear()  # so that loading the model is watched too
    loading._compressor.cache_clear()
    guard.activate()
    yield
    guard.deactivate()


def test_the_guard_sees_blocking_calls(no_blocking):
    from blockbuster import BlockingError

    async def blocking():
        ThresherPostprocessor(max_tokens=300).postprocess_nodes(nodes(), query_str=QUESTION)

    with pytest.raises(BlockingError):
        asyncio.run(blocking())


async def test_postprocessor(no_blocking):
    post = ThresherPostprocessor(max_tokens=300)
    out = await post.apostprocess_nodes(nodes(), query_str=QUESTION)
    assert count(prompt_of(out)) <= 300


async def test_retriever(no_blocking, index):
    retriever = ThresherRetriever(
        index.as_retriever(similarity_top_k=8), ThresherPostprocessor(max_tokens=300)
    )
    assert count(prompt_of(await retriever.aretrieve(QUESTION))) <= 300


async def test_scorer(no_blocking):
    (node,) = await ThresherScorer().acall([nodes()[0].node])
    assert "thresher_scores" in node.metadata


async def test_memory_and_block(no_blocking):
    said = [ChatMessage(role="assistant", content=t) for t in PASSAGES.values()]
    memory = ThresherMemory(memory=ChatMemoryBuffer.from_defaults(token_limit=9000), max_tokens=300)
    await memory.aput_messages([*said, ChatMessage(role="user", content=QUESTION)])
    assert sum(count(m.content) for m in await memory.aget()) <= 300
    block = ThresherMemoryBlock(max_tokens=300)
    await block.aput(said)
    content = await block.aget([ChatMessage(role="user", content=QUESTION)])
    assert count(content) <= 300
    assert count(await block.atruncate(content, 100)) <= count(content) - 100


async def test_tools(no_blocking):
    async def search(query: str) -> str:
        """Search the library."""
        return "\n\n".join(PASSAGES.values())

    output = await compress_tool(search, max_tokens=200).acall(query=QUESTION)
    assert count(output.content) <= 200
    tool = FunctionTool.from_defaults(async_fn=search, **tool_callbacks(max_tokens=200))
    assert count((await tool.acall(query=QUESTION)).content) <= 200


async def test_fifty_queries_at_once(index):
    from llama_index.core.query_engine import RetrieverQueryEngine

    loading._scorer.cache_clear()
    loading._compressor.cache_clear()
    llm = RecordingLLM()
    post = ThresherPostprocessor(max_tokens=300)
    engine = RetrieverQueryEngine.from_args(
        index.as_retriever(similarity_top_k=8), llm=llm, node_postprocessors=[post]
    )
    questions = [f"{QUESTION} And what of {title}?" for title in list(PASSAGES)[:5]]
    answers = await asyncio.gather(*(engine.aquery(questions[i % 5]) for i in range(50)))
    assert len(llm.prompts) == 50
    shown = [prompt_of(a.source_nodes) for a in answers]
    assert all(count(s) <= 300 for s in shown)
    for i in range(50):
        assert shown[i] == shown[i % 5]
    alone = post.postprocess_nodes(
        index.as_retriever(similarity_top_k=8).retrieve(questions[0]), query_str=questions[0]
    )
    assert shown[0] == prompt_of(alone)
