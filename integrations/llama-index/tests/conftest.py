"""A small library, an embedding that understands words, and language models that record."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from llama_index.core import Settings, VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    LLMMetadata,
)
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.llms import CustomLLM
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.schema import MetadataMode, NodeWithScore, TextNode
from llama_index.core.utils import get_tokenizer

QUESTION = "Who designed the reading room of the Halvorsen library?"
ANSWER = "Ingrid Dahl"

PASSAGES = {
    "Reading room": (
        "The reading room of the Halvorsen library was designed by the architect Ingrid Dahl, who "
        "had won the competition of 1927 against eleven other offices. Its oak tables seat 120 "
        "readers, and on bright afternoons the light falls through nine tall windows onto the "
        "green lamps that the founder had ordered from Bergen. The room was never rebuilt, "
        "although a committee proposed it twice, once in 1951 and once in 1968."
    ),
    "Founding": (
        "Peter Halvorsen, a shipowner, founded the library in 1924 with a gift of 400,000 kroner "
        "and his own collection of 18,000 volumes. He asked for nothing but that it be open on "
        "Sundays. The town council, which had refused two earlier gifts, accepted this one after "
        "a debate that lasted, as the minutes say, until the candles had to be replaced."
    ),
    "Collections": (
        "The library holds 310,000 volumes, among them the complete papers of the polar skipper "
        "Aksel Moe and 2,300 sea charts. Most of the charts were drawn before 1890 and are not "
        "lent out. A smaller collection of children's books, begun by the second director, is "
        "shown every spring in the entrance hall and is very popular with schools."
    ),
    "Opening hours": (
        "The library is open from 9:00 to 20:00 on weekdays and from 11:00 to 17:00 on Sundays. "
        "It is closed on Saturdays, which visitors from elsewhere usually find surprising. The "
        "café in the courtyard opens an hour later and closes an hour earlier. Groups of more "
        "than ten are asked to write to groups@halvorsen.example two weeks in advance."
    ),
    "Heating": (
        "Until 1962 the building was heated with coal, about 90 tonnes of it every winter. The "
        "boiler house behind the courtyard now holds the bicycle stands. Since 2009 the heat has "
        "come from the harbour: a pump takes it from sea water at 7 degrees. The old chimney was "
        "kept because a pair of storks nests on it, and the council does not disturb storks."
    ),
    "Directors": (
        "The library has had six directors. Sigrid Lund, the third, held the office for 31 years "
        "and introduced the card catalogue that is still used for the sea charts. Her successor "
        "did not last a year. The present director, Jonas Vik, came from the university library "
        "of Tromsø in 2015 and has made the digitisation of the Moe papers his first task."
    ),
    "Fire": (
        "On 3 March 1944 a fire destroyed the east wing and some 12,000 volumes. It did not reach "
        "the reading room, whose iron doors had been closed by the night watchman, Ole Berg. The "
        "wing was rebuilt in brick by 1949. Traces of smoke can still be seen on the ceiling of "
        "the staircase, and the doors have been kept as they were on that night."
    ),
    "Café": (
        "The café serves waffles, fish soup and, on Sundays, a cardamom bun which is named after "
        "the founder for no reason that anyone remembers. It is run by a cooperative of eight "
        "people. Prices have not been raised since 2019. There is no Wi-Fi, and the cooperative "
        "has voted three times against having any, most recently in the autumn of 2023."
    ),
}


def nodes(*, scores: bool = True) -> list[NodeWithScore]:
    """The library as retrieved nodes, best first."""
    return [
        NodeWithScore(
            node=TextNode(
                id_=f"node-{i}",
                text=text,
                metadata={"title": title, "file_path": f"/library/{i}.md"},
                excluded_llm_metadata_keys=["file_path"],
                excluded_embed_metadata_keys=["file_path"],
                start_char_idx=1000 * i,
                end_char_idx=1000 * i + len(text),
            ),
            score=0.9 - 0.1 * i if scores else None,
        )
        for i, (title, text) in enumerate(PASSAGES.items())
    ]


def count(text: str) -> int:
    """Tokens as LlamaIndex counts them."""
    return len(get_tokenizer()(text))


def prompt_of(found: Sequence[NodeWithScore]) -> str:
    """What the synthesizers make of nodes."""
    contents = (n.get_content(metadata_mode=MetadataMode.LLM).strip() for n in found)
    return "\n\n".join(c for c in contents if c)


def is_subsequence(short: str, long: str) -> bool:
    """Whether the words of one text come, in order, from the other."""
    rest = iter(long.split())
    return all(any(word in other for other in rest) for word in short.split())


class WordEmbedding(BaseEmbedding):
    """Bags of words: texts that share words are close."""

    def _embed(self, text: str) -> list[float]:
        vector = np.zeros(256)
        for word in re.findall(r"\w{4,}", text.lower()):
            vector[sum(ord(c) * 31**k for k, c in enumerate(word)) % 256] += 1.0
        return (vector / (np.linalg.norm(vector) or 1.0)).tolist()

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._embed(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._embed(query)

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._embed(text)


class RecordingLLM(CustomLLM):
    """Answers with a fixed sentence and keeps every prompt."""

    context_window: int = 8192
    _prompts: list[str] = PrivateAttr(default_factory=list)

    @property
    def prompts(self) -> list[str]:
        return self._prompts

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(context_window=self.context_window, num_output=256)

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        self._prompts.append(prompt)
        return CompletionResponse(text="It was Ingrid Dahl.")

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        def chunks() -> Iterator[CompletionResponse]:
            yield self.complete(prompt)

        return chunks()


class ToolLLM(FunctionCallingLLM):
    """Plays a script of tool calls, then answers; keeps what it was sent.

    Each step of the script is a dict of tool name and arguments, or a text.
    """

    script: list[Any]
    _seen: list[list[ChatMessage]] = PrivateAttr(default_factory=list)

    @property
    def seen(self) -> list[list[ChatMessage]]:
        return self._seen

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(context_window=32000, is_function_calling_model=True)

    def _prepare_chat_with_tools(self, tools: Any, **kwargs: Any) -> dict[str, Any]:
        return {"messages": kwargs.get("chat_history") or []}

    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        self._seen.append([m.model_copy(deep=True) for m in messages])
        step = self.script[len(self._seen) - 1]
        if isinstance(step, str):
            return ChatResponse(message=ChatMessage(role="assistant", content=step))
        calls = {"tool_calls": [step]}
        message = ChatMessage(role="assistant", content="", additional_kwargs=calls)
        return ChatResponse(message=message)

    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        return [
            ToolSelection(tool_id=c["id"], tool_name=c["name"], tool_kwargs=c["arguments"])
            for c in response.message.additional_kwargs.get("tool_calls", [])
        ]

    def chat(self, messages: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        raise NotImplementedError

    def stream_chat(self, messages: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        raise NotImplementedError

    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        raise NotImplementedError

    async def astream_chat(self, messages: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        raise NotImplementedError


@pytest.fixture
def library() -> list[NodeWithScore]:
    return nodes()


@pytest.fixture
def llm() -> RecordingLLM:
    return RecordingLLM()


@pytest.fixture
def index(llm: RecordingLLM) -> VectorStoreIndex:
    return VectorStoreIndex([n.node for n in nodes()], embed_model=WordEmbedding())


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may fall back to a hosted model."""
    monkeypatch.setattr(Settings, "_llm", RecordingLLM())
    monkeypatch.setattr(Settings, "_embed_model", WordEmbedding())
