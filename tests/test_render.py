"""Slices and what joins them."""

from __future__ import annotations

import numpy as np
import pytest

from thresher.render import render, whole
from thresher.segment import segment


def keep(text: str, *words: str, gap: str | None = None) -> str:
    parts = segment(text)
    units = [text[s:e] for s, e in zip(parts.start, parts.end, strict=True)]
    mask = np.asarray([u in words for u in units])
    out = render(text, parts, mask, gap=gap)
    for (start, end), at in zip(out.source.tolist(), out.target.tolist(), strict=True):
        assert out.text[at : at + end - start] == text[start:end]
    return out.text


@pytest.mark.parametrize(
    ("text", "words", "expected"),
    [
        ("one two three", ("one", "three"), "one three"),
        ("one  two", ("one", "two"), "one  two"),
        ("one two\nthree four", ("one", "four"), "one\nfour"),
        ("one two\r\nthree four", ("one", "four"), "one\r\nfour"),
        ("one two\n\nthree", ("one", "three"), "one\nthree"),
        ("  one two  ", ("one",), "one"),
        ("東京は日本の首都", ("東", "京", "都"), "東京都"),
        ("a b c", (), ""),
    ],
)
def test_a_gap_becomes_one_space_or_the_newline_it_held(text, words, expected):
    assert keep(text, *words) == expected


def test_a_gap_marker_is_put_only_on_request():
    assert keep("one two three", "one", "three", gap=" … ") == "one … three"
    assert keep("one two", "one", "two", gap=" … ") == "one two"


def test_code_keeps_its_indentation_and_numbers_are_not_glued():
    text = "```\ndef f():\n    x = 1\n    return x\n```"
    assert keep(text, "```", "def f():", "return x") == "```\ndef f():\n    return x\n```"
    assert keep("12数34", "12", "34") in ("12 34", "")


def test_everything_kept_is_the_source_itself():
    text = "  odd \t spacing\n\n kept "
    parts = segment(text)
    assert render(text, parts, np.ones(len(parts), bool)).text == text
    assert whole(text).text == text
    assert whole("").source.shape == (0, 2)
