"""Move activation outliers into the weights before a graph is quantised.

A few channels of a transformer's activations are much larger than the rest; one scale for the
whole tensor then leaves few of the 256 levels to the others. Dividing channel j by s_j and
multiplying row j of the weight by s_j changes nothing in float32 and evens the channels out:
s_j = max|x_j| ** alpha / max|w_j| ** (1 - alpha) (SmoothQuant, Xiao et al., 2023, equation 4).

Axis letters: B windows, T tokens, I input channels of a matrix product, J output channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher_train.encode import Window, make_batch
from thresher_train.graph import INPUTS

Floats = NDArray[np.float32]


def smooth(
    source: Path,
    target: Path,
    windows: Sequence[Window],
    *,
    alpha: float = 0.5,
    skip: Sequence[str] = (),
) -> int:
    """Rewrite a float32 graph so that it quantises better.

    Args:
        source: The graph.
        target: Where to write the new one.
        windows: Inputs to see the activations of; some dozens are enough.
        alpha: How much of the outliers moves into the weights, 0 to 1.
        skip: Parts of names of matrix products to leave alone.

    Returns:
        How many activations were scaled.
    """
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(str(source))
    weights = {t.name: t for t in model.graph.initializer}
    groups: dict[str, list[Any]] = {}
    for node in model.graph.node:
        named = any(part in node.name for part in skip)
        if node.op_type == "MatMul" and node.input[1] in weights and not named:
            groups.setdefault(node.input[0], []).append(node)
    largest = channel_maxima(source, list(groups), windows)
    inserted: dict[str, Any] = {}
    for number, (name, nodes) in enumerate(groups.items()):
        tables = [numpy_helper.to_array(weights[n.input[1]]) for n in nodes]
        heaviest = np.max([np.abs(table).max(axis=1) for table in tables], axis=0)
        scale = channel_scales(largest[name], heaviest, alpha)
        for node, table in zip(nodes, tables, strict=True):
            scaled = (table * scale[:, None]).astype(np.float32)
            weights[node.input[1]].CopyFrom(numpy_helper.from_array(scaled, node.input[1]))
            node.input[0] = f"{name}.smooth"
        factor = numpy_helper.from_array((1.0 / scale).astype(np.float32), f"smooth.{number}")
        model.graph.initializer.append(factor)
        inserted[name] = helper.make_node(
            "Mul", [name, f"smooth.{number}"], [f"{name}.smooth"], name=f"smooth.{number}"
        )
    _insert(model.graph, inserted)
    onnx.save(model, str(target))
    return len(inserted)


def channel_scales(activation: Floats, weight: Floats, alpha: float) -> Floats:
    """Scale of each input channel; 1 where a channel is always zero. Shapes: (I,) to (I,)."""
    alive = (activation > 0) & (weight > 0)
    a, w = np.where(alive, activation, 1.0), np.where(alive, weight, 1.0)
    scale = a**alpha / w ** (1.0 - alpha)
    return np.where(alive, scale, 1.0).astype(np.float32)


def channel_maxima(
    graph: Path, names: Sequence[str], windows: Sequence[Window]
) -> Mapping[str, Floats]:
    """Largest magnitude of every channel of the named tensors over all windows. Shape: (I,)."""
    import onnx
    import onnxruntime as ort
    from onnx import helper

    model = onnx.load(str(graph))
    for name in names:
        model.graph.output.append(helper.make_empty_tensor_value_info(name))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "watched.onnx"
        onnx.save(model, str(path))
        session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    known = {i.name for i in session.get_inputs()}
    largest: dict[str, Floats] = {}
    for window in windows:
        batch = make_batch([window])
        feeds = dict(zip(INPUTS, (batch.ids, batch.mask, batch.types), strict=True))
        values = session.run(list(names), {k: v for k, v in feeds.items() if k in known})
        for name, value in zip(names, values, strict=True):
            most = np.abs(value).reshape(-1, value.shape[-1]).max(axis=0)
            largest[name] = np.maximum(largest.get(name, most), most)
    return largest


def _insert(graph: Any, inserted: Mapping[str, Any]) -> None:
    """Put each new node right behind the node that makes its input (or first, for an input)."""
    made = {output for node in graph.node for output in node.output}
    nodes = [node for name, node in inserted.items() if name not in made]
    for node in graph.node:
        nodes.append(node)
        nodes += [inserted[output] for output in node.output if output in inserted]
    del graph.node[:]
    graph.node.extend(nodes)
