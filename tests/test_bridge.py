"""Relevance that goes from passage to passage by names."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from thresher import Compressor
from thresher.relevance.bridge import bridges
from thresher.segment import segment

FILM = "Pervirella is a film directed by Alex Chandon. It was cut in Leeds."
DIRECTOR = "Alex Chandon\nAlex Chandon was born in London. He also paints."
OTHER = "Brian Kennedy is a museum director. He works in Ohio."
QUERY = "Where was the director of Pervirella born?"


def spread(texts, worth, query=QUERY):
    parts = [segment(t) for t in texts]
    sizes = [int(s.sentence[-1]) + 1 if len(s) else 0 for s in parts]
    values = [np.full(n, w, np.float32) for n, w in zip(sizes, worth, strict=True)]
    return bridges(query, texts, parts, values)


def test_a_named_passage_borrows_from_the_one_that_names_it():
    film, director, other = spread([FILM, DIRECTOR, OTHER], [0.9, 0.1, 0.1])
    assert director.document > 0.7
    assert director.sentence[0] > director.sentence[-1] == 0
    assert other.document == 0
    assert film.document < director.document


def test_names_of_the_query_and_words_written_small_elsewhere_lead_nowhere():
    texts = ["Pervirella was a film. Director unknown.", "Pervirella is long.", "A director came."]
    for bridge in spread(texts, [0.9, 0.9, 0.9]):
        assert not bridge.sentence.any()
        assert bridge.document == 0


def test_a_name_in_every_passage_says_little():
    common = spread([f"{w} lives in Ohio." for w in ("Ann", "Bea", "Cleo", "Dora")], [0.9] * 4)
    rare = spread(["Ann lives in Ohio.", "Ohio is big.", "Cleo sings.", "Dora sings."], [0.9] * 4)
    assert common[0].sentence[0] < rare[0].sentence[0]


@pytest.mark.parametrize("texts", [[], [FILM], ["", FILM], ["東京は首都です。", "東京は大きい。"]])
def test_nothing_to_borrow(texts):
    for text, bridge in zip(texts, spread(texts, [0.5] * len(texts)), strict=True):
        parts = segment(text)
        assert bridge.sentence.shape == (int(parts.sentence[-1]) + 1 if len(parts) else 0,)
        assert not bridge.sentence.any()


def test_values_stay_between_0_and_1():
    text = "Ann Bea Cleo Dora Emma Fay Gina Hope met Ida."
    for bridge in spread([text, text + " Yes.", OTHER], [1.0, 1.0, 1.0]):
        assert ((bridge.sentence >= 0) & (bridge.sentence <= 1)).all()
        assert 0 <= bridge.document <= 1


def test_a_passage_borrows_nothing_from_itself():
    lone, _ = spread(["Ann met Bea. Ann left.", "Cleo stayed."], [0.9, 0.1])
    assert not lone.sentence.any()
    a, b = spread(["Ann met Bea.", "Ann left."], [0.9, 0.2])
    assert b.sentence[0] == pytest.approx(0.9 * 0.7, abs=1e-6)
    assert a.sentence[0] == pytest.approx(0.2 * 0.7, abs=1e-6)


def test_memory_grows_with_the_names_that_stand_there():
    texts = [f"It was Name{i:04d}x and Name{i + 1:04d}x." for i in range(1500)]
    parts = [segment(t) for t in texts]
    worth = [np.full(1, 0.5, np.float32) for _ in texts]
    tracemalloc.start()
    found = bridges(QUERY, texts, parts, worth)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8e6  # a table of documents by names would take 18 MB
    assert all(b.sentence[0] > 0.3 for b in found)


def test_the_second_hop_survives_compression():
    result = Compressor().compress([FILM, OTHER, DIRECTOR], query=QUERY, ratio=0.5)
    assert "London" in result.text
    assert result.documents[2].tokens > result.documents[1].tokens
