"""Nodes to documents and back: only the body is compressed, everything else is carried along."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llama_index.core.schema import (
    BaseNode,
    ImageNode,
    IndexNode,
    MetadataMode,
    Node,
    NodeWithScore,
    TextNode,
)

from thresher import (
    CompressedDocument,
    Document,
    InputError,
    Span,
    StoredScores,
    TokenCounter,
)

SCORES_KEY = "thresher_scores"
REPORT_KEY = "thresher"

_BODY = "\ue000thresher body\ue001"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Framed:
    """A node as the prompt shows it.

    Attributes:
        given: the node as it came in. Never changed.
        content: what the prompt shows of it when nothing is compressed.
        document: its body with the framing that the prompt puts round it; None where the node is
            left as it is (images, index nodes with an object, empty bodies).
    """

    given: NodeWithScore
    content: str
    document: Document | None


def frame(given: NodeWithScore) -> Framed:
    """Split a node into the body and what the prompt puts round it."""
    node = shown(given.node)
    if node is not given.node:
        given = given.model_copy(update={"node": node})
    content = node.get_content(metadata_mode=MetadataMode.LLM)
    text = body(node)
    if text is None:
        return Framed(given, content, None)
    around = replace_body(node, _BODY).get_content(metadata_mode=MetadataMode.LLM).split(_BODY)
    if len(around) != 2:  # a template that shows the body twice, or not at all
        return Framed(given, content, None)
    document = Document(
        text,
        id=node.node_id,
        score=_finite(given.score),
        prefix=around[0],
        suffix=around[1],
        scores=stored_scores(node.metadata),
    )
    return Framed(given, content, document)


def body(node: BaseNode) -> str | None:
    """The text that may be compressed, or None where the node has to stay as it is."""
    if isinstance(node, ImageNode) or (isinstance(node, IndexNode) and node.obj is not None):
        return None
    if isinstance(node, Node):
        media = (node.image_resource, node.audio_resource, node.video_resource)
        if node.text_resource is None or any(m is not None for m in media):
            return None
        text = node.text_resource.text or ""
    elif isinstance(node, TextNode):
        text = node.text
    else:
        return None
    return text if text.strip() else None


def replace_body(node: BaseNode, text: str, **changes: Any) -> BaseNode:
    """A copy of the node with another body; the id and all else stay."""
    if isinstance(node, Node) and node.text_resource is not None:
        changes["text_resource"] = node.text_resource.model_copy(update={"text": text})
    else:
        changes["text"] = text
    return node.model_copy(update=changes)


def shown(node: BaseNode) -> BaseNode:
    """The node, or a copy of it, with stored scores excluded from what models see."""
    if SCORES_KEY not in node.metadata or _excluded(node, SCORES_KEY):
        return node
    return node.model_copy(update=exclude(node, SCORES_KEY))


def compressed(framed: Framed, found: CompressedDocument, *, report: bool) -> NodeWithScore:
    """A copy of the node that holds what is kept of its body.

    Stored scores belong to the whole body, so the copy does not carry them.
    """
    node = framed.given.node
    metadata = dict(node.metadata)
    changes: dict[str, Any] = {"relationships": dict(node.relationships)}
    if found.text != found.source:
        metadata.pop(SCORES_KEY, None)
    if report:
        changes |= exclude(node, REPORT_KEY)
        metadata[REPORT_KEY] = {
            "tokens_before": found.tokens_before,
            "tokens_after": found.tokens,
            "spans": [list(s) for s in found.spans],
            "relevance": found.relevance,
        }
    copy = replace_body(node, found.text, metadata=metadata, **changes)
    return framed.given.model_copy(update={"node": copy})


def unchanged(framed: Framed, counter: TokenCounter, *, report: bool) -> NodeWithScore:
    """The node as it came in; a copy only where a report is to be added."""
    if not report or framed.document is None:
        return framed.given
    text = framed.document.text
    found = CompressedDocument(
        index=0,
        id=framed.document.id,
        score=framed.document.score,
        metadata=None,
        source=text,
        text=text,
        spans=(Span(0, len(text)),),
        tokens=counter(text),
        tokens_before=counter(text),
    )
    return compressed(framed, found, report=True)


def exclude(node: BaseNode, key: str) -> dict[str, list[str]]:
    """Changes that hide a metadata key from language and embedding models."""
    return {
        name: [*(k for k in getattr(node, name) if k != key), key]
        for name in ("excluded_llm_metadata_keys", "excluded_embed_metadata_keys")
    }


def stored_scores(metadata: Mapping[str, Any]) -> StoredScores | None:
    """Scores that were stored at index time, as a string or a dict; None where there are none."""
    value = metadata.get(SCORES_KEY)
    if value is None:
        return None
    try:
        return StoredScores.from_dict(json.loads(value) if isinstance(value, str) else value)
    except (InputError, ValueError, TypeError) as error:
        _log.warning("metadata[%r] is ignored: %s", SCORES_KEY, error)
        return None


def _excluded(node: BaseNode, key: str) -> bool:
    return key in node.excluded_llm_metadata_keys and key in node.excluded_embed_metadata_keys


def _finite(score: float | None) -> float | None:
    return None if score is None or not math.isfinite(score) else float(score)
