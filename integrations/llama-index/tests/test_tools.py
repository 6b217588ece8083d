"""Tool outputs within a budget, alone and in an agent's loop."""

import copy
import logging

import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ImageBlock, TextBlock
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.tools import (
    FunctionTool,
    QueryEngineTool,
    RetrieverTool,
    ToolMetadata,
    ToolOutput,
)
from llama_index.core.workflow import Context
from llama_index.postprocessor.thresher import (
    ThresherMemory,
    ToolOutputCompressor,
    compress_tool,
    tool_callbacks,
)

from conftest import ANSWER, PASSAGES, QUESTION, ToolLLM, count, is_subsequence

WHOLE = "\n\n".join(PASSAGES.values())


def search(query: str) -> str:
    """Search the library's pages."""
    return WHOLE


def short(query: str) -> str:
    """Say little."""
    return f"Nothing on {query}."


def broken(query: str) -> str:
    """Fail."""
    raise RuntimeError("the index is closed " * 100)


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_function_tool(asynchronous):
    tool = FunctionTool.from_defaults(search)
    wrapped = compress_tool(tool, max_tokens=250)
    assert wrapped.metadata is tool.metadata
    out = await wrapped.acall(query=QUESTION) if asynchronous else wrapped.call(query=QUESTION)
    assert 0.95 * 250 <= count(out.content) <= 250
    assert is_subsequence(out.content, WHOLE)
    assert out.raw_output == WHOLE
    assert out.raw_input == {"args": (), "kwargs": {"query": QUESTION}}
    assert out.tool_name == "search"


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_callbacks(asynchronous):
    tool = FunctionTool.from_defaults(search, **tool_callbacks(max_tokens=250))
    out = await tool.acall(query=QUESTION) if asynchronous else tool.call(query=QUESTION)
    assert 0.95 * 250 <= count(out.content) <= 250
    assert out.raw_output == WHOLE
    tool = FunctionTool.from_defaults(short, **tool_callbacks(max_tokens=250))
    out = await tool.acall(query="storks") if asynchronous else tool.call(query="storks")
    assert out.content == "Nothing on storks."


def test_callbacks_take_what_a_function_tool_takes():
    compressor = ToolOutputCompressor(max_tokens=250)
    from conftest import nodes

    given = nodes()
    for raw in (given, [n.node for n in given], [TextBlock(text=t) for t in PASSAGES.values()]):
        text = compressor.callback(raw)
        assert 0.9 * 250 <= count(text) <= 260
    assert count(compressor.callback({"pages": list(PASSAGES.values())})) <= 250
    assert compressor.callback(ImageBlock(url="https://x.example/a.png")) is None
    assert compressor.callback(None) is None
    assert compressor.callback("") is None
    assert compressor.callback(42) is None


def test_other_blocks_errors_and_the_given_output_stay():
    compressor = ToolOutputCompressor(max_tokens=250)
    image = ImageBlock(url="https://x.example/a.png")
    blocks = [TextBlock(text=WHOLE), image, TextBlock(text="It closes at 20:00.")]
    output = ToolOutput(tool_name="search", blocks=blocks, raw_input={}, raw_output="raw")
    before = copy.deepcopy(output)
    out = compressor.output(output, {"query": QUESTION})
    assert output == before
    assert out.blocks[1] == image
    texts = [b.text for b in out.blocks if isinstance(b, TextBlock)]
    assert sum(count(t) for t in texts) <= 250
    error = ToolOutput(tool_name="search", content=WHOLE, raw_input={}, is_error=True)
    assert compressor.output(error, {}) is error
    little = ToolOutput(tool_name="search", content="Yes.", raw_input={})
    assert compressor.output(little, {}) is little


def test_the_question_is_found_among_the_arguments(monkeypatch):
    asked = []
    compressor = ToolOutputCompressor(max_tokens=250, query_argument="topic")
    monkeypatch.setattr(
        ToolOutputCompressor, "texts", lambda self, texts, query=None: asked.append(query) or texts
    )
    output = ToolOutput(tool_name="search", content=WHOLE, raw_input={})
    compressor.output(output, {"topic": "heating", "query": "no"})
    ToolOutputCompressor(max_tokens=250).output(output, {"page": "3", "question": "why?"})
    ToolOutputCompressor(max_tokens=250).output(output, {"page": 3})
    assert asked == ["heating", "why?", None]


def test_failure_gives_the_output_as_it_is(caplog):
    with caplog.at_level(logging.WARNING):
        out = compress_tool(search, max_tokens=250, model="no/such/folder/here").call(query="x")
    assert out.content == WHOLE
    assert "not compressed" in caplog.text
    wrapped = compress_tool(search, max_tokens=250, model="no/such/folder/here", on_error="raise")
    with pytest.raises(Exception, match="no/such/folder"):
        wrapped.call(query="x")


async def test_query_engine_and_retriever_tools(index, llm):
    retriever = index.as_retriever(similarity_top_k=8)
    metadata = ToolMetadata(name="pages", description="Pages of the library")
    tool = compress_tool(RetrieverTool(retriever, metadata), max_tokens=250)
    out = await tool.acall(QUESTION)
    assert count(out.content) <= 260
    assert len(out.raw_output) == 8
    assert count(tool.call(QUESTION).content) <= 260
    engine = QueryEngineTool.from_defaults(index.as_query_engine(llm=llm), name="ask")
    assert (
        await compress_tool(engine, max_tokens=250).acall(input=QUESTION)
    ).content == "It was Ingrid Dahl."


def call(name, **arguments):
    return {"id": f"call-{name}", "name": name, "arguments": arguments}


async def test_an_agent_sees_compressed_results_in_the_running_turn():
    llm = ToolLLM(script=[call("search", query=QUESTION), f"It was {ANSWER}."])
    agent = FunctionAgent(tools=[compress_tool(search, max_tokens=300)], llm=llm, streaming=False)
    response = await agent.run(QUESTION)
    assert ANSWER in str(response)
    (message,) = [m for m in llm.seen[-1] if m.role == "tool"]
    assert 0.95 * 300 <= count(message.content) <= 300
    assert message.additional_kwargs == {"tool_call_id": "call-search"}
    assert response.tool_calls[0].tool_output.raw_output == WHOLE


async def test_an_agents_context_reaches_a_wrapped_tool():
    async def remember(ctx: Context, query: str) -> str:
        """Search and remember."""
        await ctx.store.set("asked", query)
        return WHOLE

    llm = ToolLLM(script=[call("remember", query=QUESTION), "Done."])
    agent = FunctionAgent(tools=[compress_tool(remember, max_tokens=300)], llm=llm, streaming=False)
    ctx = Context(agent)
    await agent.run(QUESTION, ctx=ctx)
    assert await ctx.store.get("asked") == QUESTION
    (message,) = [m for m in llm.seen[-1] if m.role == "tool"]
    assert count(message.content) <= 300


async def test_an_agent_sees_errors_whole():
    llm = ToolLLM(script=[call("broken", query=QUESTION), "I cannot say."])
    agent = FunctionAgent(tools=[compress_tool(broken, max_tokens=20)], llm=llm, streaming=False)
    await agent.run(QUESTION)
    (message,) = [m for m in llm.seen[-1] if m.role == "tool"]
    assert message.content == "the index is closed " * 100


async def test_an_agent_with_a_compressed_memory_over_several_turns():
    steps = [step for i in range(3) for step in (call("search", query=f"page {i}"), f"Answer {i}.")]
    llm = ToolLLM(script=steps)
    memory = ThresherMemory(
        memory=ChatMemoryBuffer.from_defaults(token_limit=50_000), max_tokens=600, on_error="raise"
    )
    agent = FunctionAgent(
        tools=[search], llm=llm, streaming=False, system_prompt="You are the librarian."
    )
    ctx = Context(agent)
    for i in range(3):
        await agent.run(f"What is on page {i}?", ctx=ctx, memory=memory)
    stored = [m for m in memory.get_all() if m.role == "tool"]
    assert [m.content for m in stored] == [WHOLE] * 3
    past = [m for m in llm.seen[4] if m.role == "tool"]
    assert len(past) == 2
    assert sum(count(m.content) for m in past) <= 600
    assert [m.additional_kwargs for m in past] == [{"tool_call_id": "call-search"}] * 2
    roles = [m.role.value for m in llm.seen[5]]
    turn = ["user", "assistant", "tool", "assistant"]
    assert roles == ["system", *turn, *turn, "user", "assistant", "tool"]
