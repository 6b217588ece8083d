"""A fast query-aware scorer, chat models that record what they receive, and texts."""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import Field
from thresher.types import TokenScores, Window
from tokenizers import Tokenizer

QUESTION = "What is the serial number of the failed valve?"
ANSWER = "The failed valve carries the serial number KX-4471."
WORDS = [
    *("pump", "pressure", "inlet", "manifold", "shift", "station", "north", "south", "record"),
    *("report", "engineer", "operation", "normal", "weekly", "quiet", "pipeline", "supervisor"),
    *("weather", "canteen", "schedule", "visitors", "parking", "painting"),
]


class OverlapScorer:
    """Finds the words of the question: tokens near them score high. Stands for a trained model.

    It sleeps a little, so that a run on the event loop is noticed, and counts its windows.
    """

    query_aware = True
    max_length = 512
    fingerprint = "overlap-1"

    def __init__(self, *, fails: bool = False) -> None:
        path = files("thresher") / "models" / "small" / "tokenizer.json"
        self.tokenizer = Tokenizer.from_str(path.read_text("utf-8"))
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        self.fails = fails
        self.windows = 0
        self.threads: set[int] = set()
        common = "what is the of a an in was were and to . ? , :"
        self._common = set(self.tokenizer.encode(common, add_special_tokens=False).ids)

    def score(self, windows: Sequence[Window], *, hidden: bool = False) -> list[TokenScores]:
        if self.fails:
            raise RuntimeError("the accelerator is on fire")
        time.sleep(0.001)
        self.windows += len(windows)
        self.threads.add(threading.get_ident())
        return [TokenScores(self._keep(w)) for w in windows]

    def _keep(self, w: Window) -> np.ndarray:
        if not w.paired:
            return ((w.ids * 2654435761) % 9973 / 9973 * 0.6 + 0.2).astype(np.float32)
        query = list(set(w.ids[1 : w.first].tolist()) - self._common)
        hit = np.isin(w.ids, query).astype(np.float64)
        hit[: w.first] = hit[w.last :] = 0
        near = np.convolve(hit, np.ones(17), mode="same")
        return np.clip(near / 3, 0.02, 0.98).astype(np.float32)


def text(sentences: int, *, seed: int = 0, answer: str | None = None) -> str:
    """Sentences of 13 common words; the answer in their middle."""
    rng = random.Random(seed)
    out = [" ".join(rng.choices(WORDS, k=13)).capitalize() + "." for _ in range(sentences)]
    if answer:
        out.insert(sentences // 2, answer)
    return " ".join(out)


def is_part_of(short: str, long: str) -> bool:
    """Whether the characters of ``short`` but white space come in this order in ``long``."""
    rest = iter(long)
    return all(c in rest for c in "".join(short.split()))


class RecordingChat(BaseChatModel):
    """Answers from a list and records what it was sent; has a token count of its own."""

    replies: list[AIMessage] = Field(default_factory=lambda: [AIMessage("Done.")])
    seen: list[list[BaseMessage]] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "recording"

    def get_token_ids(self, text: str) -> list[int]:
        return [len(piece) for piece in re.findall(r"\w{1,5}|[^\w\s]|\s{2,}", text)]

    def bind_tools(self, tools: Any, **kwargs: Any) -> RecordingChat:
        return self

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        self.seen.append(list(messages))
        reply = self.replies[min(len(self.seen), len(self.replies)) - 1]
        return ChatResult(generations=[ChatGeneration(message=reply.model_copy())])


@pytest.fixture
def scorer() -> OverlapScorer:
    return OverlapScorer()


@pytest.fixture
def documents() -> list[Document]:
    """Eight documents of about 200 tokens; the fifth holds the answer."""
    return [
        Document(
            page_content=text(14, seed=i, answer=ANSWER if i == 4 else None),
            id=f"doc-{i}",
            metadata={"source": f"log-{i}.txt", "page": i},
        )
        for i in range(8)
    ]
