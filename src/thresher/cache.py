"""Scores stored at index time: one byte a unit beside the document, bound by a fingerprint."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from thresher.errors import InputError
from thresher.types import Float32

FORMAT = 1
_LOGIT_RANGE = 8.0


@dataclass(frozen=True, slots=True)
class StoredScores:
    """Keep scores, and sentence embeddings where there are some, in a few bytes.

    Attributes:
        fingerprint: of text, model, window size and format; see ``fingerprint``.
        keep: one byte a unit: the logit of the keep score from -8 to 8. Shape: (U,)
        embedding: sentence embeddings, one signed byte a dimension, or None. Shape: (S, H)
    """

    fingerprint: str
    keep: NDArray[np.uint8]
    embedding: NDArray[np.int8] | None = None

    @classmethod
    def pack(cls, fingerprint: str, keep: Float32, embedding: Float32 | None = None) -> Self:
        """Quantise scores. The order of units is kept up to 1/16 of a logit."""
        p = np.clip(keep.astype(np.float64), 1e-9, 1 - 1e-9)
        logit = np.clip(np.log(p / (1 - p)), -_LOGIT_RANGE, _LOGIT_RANGE)
        levels = np.rint((logit + _LOGIT_RANGE) * (255 / (2 * _LOGIT_RANGE))).astype(np.uint8)
        vectors = None
        if embedding is not None and embedding.size:
            scale = 127 / np.maximum(np.abs(embedding).max(axis=1, keepdims=True), 1e-9)
            vectors = np.rint(embedding * scale).astype(np.int8)
        return cls(fingerprint, levels, vectors)

    def scores(self) -> Float32:
        """Keep probabilities. Shape: (U,)."""
        logit = self.keep.astype(np.float32) * (2 * _LOGIT_RANGE / 255) - _LOGIT_RANGE
        p: Float32 = (1.0 / (1.0 + np.exp(-logit))).astype(np.float32)
        return p

    def embeddings(self) -> Float32 | None:
        """Sentence embeddings of length 1. Shape: (S, H)."""
        if self.embedding is None:
            return None
        x = self.embedding.astype(np.float32)
        norm = np.linalg.norm(x, axis=1, keepdims=True)
        unit: Float32 = (x / np.where(norm > 0, norm, 1.0)).astype(np.float32)
        return unit

    def to_dict(self) -> dict[str, Any]:
        """A JSON-safe dict, for the document's metadata."""
        out: dict[str, Any] = {
            "format": FORMAT,
            "fingerprint": self.fingerprint,
            "keep": base64.b64encode(self.keep.tobytes()).decode("ascii"),
        }
        if self.embedding is not None:
            out["embedding"] = base64.b64encode(self.embedding.tobytes()).decode("ascii")
            out["size"] = int(self.embedding.shape[1])
        return out

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of ``to_dict``.

        Raises:
            InputError: not such a dict. Scores of another format load with a fingerprint that
                never fits, so that they are computed again.
        """
        try:
            if values["format"] != FORMAT:
                return cls("", np.zeros(0, np.uint8))
            keep = np.frombuffer(base64.b64decode(values["keep"], validate=True), np.uint8)
            embedding = None
            if "embedding" in values:
                flat = np.frombuffer(base64.b64decode(values["embedding"], validate=True), np.int8)
                embedding = flat.reshape(-1, int(values["size"]))
            return cls(str(values["fingerprint"]), keep, embedding)
        except (KeyError, TypeError, ValueError, binascii.Error) as error:
            raise InputError(
                f"these are not stored scores ({type(error).__name__}: {error}); expected the "
                "dict that StoredScores.to_dict wrote"
            ) from error


def fingerprint(text: str, *, scorer: str, window: int) -> str:
    """What stored scores depend on, as a short hash."""
    digest = hashlib.blake2b(digest_size=12)
    for part in (str(FORMAT), scorer, str(window), text):
        digest.update(part.encode("utf-8", "surrogatepass"))
        digest.update(b"\0")
    return digest.hexdigest()
