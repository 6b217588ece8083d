"""What the model is asked: with the query, without it, or not at all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from conftest import QueryScorer, wordpiece
from thresher import CompressConfig, Compressor, Document
from thresher.types import TokenScores

TEXTS = [
    "The committee decided that it will not raise the annual membership fee this year.",
    "Weather in the mountains was mild, and nobody talked about money at all.",
    "In 2024 the measured temperature was 3.5 °C higher than in 1961, not 2.5 °C as reported.",
]
QUERY = "what fee was raised"


class TwoPass(QueryScorer):
    """Scores of a word do not depend on its place, so that both ways can be compared."""

    def _keep(self, ids):
        return ((ids * 7919 % 101) / 101).astype(np.float32)


class OnePass(TwoPass):
    """Gives keep and focus of a window with a query at once."""

    one_pass = True

    def score(self, windows, *, hidden=False):
        found = super().score(windows, hidden=hidden)
        return [
            replace(s, keep=self._keep(w.ids), focus=s.keep) if w.paired else s
            for w, s in zip(windows, found, strict=True)
        ]


def test_one_pass_reads_each_text_once_and_finds_the_same():
    two, one = TwoPass(wordpiece()), OnePass(wordpiece())
    results = [Compressor(s).compress(TEXTS, query=QUERY, ratio=0.5) for s in (two, one)]
    assert results[0].text == results[1].text
    assert [w.paired for w in one.windows] == [True] * 3
    assert sorted(w.paired for w in two.windows) == [False] * 3 + [True] * 3


def test_without_a_query_nothing_is_asked():
    scorer = OnePass(wordpiece())
    Compressor(scorer).compress(TEXTS, ratio=0.5)
    Compressor(scorer, config=CompressConfig(relevance_weight=0)).compress(
        TEXTS, query=QUERY, ratio=0.5
    )
    rated = [Document(t, score=float(i)) for i, t in enumerate(TEXTS)]
    Compressor(scorer, relevance="retriever").compress(rated, query=QUERY, ratio=0.5)
    assert not any(w.paired for w in scorer.windows)


def test_a_request_with_stored_scores_is_valued_alike_throughout():
    scorer = OnePass(wordpiece())
    compressor = Compressor(scorer)
    stored = [s.pack() for s in compressor.score(TEXTS)]
    scorer.windows.clear()
    documents = [Document(t, scores=s) for t, s in zip(TEXTS, stored, strict=True)]
    compressor.compress(documents, query=QUERY, ratio=0.5)
    assert not scorer.windows
    stale = [*documents[:2], replace(documents[2], text=TEXTS[2] + " Really.")]
    compressor.compress(stale, query=QUERY, ratio=0.5)
    assert [w.paired for w in scorer.windows] == [False]


def test_focus_is_checked_like_keep():
    class Broken(OnePass):
        def score(self, windows, *, hidden=False):
            found = super().score(windows, hidden=hidden)
            return [replace(s, focus=np.full(len(s.keep), np.nan, np.float32)) for s in found]

    with pytest.raises(Exception, match=r"expected probabilities in \[0, 1\]"):
        Compressor(Broken(wordpiece())).compress(TEXTS, query=QUERY, ratio=0.5)


def test_a_second_look_follows_the_best_sentences():
    film = "Pervirella was directed by Alex Chandon."
    director = "Alex Chandon was born in London, where nobody talked about the weather."
    other = "The committee decided that it will not raise the fee in the mountains."
    question = "who directed Pervirella"
    config = CompressConfig(second_look=True)
    scorer = OnePass(wordpiece())
    plain = Compressor(scorer).compress([film, other, director], query=question, ratio=0.5)
    again = Compressor(scorer, config=config)
    looked = again.compress([film, other, director], query=question, ratio=0.5)
    assert looked.tokens <= looked.budget
    relevance = [r.documents[2].relevance for r in (plain, looked)]
    assert relevance[1] > relevance[0]
    assert looked.query == question


def test_token_scores_stay_what_custom_scorers_return():
    assert TokenScores(np.zeros(2, np.float32)).focus is None


def test_an_empty_document_changes_nothing_for_the_others():
    compressor = Compressor()
    question = "Who founded the company?"
    stored = [s.pack() for s in compressor.score([*TEXTS, ""])]
    documents = [Document(t, scores=s) for t, s in zip([*TEXTS, ""], stored, strict=True)]
    alone = compressor.compress(documents[:-1], query=question, ratio=0.5)
    with_empty = compressor.compress(documents, query=question, budget=alone.budget)
    assert [d.text for d in with_empty.documents[:-1]] == [d.text for d in alone.documents]
