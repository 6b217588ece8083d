"""Everything the model says about an item, collected once, so that utilities are tried in seconds.

Axis letters as in ``thresher.types``: D documents, U units, S sentences, E requirements; arrays of
an item hold all its documents one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher import Compressor, Document
from thresher.analyse import parse
from thresher.count import costs
from thresher.guards import Guards, guard
from thresher.request import plan
from thresher.types import Request, Segmentation
from thresher.utility import Signals, table_rows
from thresher_eval.data import Item
from thresher_eval.methods import source_hash

Array = NDArray[Any]
Progress = Callable[[Iterable[Item]], Iterable[Item]]


@dataclass(frozen=True, slots=True)
class Collected:
    """Units, costs, guards and signals of one item.

    Attributes:
        key: ``Item.key``.
        arrays: by name. Per unit: those of ``Segmentation``, ``force`` and ``serves`` (the
            ``support`` of ``Guards``), ``cost``, ``keep``, and ``focus`` (empty without a query
            head). Shape: (U,). Per edge, document-local: ``requires`` of the segmentation and
            ``guards``. Shape: (E, 2). Per sentence: ``sentence_relevance``,
            ``overlap`` and ``sentence_bridge`` (may be empty). Shape: (S,). Per document:
            ``document_relevance`` (may be empty), ``document_bridge``, and the counts ``units``,
            ``sentences``, ``edges``, ``guard_edges``. Shape: (D,)
    """

    key: str
    arrays: dict[str, Array]

    def split(self, name: str, by: str) -> list[Array]:
        """One array a document, of what ``by`` counts."""
        return np.split(self.arrays[name], np.cumsum(self.arrays[by])[:-1])

    def segmentations(self) -> list[Segmentation]:
        """Units of each document. Length D."""
        names = ("start", "end", "kind", "sentence", "host")
        parts = [self.split(n, "units") for n in names]
        edges, support = self.split("requires", "edges"), self.split("support", "units")
        return [Segmentation(*x) for x in zip(*parts, edges, support, strict=True)]

    def guards(self) -> list[Guards]:
        """Guards of each document. Length D."""
        force, support = self.split("force", "units"), self.split("serves", "units")
        edges = self.split("guards", "guard_edges")
        return [Guards(*x) for x in zip(force, edges, support, strict=True)]

    def signals(self, *, focus: bool = True) -> list[Signals]:
        """Signals of each document, with or without the query head. Length D."""
        documents = len(self.arrays["units"])
        none: list[Any] = [None] * documents
        has = {n: bool(self.arrays[n].size) for n in (
            "focus", "sentence_relevance", "document_relevance", "overlap", "sentence_bridge",
        )}  # fmt: skip
        return [
            Signals(*x)
            for x in zip(
                self.split("keep", "units"),
                self.split("sentence", "units"),
                self.split("focus", "units") if focus and has["focus"] else none,
                self.split("sentence_relevance", "sentences")
                if has["sentence_relevance"]
                else none,
                self.arrays["document_relevance"].tolist() if has["document_relevance"] else none,
                self.split("overlap", "sentences") if has["overlap"] else none,
                self.split("sentence_bridge", "sentences") if has["sentence_bridge"] else none,
                self.arrays["document_bridge"].tolist(),
                [table_rows(s) for s in self.segmentations()],
                strict=True,
            )
        ]


def collect(item: Item, compressor: Compressor) -> Collected:
    """Run the model over one item, exactly as ``Compressor.compress`` does."""
    documents: list[Document | str] = [Document(t) for t in item.texts]
    request = plan(
        Request(documents, item.question, ratio=0.5), compressor.config, compressor.counter
    )
    texts = list(dict.fromkeys(item.texts))
    parsed = dict(zip(texts, parse(texts, compressor.scorer), strict=True))
    ordered = [parsed[t] for t in item.texts]
    signals = compressor._signals([request], parsed, progress=False)[0]
    segmentations = [p.segmentation for p in ordered]
    cost = costs(
        compressor.counter, item.texts, segmentations, [p.costs() for p in ordered], request.tokens
    )
    guards = [guard(p.text, p.segmentation, compressor.config) for p in ordered]
    arrays: dict[str, Array] = {
        name: np.concatenate([getattr(s, name) for s in segmentations])
        for name in ("start", "end", "kind", "sentence", "host", "support")
    }
    arrays["force"] = np.concatenate([g.force for g in guards])
    arrays["serves"] = np.concatenate([g.support for g in guards])
    arrays["cost"] = np.concatenate(cost)
    arrays["keep"] = np.concatenate([s.keep for s in signals])
    arrays["focus"] = _joined([s.focus for s in signals])
    arrays["requires"] = np.concatenate([s.requires.reshape(-1, 2) for s in segmentations])
    arrays["guards"] = np.concatenate([g.requires.reshape(-1, 2) for g in guards])
    arrays["sentence_relevance"] = _joined([s.sentence_relevance for s in signals])
    known = [s.document_relevance for s in signals]
    arrays["document_relevance"] = np.asarray(
        [] if any(k is None for k in known) else known, dtype=np.float32
    )
    arrays["overlap"] = _joined([s.overlap for s in signals])
    arrays["sentence_bridge"] = _joined([s.sentence_bridge for s in signals])
    arrays["document_bridge"] = np.asarray([s.document_bridge for s in signals], np.float32)
    arrays["units"] = np.asarray([len(s) for s in segmentations])
    arrays["sentences"] = np.asarray([p.sentences for p in ordered])
    arrays["edges"] = np.asarray([len(s.requires) for s in segmentations])
    arrays["guard_edges"] = np.asarray([len(g.requires) for g in guards])
    return Collected(item.key, arrays)


def _joined(parts: Sequence[Array | None]) -> Array:
    known = [p for p in parts if p is not None]
    complete = len(known) == len(parts) and known
    return np.concatenate(known) if complete else np.zeros(0, dtype=np.float32)


def collect_all(
    items: Sequence[Item],
    compressor: Compressor,
    folder: str | Path,
    *,
    progress: Progress | None = None,
) -> list[Collected]:
    """Signals of all items, from the folder where they are known, else from the model.

    They are stored by data set, under a stamp of the model and of the core's stages up to the
    signals, so that neither a new model nor a new segmentation meets old signals.
    """
    stages = source_hash(
        "thresher",
        (
            *("analyse.py", "bridge.py", "compressor.py", "count.py", "guards.py", "lexical.py"),
            *("overlap.py", "reading.py", "windows.py"),
        ),
    )
    layers = source_hash("thresher/segment")
    stamp = f"{compressor.scorer.fingerprint[:12]}-{stages[:6]}{layers[:6]}"
    root = Path(folder).expanduser()
    root.mkdir(parents=True, exist_ok=True)
    names = list(dict.fromkeys(i.set for i in items))
    known: dict[str, Collected] = {}
    for name in names:
        path = root / f"{name}-{stamp}.npz"
        if path.is_file():
            known.update((c.key, c) for c in read_archive(path))
    missing = [i for i in items if i.key not in known]
    last = {i.set: i.key for i in missing}
    for item in progress(missing) if progress else missing:
        known[item.key] = collect(item, compressor)
        if last[item.set] == item.key:
            path = root / f"{item.set}-{stamp}.npz"
            write_archive(path, [c for c in known.values() if c.key.startswith(f"{item.set}/")])
    return [known[i.key] for i in items]


def write_archive(path: Path, collected: Sequence[Collected]) -> None:
    """Store many items in one file, without pickling."""
    out: dict[str, Array] = {"keys": np.asarray([c.key for c in collected])}
    for name in collected[0].arrays:
        parts = [c.arrays[name] for c in collected]
        out[name] = np.concatenate(parts)
        out[f"{name}:length"] = np.asarray([len(p) for p in parts])
    part = path.with_suffix(".part.npz")
    np.savez(part, **out)  # type: ignore[arg-type]
    part.replace(path)


def read_archive(path: Path) -> list[Collected]:
    """The inverse of ``write_archive``."""
    with np.load(path, allow_pickle=False) as file:
        names = [n for n in file.files if n != "keys" and ":" not in n]
        split = {n: np.split(file[n], np.cumsum(file[f"{n}:length"])[:-1]) for n in names}
        keys = file["keys"].tolist()
    return [Collected(k, {n: split[n][i] for n in names}) for i, k in enumerate(keys)]
