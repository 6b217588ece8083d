"""Other packages at the same budget, where they are installed."""

from types import SimpleNamespace
from typing import Any

import pytest
from eval_toys import item, words

from thresher.errors import MissingExtraError
from thresher_eval import METHODS, Tools
from thresher_eval.measures import joined
from thresher_eval.peers import abstractive
from thresher_eval.readers import AnswerReader, ChatReader

PEERS = [n for n, e in METHODS.items() if e.family == "peer" and not e.needs]


class ToyEncoder:
    def encode(self, texts: list[str], **_: object) -> list[list[float]]:
        rows = [[t.lower().count(c) + 0.1 for c in "abcdefghij"] for t in texts]
        return [[v / sum(x * x for x in r) ** 0.5 for v in r] for r in rows]


@pytest.mark.parametrize("name", PEERS)
def test_peers_meet_the_budget(name: str) -> None:
    tools = Tools(words, bi_encoder=ToyEncoder())
    try:
        method = METHODS[name].build(tools)
        kept = method(item(), 24)
    except (MissingExtraError, ImportError) as error:
        pytest.skip(str(error))
    assert words(joined(kept)) <= 24


class ToyChat:
    """Answers with a fixed text and remembers what it was asked."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.asked: list[Any] = []

    def invoke(self, messages: Any) -> Any:
        self.asked.append(messages)
        return SimpleNamespace(content=self.text)


def test_a_summary_is_cut_to_the_budget() -> None:
    chat = ToyChat("Ada wrote it in Lund, which is in Sweden.")
    kept = abstractive(words, chat)(item(), 4)
    assert kept == ((-1, "Ada wrote it in"),)
    assert "In which country" in chat.asked[0]


def test_replies_of_content_blocks_are_read() -> None:
    class Blocks:
        def invoke(self, messages: object) -> SimpleNamespace:
            return SimpleNamespace(content=[{"type": "text", "text": "Oslo"}])

    assert ChatReader(Blocks()).answer("Where?", "Oslo.") == "Oslo"


def test_any_chat_model_is_a_reader() -> None:
    chat = ToyChat(" Sweden \n")
    reader = ChatReader(chat)
    assert isinstance(reader, AnswerReader)
    assert reader.answer("Where?", "Lund is in Sweden.") == "Sweden"
    assert chat.asked[0][1][1].endswith("Question: Where?")
