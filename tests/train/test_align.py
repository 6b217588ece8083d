"""Alignment of compressions, and the labels made from it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thresher_train.align import (
    UNMATCHED,
    align,
    normalise,
    single_labels,
    split_words,
    two_level_labels,
)
from thresher_train.data import read_rows

WORDS = st.lists(
    st.sampled_from(["the", "The", "fee", "(fee)", "of", "45", "$45.", "not", "a-b", "--", "é"]),
    min_size=1,
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(WORDS, st.data())
def test_deleted_words_leave_the_rest_aligned(words: list[str], data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.booleans(), min_size=len(words), max_size=len(words)))
    kept = [w for w, keep in zip(words, chosen, strict=True) if keep]
    found = align(split_words(" ".join(words)), split_words(" ".join(kept)))
    assert (found.target != UNMATCHED).all()
    assert [normalise(words[i]) for i in found.target] == [normalise(w) for w in kept]
    assert found.kept.sum() == len(kept)


def test_runs_decide_between_repeats() -> None:
    text = "the cat saw the dog and the cat ran to the barn"
    labels = single_labels(text, "the dog ran to the barn")
    kept = [w for w, label in zip(text.split(), labels, strict=True) if label]
    assert kept == ["the", "dog", "ran", "to", "the", "barn"]
    assert labels[3] == 1
    assert labels[0] == 0


@pytest.mark.parametrize(
    ("source", "compression", "expected"),
    [
        ("It was closed, finally (on Monday).", "closed Monday", [2, 5]),
        ("Prices increased sharply", "prices increase", [0, 1]),
        ("see foo_bucket,foo_count there", "foo_bucket there", [1, 2]),
        ("alpha beta gamma delta", "gamma alpha", [2, 0]),
        ("a -- b", "--", [1]),
    ],
)
def test_small_changes_still_match(source: str, compression: str, expected: list[int]) -> None:
    found = align(split_words(source), split_words(compression))
    assert sorted(found.target.tolist()) == sorted(expected)


def test_invented_words_are_unmatched() -> None:
    found = align(split_words("the fee is due"), split_words("fee payable tomorrow"))
    assert found.target.tolist() == [1, UNMATCHED, UNMATCHED]
    assert found.found.tolist() == [True, False, False]


@pytest.mark.parametrize(("text", "compression"), [("", "a b"), ("a b", ""), ("", "")])
def test_empty_sides(text: str, compression: str) -> None:
    found = align(split_words(text), split_words(compression))
    assert len(found.target) == len(split_words(compression))
    assert not found.kept.any()


def test_tight_prefers_the_words_of_light() -> None:
    text = "fee was raised . the fee was due"
    labels = two_level_labels(text, "the fee due", "fee")
    assert labels.tolist() == [0, 0, 0, 0, 1, 2, 0, 1]


def test_tight_words_outside_light_count_as_tight() -> None:
    assert two_level_labels("a b c", "a", "a c").tolist() == [2, 0, 2]


def test_offsets_and_normalisation() -> None:
    text = "  Grüße,\tan\u00a0 alle!\n"
    words = split_words(text)
    assert [text[a:b] for a, b in zip(words.start, words.end, strict=True)] == list(words.forms)
    assert normalise("“Grüße,”") == "grüsse"
    assert normalise("--") == "--"


def test_real_teacher_text_aligns(data_folder: Path) -> None:
    missing = total = 0
    for row in read_rows(data_folder / "distill" / "dev.jsonl")[:60]:
        source, light = split_words(row["text"]), split_words(row["light"])
        found = align(source, light)
        missing += int((found.target == UNMATCHED).sum())
        total += len(light)
    assert missing / total < 1 / 300
