"""Export a trained checkpoint to the folder that the core loads, and check the int8 graph.

The folder holds ``config.json``, ``tokenizer.json``, ``model.safetensors`` (float16),
``model.int8.onnx`` and a model card. The gate compares the int8 graph with the float32 graph word
by word on labelled rows, one window a call, which is how the core runs it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher.errors import ModelError
from thresher_train.card import SHAPE_FIELDS, CardFacts, model_card
from thresher_train.data import label_keep, read_rows
from thresher_train.encode import Batch, Labelled, Window, encode_row
from thresher_train.graph import GRAPH_OUTPUTS, INPUTS, QuantConfig
from thresher_train.metrics import agreement, spearman
from thresher_train.score import Forward, measure, word_scores

FLOAT_FILE = "model.safetensors"
INT8_FILE = "model.int8.onnx"
GATE_RATES = (0.25, 0.5, 0.75)
CALIBRATION_ROWS = 48


class GateError(ModelError):
    """The int8 graph decides too differently from the float32 graph."""


@dataclass(frozen=True)
class ExportConfig:
    """What to export and how to check it.

    Attributes:
        model: Hugging Face folder of a trained token classifier (``train`` writes ``model/``).
        output: Folder to write.
        check: Passage rows to compare int8 with float32 on; None skips the gate.
        minimum_agreement: Smallest share of words with the same decision at each rate.
        maximum_auc_loss: Largest loss of word AUC.
        quantization: How the int8 graph is made.
        data: Files of training rows: the model card names their sources and licences, and the
            int8 graph is calibrated on some of them (on rows of ``check`` where there are none).
        base: Name of the base model for the card, and for the ``thresher`` block.
        version: Version of the model for the ``thresher`` block.
    """

    model: Path
    output: Path
    check: Path | None = None
    data: tuple[Path, ...] = ()
    base: str = ""
    version: str = "0"
    minimum_agreement: float = 0.97
    maximum_auc_loss: float = 0.002
    quantization: QuantConfig = field(default_factory=QuantConfig)


@dataclass(frozen=True)
class Gate:
    """How close the int8 graph is to the float32 graph.

    Attributes:
        agreement: Share of words with the same decision at each rate.
        spearman: Rank correlation of the word scores.
        float_measures: Word measures of the float32 graph.
        int8_measures: Word measures of the int8 graph.
    """

    agreement: Mapping[float, float]
    spearman: float
    float_measures: Mapping[str, float]
    int8_measures: Mapping[str, float]

    def check(self, config: ExportConfig) -> None:
        """Raise ``GateError`` where a limit is crossed, naming the figure and the limit."""
        for rate, share in self.agreement.items():
            if share < config.minimum_agreement:
                raise GateError(
                    f"at rate {rate} int8 decides {share:.2%} of the words like float32, expected "
                    f"at least {config.minimum_agreement:.2%}; leave sensitive products in float32 "
                    "(QuantConfig.float_nodes)"
                )
        for name in ("light_auc", "tight_auc"):
            loss = self.float_measures[name] - self.int8_measures[name]
            if loss > config.maximum_auc_loss:
                raise GateError(
                    f"int8 loses {loss:.4f} of {name}, expected at most {config.maximum_auc_loss}"
                )


@dataclass(frozen=True)
class ExportReport:
    """What was written.

    Attributes:
        output: The folder.
        bytes: Size of each file.
        gate: The comparison, or None where none was asked for.
    """

    output: Path
    bytes: Mapping[str, int]
    gate: Gate | None


def export(config: ExportConfig) -> ExportReport:
    """Write the folder; nothing is left in ``output`` where the gate fails.

    Raises:
        FileNotFoundError: ``model`` is not a checkpoint folder.
        GateError: The int8 graph is too far from the float32 graph.
    """
    from transformers import AutoModelForTokenClassification

    from thresher_train.graph import write_float_graph

    if not (config.model / "config.json").is_file():
        raise FileNotFoundError(
            f"{config.model} holds no config.json; give the folder `model` that training wrote"
        )
    model = AutoModelForTokenClassification.from_pretrained(str(config.model)).float().eval()
    with TemporaryDirectory() as scratch:
        float_graph, int8_graph = Path(scratch) / "float.onnx", Path(scratch) / INT8_FILE
        write_float_graph(model, float_graph)
        _quantize(config, float_graph, int8_graph)
        gate = None
        if config.check is not None:
            gate = compare(float_graph, int8_graph, config.model, config.check)
            gate.check(config)
        config.output.mkdir(parents=True, exist_ok=True)
        (config.output / INT8_FILE).write_bytes(int8_graph.read_bytes())
    _write_weights(model, config.output)
    _write_tokenizer(config.model, config.output)
    _write_card(config, gate)
    sizes = {p.name: p.stat().st_size for p in sorted(config.output.iterdir()) if p.is_file()}
    return ExportReport(config.output, sizes, gate)


def _quantize(config: ExportConfig, float_graph: Path, int8_graph: Path) -> None:
    """Smooth where there is something to calibrate on, then quantise."""
    from thresher_train.graph import write_int8_graph
    from thresher_train.smooth import smooth

    settings = config.quantization
    files = [*config.data, *([config.check] if config.check else [])]
    found = (keep_windows(config.model, path, limit=CALIBRATION_ROWS)[1] for path in files)
    windows = next((w for w in found if w), []) if settings.smoothing else []
    if not windows:
        write_int8_graph(float_graph, int8_graph, settings)
        return
    even = int8_graph.with_name("even.onnx")
    smooth(float_graph, even, windows, alpha=settings.smoothing, skip=settings.float_nodes)
    write_int8_graph(even, int8_graph, settings)


def _write_card(config: ExportConfig, gate: Gate | None) -> None:
    """Complete the ``thresher`` block of ``config.json`` and write the model card."""
    path = config.output / "config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    block = {**settings.get("thresher", {}), "base": config.base, "version": config.version}
    path.write_text(json.dumps({**settings, "thresher": block}, indent=2, sort_keys=True) + "\n")
    found = config.model.parent / "metrics.json"
    facts = CardFacts(
        name=config.output.name,
        block=block,
        shape={k: settings[k] for k in ("model_type", *SHAPE_FIELDS) if k in settings},
        rows=[row for path in config.data for row in read_rows(path)],
        training=json.loads(found.read_text(encoding="utf-8")) if found.is_file() else {},
        gate=gate_table(gate) if gate is not None else {},
    )
    (config.output / "README.md").write_text(model_card(facts), encoding="utf-8")


def load_tokenizer(folder: Path) -> Any:
    """Load ``tokenizer.json`` of a folder without truncation and padding."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def thresher_block(folder: Path) -> dict[str, Any]:
    """Return the ``thresher`` block of a folder's ``config.json``, with defaults filled in."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    defaults = {"window": 256, "query_max_length": 64, "outputs": ["keep"], "embedding": False}
    return {**defaults, **config.get("thresher", {})}


def onnx_forward(path: Path, *, threads: int = 0) -> Forward:
    """Return the logits function of an ONNX graph on the CPU."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = {i.name for i in session.get_inputs()}

    def forward(batch: Batch) -> NDArray[np.float32]:
        values = dict(zip(INPUTS, (batch.ids, batch.mask, batch.types), strict=True))
        feeds = {name: value for name, value in values.items() if name in names}
        logits: NDArray[np.float32] = session.run([GRAPH_OUTPUTS[0]], feeds)[0]
        return logits

    return forward


def keep_windows(
    folder: Path, check: Path, *, limit: int | None = None
) -> tuple[list[Labelled], list[Window]]:
    """Label and encode the first ``limit`` passage rows for a model folder."""
    tokenizer, block = load_tokenizer(folder), thresher_block(folder)
    chosen = [row for row in read_rows(check) if "question" not in row][:limit]
    rows = [label_keep(row) for row in chosen]
    windows = [
        window
        for index, row in enumerate(rows)
        for window in encode_row(tokenizer, row, index, window=int(block["window"]))
    ]
    return rows, windows


def compare(float_graph: Path, int8_graph: Path, folder: Path, check: Path) -> Gate:
    """Score the rows with both graphs, one window a call, and compare word by word."""
    rows, windows = keep_windows(folder, check)
    first, second = (
        word_scores(onnx_forward(path), windows, rows) for path in (float_graph, int8_graph)
    )
    flat_first, flat_second = np.concatenate(first), np.concatenate(second)
    return Gate(
        agreement={
            rate: float(
                np.average(
                    [agreement(a, b, rate) for a, b in zip(first, second, strict=True)],
                    weights=[len(a) for a in first],
                )
            )
            for rate in GATE_RATES
        },
        spearman=spearman(flat_first, flat_second),
        float_measures=measure(first, rows, output="keep"),
        int8_measures=measure(second, rows, output="keep"),
    )


def _write_weights(model: Any, output: Path) -> None:
    """Write config and float16 safetensors (a copy: the model itself stays float32)."""
    import torch
    from safetensors.torch import save_file

    state = {k: v.detach().to(torch.float16).contiguous() for k, v in model.state_dict().items()}
    save_file(state, output / FLOAT_FILE, metadata={"format": "pt"})
    (output / FLOAT_FILE).chmod(0o644)
    model.config.dtype = "float16"
    model.config.save_pretrained(str(output))
    model.config.dtype = "float32"


def _write_tokenizer(source: Path, output: Path) -> None:
    """Write ``tokenizer.json`` and the little that transformers needs to load it."""
    tokenizer = load_tokenizer(source)
    tokenizer.save(str(output / "tokenizer.json"), pretty=False)
    found = source / "tokenizer_config.json"
    settings = json.loads(found.read_text(encoding="utf-8")) if found.is_file() else {}
    settings.pop("name_or_path", None)
    text = json.dumps(settings, indent=2, sort_keys=True, ensure_ascii=False)
    (output / "tokenizer_config.json").write_text(text + "\n", encoding="utf-8")


def gate_table(gate: Gate) -> dict[str, Any]:
    """Return the gate as plain JSON types."""
    return {**asdict(gate), "agreement": {str(k): v for k, v in gate.agreement.items()}}
