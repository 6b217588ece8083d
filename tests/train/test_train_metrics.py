"""Measures against slow, plain versions of themselves."""

from __future__ import annotations

import numpy as np
import pytest

from thresher_train.metrics import (
    agreement,
    auc,
    kept_at_rate,
    precision_at_teacher_rate,
    spearman,
)


def test_auc_counts_pairs() -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 6, 60).astype(float)
    positive = rng.random(60) < 0.4
    pairs = [(a > b) + 0.5 * (a == b) for a in scores[positive] for b in scores[~positive]]
    assert auc(scores, positive) == pytest.approx(np.mean(pairs))
    assert np.isnan(auc(scores, np.zeros(60, dtype=bool)))


def test_rates() -> None:
    scores = np.array([0.1, 0.9, 0.5, 0.5])
    assert kept_at_rate(scores, 0.5).tolist() == [False, True, True, False]
    assert precision_at_teacher_rate(scores, np.array([0, 1, 0, 1], dtype=bool)) == 0.5
    assert agreement(scores, -scores, 0.5) == 0.5
    assert agreement(scores, scores, 0.25) == 1.0


def test_rank_correlation() -> None:
    values = np.array([3.0, 1.0, 2.0, 9.0])
    assert spearman(values, values**3) == pytest.approx(1.0)
    assert spearman(values, -values) == pytest.approx(-1.0)
