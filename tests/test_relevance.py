"""Relevance by BM25, by the retriever's scores, by encoders, and by what the caller plugs in."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from conftest import HashScorer, wordpiece
from thresher import CompressConfig, Compressor, Document, InputError, MissingExtraError
from thresher.relevance import Passage, RelevanceScores, load_relevance
from thresher.relevance.embedding import CrossEncoderRelevance, EmbeddingRelevance
from thresher.relevance.lexical import LexicalRelevance, terms

PASSAGES = [
    Passage("The fee is $45. It was not raised.", ("The fee is $45.", "It was not raised."), 0.2),
    Passage("Mild weather in the mountains.", ("Mild weather in the mountains.",), 0.9),
    Passage("", (), None),
]


class BagOfWords:
    """Stands in for a SentenceTransformer: one dimension a word."""

    def encode(self, texts, *, normalize_embeddings, show_progress_bar):
        vocabulary = sorted({w for t in texts for w in terms(t)})
        rows = np.asarray([[terms(t).count(w) for w in vocabulary] for t in texts], float)
        norm = np.linalg.norm(rows, axis=1, keepdims=True)
        return rows / np.where(norm > 0, norm, 1)


class Overlap:
    """Stands in for a CrossEncoder."""

    def predict(self, pairs, *, show_progress_bar):
        return [len(set(terms(a)) & set(terms(b))) for a, b in pairs]


@pytest.mark.parametrize(
    "make",
    [
        LexicalRelevance,
        lambda: EmbeddingRelevance(BagOfWords()),
        lambda: CrossEncoderRelevance(Overlap()),
    ],
)
def test_the_sentence_that_shares_words_with_the_query_comes_first(make):
    if make is not LexicalRelevance:
        pytest.importorskip("sentence_transformers")
    rated = make().rate("what was the weather like in the mountains", PASSAGES)
    assert [s.shape for s in rated.sentence] == [(2,), (1,), (0,)]
    assert rated.document.argmax() == 1
    assert rated.sentence[1][0] > rated.sentence[0].max()


def test_lexical_relevance_of_foreign_or_empty_queries_is_zero():
    for query in ("zzz unknown", "!!!", "東京"):
        rated = LexicalRelevance().rate(query, PASSAGES)
        assert not rated.document.any()
    assert LexicalRelevance().rate("x", []).sentence == ()


def test_terms_keep_identifiers_and_split_han():
    assert terms("Don't run pip-install v1.2 at 東京") == [
        "don't",
        "run",
        "pip-install",
        "v1.2",
        "at",
        "東",
        "京",
    ]


def test_retriever_scores_count_and_missing_ones_rank_last():
    rated = load_relevance("retriever").rate("any", PASSAGES)
    assert rated.document.tolist() == pytest.approx([0.2, 0.9, 0.2])
    assert rated.sentence[1].tolist() == pytest.approx([0.9])
    with pytest.raises(InputError, match="no document has one"):
        load_relevance("retriever").rate("any", [Passage("x", ("x",))])


def test_names_and_objects():
    assert isinstance(load_relevance("lexical"), LexicalRelevance)
    with pytest.raises(InputError, match="must be one of lexical"):
        load_relevance("bm42")
    with pytest.raises(InputError, match="rate"):
        load_relevance(object())


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "bm25s", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'thresher\[relevance\]'"):
        load_relevance("lexical")


def test_a_relevance_moves_the_budget_and_weight_zero_does_not():
    texts = [
        "The committee met on Tuesday and talked about the annual fee. " * 6,
        "Mild weather was seen in the mountains during the whole week. " * 6,
    ]
    scorer = HashScorer(wordpiece())

    def share(config=None, relevance="lexical"):
        c = Compressor(scorer, relevance=relevance, config=config)
        return c.compress(texts, query="weather in the mountains", ratio=0.4).documents[1].share

    without = share(CompressConfig(relevance_weight=0.0))
    assert share() > without
    assert share(CompressConfig(relevance_weight=3.0)) > share(CompressConfig(relevance_weight=0.2))


def test_a_plugged_in_relevance_sees_sentences_and_scores():
    seen = []

    class Mine:
        def rate(self, query, passages):
            seen.extend(passages)
            return RelevanceScores(
                tuple(np.zeros(len(p.sentences), np.float32) for p in passages),
                np.asarray([1.0, 0.0], np.float32),
            )

    texts = [Document("Alpha beta. Gamma delta. " * 9, score=0.5), "Epsilon zeta. " * 9]
    result = Compressor(HashScorer(wordpiece()), relevance=Mine()).compress(
        texts, query="q", ratio=0.3
    )
    assert seen[0].score == 0.5
    assert seen[0].sentences[:2] == ("Alpha beta.", "Gamma delta.")
    assert result.documents[0].share > result.documents[1].share
