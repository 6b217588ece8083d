"""The ONNX graphs."""

from __future__ import annotations

import numpy as np

from thresher_train.graph import quantize_rows


def test_rows_keep_their_values_within_half_a_step() -> None:
    table = np.random.default_rng(0).normal(size=(50, 16)).astype(np.float32)
    table[3] = 0
    packed, scale = quantize_rows(table)
    assert packed.dtype == np.int8
    assert (np.abs(packed * scale - table) <= scale / 2 + 1e-7).all()
    assert not packed[3].any()
