"""Typed errors: each states what was got, what was expected, and the remedy."""

import importlib
from typing import Any


class ThresherError(Exception):
    """Base class of every error that Thresher raises on purpose."""


class BudgetError(ThresherError, ValueError):
    """The budget, ratio or threshold is missing, contradictory, or cannot hold anything."""


class InputError(ThresherError, ValueError):
    """A document, query or configuration value has the wrong type or an impossible value."""


class ModelError(ThresherError):
    """A checkpoint is missing, incomplete, or not a token classifier that can be used."""


class TokenizerError(ThresherError):
    """A tokenizer or counter cannot be loaded, or does not fit its model."""


class ScorerError(ThresherError):
    """A scorer failed, is unreachable, or returned something of the wrong shape."""


class CounterError(ThresherError):
    """The caller's token counter raised, or returned something that is not a count."""


class MissingExtraError(ThresherError, ImportError):
    """An optional package is not installed; the message names the pip command."""


class ThresherWarning(UserWarning):
    """Something was ignored or done another way than asked; the output is still correct."""


def require(module: str, extra: str, purpose: str) -> Any:
    """Import an optional module, or say which extra brings it.

    Args:
        module: importable name, for example ``"torch"``.
        extra: the extra of the ``thresher`` distribution that installs it.
        purpose: what needs it, as the subject of the sentence in the error.

    Raises:
        MissingExtraError: the module cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{purpose} needs the package {module.split('.')[0]!r}, which cannot be imported "
            f"({error}). Install it with: pip install 'thresher[{extra}]'"
        ) from error
