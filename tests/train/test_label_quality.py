"""Quality control, labelling of files, and merging of teachers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from toy_training import passage_row, question_row, write_lines

from thresher_train.align import align, split_words
from thresher_train.data import read_rows
from thresher_train.label import LabelConfig, label, label_row
from thresher_train.merge import kappa, merge_labels, merge_rows
from thresher_train.quality import Quality, QualityConfig, assess, select


def quality(text: str, compression: str) -> Quality:
    source, words = split_words(text), split_words(compression)
    return assess(source, words, align(source, words))


def test_measures_of_a_faithful_compression() -> None:
    found = quality("a b c d", "b d")
    assert (found.variation, found.hitting, found.matching, found.gap) == (0.0, 0.5, 0.5, 0.0)


def test_measures_of_a_stray_one() -> None:
    found = quality("alpha beta gamma delta", "beta beta beta invented")
    assert found.variation == 0.25
    assert found.hitting == 0.75
    assert found.matching == 0.25
    assert found.gap == 0.5


def test_the_worst_rows_are_dropped() -> None:
    good = [Quality(0.0, 0.5, 0.5)] * 90
    strange, stray = Quality(0.4, 0.3, 0.3), Quality(0.0, 0.5, 0.1)
    keep = select([*good, *[strange] * 4, *[stray] * 6], QualityConfig())
    assert keep[:90].all()
    assert not keep[90:].any()
    assert select(good, QualityConfig()).all()
    assert select([], QualityConfig()).tolist() == []


def test_label_writes_kept_dropped_and_report(tmp_path: Path) -> None:
    rows = [passage_row(i) for i in range(30)] + [question_row(i) for i in range(9)]
    rows.append({"id": "odd", "text": "a b c", "light": "quite other words", "tight": "other"})
    report = label(LabelConfig((write_lines(tmp_path / "in.jsonl", rows),), tmp_path / "out"))
    assert (report.rows, report.kept, report.dropped) == (40, 39, 1)
    kept = read_rows(tmp_path / "out" / "kept.jsonl")
    assert kept[0]["labels"] == label_row(rows[0]).row["labels"]
    assert len(kept[-1]["focus_labels"]) == len(kept[-1]["text"].split())
    assert [r["id"] for r in read_rows(tmp_path / "out" / "dropped.jsonl")] == ["odd"]
    assert json.loads((tmp_path / "out" / "report.json").read_text())["rows"] == 40
    assert report.agreement is None


def test_two_teachers_are_averaged_and_compared(tmp_path: Path) -> None:
    first = {"id": "a", "text": "a b c d", "light": "a b", "tight": "a"}
    second = {"id": "a", "text": "a b c d", "light": "a c", "tight": "a"}
    files = (
        write_lines(tmp_path / "1.jsonl", [first]),
        write_lines(tmp_path / "2.jsonl", [second]),
    )
    report = label(LabelConfig(files, tmp_path / "out"))
    (row,) = read_rows(tmp_path / "out" / "kept.jsonl")
    assert row["labels"] == [2, 0.5, 0.5, 0]
    assert row["teachers"] == 2
    assert report.agreement is not None
    assert report.agreement.same == 0.5
    assert report.agreement.rows == 1


def test_merging_refuses_different_lengths() -> None:
    with pytest.raises(ValueError, match="same id"):
        merge_labels([[1, 2], [1]])
    merged, agreement = merge_rows([{"id": 1, "text": "a", "labels": [1]}])
    assert merged == [{"id": 1, "text": "a", "labels": [1]}]
    assert agreement is None


def test_kappa_is_zero_by_chance() -> None:
    import numpy as np

    a = np.array([1, 1, 0, 0], dtype=bool)
    assert kappa(a, a) == 1.0
    assert kappa(a, np.array([1, 0, 1, 0], dtype=bool)) == 0.0
    assert kappa(np.ones(3, dtype=bool), np.ones(3, dtype=bool)) == 1.0


def test_a_row_without_compression_is_refused() -> None:
    with pytest.raises(ValueError, match="expected light and tight"):
        label_row({"id": 1, "text": "a"})
