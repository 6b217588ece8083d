from __future__ import annotations

import logging

import pytest
from blockbuster import blockbuster_ctx
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.prompts import ChatPromptTemplate
from thresher import BudgetError, CounterError, InputError

from conftest import ANSWER, QUESTION, OverlapScorer, RecordingChat, is_part_of, text
from langchain_thresher import compress_messages


def turn(i: int, *, sentences: int = 40, answer: str | None = None) -> list[BaseMessage]:
    """A tool call and its result of about 900 approximate tokens."""
    call = {"name": "search", "args": {"topic": f"topic {i}"}, "id": f"call-{i}"}
    return [
        AIMessage("", tool_calls=[call], id=f"ai-{i}"),
        ToolMessage(
            text(sentences, seed=i, answer=answer),
            tool_call_id=f"call-{i}",
            name="search",
            id=f"tool-{i}",
            artifact={"rows": [i]},
        ),
    ]


def conversation(turns: int) -> list[BaseMessage]:
    start = [SystemMessage("Be brief."), HumanMessage(QUESTION, id="h")]
    return start + [m for i in range(turns) for m in turn(i, answer=ANSWER if i == 1 else None)]


def test_within_the_budget_nothing_changes_and_no_model_runs(scorer):
    messages = conversation(3)
    total = count_tokens_approximately(messages)
    assert compress_messages(messages, max_tokens=total, model=scorer) == messages
    assert scorer.windows == 0


def test_only_tool_texts_change(scorer):
    messages = conversation(3)
    before = [m.model_copy(deep=True) for m in messages]
    out = compress_messages(messages, max_tokens=1500, model=scorer)
    assert messages == before
    assert len(out) == len(messages)
    assert count_tokens_approximately(out) <= 1500
    assert "KX-4471" in out[5].content
    for a, b in zip(messages, out, strict=True):
        if isinstance(a, ToolMessage):
            assert len(b.content) < len(a.content)
            assert is_part_of(b.content, a.content)
            assert b == a.model_copy(update={"content": b.content})
            assert b.artifact == a.artifact
        else:
            assert a is b


def test_same_text_on_every_later_turn_also_in_another_process(scorer):
    """The text depends on the messages before it alone: no memory is needed."""
    full = conversation(5)
    previous: list[BaseMessage] = []
    for turns in range(3, 6):
        out = compress_messages(full[: 2 + 2 * turns], max_tokens=2600, model=OverlapScorer())
        assert out[: len(previous)] == previous
        assert count_tokens_approximately(out) <= 2600
        previous = out
    asked_again = [*full, AIMessage("It is KX-4471."), HumanMessage("And who built it?")]
    out = compress_messages(asked_again, max_tokens=2600, model=OverlapScorer())
    assert out[: len(previous)] == previous


def test_exhausted_budget_makes_room_once_and_says_so(scorer, caplog):
    caplog.set_level(logging.INFO)
    out = compress_messages(conversation(8), max_tokens=1000, model=scorer)
    assert count_tokens_approximately(out) <= 1000
    assert "compressed again" in caplog.text
    sizes = [count_tokens_approximately([m]) for m in out if isinstance(m, ToolMessage)]
    assert min(sizes) > 10


def test_share_one_spends_the_whole_budget(scorer):
    out = compress_messages(conversation(4), max_tokens=2000, model=scorer, share=1.0)
    assert 0.97 * 2000 <= count_tokens_approximately(out) <= 2000
    assert "KX-4471" in out[5].content


def one(message: BaseMessage) -> int:
    return len(str(message.content)) // 3 + 5


def many(messages: list[BaseMessage]) -> int:
    return sum(len(str(m.content)) // 3 + 5 for m in messages)


@pytest.mark.parametrize("counter", [one, many, "chat", "approximate"])
def test_every_kind_of_token_counter(scorer, counter):
    chat = RecordingChat()
    counter = chat if counter == "chat" else counter
    out = compress_messages(conversation(2), max_tokens=1000, token_counter=counter, model=scorer)
    if counter is chat:
        total = chat.get_num_tokens_from_messages(out)
    elif counter == "approximate":
        total = count_tokens_approximately(out)
    else:
        total = many(out)
    assert 700 < total <= 1000


def test_as_a_runnable_before_a_model(scorer):
    chat = RecordingChat()
    step = compress_messages(max_tokens=1200, token_counter=chat, model=scorer)
    prompt = ChatPromptTemplate.from_messages([("placeholder", "{history}")])
    (prompt | step | chat).invoke({"history": conversation(3)})
    assert len(chat.seen[0]) == 8
    assert chat.get_num_tokens_from_messages(chat.seen[0]) <= 1200
    assert step.invoke([("human", "hi"), ("ai", "hello")])[1].content == "hello"


async def test_the_runnable_does_not_block(scorer):
    step = compress_messages(max_tokens=1200, model=scorer)
    with blockbuster_ctx():
        out = await step.ainvoke(conversation(2))
    assert out == step.invoke(conversation(2))


def test_untouchables(scorer):
    long = text(60, seed=3)
    thinking = {"type": "thinking", "thinking": long, "signature": "abc"}
    image = {"type": "image", "base64": "aGk=" * 50, "mime_type": "image/png"}
    cited = {"type": "text", "text": long, "citations": [{"start": 0, "end": 9}]}
    call = {"name": "search", "args": {"q": long}, "id": "c1"}
    messages = [
        SystemMessage(long),
        HumanMessage(long, id="old"),
        AIMessage(
            [thinking, {"type": "text", "text": long, "index": 1}], tool_calls=[call], id="a"
        ),
        ToolMessage(
            [image, {"type": "text", "text": long}, cited, text(30, seed=9)],
            tool_call_id="c1",
            name="search",
        ),
        ToolMessage(f"Traceback: {long}", tool_call_id="c2", status="error"),
        HumanMessage(long, id="last"),
    ]
    fixed = count_tokens_approximately(messages)
    out = compress_messages(messages, max_tokens=fixed - 1000, model=scorer)
    assert count_tokens_approximately(out) <= fixed - 1000
    for i in (0, 1, 4, 5):
        assert out[i] is messages[i]
    assert out[2].content[0] == thinking
    assert out[2].content[1]["index"] == 1
    assert len(out[2].content[1]["text"]) < len(long)
    assert out[2].tool_calls == messages[2].tool_calls
    assert out[2].id == "a"
    assert out[3].content[0] == image
    assert out[3].content[2] == cited
    assert len(out[3].content[1]["text"]) < len(long)
    assert 0 < len(out[3].content[3]) < len(messages[3].content[3])
    assert messages[3].content[1]["text"] == long


def test_roles_excluded_tools_and_keep_last(scorer):
    messages = [HumanMessage(text(40, seed=50)), AIMessage("Noted."), *conversation(3)[1:]]
    budget = count_tokens_approximately(messages) - 700
    humans = compress_messages(messages, max_tokens=1800, model=scorer, roles=["human", "tool"])
    assert len(humans[0].content) < len(messages[0].content)
    assert humans[2] is messages[2]
    with pytest.raises(BudgetError, match="may not be changed"):
        compress_messages(messages, max_tokens=budget, model=scorer, exclude_tools=["search"])
    last = compress_messages(messages, max_tokens=budget, model=scorer, keep_last=2)
    assert last[-2:] == messages[-2:]
    assert count_tokens_approximately(last) <= budget


def test_query_argument(scorer):
    other = "Canteen visitors praised the tasteful lentil soup."
    messages = conversation(1)
    messages[-1] = messages[-1].model_copy(
        update={"content": f"{text(30, seed=1)} {other} {text(30, seed=2)}"}
    )
    kwargs = {"max_tokens": 250, "model": scorer}

    def kept(out):
        return [w for w in other.rstrip(".").split() if w in out[-1].content]

    plain = kept(compress_messages(messages, **kwargs))
    asked = kept(compress_messages(messages, query="tasteful lentil soup", **kwargs))
    assert {"tasteful", "lentil", "soup"} <= set(asked)
    assert len(asked) > len(plain)


def test_nothing_becomes_empty(scorer):
    messages = conversation(3)
    out = compress_messages(messages, max_tokens=160, model=scorer, on_error="warn")
    assert all(m.content.strip() for m in out if isinstance(m, ToolMessage))


def test_on_error(caplog):
    broken = OverlapScorer(fails=True)
    with pytest.raises(Exception, match="fire"):
        compress_messages(conversation(2), max_tokens=500, model=broken)
    messages = conversation(2)
    assert compress_messages(messages, max_tokens=500, model=broken, on_error="warn") == messages
    assert "could not be compressed and go on unchanged" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"max_tokens": 0}, InputError, "max_tokens is 0"),
        ({"max_tokens": 9, "share": 0}, InputError, "share is 0"),
        ({"max_tokens": 9, "keep_last": -1}, InputError, "keep_last"),
        ({"max_tokens": 9, "roles": ["system"]}, InputError, "roles holds"),
        ({"max_tokens": 9, "on_error": "ignore"}, InputError, "on_error"),
        ({"max_tokens": 9, "token_counter": "exact"}, InputError, "'approximate'"),
        ({"max_tokens": 9, "token_counter": len}, CounterError, "not messages"),
        ({"max_tokens": 9, "rolls": ["tool"]}, TypeError, "rolls"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        compress_messages([HumanMessage("x")], **arguments)
