"""Sentence embeddings of a teacher (a bi-encoder), which the model learns to give as a by-product.

The table is computed once and kept in float16; sentences are looked up in it by their text.

Axis letters: S sentences, T tokens, H hidden size.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from thresher_train.encode import sentence_spans

MINIMUM_CHARACTERS = 12
"""Shorter pieces (list numbers, rules) say nothing and are not embedded."""


@dataclass(frozen=True)
class EmbeddingTable:
    """Teacher embeddings by text.

    Attributes:
        rows: Row of each text in ``vectors``.
        vectors: Unit vectors. Shape: (S, H)
    """

    rows: dict[str, int]
    vectors: NDArray[np.float16]

    def save(self, folder: Path) -> None:
        """Write ``texts.json`` and ``vectors.npy``."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "texts.json").write_text(json.dumps(list(self.rows)), encoding="utf-8")
        np.save(folder / "vectors.npy", self.vectors)

    @classmethod
    def load(cls, folder: Path) -> EmbeddingTable:
        """Read what ``save`` wrote."""
        texts = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
        vectors = np.load(folder / "vectors.npy", allow_pickle=False)
        return cls({text: i for i, text in enumerate(texts)}, vectors)


def sentence_texts(passages: Iterable[str]) -> list[str]:
    """Distinct sentences of passages that are long enough to be embedded."""
    found = dict.fromkeys(p[a:b] for p in passages for a, b in sentence_spans(p))
    return [text for text in found if len(text) >= MINIMUM_CHARACTERS]


def embed_texts(
    texts: Sequence[str],
    folder: Path,
    *,
    tokens_per_batch: int = 4096,
    maximum: int = 256,
    device: str = "cpu",
    progress: bool = False,
) -> EmbeddingTable:
    """Embed texts with a Hugging Face encoder: mean over all tokens, unit length.

    Args:
        texts: Distinct texts.
        folder: The encoder.
        tokens_per_batch: Padded tokens of a batch.
        maximum: Longest text in tokens; the rest is cut off.
        device: Where to run.
        progress: Show a progress bar.
    """
    import torch
    from tokenizers import Tokenizer
    from transformers import AutoModel

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(maximum)
    tokenizer.no_padding()
    model: Any = AutoModel.from_pretrained(str(folder)).to(device).eval()
    ids = [e.ids for e in tokenizer.encode_batch(list(texts))]
    order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
    vectors = np.zeros((len(ids), int(model.config.hidden_size)), dtype=np.float16)
    bar = tqdm(total=len(ids), disable=not progress, unit="sentence")
    at = 0
    while at < len(order):
        chosen = order[at : at + max(1, tokens_per_batch // len(ids[order[at]]))]
        width = max(len(ids[i]) for i in chosen)
        block = np.zeros((len(chosen), width), dtype=np.int64)
        mask = np.zeros_like(block)
        for b, i in enumerate(chosen):
            block[b, : len(ids[i])], mask[b, : len(ids[i])] = ids[i], 1
        with torch.inference_mode():
            weight = torch.from_numpy(mask).to(device)
            hidden = model(torch.from_numpy(block).to(device), weight).last_hidden_state.float()
            mean = torch.nn.functional.normalize((hidden * weight[..., None]).sum(1), dim=-1)
        vectors[chosen] = mean.cpu().numpy().astype(np.float16)
        at += len(chosen)
        bar.update(len(chosen))
    bar.close()
    return EmbeddingTable({text: i for i, text in enumerate(texts)}, vectors)
