"""Scores stored at index time."""

from __future__ import annotations

import json

import numpy as np
import pytest

from conftest import HashScorer, wordpiece
from thresher import CompressConfig, Compressor, Document, InputError, StoredScores
from thresher.cache import fingerprint

TEXTS = [
    "The committee did not raise the fee in 2024, by 12 votes to 3. " * 3,
    "Alpha beta gamma. " * 20,
]


def test_packing_keeps_the_order_to_a_sixteenth_of_a_logit():
    keep = np.linspace(0.001, 0.999, 500).astype(np.float32)
    stored = StoredScores.pack("f", keep)
    assert stored.keep.nbytes == 500
    assert (np.diff(stored.scores()) >= 0).all()
    logit = lambda p: np.log(p / (1 - p))  # noqa: E731
    assert np.abs(logit(stored.scores()) - logit(keep)).max() <= 1 / 16 / 2 + 1e-3


def test_json_round_trip():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(4, 8)).astype(np.float32)
    stored = StoredScores.pack("f", rng.random(9).astype(np.float32), vectors)
    again = StoredScores.from_dict(json.loads(json.dumps(stored.to_dict())))
    assert again.fingerprint == "f"
    np.testing.assert_array_equal(again.keep, stored.keep)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert (again.embeddings() * unit).sum(axis=1) == pytest.approx(np.ones(4), abs=1e-3)


@pytest.mark.parametrize(
    "bad", [{}, {"format": 1}, {"format": 1, "fingerprint": "x", "keep": "§"}, 7]
)
def test_what_is_not_stored_scores_is_an_error(bad):
    with pytest.raises(InputError, match="not stored scores"):
        StoredScores.from_dict(bad)


def test_scores_of_another_format_are_stale_not_wrong():
    assert StoredScores.from_dict({"format": 99, "keep": "??"}).fingerprint == ""


def stored(c: Compressor) -> list[Document]:
    return [
        Document(t, scores=StoredScores.from_dict(s.pack().to_dict()))
        for t, s in zip(TEXTS, c.score(TEXTS), strict=True)
    ]


def test_stored_scores_run_no_model_and_keep_the_same_words():
    c = Compressor(HashScorer(wordpiece()))
    documents = stored(c)
    fresh = c.compress(TEXTS, ratio=0.4)
    c.scorer.windows.clear()
    again = c.compress(documents, ratio=0.4)
    assert not c.scorer.windows
    kept = set(fresh.text.split())
    assert len(kept & set(again.text.split())) / len(kept) > 0.9


@pytest.mark.parametrize("change", ["text", "model", "window"])
def test_stale_scores_are_computed_again(change):
    c = Compressor(HashScorer(wordpiece()))
    documents = stored(c)
    if change == "text":
        documents = [Document("New. " + d.text, scores=d.scores) for d in documents]
    elif change == "model":
        c = Compressor(HashScorer(wordpiece(), salt=1))
    else:
        c = Compressor(HashScorer(wordpiece()), config=CompressConfig(window=64))
    c.scorer.windows.clear()
    result = c.compress(documents, ratio=0.4)
    assert c.scorer.windows
    assert result.text == c.compress([d.text for d in documents], ratio=0.4).text


def test_the_fingerprint_depends_on_all_it_names():
    base = fingerprint("a", scorer="s", window=256)
    assert (
        len(
            {
                base,
                fingerprint("b", scorer="s", window=256),
                fingerprint("a", scorer="t", window=256),
                fingerprint("a", scorer="s", window=128),
            }
        )
        == 4
    )
    assert fingerprint("\ud800", scorer="s", window=1) == fingerprint(
        "\ud800", scorer="s", window=1
    )
