from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest
from blockbuster import blockbuster_ctx
from langchain.agents import create_agent
from langchain.agents.middleware import ContextEditingMiddleware, SummarizationMiddleware
from langchain.agents.middleware.types import ModelRequest, ModelResponse
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from thresher import BudgetError

from conftest import ANSWER, QUESTION, OverlapScorer, RecordingChat, text
from langchain_thresher import (
    ThresherEdit,
    ThresherMiddleware,
    ThresherSummarizer,
    ThresherToolMiddleware,
)

RESULTS = {f"topic {i}": text(215, seed=i, answer=ANSWER if i == 1 else None) for i in range(8)}
BUDGET = 4000


@tool
def search(topic: str) -> str:
    """Search the logs."""
    return RESULTS[topic]


def calls(*topics: int, extra: str = "") -> AIMessage:
    return AIMessage(
        extra,
        tool_calls=[
            {"name": "search", "args": {"topic": f"topic {i}"}, "id": f"call-{i}"} for i in topics
        ],
    )


def chat(*replies: AIMessage) -> RecordingChat:
    return RecordingChat(replies=[*replies, AIMessage("It is KX-4471.")])


def ask(question: str = QUESTION) -> dict:
    return {"messages": [HumanMessage(question)]}


def test_results_are_of_five_thousand_tokens():
    for result in RESULTS.values():
        assert count_tokens_approximately([ToolMessage(result, tool_call_id="x")]) >= 5000


def test_agent_loop(scorer):
    model = chat(calls(0), calls(1), calls(2, 3))
    agent = create_agent(
        model,
        [search],
        system_prompt="Use the tools.",
        middleware=[ThresherMiddleware(max_tokens=BUDGET, model=scorer)],
        checkpointer=InMemorySaver(),
    )
    config = {"configurable": {"thread_id": "1"}}
    state = agent.invoke(ask(), config)
    assert len(model.seen) == 4
    for request in model.seen:
        assert request[0].content == "Use the tools."
        assert count_tokens_approximately(request[1:]) <= BUDGET
    assert "KX-4471" in model.seen[-1][5].content
    # the state keeps the originals
    kept = [m.content for m in state["messages"] if isinstance(m, ToolMessage)]
    assert kept == [RESULTS[f"topic {i}"] for i in range(4)]
    # every request starts with the whole of the one before: provider caches survive
    follow_up = agent.invoke(ask("Who built that valve?"), config)
    assert len(model.seen) == 5
    for before, after in zip(model.seen, model.seen[1:], strict=False):
        assert after[: len(before)] == before
    assert len(follow_up["messages"]) == len(state["messages"]) + 2


async def test_async_agent_loop_does_not_block_and_gives_the_same(scorer):
    sync, concurrent = chat(calls(0), calls(1)), chat(calls(0), calls(1))
    middleware = ThresherMiddleware(max_tokens=BUDGET, model=scorer)
    create_agent(sync, [search], middleware=[middleware]).invoke(ask())
    fresh = OverlapScorer()
    agent = create_agent(
        concurrent, [search], middleware=[ThresherMiddleware(max_tokens=BUDGET, model=fresh)]
    )
    with blockbuster_ctx():
        await agent.ainvoke(ask())
    assert fresh.windows > 0
    assert [[m.content for m in r] for r in concurrent.seen] == [
        [m.content for m in r] for r in sync.seen
    ]


async def test_fifty_agents_at_once(scorer):
    middleware = ThresherMiddleware(max_tokens=BUDGET, model=scorer)
    models = [chat(calls(i % 4)) for i in range(50)]
    agents = [create_agent(m, [search], middleware=[middleware]) for m in models]
    await asyncio.gather(*(agent.ainvoke(ask()) for agent in agents))
    for i, model in enumerate(models):
        assert count_tokens_approximately(model.seen[1]) <= BUDGET
        assert [m.content for m in model.seen[1]] == [m.content for m in models[i % 4].seen[1]]


def test_bundled_model_in_an_agent():
    model = chat(calls(1))
    agent = create_agent(model, [search], middleware=[ThresherMiddleware(max_tokens=BUDGET)])
    agent.invoke(ask())
    assert count_tokens_approximately(model.seen[-1]) <= BUDGET


def test_short_conversations_go_through_as_they_are(scorer):
    seen: list[ModelRequest] = []

    def handler(request: ModelRequest) -> ModelResponse:
        seen.append(request)
        return ModelResponse(result=[AIMessage("x")])

    middleware = ThresherMiddleware(max_tokens=BUDGET, model=scorer)
    request = ModelRequest(
        model=RecordingChat(),
        messages=[HumanMessage("hi"), AIMessage("hello"), HumanMessage("bye")],
        system_message=SystemMessage("x"),
    )
    middleware.wrap_model_call(request, handler)
    assert seen == [request]
    assert seen[0] is request
    assert scorer.windows == 0


def test_errors_of_the_compression_do_not_stop_the_agent(caplog):
    broken = OverlapScorer(fails=True)
    model = chat(calls(0))
    agent = create_agent(
        model, [search], middleware=[ThresherMiddleware(max_tokens=BUDGET, model=broken)]
    )
    agent.invoke(ask())
    assert model.seen[-1][-1].content == RESULTS["topic 0"]
    assert "could not be compressed and go on unchanged" in caplog.text
    strict = ThresherMiddleware(max_tokens=BUDGET, model=broken, on_error="raise")
    with pytest.raises(Exception, match="fire"):
        create_agent(chat(calls(0)), [search], middleware=[strict]).invoke(ask())


def test_errors_of_the_model_are_not_swallowed(scorer):
    def handler(request: ModelRequest) -> ModelResponse:
        raise ValueError("the provider is down")

    with pytest.raises(ValueError, match="provider is down"):
        ThresherMiddleware(max_tokens=BUDGET, model=scorer).wrap_model_call(
            ModelRequest(model=RecordingChat(), messages=[HumanMessage("hi")]), handler
        )


def test_an_impossible_budget_is_said(scorer, caplog):
    model = chat()
    agent = create_agent(model, [], middleware=[ThresherMiddleware(max_tokens=50, model=scorer)])
    agent.invoke(ask(text(30)))
    assert model.seen[0][0].content == text(30)
    assert "50 were asked for" in caplog.text
    strict = ThresherMiddleware(max_tokens=50, model=scorer, on_error="raise")
    with pytest.raises(BudgetError):
        create_agent(chat(), [], middleware=[strict]).invoke(ask(text(30)))


async def test_tool_middleware_stores_the_compressed_result(scorer):
    middleware = ThresherToolMiddleware(max_tokens=600, model=scorer)
    sync = create_agent(chat(calls(1)), [search], middleware=[middleware]).invoke(ask())
    [result] = [m for m in sync["messages"] if isinstance(m, ToolMessage)]
    assert 0.97 * 600 <= count_tokens_approximately([result]) <= 600
    assert "KX-4471" in result.content
    assert result.tool_call_id == "call-1"
    agent = create_agent(chat(calls(1)), [search], middleware=[middleware])
    with blockbuster_ctx():
        again = await agent.ainvoke(ask())
    assert [m.content for m in again["messages"]] == [m.content for m in sync["messages"]]


def test_tool_middleware_handles_commands_and_errors(scorer):
    middleware = ThresherToolMiddleware(max_tokens=300, model=scorer)

    class Request:
        state = {"messages": [HumanMessage(QUESTION)]}  # noqa: RUF012

    bad = ToolMessage(RESULTS["topic 1"], tool_call_id="a", status="error")
    good = ToolMessage(RESULTS["topic 1"], tool_call_id="b", artifact=[1])
    assert middleware.wrap_tool_call(Request(), lambda r: bad) is bad
    command = Command(update={"messages": [bad, good, HumanMessage("x")], "n": 1}, goto="tools")
    found = middleware.wrap_tool_call(Request(), lambda r: command)
    assert found.goto == "tools"
    assert found.update["n"] == 1
    assert found.update["messages"][0] is bad
    assert "KX-4471" in found.update["messages"][1].content
    assert len(found.update["messages"][1].content) < 2000
    assert command.update["messages"][1] is good
    other = Command(goto="end")
    assert middleware.wrap_tool_call(Request(), lambda r: other) is other


def test_context_edit(scorer):
    model = chat(calls(0), calls(1))
    editing = ContextEditingMiddleware(edits=[ThresherEdit(max_tokens=BUDGET, model=scorer)])
    state = create_agent(model, [search], middleware=[editing]).invoke(ask())
    for request in model.seen:
        assert count_tokens_approximately(request) <= BUDGET
    assert "KX-4471" in model.seen[-1][-1].content
    assert RESULTS["topic 0"] in [m.content for m in state["messages"]]


async def test_summarizer(scorer):
    summarizer = ThresherSummarizer(max_tokens=300, counter=RecordingChat(), model=scorer)
    model = chat(calls(0), calls(1), calls(2))
    middleware = SummarizationMiddleware(
        model,
        trigger=("tokens", 12_000),
        keep=("messages", 2),
        trim_tokens_to_summarize=None,
        summarizer=summarizer,
    )
    agent = create_agent(model, [search], middleware=[middleware])
    state = await agent.ainvoke(ask())
    [summary] = [
        m for m in state["messages"] if m.additional_kwargs.get("lc_source") == "summarization"
    ]
    body = summary.content.split("\n\n", 1)[1]
    assert RecordingChat().get_num_tokens(body) <= 300
    assert "Tool search: " in body
    assert "KX-4471" in body
    assert summarizer([]) == ""


def test_the_error_without_langchain_names_the_extra():
    code = (
        "import sys\n"
        "sys.modules['langchain'] = None\n"
        "import langchain_thresher\n"
        "langchain_thresher.compress_messages\n"
        "try:\n"
        "    langchain_thresher.ThresherMiddleware\n"
        "except ImportError as error:\n"
        "    print(error)\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'langchain-thresher[agents]'" in out.stdout
