"""Compress retrieved passages to one hard token budget: learned, query-aware, byte-exact."""

from thresher.cache import StoredScores
from thresher.compression import CompressedDocument, Compression, SourceSpan, Span
from thresher.compressor import Compressor
from thresher.config import CompressConfig
from thresher.count import TokenCounter
from thresher.errors import (
    BudgetError,
    CounterError,
    InputError,
    MissingExtraError,
    ModelError,
    ScorerError,
    ThresherError,
    ThresherWarning,
    TokenizerError,
)
from thresher.relevance import Relevance
from thresher.scoring import Scorer, load_scorer
from thresher.types import Document, Request, UnitScores

__version__ = "0.1.0"

__all__ = [
    "BudgetError",
    "CompressConfig",
    "CompressedDocument",
    "Compression",
    "Compressor",
    "CounterError",
    "Document",
    "InputError",
    "MissingExtraError",
    "ModelError",
    "Relevance",
    "Request",
    "Scorer",
    "ScorerError",
    "SourceSpan",
    "Span",
    "StoredScores",
    "ThresherError",
    "ThresherWarning",
    "TokenCounter",
    "TokenizerError",
    "UnitScores",
    "__version__",
    "load_scorer",
]
