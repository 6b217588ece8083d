"""Memories: old turns shrink, everything that is not plain text stays."""

from __future__ import annotations

import copy
import logging
import pickle

import pytest
from llama_index.core.base.llms.types import (
    CacheControl,
    CachePoint,
    ChatMessage,
    ImageBlock,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.memory import ChatMemoryBuffer, Memory, StaticMemoryBlock
from llama_index.postprocessor.thresher import ThresherMemory, ThresherMemoryBlock
from llama_index.postprocessor.thresher.messages import MARK, measure

from conftest import ANSWER, PASSAGES, QUESTION, RecordingLLM, count, is_subsequence
from thresher import BudgetError

TEXTS = list(PASSAGES.values())


def conversation(turns=3):
    """Turns with everything that a message may hold."""
    out = [ChatMessage(role="system", content="You are the librarian. " * 8)]
    for i in range(turns):
        call = ToolCallBlock(tool_call_id=f"c{i}", tool_name="search", tool_kwargs={"query": "x"})
        out += [
            ChatMessage(role="user", content=f"Question {i}: what about this? {TEXTS[i]}"),
            ChatMessage(
                role="assistant",
                blocks=[
                    ThinkingBlock(content="I shall search.", additional_information={"sig": "s"}),
                    TextBlock(text="I search."),
                    call,
                ],
            ),
            ChatMessage(
                role="tool",
                blocks=[
                    TextBlock(text="\n\n".join(TEXTS[2 * i : 2 * i + 2])),
                    ImageBlock(url="https://halvorsen.example/room.png"),
                    CachePoint(cache_control=CacheControl(type="ephemeral")),
                ],
                additional_kwargs={"tool_call_id": f"c{i}"},
            ),
            ChatMessage(role="assistant", content=f"This is what I found. {TEXTS[i]}"),
        ]
    return [*out, ChatMessage(role="user", content=QUESTION)]


def memory(messages=None, *, max_tokens=1500, **settings):
    inner = ChatMemoryBuffer.from_defaults(chat_history=messages, token_limit=100_000)
    return ThresherMemory(memory=inner, max_tokens=max_tokens, **settings)


def frame(message):
    """All of a message but its texts."""
    other = [b for b in message.blocks if not isinstance(b, TextBlock)]
    kinds = [type(b) for b in message.blocks]
    return (message.role, message.additional_kwargs, other, kinds)


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_the_history_is_within_the_budget_and_only_texts_change(asynchronous):
    given = conversation()
    before = copy.deepcopy(given)
    kept = memory(given)
    out = await kept.aget(QUESTION) if asynchronous else kept.get(QUESTION)
    assert measure(given, count) > 1500
    assert 0.7 * 1500 <= measure(out, count) <= 1500
    assert given == before
    assert kept.get_all() == before
    assert [frame(m) for m in out] == [frame(m) for m in given]
    assert out[0] == given[0]
    assert out[-1] == given[-1]
    for old, new in zip(given, out, strict=True):
        for a, b in zip(old.blocks, new.blocks, strict=True):
            if isinstance(a, TextBlock):
                assert b.text == MARK or is_subsequence(b.text, a.text)
                assert b.text == a.text or count(a.text) > 64


async def test_a_history_within_the_budget_is_given_as_it_is():
    given = conversation()
    assert await memory(given, max_tokens=100_000).aget() == given


async def test_the_last_messages_are_kept():
    given = conversation()
    out = await memory(given, keep_last=5).aget()
    assert out[-5:] == given[-5:]
    assert measure(out, count) <= 1500


async def test_compressed_texts_stay_the_same_until_the_budget_is_reached_again():
    kept = memory(conversation(2), max_tokens=1000)
    first = await kept.aget()
    turns = 0
    while True:
        turns += 1
        await kept.aput(ChatMessage(role="assistant", content=f"Answer {turns}. Yes, it was so."))
        await kept.aput(ChatMessage(role="user", content=f"Question {turns}?"))
        following = await kept.aget()
        assert measure(following, count) <= 1000
        if following[: len(first)] != first:
            break
    assert turns > 5


async def test_the_question_decides_what_is_kept():
    kept = memory(conversation(), relevance=None)
    out = await kept.aget(ChatMessage(role="user", content=QUESTION))
    assert measure(out, count) <= 1500


@pytest.mark.parametrize("mode", ["pass", "raise"])
async def test_what_cannot_be_compressed(mode, caplog):
    given = conversation()
    kept = memory(given, max_tokens=100, on_error=mode)
    if mode == "raise":
        with pytest.raises(BudgetError, match="never compressed"):
            await kept.aget()
        return
    with caplog.at_level(logging.WARNING):
        assert await kept.aget() == given
    assert "never compressed" in caplog.text


def test_delegation():
    kept = memory()
    kept.put(ChatMessage(role="user", content="One"))
    kept.put_messages([ChatMessage(role="assistant", content="Two")])
    assert [m.content for m in kept.get_all()] == ["One", "Two"]
    kept.set([ChatMessage(role="user", content="Three")])
    assert [m.content for m in kept.memory.get_all()] == ["Three"]
    kept.reset()
    assert kept.get() == []


@pytest.mark.parametrize("way", ["dict", "json", "pickle"])
def test_round_trips(way):
    given = conversation()
    settings = {
        "max_tokens": 1500,
        "keep_last": 2,
        "min_tokens": 30,
        "refill": 0.9,
        "on_error": "raise",
        "counter": "cl100k_base",
        "config": {"min_ratio": 0.1},
    }
    # SimpleChatStore cannot write messages as a dict with every pydantic, whoever asks it to
    kept = memory(given if way == "pickle" else None, **settings)
    if way == "dict":
        again = ThresherMemory.from_dict(kept.to_dict())
    elif way == "json":
        again = ThresherMemory.from_json(kept.to_json())
    else:
        again = pickle.loads(pickle.dumps(kept))
    assert isinstance(again.memory, ChatMemoryBuffer)
    assert {k: getattr(again, k) for k in settings} == settings
    assert again.memory.get_all() == kept.memory.get_all()


def test_only_known_memories_are_loaded():
    with pytest.raises(ValueError, match="class name 'Path'"):
        ThresherMemory(memory={"class_name": "Path"}, max_tokens=10)
    with pytest.raises(ValueError, match="max_token"):
        ThresherMemory.from_defaults(max_token=10)


async def test_the_default_memory_and_a_chat_engine():
    llm = RecordingLLM()
    kept = ThresherMemory.from_defaults(max_tokens=400)
    engine = SimpleChatEngine.from_defaults(llm=llm, memory=kept)
    for text in TEXTS[:5]:
        await engine.achat(text)
    await engine.achat(QUESTION)
    assert count(llm.prompts[-1]) <= 400 + 6 * len(engine.chat_history)
    assert [m.content for m in engine.chat_history if m.role == "user"] == [*TEXTS[:5], QUESTION]


def turns(texts=TEXTS):
    return [ChatMessage(role="assistant", content=t) for t in texts]


async def test_block_gives_what_matters_within_its_budget():
    block = ThresherMemoryBlock(max_tokens=300)
    assert await block.aget([ChatMessage(role="user", content=QUESTION)]) == ""
    await block.aput(turns())
    await block.aput([ChatMessage(role="user", content="  ")])
    assert [e.text for e in block.entries] == TEXTS
    content = await block.aget([ChatMessage(role="user", content=QUESTION)])
    assert 0.95 * 300 <= count(content) <= 300
    assert content.startswith("assistant: ")
    short = ThresherMemoryBlock(max_tokens=9000, entries=block.entries)
    assert await short.aget() == "\n\n".join(f"assistant: {t}" for t in TEXTS)


@pytest.mark.parametrize("tokens", [1, 50, 150, 250])
async def test_block_truncates_by_at_least_what_is_asked(tokens):
    block = ThresherMemoryBlock(max_tokens=300)
    await block.aput(turns())
    content = await block.aget([ChatMessage(role="user", content=QUESTION)])
    shorter = await block.atruncate(content, tokens)
    goal = count(content) - tokens
    assert 0.85 * goal <= count(shorter) <= goal
    assert is_subsequence(shorter, content)


async def test_block_truncation_at_the_ends():
    block = ThresherMemoryBlock(max_tokens=300)
    assert await block.atruncate(TEXTS[0], 0) == TEXTS[0]
    assert await block.atruncate(TEXTS[0], 10_000) is None
    assert await block.atruncate([], 5) == []


async def test_block_in_a_memory_is_truncated_and_not_dropped():
    block = ThresherMemoryBlock(max_tokens=350, priority=1)
    kept = Memory.from_defaults(
        token_limit=700,
        token_flush_size=50,
        chat_history_token_ratio=0.3,
        memory_blocks=[StaticMemoryBlock(static_content="Be kind. " * 100), block],
    )
    for i, text in enumerate(TEXTS):
        await kept.aput(ChatMessage(role="user", content=f"What of {i}?"))
        await kept.aput(ChatMessage(role="assistant", content=text))
    assert len(block.entries) > 6
    out = await kept.aget()
    assert out[0].role == "system"
    inner = out[0].content.split("<EarlierConversation>")[1].split("</EarlierConversation>")[0]
    full = await block.aget(await kept.aget_all())
    history = sum(count(m.content) for m in out[1:])
    assert 0 < count(inner.strip()) < count(full)
    assert count(inner.strip()) + history + count("Be kind. " * 100) <= 700


async def test_block_round_trip():
    block = ThresherMemoryBlock(max_tokens=300, name="Past", config={"min_ratio": 0.1})
    await block.aput(turns())
    again = ThresherMemoryBlock.model_validate_json(block.model_dump_json())
    question = [ChatMessage(role="user", content=QUESTION)]
    assert again == block
    assert await again.aget(question) == await block.aget(question)
    assert ANSWER in TEXTS[0]
