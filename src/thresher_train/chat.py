"""Chat models by name: teachers that compress, and readers that answer."""

from __future__ import annotations

import importlib
from typing import Any

from thresher.errors import InputError


def load_chat_model(name: str) -> Any:
    """Load a chat model by name.

    Args:
        name: ``provider:model`` for ``langchain.chat_models.init_chat_model``, or
            ``package.module:attribute`` of a model (or of a function that makes one).

    Raises:
        InputError: the name has no colon, or nothing stands there.
        ImportError: LangChain is needed and missing; the message names the pip command.
    """
    place, _, attribute = name.partition(":")
    if not attribute:
        raise InputError(
            f"got {name!r}, expected provider:model (such as openai:MODEL) or "
            "package.module:attribute"
        )
    if "." in place:
        try:
            found = getattr(importlib.import_module(place), attribute)
        except (ImportError, AttributeError) as error:
            raise InputError(f"{name!r} cannot be loaded: {error}") from error
        return found() if isinstance(found, type) or not hasattr(found, "invoke") else found
    try:
        models = importlib.import_module("langchain.chat_models")
    except ImportError as error:
        raise ImportError(
            f"{name!r} needs LangChain; pip install langchain langchain-{place}"
        ) from error
    return models.init_chat_model(name)
