"""The ONNX graphs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the train extra (torch)")
pytest.importorskip("onnx", reason="needs the train extra (onnx)")

from toy_training import passage_row

from thresher_train.data import label_keep
from thresher_train.encode import encode_row, make_batch
from thresher_train.export import load_tokenizer, onnx_forward
from thresher_train.graph import QuantConfig, quantize_rows, write_float_graph, write_int8_graph
from thresher_train.smooth import channel_scales, smooth


def test_rows_keep_their_values_within_half_a_step() -> None:
    table = np.random.default_rng(0).normal(size=(50, 16)).astype(np.float32)
    table[3] = 0
    packed, scale = quantize_rows(table)
    assert packed.dtype == np.int8
    assert (np.abs(packed * scale - table) <= scale / 2 + 1e-7).all()
    assert not packed[3].any()


def test_scales_even_out_and_leave_dead_channels_alone() -> None:
    activation = np.array([100.0, 1.0, 0.0], dtype=np.float32)
    scale = channel_scales(activation, np.ones(3, dtype=np.float32), 0.5)
    assert scale.tolist() == pytest.approx([10.0, 1.0, 1.0])


def test_graphs_agree_with_the_model(tiny_bert: Path, tmp_path: Path) -> None:
    import onnxruntime as ort
    import torch
    from transformers import AutoModelForTokenClassification

    model = AutoModelForTokenClassification.from_pretrained(tiny_bert, num_labels=2).eval()
    tokenizer = load_tokenizer(tiny_bert)
    rows = [label_keep(passage_row(i)) for i in range(4)]
    windows = [w for i, row in enumerate(rows) for w in encode_row(tokenizer, row, i)]
    write_float_graph(model, tmp_path / "float.onnx")
    assert smooth(tmp_path / "float.onnx", tmp_path / "even.onnx", windows, alpha=0.7) > 0
    batch = make_batch(windows)
    with torch.inference_mode():
        expected = model(
            input_ids=torch.from_numpy(batch.ids),
            attention_mask=torch.from_numpy(batch.mask),
            token_type_ids=torch.from_numpy(batch.types),
            output_hidden_states=True,
        )
    real = batch.mask.astype(bool)
    for name in ("float.onnx", "even.onnx"):
        found = onnx_forward(tmp_path / name)(batch)
        assert np.allclose(found[real], expected.logits.numpy()[real], atol=1e-5)
    write_int8_graph(tmp_path / "even.onnx", tmp_path / "int8.onnx", QuantConfig())
    found = onnx_forward(tmp_path / "int8.onnx")(batch)
    assert np.abs(found - expected.logits.numpy())[real].max() < 0.1
    outputs = ort.InferenceSession(str(tmp_path / "int8.onnx")).get_outputs()
    assert [o.name for o in outputs] == ["logits", "hidden"]
