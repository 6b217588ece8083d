"""Plots of the quality page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from thresher.errors import require
from thresher_eval.runner import ALL

_STYLE = {
    "thresher": ("#b5381c", "-", 2.4),
    "pooled": ("#e0852b", "-", 1.6),
    "bi_sentences": ("#1f5f8b", "--", 1.6),
    "bm25_sentences": ("#5c9ac4", "--", 1.6),
    "bi_documents": ("#88b3a1", "--", 1.6),
    "llmlingua2": ("#555555", ":", 1.8),
    "truncate": ("#bbbbbb", ":", 1.4),
    "random": ("#dddddd", ":", 1.4),
}


def survival_plot(result: dict[str, Any], path: Path) -> None:
    """Survival by ratio, answer alone and with its subjects.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figures: Any = require("matplotlib.figure", "eval", "plots")
    figure = figures.Figure(figsize=(9, 3.6), dpi=110)
    axes = figure.subplots(1, 2, sharex=True)
    rows = {(r["method"], r["ratio"], r["measure"]): r for r in result["results"]
            if r["set"] == ALL}  # fmt: skip
    ratios = sorted(result["config"]["ratios"])
    for axis, measure, title in (
        (axes[0], "survival", "answer survives, %"),
        (axes[1], "chain", "answer and subjects survive, %"),
    ):
        for method, (colour, line, width) in _STYLE.items():
            known = [r for r in ratios if (method, r, measure) in rows]
            if not known:
                continue
            found = [rows[method, r, measure] for r in known]
            label = result["methods"][method]
            means = [100 * x["mean"] for x in found]
            axis.plot(known, means, line, color=colour, linewidth=width, label=label)
            if method in ("thresher", "bi_sentences"):
                axis.fill_between(
                    known, [100 * x["low"] for x in found], [100 * x["high"] for x in found],
                    color=colour, alpha=0.12, linewidth=0,
                )  # fmt: skip
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("share of the tokens kept", fontsize=9)
        axis.set_xticks(ratios, [f"{r:g}" for r in ratios])
        axis.grid(alpha=0.25)
        axis.tick_params(labelsize=8)
    axes[0].legend(fontsize=7, loc="lower right")
    figure.tight_layout()
    figure.savefig(path, metadata={"Software": None})
