"""Find a checkpoint's files and read what its labels mean, without loading the model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Self

from tokenizers import Tokenizer

from thresher.errors import ModelError, TokenizerError

BUNDLED = Path(__file__).resolve().parent.parent / "models"
_FILES = ["*.json", "*.onnx", "*.safetensors", "*.txt", "*.model"]
_KEEP_NAMES = {"keep", "preserve", "kept", "preserved", "retain", "important", "1", "label_1"}


def resolve(model: str | Path) -> Path:
    """The folder of a bundled model, a local folder, or a hub snapshot (downloaded if needed).

    Raises:
        ModelError: there is no such model, with the three forms that are accepted.
    """
    name = str(model)
    bundled = BUNDLED / name
    if isinstance(model, str) and "/" not in name and (bundled / "config.json").is_file():
        return bundled
    path = Path(model).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise ModelError(
                f"the folder {path} has no config.json; expected a Hugging Face token classifier "
                "(config.json, tokenizer.json and model.safetensors or an .onnx file)"
            )
        return path
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        known = ", ".join(sorted(p.name for p in BUNDLED.iterdir() if p.is_dir()))
        raise ModelError(
            f"no model {name!r}: it is not a bundled model ({known}), not a folder that exists, "
            "and not a hub id of the form owner/name"
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=_FILES))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        raise ModelError(
            f"the model {name!r} could not be fetched from the Hugging Face hub: {error}. Check "
            "the name and the network, or download it once and give the folder"
        ) from error


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint folder says about itself.

    Attributes:
        folder: where it lies.
        keep: output column which means "keep".
        focus: output column which means "keep, given this query", or None.
        activation: how logits become probabilities.
        max_length: longest window, special tokens included.
        embedding: whether mean hidden states are sentence embeddings.
        one_pass: whether keep and embeddings hold in windows with a query too.
        vocab_size: rows of the embedding table.
        pad_id: id for padding.
    """

    folder: Path
    keep: int
    focus: int | None
    activation: Literal["softmax", "sigmoid"]
    max_length: int
    embedding: bool
    one_pass: bool
    vocab_size: int
    pad_id: int

    @classmethod
    def read(cls, folder: Path, *, keep_label: str | int | None = None) -> Self:
        """Read ``config.json``.

        Args:
            folder: the checkpoint.
            keep_label: name or index of the output that means keep, where ``id2label`` does not
                make it plain.

        Raises:
            ModelError: not a token classifier, or no output can be told to mean keep.
        """
        try:
            config = json.loads((folder / "config.json").read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise ModelError(
                f"{folder / 'config.json'} cannot be read: {error}; save the model there again "
                "with save_pretrained"
            ) from error
        if not isinstance(config, dict):
            raise ModelError(
                f"{folder / 'config.json'} holds a {type(config).__name__}; expected the object "
                "that save_pretrained writes"
            )
        labels = {int(k): str(v) for k, v in (config.get("id2label") or {}).items()}
        labels = labels or {0: "LABEL_0", 1: "LABEL_1"}
        own = config.get("thresher") or {}
        outputs = own.get("outputs") or list(labels.values())
        return cls(
            folder=folder,
            keep=_keep_column(labels, keep_label, folder),
            focus=next((i for i, n in labels.items() if n == "focus" and n in outputs), None),
            activation="sigmoid"
            if config.get("problem_type") == "multi_label_classification"
            else "softmax",
            max_length=_max_length(config),
            embedding=bool(own.get("embedding", False)),
            one_pass=bool(own.get("paired", False)),
            vocab_size=int(config.get("vocab_size", 0)),
            pad_id=int(config.get("pad_token_id") or 0),
        )

    def reading(self) -> str:
        """Which outputs are read and how, for fingerprints."""
        return f"{self.keep}/{self.focus}/{self.activation}"

    def tokenizer(self) -> Tokenizer:
        """The fast tokenizer of the folder, with truncation and padding off.

        Raises:
            TokenizerError: it is missing, unreadable, or has more entries than the model has
                embeddings.
        """
        path = self.folder / "tokenizer.json"
        if path.is_file():
            try:
                tokenizer = Tokenizer.from_file(str(path))
            except Exception as error:
                raise TokenizerError(
                    f"{path} is not a tokenizer that the package tokenizers can read: {error}; "
                    "copy the tokenizer.json that was saved with this model"
                ) from error
        else:
            tokenizer = _convert_slow_tokenizer(self.folder)
        tokenizer.no_truncation()
        tokenizer.no_padding()
        size = tokenizer.get_vocab_size(with_added_tokens=False)
        if self.vocab_size and size > self.vocab_size:
            raise TokenizerError(
                f"the tokenizer in {self.folder} has {size} entries, the model's embedding table "
                f"{self.vocab_size}: they do not belong together; copy the tokenizer.json that "
                "was saved with this model"
            )
        return tokenizer


def fingerprint(*parts: Path | str) -> str:
    """A short hash of the contents of files and of strings."""
    digest = hashlib.blake2b(digest_size=12)
    for part in parts:
        digest.update(
            _file_hash(part, part.stat().st_mtime_ns) if isinstance(part, Path) else part.encode()
        )
    return digest.hexdigest()


@lru_cache(maxsize=32)
def _file_hash(path: Path, _changed: int) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").digest()


def _keep_column(labels: Mapping[int, str], wanted: str | int | None, folder: Path) -> int:
    names = {v: k for k, v in labels.items()}
    if wanted is not None:
        if wanted in labels:
            return int(wanted)
        if wanted in names:
            return names[str(wanted)]
        raise ModelError(
            f"keep_label {wanted!r} is not among the labels {dict(labels)} of {folder}"
        )
    found = [i for i, name in labels.items() if name.strip().lower() in _KEEP_NAMES]
    if len(found) == 1:
        return found[0]
    raise ModelError(
        f"the labels {dict(labels)} of {folder} do not say which one means keep; give keep_label= "
        "its name or index (TorchScorer(folder, keep_label=...))"
    )


def _max_length(config: Mapping[str, Any]) -> int:
    longest = int(config.get("max_position_embeddings") or 512)
    if config.get("model_type") in {"roberta", "xlm-roberta", "camembert", "xlm-roberta-xl"}:
        longest -= int(config.get("pad_token_id") or 1) + 1  # positions start at padding_idx + 1
    return longest if longest > 0 else 512


def _convert_slow_tokenizer(folder: Path) -> Tokenizer:
    from thresher.errors import require

    transformers = require(
        "transformers", "torch", f"the tokenizer of {folder} (no tokenizer.json)"
    )
    try:
        fast = transformers.AutoTokenizer.from_pretrained(str(folder))
        backend = fast.backend_tokenizer
    except Exception as error:
        raise TokenizerError(
            f"no tokenizer could be loaded from {folder}: {error}. Save one there with "
            "AutoTokenizer.from_pretrained(...).save_pretrained(folder)"
        ) from error
    return Tokenizer.from_str(backend.to_str())
