"""Draw a run's learning curve as a small SVG, without a plotting library."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

_WIDTH, _HEIGHT, _EDGE = 560, 300, 44
_COLOURS = ("#2563eb", "#dc2626", "#059669", "#9333ea", "#d97706")


def write_curve(log: Path, target: Path) -> None:
    """Plot every ``*_auc`` of a run's ``log.jsonl`` over its steps; no log, no curve."""
    if not log.is_file():
        return
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    names = sorted({name for line in lines for name in line if name.endswith("_auc")})
    if not names:
        return
    steps = [float(line["step"]) for line in lines]
    series = {name: [float(line.get(name, float("nan"))) for line in lines] for name in names}
    values = [v for curve in series.values() for v in curve if v == v]
    low, high = min(values), max(max(values), min(values) + 1e-3)
    parts = [_axes(low, high, steps[-1])]
    for colour, (name, curve) in zip(_COLOURS, series.items(), strict=False):
        points = " ".join(
            f"{_x(s, steps[-1]):.1f},{_y(v, low, high):.1f}"
            for s, v in zip(steps, curve, strict=True)
            if v == v
        )
        parts.append(f'<polyline fill="none" stroke="{colour}" points="{points}"/>')
        height = _EDGE / 2 + 14 * (len(parts) - 1)
        parts[-1] += _text(_WIDTH - 150, height, f"{name} {curve[-1]:.4f}", colour)
    body = "\n".join(parts)
    target.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'font-family="sans-serif" font-size="11">\n{body}\n</svg>\n',
        encoding="utf-8",
    )


def _axes(low: float, high: float, last: float) -> str:
    bottom = _HEIGHT - _EDGE
    frame = f'<path d="M{_EDGE},{_EDGE / 2} V{bottom} H{_WIDTH - 10}" stroke="#888" fill="none"/>'
    labels: Sequence[str] = (
        _text(4, bottom, f"{low:.3f}"),
        _text(4, _EDGE / 2 + 8, f"{high:.3f}"),
        _text(_WIDTH - 90, bottom + 16, f"step {last:.0f}"),
    )
    return frame + "".join(labels)


def _text(x: float, y: float, value: str, colour: str = "#444") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" fill="{colour}">{value}</text>'


def _x(step: float, last: float) -> float:
    return _EDGE + step / max(last, 1.0) * (_WIDTH - _EDGE - 20)


def _y(value: float, low: float, high: float) -> float:
    return _HEIGHT - _EDGE - (value - low) / (high - low) * (_HEIGHT - 1.5 * _EDGE)
