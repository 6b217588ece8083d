"""Small items and a scorer that reads queries and gives hidden states."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tokenizers import Tokenizer

from thresher.types import TokenScores, Window
from thresher_eval import Item, Passage


class ToyScorer:
    """Keeps by id; a query's words score high; a hidden state is the one-hot of the id."""

    query_aware = True
    gives_hidden = True

    def __init__(self, tokenizer: Tokenizer, *, salt: int = 0) -> None:
        self.tokenizer = tokenizer
        self.max_length = 256
        self.salt = salt
        self.fingerprint = f"toy-{salt}"
        self.calls = 0

    def score(self, windows: Sequence[Window], *, hidden: bool = False) -> list[TokenScores]:
        self.calls += len(windows)
        return [self._one(w, hidden) for w in windows]

    def _one(self, w: Window, hidden: bool) -> TokenScores:
        keep = ((w.ids * 7919 + self.salt) % 97 / 97).astype(np.float32)
        if w.paired:
            known = np.isin(w.ids, w.ids[1 : w.first - 1])
            keep = np.where(known, 0.9, 0.1).astype(np.float32)
        states = np.eye(32, dtype=np.float32)[w.ids % 32] if hidden else None
        return TokenScores(keep, states)


def item(number: int = 0, name: str = "toy") -> Item:
    """Four passages; the second and the third are needed."""
    texts = [
        ("Fees", "The committee decided that it will not raise the annual fee this year."),
        ("Ada Byron", f"Ada Byron wrote engine number {number} in the city of Lund. It was new."),
        ("Lund (Sweden)", "Lund is a city of Sweden. The annual temperature there is 8.5 °C."),
        ("table", "Plan | Shares\nA | 19,536,441\nB | 12"),
    ]
    passages = tuple(
        Passage(f"{title}\n{text}", title, gold=index in (1, 2))
        for index, (title, text) in enumerate(texts)
    )
    question = "In which country did Ada Byron write the engine?"
    return Item(name, str(number), question, ("the Sweden",), passages)


def words(text: str) -> int:
    """A target tokenizer: one token a word."""
    return len(text.split())
