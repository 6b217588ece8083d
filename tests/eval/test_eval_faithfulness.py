"""Rules on compressed texts."""

import pytest
from eval_toys import item

from thresher_eval import faithfulness as f

SOURCE = (
    "Ada Byron did not sign the treaty of 1,250.50 pounds in March 1843. See docs/guide.md and "
    "version 2.0.1 of load_model. The fee was signed later."
)


def test_mentions_are_found() -> None:
    found = f.Mentions.of(SOURCE)
    assert "Ada Byron" in found.entities
    assert {"1,250.50", "1843"} <= found.numbers
    assert {"docs/guide.md", "2.0.1", "load_model"} <= found.identifiers


def test_retention_is_the_share_of_the_sources_mentions() -> None:
    assert f.retention(SOURCE, SOURCE) == {"entities": 1, "numbers": 1, "identifiers": 1}
    assert f.retention("Ada Byron 1843", SOURCE)["numbers"] == pytest.approx(1 / 3)
    assert f.retention("x", "nothing here") == {}


def test_cut_numbers_and_names_are_violations() -> None:
    assert f.violations("Byron 1,250.50", SOURCE)["numbers"] == 0
    assert f.violations("Byron 1,250", SOURCE)["numbers"] == 1
    assert f.violations("see guide.md load_modelx", SOURCE)["identifiers"] >= 1


def test_a_lost_negation_is_a_violation() -> None:
    assert f.violations("Ada Byron did not sign", SOURCE)["negations"] == 0
    assert f.violations("Ada Byron sign treaty", SOURCE)["negations"] == 1
    assert f.violations("sign", "They sign. They did not sign.")["negations"] == 0


def test_extractive_means_words_in_order() -> None:
    assert f.is_extractive("Ada sign treaty", SOURCE)
    assert not f.is_extractive("treaty sign", SOURCE)


def test_inventions_are_listed() -> None:
    assert f.invented("Ada Byron met Charles Babbage in 1843 and 1844", SOURCE) == [
        "1844",
        "Charles Babbage",
    ]


def test_all_rules_over_an_item() -> None:
    toy = item()
    found = f.faithfulness(tuple(enumerate(toy.texts)), toy)
    assert found["extractive"] == 1
    assert found["violations_numbers"] == 0
    assert found["kept_numbers"] == 1
    assert f.faithfulness(((0, "8.5"),), toy)["extractive"] == 0
    assert f.faithfulness(((-1, "8.5"),), toy)["extractive"] == 1
