"""The same words as llmlingua 0.2.2 with the same weights, on a random BERT and a random XLM-R.

Needs the reference: ``make parity``. Nothing is downloaded: tokenizers are taken from the bundled
model or trained here, and tiktoken finds cl100k in llama-index-core where that is installed.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llmlingua", reason="the reference is not installed (make parity)")
torch = pytest.importorskip("torch", reason="torch is not installed")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")

from tokenizers import (  # noqa: E402
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from thresher import CompressConfig, Compressor, reference  # noqa: E402
from thresher.config import LLMLingua2  # noqa: E402
from thresher.scoring.checkpoint import BUNDLED  # noqa: E402
from thresher.scoring.torch import TorchScorer  # noqa: E402

MODULES = [
    "abc",
    "argparse",
    "ast",
    "asyncio",
    "base64",
    "bisect",
    "calendar",
    "cmath",
    "codecs",
    "collections",
    "configparser",
    "contextlib",
    "copy",
    "csv",
    "dataclasses",
    "datetime",
    "decimal",
    "difflib",
    "doctest",
    "email",
    "enum",
    "fractions",
    "functools",
    "getpass",
    "glob",
    "gzip",
    "hashlib",
    "heapq",
    "html",
    "http",
    "inspect",
    "io",
    "ipaddress",
    "itertools",
    "json",
    "logging",
    "math",
    "mimetypes",
    "numbers",
    "operator",
    "os",
    "pathlib",
    "pickle",
    "pprint",
    "queue",
    "random",
    "re",
    "sched",
    "secrets",
    "shelve",
    "shlex",
    "shutil",
    "socket",
    "sqlite3",
    "statistics",
    "string",
    "subprocess",
    "tarfile",
    "tempfile",
    "textwrap",
    "threading",
    "timeit",
    "tokenize",
    "trace",
    "traceback",
    "types",
    "typing",
    "unittest",
    "urllib",
    "uuid",
    "warnings",
    "weakref",
    "zipfile",
]
RATES = (0.05, 0.33, 0.55, 0.8)
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "digits": {"force_reserve_digit": True},
    "force": {"force_tokens": [".", ",", "the", "not"]},
    "placeholders": {"force_tokens": ["\n", ".", "?", "standard library", "e.g."]},
    "consecutive": {"force_tokens": ["\n", ".", ",", "a"], "drop_consecutive": True},
    "first": {"token_to_word": "first"},
    "everything": {
        "force_tokens": ["\n", "!", "-", "("],
        "force_reserve_digit": True,
        "drop_consecutive": True,
        "token_to_word": "first",
    },
}
HARD = [
    "Do not panic: it isn't broken, they're 3.5 km away & cost $1,200.50 (e.g. 10%).",
    "東京は日本の首都です。人口は約1400万人。½ cup… ﬁne naïve café №5 ①②",
    "emoji 🙂🙂 and ☃ snow, [UNK]-like [CLS] words and <s> marks </s> ## # ### a##b",
    "a\tb\r\nc\n\n\n  indented\u00a0line\u2003wide\u200bzero. ",
    "no_full_stops " * 900,
    # among known words: of a chunk without any the reference takes the percentile of nothing
    "See " + "x" * 3000 + " end.",
    "Say " + "supercalifragilisticexpialidocious" * 40 + " twice.",
    "Sentence one. " * 300 + "\n\nEnd!!! ... ???",
    "1 2 3 4 5 6 7 8 9 10 " * 80,
    ".",
]


@dataclass
class Reference:
    """The reference with its word probabilities recorded."""

    compressor: Any
    probabilities: list[list[float]] = field(default_factory=list)

    @classmethod
    def load(cls, folder: Path) -> Reference:
        from llmlingua import PromptCompressor

        state = torch.random.get_rng_state()
        compressor = PromptCompressor(str(folder), device_map="cpu", use_llmlingua2=True)
        torch.random.set_rng_state(state)
        self = cls(compressor)
        inner = compressor._PromptCompressor__token_prob_to_word_prob

        def recorded(*args: Any, **kwargs: Any) -> Any:
            found = inner(*args, **kwargs)
            self.probabilities.append([float(p) for p in found])
            return found

        compressor._PromptCompressor__token_prob_to_word_prob = recorded
        return self

    def words(
        self, texts: list[str], settings: LLMLingua2
    ) -> tuple[list[str], list[bool], list[float]]:
        """Words of all texts, one after the other, with labels and probabilities."""
        self.probabilities.clear()
        found = self.compressor.compress_prompt_llmlingua2(
            texts,
            rate=settings.rate,
            use_context_level_filter=False,
            force_tokens=list(settings.force_tokens),
            force_reserve_digit=settings.force_reserve_digit,
            drop_consecutive=settings.drop_consecutive,
            token_to_word=settings.token_to_word,
            return_word_label=True,
            word_sep="\x00",
            label_sep="\x01",
        )["fn_labeled_original_prompt"]
        pairs = [p.rsplit("\x01", 1) for p in found.split("\x00")] if found else []
        probabilities = [p for chunk in self.probabilities for p in chunk]
        return [w for w, _ in pairs], [label == "1" for _, label in pairs], probabilities


@dataclass
class Pair:
    """Both libraries on the same weights."""

    theirs: Reference
    ours: TorchScorer
    marked: bool


@pytest.fixture(scope="session", autouse=True)
def cl100k() -> None:
    """Point tiktoken at the copy in llama-index-core, unless the user has one."""
    if "TIKTOKEN_CACHE_DIR" in os.environ or not importlib.util.find_spec("llama_index.core"):
        return
    spec = importlib.util.find_spec("llama_index.core")
    assert spec is not None
    assert spec.origin is not None
    os.environ["TIKTOKEN_CACHE_DIR"] = str(Path(spec.origin).parent / "_static/tiktoken_cache")


def docstrings(limit: int) -> list[str]:
    """Passages of Python's own documentation, one a module, of at most ``limit`` characters."""
    out = []
    for name in MODULES:
        module = importlib.import_module(name)
        parts = [inspect.getdoc(module) or ""]
        parts += [
            inspect.getdoc(value) or ""
            for key, value in sorted(vars(module).items())
            if not key.startswith("_") and (inspect.isclass(value) or inspect.isfunction(value))
        ]
        text = "\n\n".join(p for p in parts if len(p) > 80)
        if len(text) > 200:
            out.append(text[:limit])
    return out


@pytest.fixture(scope="session")
def texts() -> list[str]:
    found = docstrings(900)
    found = found[:: max(1, len(found) // 40)][:40]
    assert len(found) >= 40
    folder = Path(__file__).resolve().parents[3] / "shared" / "data" / "distill" / "dev.jsonl"
    if folder.is_file():
        lines = folder.read_text("utf-8").splitlines()[:15]
        found += [json.loads(line)["text"] for line in lines]
    return found + docstrings(300)[: 55 - len(found)]


@pytest.fixture(scope="session", params=["bert", "xlm-r"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = tmp_path_factory.mktemp("parity")
    marked = request.param == "xlm-r"
    start = folder / ("xlm-roberta-large" if marked else "bert-base-multilingual-cased")
    (xlmr if marked else bert)(start)
    theirs = Reference.load(start)
    # the reference adds 100 rows with random values: both sides get the enlarged model
    shared = folder / "enlarged"
    theirs.compressor.model.save_pretrained(shared)
    theirs.compressor.tokenizer.save_pretrained(shared)
    # float64 on both sides: else the reference's padding moves the last bit of a probability, and
    # two words that differ by no more change places on some machines
    theirs.compressor.model.double()
    return Pair(theirs, TorchScorer(shared, device="cpu", dtype="float64"), marked)  # type: ignore[arg-type]


def bert(folder: Path) -> None:
    """A random BERT with the vocabulary of the bundled model, cased."""
    vocabulary = Tokenizer.from_file(str(BUNDLED / "small" / "tokenizer.json")).get_vocab()
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    ends = [(t, vocabulary[t]) for t in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends
    )
    names = {"unk": "[UNK]", "sep": "[SEP]", "pad": "[PAD]", "cls": "[CLS]", "mask": "[MASK]"}
    config = transformers.BertConfig(
        vocab_size=len(vocabulary),
        pad_token_id=vocabulary["[PAD]"],
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        initializer_range=0.3,
    )
    save(folder, tokenizer, names, transformers.BertForTokenClassification(config))


def xlmr(folder: Path) -> None:
    """A random XLM-R with a Unigram vocabulary trained on what is at hand."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    tokenizer.decoder = decoders.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(
        vocab_size=2000, special_tokens=[*special, "<mask>"], unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(docstrings(4000) + HARD[:2], trainer)
    ends = [(t, tokenizer.token_to_id(t)) for t in ("<s>", "</s>")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=ends
    )
    names = {"bos": "<s>", "eos": "</s>", "cls": "<s>", "sep": "</s>", "unk": "<unk>"}
    names |= {"pad": "<pad>", "mask": "<mask>"}
    config = transformers.XLMRobertaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        pad_token_id=1,
        max_position_embeddings=514,
        type_vocab_size=1,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        initializer_range=0.3,
    )
    save(folder, tokenizer, names, transformers.XLMRobertaForTokenClassification(config))


def save(folder: Path, tokenizer: Tokenizer, names: dict[str, str], model: Any) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(7)
        model.init_weights() if hasattr(model, "init_weights") else None
        for parameter in model.parameters():
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=0.3)
        torch.nn.init.normal_(model.classifier.weight, std=0.1)  # scores spread, not saturated
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, **{f"{k}_token": v for k, v in names.items()}
    )
    fast.save_pretrained(folder)
    model.eval().save_pretrained(folder)


def compare(pair: Pair, texts: list[str], rate: float, **kwargs: Any) -> None:
    """Same words, same labels, same probabilities."""
    kwargs["force_tokens"] = tuple(kwargs.get("force_tokens", ()))
    settings = LLMLingua2(rate=rate, **kwargs)
    ours = reference.select(texts, pair.ours, settings)
    theirs, labels, probabilities = pair.theirs.words(texts, settings)
    words = [w.lstrip("▁") if pair.marked else w for s in ours for w in s.words]
    assert words == theirs
    keep = np.concatenate([s.keep for s in ours if s.keep is not None])
    np.testing.assert_allclose(keep, probabilities, atol=1e-5)
    kept = np.concatenate([s.kept for s in ours if s.kept is not None])
    assert kept.tolist() == labels


@pytest.mark.parametrize("rate", RATES)
def test_same_words_at_every_rate(pair: Pair, texts: list[str], rate: float) -> None:
    compare(pair, texts, rate)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("rate", [0.33, 0.7])
def test_same_words_with_every_setting(
    pair: Pair, texts: list[str], name: str, rate: float
) -> None:
    for text in texts[::4]:  # alone: in a batch, padding moves the reference's last bit
        compare(pair, [text], rate, **SETTINGS[name])


@pytest.mark.parametrize("name", SETTINGS)
def test_same_words_on_hard_text(pair: Pair, name: str) -> None:
    compare(pair, HARD, 0.4, **SETTINGS[name])


def test_long_documents_are_cut_alike(pair: Pair) -> None:
    texts = docstrings(4000)
    long = ["\n\n".join(texts[:8]), " ".join(t.replace(".", " ") for t in texts[8:16])]
    assert min(len(t) for t in long) > 10_000
    compare(pair, long, 0.5)
    compare(pair, long, 0.5, force_tokens=["\n", "?"])


def test_output_is_slices_of_the_source(pair: Pair, texts: list[str]) -> None:
    config = CompressConfig.llmlingua2(rate=0.5, force_tokens=["."])
    result = Compressor(pair.ours, config=config).compress(texts[:20])
    for document in result.documents:
        for span in document.spans:
            assert document.source[span.start : span.end] in document.text
    squeezed = re.sub(r"\s", "", result.text)
    assert 0 < len(squeezed) < sum(len(re.sub(r"\s", "", t)) for t in texts[:20])
