"""LangChain documents to core documents and back: framing, scores, metadata."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.documents import Document
from langchain_core.prompts import BasePromptTemplate, PromptTemplate, format_document
from thresher import CompressedDocument, InputError, StoredScores
from thresher import Document as CoreDocument

from langchain_thresher._core import logger

SCORES_KEY = "thresher_scores"
"""Metadata key of the keep scores which ``ThresherScorer`` stores at index time."""

REPORT_KEY = "thresher"
"""Metadata key of the report which ``ThresherCompressor(report=True)`` adds."""

_STATE_SCORE = "query_similarity_score"  # where EmbeddingsFilter leaves its score
_SENTINEL = "\ue000\ue001\ue000"  # private use: no template changes it, no document holds it


def as_prompt(value: Any) -> BasePromptTemplate[str] | None:
    """A document prompt from itself, a template string, or None.

    Raises:
        InputError: something else.
    """
    if value is None or isinstance(value, BasePromptTemplate):
        return value
    if isinstance(value, str):
        return PromptTemplate.from_template(value)
    raise InputError(
        f"document_prompt is a {type(value).__name__}; expected a PromptTemplate as for "
        "create_stuff_documents_chain, or a template string such as '{source}: {page_content}'"
    )


def framing(document: Document, prompt: BasePromptTemplate[str] | None) -> tuple[str, str]:
    """What the prompt puts before and after a document's text.

    Raises:
        InputError: the prompt does not render ``page_content`` exactly once.
        ValueError: the document lacks metadata which the prompt names.
    """
    if prompt is None:
        return "", ""
    probe = Document(page_content=_SENTINEL, metadata=document.metadata)
    parts = format_document(probe, prompt).split(_SENTINEL)
    if len(parts) != 2:
        raise InputError(
            f"document_prompt renders page_content {len(parts) - 1} times; it must hold "
            "{page_content} exactly once, and no metadata key may be called 'page_content'"
        )
    return parts[0], parts[1]


def render(
    documents: Sequence[Document], prompt: BasePromptTemplate[str] | None, separator: str
) -> str:
    """The text that ``create_stuff_documents_chain`` puts into the prompt."""
    if prompt is None:
        return separator.join(d.page_content for d in documents)
    return separator.join(format_document(d, prompt) for d in documents)


def retriever_score(document: Document, keys: Sequence[str]) -> float | None:
    """The first usable number under one of the keys, else what EmbeddingsFilter left, else None."""
    state = getattr(document, "state", None)
    found = [document.metadata.get(key) for key in keys]
    if isinstance(state, Mapping):
        found.append(state.get(_STATE_SCORE))
    for value in found:
        if value is None or isinstance(value, bool | str):
            continue
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            continue
        if math.isfinite(number):
            return number
    return None


def stored_scores(document: Document) -> StoredScores | None:
    """Keep scores stored at index time: a dict, or the same dict as a JSON string."""
    value = document.metadata.get(SCORES_KEY)
    if value is None:
        return None
    try:
        return StoredScores.from_dict(json.loads(value) if isinstance(value, str) else value)
    except ValueError as error:  # InputError and JSONDecodeError are ValueErrors
        logger.warning(
            "metadata[%r] of document %r is ignored and the text is scored anew: %s",
            SCORES_KEY,
            document.id,
            error,
        )
        return None


def to_core(
    document: Document, prompt: BasePromptTemplate[str] | None, score_keys: Sequence[str]
) -> CoreDocument:
    """A core document with its framing, retriever score and stored keep scores."""
    prefix, suffix = framing(document, prompt)
    return CoreDocument(
        document.page_content,
        document.id,
        retriever_score(document, score_keys),
        prefix=prefix,
        suffix=suffix,
        scores=stored_scores(document),
    )


def from_core(source: Document, result: CompressedDocument, *, report: bool) -> Document:
    """A new document with the kept text; id, type and metadata (copied) as in the source.

    Stored keep scores belong to the original text and are left out: they would be of no use, and
    ``str(document)`` would write them into a prompt.
    """
    metadata = {k: v for k, v in source.metadata.items() if k != SCORES_KEY}
    if report:
        metadata[REPORT_KEY] = {
            "tokens_before": result.tokens_before,
            "tokens_after": result.tokens,
            "spans": [list(span) for span in result.spans],
            "dropped": result.dropped,
            "reason": result.reason,
            "relevance": result.relevance,
        }
    return source.model_copy(update={"page_content": result.text, "metadata": metadata})
