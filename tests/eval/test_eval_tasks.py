"""Chain-of-thought prompts as items."""

import json
from pathlib import Path

import pytest
from eval_toys import item

from thresher_eval import DataError
from thresher_eval.tasks import chain_of_thought, few_shot, reconstruction


def test_few_shot_turns_rows_into_demonstrations(tmp_path: Path) -> None:
    rows = [
        {"question": f"q{i}", "rationale": f"1 + 1 = <<1+1=2>>2\n#### {i}", "answer": str(i)}
        for i in range(5)
    ]
    path = tmp_path / "g.jsonl"
    path.write_text("\n".join(json.dumps(r) for r in rows), "utf-8")
    items = few_shot(path, shots=3)
    assert [i.question for i in items] == ["q3", "q4"]
    assert items[0].texts[0] == "Question: q0\nAnswer: 1 + 1 = 2\n#### 0"
    with pytest.raises(DataError, match="more than 5"):
        few_shot(path, shots=5)


def test_chain_of_thought_splits_at_questions(tmp_path: Path) -> None:
    path = tmp_path / "b.jsonl"
    prompt = "Do the sum.\n\nQ: 1 + 1\nA: Let's think.\n\nIt is 2.\n\nQ: 2 + 2\nA: 4."
    path.write_text(json.dumps({"task": "sums", "prompt": prompt}), "utf-8")
    (item,) = chain_of_thought(path)
    assert item.question == "Do the sum."
    assert len(item.passages) == 3
    path.write_text('{"task": "sums"}', "utf-8")
    with pytest.raises(DataError, match="row 1: lacks prompt"):
        chain_of_thought(path)


def test_reconstruction_asks_for_the_longest_gold_passage() -> None:
    toy = item()
    (one,) = reconstruction([toy])
    gold = max((toy.texts[i] for i in toy.gold), key=len)
    assert one.answers == (toy.passages[toy.texts.index(gold)].text,)
    assert one.texts == [gold]
    assert not one.question
