"""Files of toy rows and a tiny random BERT, for the tests of training."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer
from toy_training import passage_row, question_row, write_lines


@pytest.fixture
def passage_file(tmp_path: Path) -> Path:
    """Twenty-four passages."""
    return write_lines(tmp_path / "passages.jsonl", [passage_row(i) for i in range(24)])


@pytest.fixture
def question_file(tmp_path: Path) -> Path:
    """Sixteen questions."""
    return write_lines(tmp_path / "questions.jsonl", [question_row(i) for i in range(16)])


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory, toy_tokenizer: Tokenizer) -> Path:
    """A folder with a random BERT encoder of two layers and the toy WordPiece tokenizer."""
    torch = pytest.importorskip("torch", reason="needs the train extra (torch)")
    transformers = pytest.importorskip("transformers", reason="needs the train extra")
    folder = tmp_path_factory.mktemp("bert")
    settings = transformers.BertConfig(
        vocab_size=toy_tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=320,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        transformers.BertModel(settings).save_pretrained(folder)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=toy_tokenizer,
        cls_token="[CLS]",
        sep_token="[SEP]",
        pad_token="[PAD]",
        unk_token="[UNK]",
    )
    fast.save_pretrained(folder)
    return folder
