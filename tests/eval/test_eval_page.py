"""The generated page."""

import json
from pathlib import Path
from typing import Any

import pytest
from eval_toys import ToyScorer, item, words
from tokenizers import Tokenizer

from thresher_eval import EvalConfig, Tools, run, studies
from thresher_eval.measures import joined
from thresher_eval.page import page, write_page
from thresher_eval.page_sections import table
from thresher_eval.readers import Look
from thresher_eval.reading import FULL

pytest.importorskip("bm25s")


@pytest.fixture
def done(toy_tokenizer: Tokenizer) -> Any:
    items = [item(n, name) for n in range(4) for name in ("a", "b")]
    methods = ("truncate", "bm25_sentences", "llmlingua2", "uniform", "pooled", "thresher")
    tools = Tools(words, model=ToyScorer(toy_tokenizer))
    return run(items, EvalConfig(ratios=(0.33, 0.25), methods=methods), tools=tools)


def results(done: Any) -> list[dict[str, Any]]:
    main = done.to_dict() | {"losses": studies.losses(done, 0.25)}
    return json.loads(json.dumps([main, studies.faithful(done, 0.25)]))


def test_a_table_is_markdown() -> None:
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n|---|---:|\n| 1 | 2 |"


def test_the_page_has_every_section(done: Any) -> None:
    text = page(results(done))
    for heading in ("# Quality", "## Answer survival", "### By data set, at 0.33",
                    "### Budget and gold", "### Paired", "## Faithfulness", "## Goals",
                    "## When not to compress"):  # fmt: skip
        assert heading in text
    assert "| Truncation |" in text
    assert "**Preliminary: 8 items.**" in text
    assert "nan" not in text


def test_losses_are_items_that_the_baseline_keeps(done: Any) -> None:
    for loss in studies.losses(done, 0.25):
        assert "Sweden" in loss["other"]
        assert loss["other_method"] == "bm25_sentences"


def test_a_section_of_another_commit_says_so(done: Any) -> None:
    main, faithful = results(done)
    main["environment"]["commit"] = faithful["environment"]["commit"] = "a"
    assert "Measured at commit" not in page([main, faithful])
    faithful["environment"]["commit"] = "b"
    assert "Measured at commit b." in page([main, faithful])


def test_a_page_needs_a_run() -> None:
    with pytest.raises(ValueError, match="no result of kind"):
        page([{"kind": "cost"}])


def test_write_page_makes_plots(done: Any, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    source = tmp_path / "one.json"
    source.write_text(json.dumps(results(done)[0]), "utf-8")
    write_page([source], tmp_path / "docs" / "quality.md")
    assert (tmp_path / "docs" / "images" / "quality-survival.png").stat().st_size > 1000
    assert "images/quality-survival.png" in (tmp_path / "docs" / "quality.md").read_text("utf-8")


class ToyReader:
    """Finds the answer where it stands."""

    def look(self, question: str, context: str, answers: Any, reference: list[int]) -> Look:
        agreement = 0.5 if reference else float("nan")
        return Look("Sweden", (1, 2), -1.0, agreement, float(len(context)))


class ToyChat:
    """Knows nothing of tokens."""

    def answer(self, question: str, context: str) -> str:
        return "Sweden" if "Sweden" in context else "unknown"


def test_readings_are_found_again_whatever_the_answer(done: Any, tmp_path: Path) -> None:
    cache = tmp_path / "readings.jsonl"
    asked = []

    class Chat:
        def answer(self, question: str, context: str) -> str:
            asked.append(question)
            return "Oslo\u2028yes\x85no"

    first = studies.read(done, 0.25, Chat(), name="chat", cache=cache)
    count = len(asked)
    with cache.open("a", encoding="utf-8") as out:
        out.write('{"item": "half a li')
    assert studies.read(done, 0.25, Chat(), name="chat", cache=cache)["rows"] == first["rows"]
    assert len(asked) == count


def test_any_reader_is_compared_with_the_full_context_and_the_best_extraction(done: Any) -> None:
    found = studies.read(done, 0.25, ToyChat(), name="chat")
    rows = {r["method"]: r for r in found["rows"]}
    assert "f1_against_uncompressed" not in rows[FULL]
    assert rows["thresher"]["f1_against_uncompressed"]["mean"] <= 0
    best = done.best("extraction", 0.25)
    assert best is None or "f1_against_extraction" in rows["thresher"]
    text = page([*results(done), found])
    assert "F1 against uncompressed" in text
    assert "log p" not in text.split("## Reader: chat")[1].split("| method")[1]


def test_a_reader_reads_full_and_compressed_once(done: Any, tmp_path: Path) -> None:
    cache = tmp_path / "readings.jsonl"
    reader: Any = ToyReader()
    found = studies.read(done, 0.25, reader, name="toy", cache=cache)
    size = cache.stat().st_size
    again = studies.read(done, 0.25, reader, name="toy", cache=cache)
    assert cache.stat().st_size == size
    assert found["rows"] == again["rows"]
    rows = {r["method"]: r for r in found["rows"]}
    assert rows["thresher"]["f1"]["mean"] == 1
    assert rows["thresher"]["agreement"]["mean"] == 0.5
    assert "agreement" not in rows[FULL]
    lengths = [len(joined(o.kept)) for o in done.outcomes["thresher"].values() if o.ratio == 0.25]
    expected = sum(lengths) / len(lengths)
    assert rows["thresher"]["surprise"]["mean"] == pytest.approx(expected, rel=1e-3)
    text = page([*results(done), found])
    assert "## Reader: toy, at 0.25, 8 items" in text
