"""Write the model as ONNX: a float32 graph, and an int8 graph made from it.

The int8 graph quantises the matrix products dynamically (u8 activations, per-channel s8 weights)
and stores the word embeddings as one byte a value with a scale for each row. The classifier head
stays in float32.

Axis letters: B windows, T tokens, O outputs, H hidden size, V vocabulary.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
"""Inputs of the graph, int64. Shape of each: (B, T)."""

GRAPH_OUTPUTS = ("logits", "hidden")
"""Outputs of the graph, float32. Shapes: (B, T, O) and (B, T, H)."""


@dataclass(frozen=True)
class QuantConfig:
    """How the int8 graph is made.

    Attributes:
        reduce_range: Use 7 bits for weights, so that CPUs without VNNI do not saturate.
        per_channel: One scale for each column of a weight instead of one for the whole.
        float_nodes: Parts of names of matrix products that stay in float32.
        quantize_embeddings: Store word embeddings as int8 with a scale a row.
        smoothing: How much of the activation outliers moves into the weights first, 0 to 1
            (0: nothing is done).
    """

    reduce_range: bool = True
    per_channel: bool = True
    float_nodes: tuple[str, ...] = ("classifier",)
    quantize_embeddings: bool = True
    smoothing: float = 0.75


class _Graph(nn.Module):
    """Positional inputs and plain tensor outputs, as the ONNX exporter wants them."""

    def __init__(self, model: nn.Module, *, types: bool) -> None:
        super().__init__()
        self.model = model
        self.types = types

    def forward(self, ids: Tensor, mask: Tensor, types: Tensor) -> tuple[Tensor, Tensor]:
        inputs = {"input_ids": ids, "attention_mask": mask}
        if self.types:
            inputs["token_type_ids"] = types
        output = self.model(**inputs, output_hidden_states=True)
        return output.logits.float(), output.hidden_states[-1].float()


def write_float_graph(model: Any, path: Path) -> None:
    """Export a token classifier with dynamic batch and sequence axes."""
    types = getattr(model.config, "type_vocab_size", 0) > 1
    ids = torch.full((2, 12), 5, dtype=torch.int64)
    example = (ids, torch.ones_like(ids), torch.zeros_like(ids))
    axes = {name: {0: "batch", 1: "sequence"} for name in (*INPUTS, *GRAPH_OUTPUTS)}
    model = model.eval()
    implementation = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # notes on tracing, which the gate makes moot
            _trace(model, types=types, example=example, path=path, axes=axes)
    finally:
        model.set_attn_implementation(implementation)


def _trace(
    model: Any,
    *,
    types: bool,
    example: tuple[Tensor, ...],
    path: Path,
    axes: dict[str, dict[int, str]],
) -> None:
    torch.onnx.export(
        _Graph(model, types=types).eval(),
        example,
        str(path),
        input_names=list(INPUTS),
        output_names=list(GRAPH_OUTPUTS),
        dynamic_axes=axes,
        opset_version=17,
        dynamo=False,
    )


def write_int8_graph(source: Path, target: Path, config: QuantConfig) -> None:
    """Quantise a float32 graph dynamically."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        nodes = onnx.load(str(prepared)).graph.node
        kept = [n.name for n in nodes if any(part in n.name for part in config.float_nodes)]
        quantize_dynamic(
            str(prepared),
            str(target),
            op_types_to_quantize=["MatMul"],
            per_channel=config.per_channel,
            reduce_range=config.reduce_range,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=kept,
            extra_options={"MatMulConstBOnly": True},
        )
    if config.quantize_embeddings:
        graph = onnx.load(str(target))
        _pack_embeddings(graph)
        onnx.save(graph, str(target))


def quantize_rows(table: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Round a table to int8 with one scale a row. Shapes: (V, H) to (V, H) and (V, 1)."""
    scale = np.abs(table).max(axis=1, keepdims=True) / 127.0
    scale = np.where(scale > 0, scale, 1.0).astype(np.float32)
    return np.rint(table / scale).astype(np.int8), scale


def _pack_embeddings(model: Any, *, minimum_rows: int = 2000) -> None:
    """Replace every Gather from a large float table by int8 rows times their scales."""
    from onnx import TensorProto, helper, numpy_helper

    graph = model.graph
    tables = {t.name: t for t in graph.initializer}
    nodes: list[Any] = []
    for node in graph.node:
        table = tables.get(node.input[0]) if node.op_type == "Gather" else None
        if table is None or len(table.dims) != 2 or table.dims[0] < minimum_rows:
            nodes.append(node)
            continue
        packed, scale = quantize_rows(numpy_helper.to_array(table))
        name, indices, result = table.name, node.input[1], node.output[0]
        graph.initializer.remove(table)
        graph.initializer.append(numpy_helper.from_array(packed, f"{name}.int8"))
        graph.initializer.append(numpy_helper.from_array(scale, f"{name}.scale"))
        nodes += [
            helper.make_node("Gather", [f"{name}.int8", indices], [f"{result}.int8"]),
            helper.make_node("Gather", [f"{name}.scale", indices], [f"{result}.scale"]),
            helper.make_node("Cast", [f"{result}.int8"], [f"{result}.float"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{result}.float", f"{result}.scale"], [result]),
        ]
    del graph.node[:]
    graph.node.extend(nodes)


def product_names(path: Path) -> Sequence[str]:
    """Names of the matrix products of a graph, in order."""
    import onnx

    return [n.name for n in onnx.load(str(path)).graph.node if n.op_type in ("MatMul", "Gemm")]
