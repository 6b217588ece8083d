"""Reading, labelling and mining."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from thresher_train.data import (
    document_id,
    holds_answer,
    label_focus,
    label_keep,
    mine_helpful,
    mine_negatives,
    read_rows,
    write_rows,
)


def item(question: str, size: int) -> dict[str, object]:
    passages = [{"text": f"{question} filler {i}", "is_gold": i == 0} for i in range(size)]
    passages.append({"text": "it holds the Answer, here", "is_gold": False})
    return {"id": question, "question": question, "answers": ["answer"], "passages": passages}


def test_negatives_hold_no_answer_and_are_spread_over_items() -> None:
    items = [item("q1", 6), item("q2", 3), item("unknown", 9)]
    questions = [
        {"question": "q1", "text": "q1 filler 0", "focus": "q1"},
        {"question": "q2", "text": "q2 filler 2", "focus": "q2"},
    ]
    found = mine_negatives(items, questions, count=3, rng=np.random.default_rng(0))
    assert [row.question for row in found] == ["q1", "q2", "q1"]
    every = mine_negatives(items, questions, count=99, rng=np.random.default_rng(0))
    texts = {row.text for row in every}
    assert texts == {*(f"q1 filler {i}" for i in range(1, 6)), "q2 filler 1"}
    assert not any(row.targets.any() for row in every)


def test_mined_passages_begin_with_their_title() -> None:
    several = item("q", 3)
    for passage in several["passages"]:  # type: ignore[attr-defined]
        passage["title"] = "T"
    several["passages"][1]["is_gold"] = True  # type: ignore[index]
    known = [{"question": "q", "text": "q filler 0", "focus": "q"}]
    mined = mine_negatives([several], known, count=9, rng=np.random.default_rng(0))
    assert [row.text for row in mined] == ["T\nq filler 2"]
    assert [row.text for row in mine_helpful([several], known)] == ["T\nq filler 1"]


def test_yes_and_no_are_no_answers_to_look_for() -> None:
    assert not holds_answer("yes, it is", ["yes"])
    assert holds_answer("In the U.S. Open, 1999", ["the U.S. Open"])


def test_targets_follow_levels() -> None:
    row = {"id": "a#q1", "text": "a b c", "light": "a b", "tight": "b"}
    assert label_keep(row).targets.tolist() == [0.5, 1.0, 0.0]
    assert label_keep({**row, "labels": [2, 1, 0.5]}).targets.tolist() == [1.0, 0.5, 0.25]
    asked = {**row, "question": "?", "focus": "c"}
    assert label_focus(asked).targets.tolist() == [0.0, 0.0, 1.0]
    assert label_focus({**asked, "focus": ""}).targets.tolist() == [0.0, 0.0, 0.0]
    assert document_id(row) == "a"
    assert document_id({**row, "document": "book"}) == "book"


def test_lines_survive_a_round_trip(tmp_path: Path) -> None:
    rows = [{"id": "é", "text": "a\u2028b\n"}, {"id": 2}]
    assert write_rows(tmp_path / "new" / "rows.jsonl", rows) == 2
    assert read_rows(tmp_path / "new" / "rows.jsonl") == rows


def test_bad_lines_are_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"id": 1}\n\n[1]\n')
    with pytest.raises(ValueError, match=r"line 3: got list"):
        read_rows(path)
    path.write_text("{")
    with pytest.raises(ValueError, match=r"line 1: not JSON"):
        read_rows(path)


def test_gold_passages_without_labels_are_helpful_where_a_question_needs_several() -> None:
    passages = [{"text": f"hop {i}", "is_gold": i < 2} for i in range(4)]
    several = {"id": "i", "question": "q", "answers": ["a"], "passages": passages}
    one = {**several, "id": "j", "question": "r", "passages": passages[1:]}
    found = mine_helpful([several, one], [{"question": "q", "text": "hop 0", "focus": "hop"}])
    assert [(row.question, row.text, row.helps) for row in found] == [("q", "hop 1", True)]
    assert np.isnan(found[0].targets).all()
