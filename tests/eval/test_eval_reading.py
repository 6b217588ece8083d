"""Latin squares for readers, and their scores."""

from collections import Counter
from pathlib import Path

import pytest
from eval_toys import ToyScorer, item, words
from tokenizers import Tokenizer

from thresher_eval import EvalConfig, Run, Tools, reading, run


@pytest.fixture
def done(toy_tokenizer: Tokenizer) -> Run:
    items = [item(n, name) for n in range(6) for name in ("a", "b")]
    tools = Tools(words, model=ToyScorer(toy_tokenizer))
    return run(items, EvalConfig(ratios=(0.3,), methods=("truncate", "pooled")), tools=tools)


def test_every_file_holds_every_question_once_and_all_methods(done: Run) -> None:
    sheets = reading.square(done, 0.3)
    assert len(sheets) == 3 * 12
    assert len({s.id for s in sheets}) == len(sheets)
    for file in range(3):
        part = [s for s in sheets if s.file == file]
        assert len({s.item.key for s in part}) == 12
        per_set = Counter((s.item.set, s.method) for s in part)
        assert set(per_set.values()) == {2}
    for toy in done.items:
        assert len({s.method for s in sheets if s.item.key == toy.key}) == 3


def test_contexts_do_not_tell_the_method(done: Run, tmp_path: Path) -> None:
    paths = reading.write(reading.square(done, 0.3, full=False), tmp_path)
    assert len(paths) == 2
    rows = reading.read_lines(paths[0])
    assert set(rows[0]) == {"id", "question", "context"}
    assert "truncate" not in paths[0].read_text("utf-8")
    assert (tmp_path / "INSTRUCTIONS.txt").is_file()


def test_score_by_method_with_paired_losses(done: Run, tmp_path: Path) -> None:
    reading.write(reading.square(done, 0.3), tmp_path)
    key = reading.read_lines(tmp_path / "key.jsonl")
    answers = [
        {"id": r["id"], "answer": "Sweden" if r["method"] != "truncate" else "Norway"} for r in key
    ]
    reads, problems = reading.score(key, [*answers[1:], {"id": "x", "answer": ""}])
    assert problems == ["unknown id x", f"no answer to {key[0]['id']}"]
    rows = {(r["method"], r["set"]): r for r in reading.table(reads)}
    assert rows["pooled", "all"]["f1"] == 1
    assert rows["truncate", "all"]["contains"] == 0
    assert rows["truncate", "all"]["f1_loss"] == 1
    assert "f1_loss" not in rows["full", "a"]
