"""Toy tokenizers of each family, toy scorers, and where the shared data may lie."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from thresher.types import TokenScores, Window

CORPUS = [
    "The committee decided that it will not raise the annual membership fee of $45 this year.",
    "Install with pip install thresher==0.1.0 and read docs/guide.md, or ask admin@example.org.",
    "In 2024 the measured temperature was 3.5 °C higher than in 1961, not 2.5 °C as reported.",
    "def compress(documents, budget): return allocate(documents, budget)",
    "東京は日本の首都です。人口は約1400万人。",
    "Weather in the mountains was mild, and nobody talked about money at all.",
    "Größe, naïve, façade, Ünïcödé: the words of other languages are kept byte for byte.",
]


def wordpiece() -> Tokenizer:
    """A BERT-like tokenizer."""
    words = sorted({w for t in CORPUS for w in re.findall(r"\w+", t.lower())})
    letters = [chr(i) for i in range(33, 127) if not chr(i).isupper()]
    pieces = [*letters, *(f"##{c}" for c in letters), *words]
    vocabulary = dict.fromkeys(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *pieces])
    ids = {piece: i for i, piece in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return tokenizer


def unigram() -> Tokenizer:
    """An XLM-R-like tokenizer."""
    words = sorted({w for t in CORPUS for w in re.findall(r"\w+", t)})
    letters = sorted({c for t in CORPUS for c in t if not c.isspace()})
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", *letters, *(f"▁{w}" for w in words)]
    scores = [0.0] * 4 + [-8.0] * (1 + len(letters)) + [-5.0] * len(words)
    tokenizer = Tokenizer(models.Unigram(list(zip(pieces, scores, strict=True)), unk_id=3))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    return tokenizer


def byte_level() -> Tokenizer:
    """A ModernBERT- or RoBERTa-like tokenizer."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=["[CLS]", "[SEP]", "[PAD]"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B [SEP]",
        special_tokens=[("[CLS]", 0), ("[SEP]", 1)],
    )
    return tokenizer


FAMILIES = {"wordpiece": wordpiece, "unigram": unigram, "byte_level": byte_level}


class HashScorer:
    """Scores that look random and depend on nothing but the token ids of the window."""

    def __init__(self, tokenizer: Tokenizer, *, max_length: int = 512, salt: int = 0) -> None:
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.fingerprint = f"hash-{salt}"
        self.salt = salt
        self.windows: list[Window] = []

    def score(self, windows: Sequence[Window], *, hidden: bool = False) -> list[TokenScores]:
        self.windows += windows
        return [TokenScores(self._keep(w.ids)) for w in windows]

    def _keep(self, ids: np.ndarray) -> np.ndarray:
        mixed = (ids * 2654435761 + np.arange(len(ids)) * 40503 + self.salt) % 9973
        return (mixed / 9973).astype(np.float32)


class QueryScorer(HashScorer):
    """Also reads queries: words of the query score high, everything else low."""

    query_aware = True

    def score(self, windows: Sequence[Window], *, hidden: bool = False) -> list[TokenScores]:
        self.windows += windows
        out = []
        for w in windows:
            if not w.paired:
                out.append(TokenScores(self._keep(w.ids)))
                continue
            query = set(w.ids[1 : w.first - 1].tolist())
            found = np.isin(w.ids, list(query))
            out.append(TokenScores(np.where(found, 0.95, 0.05).astype(np.float32)))
        return out


@pytest.fixture(scope="session", params=sorted(FAMILIES))
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    """One tokenizer of each family in turn."""
    return FAMILIES[request.param]()


@pytest.fixture(scope="session")
def toy_tokenizer() -> Tokenizer:
    """The WordPiece one, where the family does not matter."""
    return wordpiece()


@pytest.fixture
def scorer(toy_tokenizer: Tokenizer) -> HashScorer:
    """A fresh toy scorer."""
    return HashScorer(toy_tokenizer)


def shared_data() -> Path | None:
    """The folder of distillation and QA data, which users do not have."""
    given = os.environ.get("THRESHER_DATA")
    folder = Path(given) if given else Path(__file__).resolve().parents[2] / "shared" / "data"
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The shared data, or a skip with the reason."""
    folder = shared_data()
    if folder is None:
        pytest.skip("the data folder is absent (set THRESHER_DATA)")
    return folder


@pytest.fixture(scope="session")
def passages(data_folder: Path) -> list[dict[str, Any]]:
    """Development passages of 17 genres."""
    lines = (data_folder / "distill" / "dev.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]
