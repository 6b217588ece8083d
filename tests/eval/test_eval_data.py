"""Reading items, and answer survival."""

import json
from pathlib import Path

import pytest
from eval_toys import item

from thresher_eval import DataError, answerable, load, normalise, survives
from thresher_eval.data import answer_keys, chain_survives, gold_titles
from thresher_eval.occurrences import occurrences


def test_normalise_drops_case_punctuation_and_articles() -> None:
    assert normalise("The  Dog's $1,200.50 — an A-frame") == "dog s 1 200 50 frame"


def test_survival_is_by_whole_words() -> None:
    assert survives("It was built in 1901.", ["The 1901"])
    assert not survives("It was built in 19012.", ["1901"])
    assert not survives("Yes, it was.", ["yes"])
    assert not survives("anything", [""])


def test_only_items_whose_answer_stands_count() -> None:
    assert answerable(item())
    assert answer_keys(["No", "maybe", "The Dog", "dog"]) == ["dog"]


def test_chain_needs_answer_and_subjects_of_all_gold_passages() -> None:
    toy = item()
    assert gold_titles(toy) == ["ada byron", "lund"]
    assert chain_survives(toy.context(), toy)
    assert not chain_survives("Ada Byron. Sweden.", toy)
    assert chain_survives("ada byron in Lund, Sweden", toy)


def test_load_reads_titles_strings_and_single_answers(tmp_path: Path) -> None:
    rows = [
        {"question": "q", "answer": "x", "passages": ["x y", {"text": "z", "title": "T"}]},
        {"id": 7, "question": "q", "answers": [], "passages": [{"text": "a", "is_gold": True}]},
    ]
    (tmp_path / "mine.jsonl").write_text("\n".join(json.dumps(r) for r in rows), "utf-8")
    first, second = load(tmp_path)
    assert (first.set, first.id, first.answers) == ("mine", "1", ("x",))
    assert first.texts == ["x y", "T\nz"]
    assert second.id == "7"
    assert second.gold == [0]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 1: not JSON"),
        ("[]", "expected an object"),
        ('{"question": "q", "passages": ["a"]}', "'answers' must be"),
        ('{"question": "q", "answers": ["a"], "passages": []}', "'passages' must be"),
        ('{"question": "q", "answers": ["a"], "passages": [{}]}', "a passage must be"),
        ('{"answers": ["a"], "passages": ["a"]}', "'question' must be"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "bad.jsonl").write_text(line, "utf-8")
    with pytest.raises(DataError, match=message):
        load(tmp_path / "bad.jsonl")


def test_a_missing_folder_or_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="neither"):
        load(tmp_path)
    (tmp_path / "one.jsonl").write_text("", "utf-8")
    with pytest.raises(DataError, match="two"):
        load(tmp_path, sets=["two"])


def test_limit_draws_the_same_items_again(tmp_path: Path) -> None:
    rows = [{"question": str(i), "answers": ["a"], "passages": ["a"]} for i in range(30)]
    (tmp_path / "many.jsonl").write_text("\n".join(json.dumps(r) for r in rows), "utf-8")
    drawn = [i.question for i in load(tmp_path, limit=5, seed=1)]
    assert drawn == [i.question for i in load(tmp_path, limit=5, seed=1)]
    assert drawn == sorted(drawn, key=int)
    assert drawn != [i.question for i in load(tmp_path, limit=5, seed=2)]


def test_occurrences_agree_with_survival() -> None:
    text = "The Dog's house, a DOG S house and dogs house."
    found = [text[a:b] for a, b in occurrences(text, [normalise("dog's house")])]
    assert found == ["Dog's house", "DOG S house"]
    assert occurrences("İİ 1,200 İ", ["1 200"]) == [(3, 8)]
    assert occurrences(text, [""]) == []


def test_dev_sets_have_the_documented_sizes(data_folder: Path) -> None:
    items = load(data_folder / "qa" / "dev")
    counts = {s: sum(i.set == s for i in items) for s in {i.set for i in items}}
    assert counts["nq_open"] == 150
    assert all(answerable(i) for i in items if i.set == "nq_open")
