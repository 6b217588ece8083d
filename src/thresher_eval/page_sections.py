"""Sections of the page that look at one result each: readers, faithfulness, other tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from thresher_eval.methods import METHODS
from thresher_eval.runner import ALL
from thresher_eval.variants import entry

Result = dict[str, Any]
_CAUSAL = """\
log p(answer): mean log-probability in nats of a token of the likeliest right answer. Agreement:
share of the tokens of the reader's own answer to the uncompressed context that stay its first
choice. Surprise: mean of a token of the compressed text, in nats; low where it reads like ordinary
prose. A small reader is a weak judge: its log-probabilities are steadier than its answers."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are set right."""
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    return "\n".join([*lines, *(f"| {' | '.join(r)} |" for r in rows)])


def _reader(result: Result) -> str:
    names = {
        "log_probability": "log p(answer)", "f1": "F1", "contains": "contains", "em": "EM",
        "rouge_l": "ROUGE-L", "agreement": "agreement", "surprise": "surprise",
    }  # fmt: skip
    differences = {
        "log_probability_against_uncompressed": "log p against uncompressed",
        "log_probability_against_extraction": "log p against extraction",
        "f1_against_uncompressed": "F1 against uncompressed",
        "f1_against_extraction": "F1 against extraction",
    }
    causal = any("log_probability" in r for r in result["rows"])
    parts = [
        f"## Reader: {result['reader']}, at {result['ratio']:g}, {result['n']} items",
        _CAUSAL if causal else "",
        _estimates(result["rows"], names),
        "Paired by question, against the uncompressed context and against the extraction under "
        "which most answers survive:",
        _estimates(result["rows"], differences),
    ]
    return "\n\n".join(p for p in parts if p)


def _estimates(rows: Sequence[Result], names: dict[str, str]) -> str:
    """A table of means with their intervals; columns that no row has are left out."""
    shown = {k: v for k, v in names.items() if any(k in r for r in rows)}
    cells = [
        [r["label"]]
        + [
            f"{r[k]['mean']:.3g} [{r[k]['low']:.3g}, {r[k]['high']:.3g}]" if k in r else ""
            for k in shown
        ]
        for r in rows
        if any(k in r for k in shown)
    ]
    return table(["method", *shown.values()], cells)


def _reading(result: Result) -> str:
    names = {"f1": "F1", "contains": "contains", "rouge_l": "ROUGE-L", "f1_loss": "F1 lost"}
    shown = {k: v for k, v in names.items() if any(k in r for r in result["rows"])}
    rows = []
    for r in result["rows"]:
        cells = [f"{100 * r[k]:.1f} ± {100 * r[f'{k}_se']:.1f}" if k in r else "" for k in shown]
        rows.append([_label(r["method"]), r["set"], str(r["n"]), *cells])
    return "\n\n".join(
        [
            f"## Strong reader: {result['reader']}, at {result['ratio']:g}",
            "Each question read once under each method, never twice by the same reader; ± is one "
            "standard error. Loss: against the uncompressed context, paired by question. "
            + result.get("remarks", ""),
            table(["method", "set", "n", *shown.values()], rows),
        ]
    )


def _reconstruction(result: Result) -> str:
    rows = []
    for r in (r for r in result["rows"] if r["set"] == ALL):
        cells = [f"{100 * r[k]:.1f} ± {100 * r[f'{k}_se']:.1f}" for k in ("rouge_l", "f1")]
        rows.append([_label(r["method"]), str(r["n"]), *cells])
    return "\n\n".join(
        [
            f"## Prompt reconstruction, at {result['ratio']:g}",
            f"{result['reader']} wrote the passages anew from what was kept of them (no question "
            "asked). ROUGE-L and F1 of the words against the original; ± is one standard error. "
            + result.get("remarks", ""),
            table(["method", "n", "ROUGE-L", "F1"], rows),
        ]
    )


def _label(method: str) -> str:
    """What the tables call a method of a reading; remarks behind a comma stay."""
    name, comma, remark = method.partition(", ")
    if name == "full":
        label = "Uncompressed"
    elif name.split(":")[0] in METHODS:
        label = entry(name).label
    else:
        label = name
    return label + comma + remark


def _faithfulness(result: Result) -> str:
    names = {
        "extractive": "extractive", "kept_entities": "entities", "kept_numbers": "numbers",
        "kept_identifiers": "identifiers",
    }  # fmt: skip
    wrong = ("violations_numbers", "violations_identifiers", "violations_negations")
    rows = [
        [
            r["label"],
            *(f"{100 * r[k]:.1f}" if k in r else "" for k in names),
            *(f"{r[k]:.0f}" for k in wrong),
        ]
        for r in result["rows"]
    ]
    return "\n\n".join(
        [
            f"## Faithfulness, at {result['ratio']:g}, {result['n']} items",
            "Left, in %: items whose text is made of the source's words in their order, and the "
            "share of the source's mentions that are kept. Right, counted over all items: numbers "
            "and identifiers that the source does not have, and words that the source negates and "
            "the text does not. The rules are in `thresher_eval.faithfulness`.",
            table(
                ["method", *names.values(), "wrong numbers", "wrong identifiers", "lost negations"],
                rows,
            ),
        ]
    )


def _tasks(result: Result) -> str:
    rows = [[r["task"], r["label"], *r["cells"]] for r in result["rows"]]
    return "\n\n".join(
        [
            f"## Beyond questions, at {result['ratio']:g}",
            result["note"],
            table(["task", "method", *result["columns"]], rows),
        ]
    )


SECTIONS: dict[str, Callable[[Result], str]] = {
    "reading": _reading,
    "reader": _reader,
    "reconstruction": _reconstruction,
    "faithfulness": _faithfulness,
    "tasks": _tasks,
}
"""What writes the section of each kind of result, in the order of the page."""
