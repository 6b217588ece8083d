"""Thresher for LangChain: compress documents, histories and tool results to a token budget."""

from typing import TYPE_CHECKING, Any

from langchain_thresher.compressor import ThresherCompressor
from langchain_thresher.editing import ThresherEdit, ThresherSummarizer
from langchain_thresher.messages import MessageOptions, compress_messages
from langchain_thresher.retriever import ThresherRetriever
from langchain_thresher.scorer import ThresherScorer

if TYPE_CHECKING:
    from langchain_thresher.middleware import ThresherMiddleware, ThresherToolMiddleware

__version__ = "0.1.0"

__all__ = [
    "MessageOptions",
    "ThresherCompressor",
    "ThresherEdit",
    "ThresherMiddleware",
    "ThresherRetriever",
    "ThresherScorer",
    "ThresherSummarizer",
    "ThresherToolMiddleware",
    "__version__",
    "compress_messages",
]

_AGENTS = ("ThresherMiddleware", "ThresherToolMiddleware")


def __getattr__(name: str) -> Any:
    """Import the middleware, and with it the optional package langchain, on first use."""
    if name in _AGENTS:
        from langchain_thresher import middleware

        return getattr(middleware, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
