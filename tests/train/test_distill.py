"""Distillation with a recorded teacher: requests, answers, resuming, failures, cost."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from toy_training import RecordedTeacher, compressions, write_lines

from thresher_train import prompts
from thresher_train.chat import load_chat_model
from thresher_train.chunk import chunk_row, chunk_spans
from thresher_train.data import read_rows
from thresher_train.distill import DistillConfig, distill
from thresher_train.label import label_row
from thresher_train.teacher import PaceConfig, ask_all, text_of

QUICK = PaceConfig(concurrency=3, attempts=2, backoff=0.0)
RECORDED = RecordedTeacher()


def count(text: str) -> int:
    return len(text.split())


@pytest.fixture
def config(passage_file: Path, tmp_path: Path) -> DistillConfig:
    return DistillConfig(passage_file, tmp_path / "out.jsonl", pace=QUICK)


def test_light_and_tight_are_written_for_every_row(config: DistillConfig) -> None:
    teacher = RecordedTeacher()
    report = distill(config, teacher=teacher)
    assert (report.requests, report.written, dict(report.failed)) == (24, 24, {})
    assert report.usage.input_tokens > 24 * 100
    for row in read_rows(config.output):
        assert {k: row[k] for k in ("light", "tight")} == compressions(row["text"])
        assert label_row(row).unmatched == 0


def test_an_interrupted_run_goes_on(config: DistillConfig) -> None:
    distill(config, teacher=RecordedTeacher())
    lines = config.output.read_bytes().splitlines(keepends=True)
    config.output.write_bytes(b"".join(lines[:10]) + lines[10][:25])
    teacher = RecordedTeacher()
    report = distill(config, teacher=teacher)
    assert teacher.calls == 14
    assert report.done_before == 10
    rows = read_rows(config.output)
    assert len({row["id"] for row in rows}) == len(rows) == 24


def test_failures_are_retried_then_reported_and_left_for_the_next_run(
    config: DistillConfig,
) -> None:
    faults: dict[int, Any] = {1: RuntimeError("busy"), 2: "no lines at all"}
    report = distill(config, teacher=RecordedTeacher(faults=faults))
    assert report.written == 24
    broken = DistillConfig(config.input, config.output.with_name("b.jsonl"), pace=QUICK)
    every = dict.fromkeys(range(1, 100), "LIGHT: only this")
    report = distill(broken, teacher=RecordedTeacher(faults=every))
    assert report.written == 0
    assert len(report.failed) == 24
    assert "TIGHT" in next(iter(report.failed.values()))
    assert distill(broken, teacher=RecordedTeacher()).written == 24


def test_questions_then_focus(config: DistillConfig, tmp_path: Path) -> None:
    asked = DistillConfig(
        config.input, tmp_path / "q.jsonl", task="questions", questions=1, pace=QUICK
    )
    assert distill(asked, teacher=RecordedTeacher()).written == 24
    assert distill(asked, teacher=RecordedTeacher()).requests == 0
    focus = DistillConfig(tmp_path / "q.jsonl", tmp_path / "f.jsonl", task="focus", pace=QUICK)
    assert distill(focus, teacher=RecordedTeacher()).written == 24
    rows = read_rows(tmp_path / "f.jsonl")
    assert rows[0]["id"].endswith("#q0")
    assert rows[0]["answers"] == ["item"]
    assert rows[0]["focus"] == " ".join(rows[0]["text"].split()[-3:])


def test_the_gold_passages_of_an_item_are_asked_for_together(tmp_path: Path) -> None:
    passages = [
        {"title": "Red Dust", "text": "a film by Ann Carrow", "is_gold": True},
        {"title": "Blue", "text": "a colour", "is_gold": False},
        {"title": "", "text": "Ann Carrow grew up in Leith", "is_gold": True},
    ]
    item = {"id": 7, "question": "where?", "answers": ["Leith"], "passages": passages}
    path = write_lines(tmp_path / "items.jsonl", [item, {**item, "id": 8, "passages": []}])
    config = DistillConfig(path, tmp_path / "out.jsonl", task="chain", pace=QUICK)
    assert distill(config, teacher=RecordedTeacher()).written == 2
    first, second = read_rows(config.output)
    assert (first["id"], first["text"]) == ("7#g0", "Red Dust\na film by Ann Carrow")
    assert (second["id"], second["text"]) == ("7#g1", "Ann Carrow grew up in Leith")
    assert [first["focus"], second["focus"]] == ["Red Dust", "Ann Carrow"]
    assert first["document"] == second["document"] == 7
    assert label_row(first).unmatched == 0
    assert distill(config, teacher=RecordedTeacher()).requests == 0


def test_lines_of_a_chain_are_read_by_their_number() -> None:
    read = prompts.read_chain("Here:\n[1] b c\n - [0]  a\n[3]\n")
    assert read == [
        {"source": 0, "focus": "a"},
        {"source": 1, "focus": "b c"},
        {"source": 3, "focus": ""},
    ]
    with pytest.raises(prompts.AnswerError, match="expected lines"):
        prompts.read_chain("nothing")


def test_estimate_asks_nothing(config: DistillConfig) -> None:
    dry = DistillConfig(
        config.input, config.output, estimate_only=True, input_price=1.0, output_price=10.0
    )
    report = distill(dry)
    assert not config.output.exists()
    assert report.usage.input_tokens > report.usage.output_tokens > 0
    expected = (report.usage.input_tokens + 10 * report.usage.output_tokens) / 1e6
    assert report.cost == pytest.approx(expected)


def test_missing_fields_are_named(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "in.jsonl", [{"id": 1, "text": "a"}])
    with pytest.raises(ValueError, match=r"row 1.*question"):
        distill(DistillConfig(path, tmp_path / "o.jsonl", task="focus"), teacher=RECORDED)


def test_requests_are_concurrent_and_paced() -> None:
    class Slow:
        running = most = 0

        async def ainvoke(self, messages: Any) -> str:
            Slow.running += 1
            Slow.most = max(Slow.most, Slow.running)
            await asyncio.sleep(0.01)
            Slow.running -= 1
            return "FOCUS: a"

        def invoke(self, messages: Any) -> str:
            raise AssertionError("ainvoke is preferred")

    async def collect(pace: PaceConfig) -> list[int]:
        asked = [[("human", "x")]] * 9
        return [a.index async for a in ask_all(Slow(), asked, prompts.read_focus, pace)]

    assert sorted(asyncio.run(collect(PaceConfig(concurrency=4)))) == list(range(9))
    assert Slow.most == 4
    began = time.monotonic()
    asyncio.run(collect(PaceConfig(concurrency=9, requests_per_minute=60 / 0.02)))
    assert time.monotonic() - began >= 8 * 0.02


def test_langchain_models_are_teachers(config: DistillConfig) -> None:
    fake = pytest.importorskip(
        "langchain_core.language_models.fake_chat_models", reason="needs langchain-core"
    )
    model = fake.FakeListChatModel(responses=["LIGHT: The committee\nTIGHT: committee"])
    report = distill(config, teacher=model)
    assert report.written == 24


def test_teachers_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    module = SimpleNamespace(recorded=RECORDED, Recorded=RecordedTeacher)
    monkeypatch.setitem(sys.modules, "toy.teachers", module)
    assert load_chat_model("toy.teachers:recorded") is RECORDED
    assert isinstance(load_chat_model("toy.teachers:Recorded"), RecordedTeacher)
    with pytest.raises(ValueError, match="provider:model"):
        load_chat_model("something")


def test_replies_of_every_kind_are_read() -> None:
    assert text_of("a") == "a"
    assert text_of(SimpleNamespace(content="b")) == "b"
    blocks = [{"type": "text", "text": "c"}, "d"]
    assert text_of(SimpleNamespace(content=blocks)) == "cd"
    assert prompts.read_focus("FOCUS:") == {"focus": ""}
    with pytest.raises(prompts.AnswerError):
        prompts.read_questions("no questions today")


def test_chunks_end_at_sentences_and_lose_nothing() -> None:
    text = "One two three. Four five six seven! Eight nine.\n\n" + "long " * 12 + "end. Last one."
    spans = chunk_spans(text, maximum=8, count=count)
    assert all(count(text[a:b]) <= 8 for a, b in spans)
    assert " ".join(text[a:b] for a, b in spans).split() == text.split()
    assert text[slice(*spans[0])] == "One two three. Four five six seven!"
    rows = list(chunk_row({"id": "x", "text": text, "genre": "g"}, maximum=8, count=count))
    assert [r["id"] for r in rows] == [f"x#c{i}" for i in range(len(rows))]
    assert {r["document"] for r in rows} == {"x"}
    assert list(chunk_row({"id": "x", "text": "a"}, maximum=8, count=count)) == [
        {"id": "x", "text": "a"}
    ]
