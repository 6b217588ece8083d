"""Measures of answers and of contexts."""

import math

import pytest
from eval_toys import item, words

from thresher_eval import measures


def test_answer_measures() -> None:
    assert measures.exact_match("The Dracula.", ["dracula"]) == 1
    assert measures.f1("Dracula the plant", ["dracula"]) == pytest.approx(2 / 3)
    assert measures.f1("", ["dracula"]) == 0
    assert measures.contains("It is Dracula, I think", ["dracula"]) == 1
    assert measures.contains("Yes, because", ["yes"]) == 1
    assert measures.contains("I say yes", ["yes"]) == 0
    assert measures.contains("", ["yes"]) == 0


def test_rouge_l_is_the_longest_common_subsequence() -> None:
    assert measures.rouge_l("police killed gunman", ["police kill gunman"]) == pytest.approx(2 / 3)
    assert measures.rouge_l("gunman killed police", ["police killed gunman"]) == pytest.approx(
        1 / 3
    )
    assert measures.rouge_l("", ["x"]) == 0


def test_gold_measures() -> None:
    toy = item()
    kept = ((0, "one two"), (1, "Ada Byron wrote"), (2, ""))
    found = measures.gold(kept, toy, words)
    assert found["gold_share"] == pytest.approx(3 / 5)
    assert found["gold_all"] == 0
    whole = sum(words(toy.passages[i].text) for i in (1, 2))
    assert found["gold_kept"] == pytest.approx(3 / whole)
    assert measures.gold(((-1, "text"),), toy, words) == {}


def test_rate_says_what_is_over_and_what_is_used() -> None:
    assert measures.rate(90, 100) == {"used": 0.9, "overshoot": 0.0}
    assert measures.rate(110, 100)["overshoot"] == pytest.approx(0.1)


def test_joined_leaves_dropped_passages_out() -> None:
    assert measures.joined(((0, "a"), (1, ""), (2, "b"))) == "a\n\nb"


def test_bootstrap_covers_the_mean_and_skips_nan() -> None:
    found = measures.bootstrap([0.0, 1.0] * 50 + [math.nan])
    assert found.n == 100
    assert found.low < found.mean == 0.5 < found.high
    assert found.high - found.low == pytest.approx(0.2, abs=0.05)
    assert measures.bootstrap([]).n == 0


def test_stratified_resampling_keeps_the_sets_shares() -> None:
    values, sets = [0.0] * 20 + [1.0] * 20, ["a"] * 20 + ["b"] * 20
    found = measures.bootstrap(values, strata=sets)
    assert (found.low, found.high) == (0.5, 0.5)


def test_paired_differences_are_narrower_than_their_parts() -> None:
    first, second = [0.0, 1.0] * 40, [0.1, 1.1] * 40
    found = measures.paired(first, second)
    assert found.mean == pytest.approx(-0.1)
    assert found.high - found.low < 1e-6
