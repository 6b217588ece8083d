"""Label teacher compressions: align, measure, set bad rows aside, merge teachers.

Reads rows with ``text`` and either ``light`` and ``tight`` or ``question`` and ``focus``, and
writes ``kept.jsonl`` (rows with ``labels`` or ``focus_labels``, one a whitespace word),
``dropped.jsonl`` and ``report.json``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from thresher.errors import InputError
from thresher_train.align import align, split_words
from thresher_train.data import Row, read_rows, write_rows
from thresher_train.merge import Agreement, merge_rows
from thresher_train.quality import Quality, QualityConfig, assess, select, summary, worst


@dataclass(frozen=True)
class LabelConfig:
    """What to label.

    Attributes:
        inputs: Files of teacher rows; rows of several files with the same id are merged.
        output: Folder to write.
        quality: Which rows are set aside.
        progress: Show a progress bar.
    """

    inputs: tuple[Path, ...]
    output: Path
    quality: QualityConfig = field(default_factory=QualityConfig)
    progress: bool = False


@dataclass(frozen=True)
class LabelReport:
    """What labelling found.

    Attributes:
        rows: Rows read.
        kept: Rows written to ``kept.jsonl`` (after merging).
        dropped: Rows written to ``dropped.jsonl``.
        unmatched: Share of compression words that found no source word.
        before: Mean quality of all rows.
        after: Mean quality of the kept rows.
        shares: Share of words with each label.
        agreement: How alike several teachers labelled, where there were several.
    """

    rows: int
    kept: int
    dropped: int
    unmatched: float
    before: Mapping[str, float]
    after: Mapping[str, float]
    shares: Mapping[str, float]
    agreement: Agreement | None


@dataclass(frozen=True)
class LabelledRow:
    """A teacher row with its labels and how good they are.

    Attributes:
        row: The row with ``labels`` or ``focus_labels``.
        quality: The worst of its compressions.
        words: Words of its compressions.
        unmatched: How many of these found no source word.
    """

    row: dict[str, Any]
    quality: Quality
    words: int
    unmatched: int


def label_row(row: Row) -> LabelledRow:
    """Align the compressions of one row.

    Raises:
        InputError: The row has neither ``light`` and ``tight`` nor ``focus``.
    """
    source = split_words(str(row["text"]))
    result = dict(row)
    if "focus" in row:
        focus = split_words(str(row["focus"]))
        found = align(source, focus)
        result["focus_labels"] = found.kept.astype(int).tolist()
        parts = [(focus, found)]
    elif "light" in row and "tight" in row:
        light, tight = split_words(str(row["light"])), split_words(str(row["tight"]))
        first = align(source, light)
        second = align(source, tight, prior=first.kept)
        result["labels"] = np.where(second.kept, 2, first.kept.astype(int)).tolist()
        parts = [(light, first), (tight, second)]
    else:
        raise InputError(
            f"row {row.get('id')!r} has the fields {sorted(row)}; expected light and tight, "
            "or focus"
        )
    return LabelledRow(
        row=result,
        quality=worst([assess(source, words, alignment) for words, alignment in parts]),
        words=sum(len(words) for words, _ in parts),
        unmatched=sum(int((alignment.target < 0).sum()) for _, alignment in parts),
    )


def label(config: LabelConfig) -> LabelReport:
    """Label files of teacher rows; see the module's first lines for what is written.

    Raises:
        InputError: A row is malformed, or no row was found.
    """
    done = [
        label_row(row)
        for path in config.inputs
        for row in tqdm(read_rows(path), disable=not config.progress, unit="row", desc=path.name)
    ]
    if not done:
        raise InputError(f"no row in {[str(p) for p in config.inputs]}; expected JSON lines")
    keep = select([item.quality for item in done], config.quality)
    for item in done:
        item.row["quality"] = {**asdict(item.quality), "gap": item.quality.gap}
    good = [item for item, kept in zip(done, keep, strict=True) if kept]
    merged, agreement = merge_rows(item.row for item in good)
    write_rows(config.output / "kept.jsonl", merged)
    dropped = [item.row for item, kept in zip(done, keep, strict=True) if not kept]
    write_rows(config.output / "dropped.jsonl", dropped)
    report = LabelReport(
        rows=len(done),
        kept=len(merged),
        dropped=len(dropped),
        unmatched=sum(i.unmatched for i in done) / max(1, sum(i.words for i in done)),
        before=summary([item.quality for item in done]),
        after=summary([item.quality for item in good]),
        shares=_shares(merged),
        agreement=agreement,
    )
    text = json.dumps(asdict(report), indent=2)
    (config.output / "report.json").write_text(text + "\n", encoding="utf-8")
    return report


def _shares(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Share of words of each rounded label, by kind of label."""
    shares: dict[str, float] = {}
    for name in ("labels", "focus_labels"):
        values = np.array([round(v) for row in rows for v in row.get(name, ())], dtype=np.int64)
        if len(values):
            counts = np.bincount(values) / len(values)
            shares |= {f"{name}.{level}": float(share) for level, share in enumerate(counts)}
    return shares


__all__ = ["LabelConfig", "LabelReport", "LabelledRow", "label", "label_row"]
