"""The core compressor behind every public class: its settings as fields, loaded once, shared."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from langchain_core.language_models import BaseLanguageModel
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SerializationInfo,
    field_serializer,
    field_validator,
)
from thresher import CompressConfig, Compressor, InputError, Scorer, load_scorer

logger = logging.getLogger("langchain_thresher")

Engine = Literal["auto", "onnx", "torch"]

_loading = threading.Lock()


@lru_cache(maxsize=4)
def _cached_scorer(model: str, engine: Engine, device: str | None) -> Scorer:
    return load_scorer(model, engine=engine, device=device)


def shared_scorer(model: str | Path | Scorer, engine: Engine, device: str | None) -> Scorer:
    """The scorer of a model; one instance a process for equal names, engines and devices.

    Raises:
        ModelError, TokenizerError, MissingExtraError: it cannot be loaded.
    """
    if not isinstance(model, str | Path):
        return load_scorer(model, engine=engine, device=device)
    with _loading:
        return _cached_scorer(str(model), engine, device)


def text_counter(counter: Any) -> Any:
    """A counter as the core takes it: a chat model counts with its own ``get_num_tokens``."""
    return counter.get_num_tokens if isinstance(counter, BaseLanguageModel) else counter


def as_config(value: Any) -> CompressConfig:
    """A ``CompressConfig`` from itself, a mapping of its fields, or None.

    Raises:
        InputError: something else, or a mapping with an unknown field.
    """
    if value is None:
        return CompressConfig()
    if isinstance(value, CompressConfig):
        return value
    if isinstance(value, Mapping):
        return CompressConfig.from_dict(value)
    raise InputError(
        f"config is a {type(value).__name__}; expected thresher.CompressConfig(...) or a dict of "
        "its fields"
    )


def build(
    model: str | Path | Scorer,
    *,
    engine: Engine = "auto",
    device: str | None = None,
    counter: Any = None,
    relevance: Any = None,
    config: CompressConfig | None = None,
) -> Compressor:
    """A core compressor on a shared scorer."""
    return Compressor(
        shared_scorer(model, engine, device),
        counter=text_counter(counter),
        relevance=relevance,
        config=config,
    )


def json_or_live(name: str, value: Any, info: SerializationInfo) -> Any:
    """A field that may hold a live object: passed through, but never written as JSON.

    Raises:
        InputError: the object would have to become JSON.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Path):
        return str(value)
    if info.mode == "json":
        raise InputError(
            f"{name} is a {type(value).__name__} object and cannot be written as JSON; give it by "
            "name (a string) where the settings must be stored"
        )
    return value


class CoreSettings(BaseModel):
    """Fields which say how to score; the core compressor is made on first use.

    Every field is a plain JSON value or, where the description says so, may be a live object; a
    live object survives ``model_validate(x.model_dump())`` and is refused by ``model_dump_json``.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    model: Any = Field(
        default="small",
        description="'small' (bundled), a folder, a Hugging Face hub id, or a thresher.Scorer.",
    )
    engine: Engine = Field(default="auto", description="'auto', 'onnx' or 'torch'.")
    device: str | None = Field(default=None, description="Torch device, where torch is used.")
    config: Any = Field(
        default=None,
        description="Allocation, guards and form: thresher.CompressConfig or a dict of its fields.",
    )

    _made: tuple[tuple[Any, ...], Compressor] | None = PrivateAttr(default=None)

    @field_validator("config")
    @classmethod
    def _check_config(cls, value: Any) -> CompressConfig:
        return as_config(value)

    @field_validator("model")
    @classmethod
    def _check_model(cls, value: Any) -> Any:
        return str(value) if isinstance(value, Path) else value

    @field_serializer("config")
    def _dump_config(self, value: Any, info: SerializationInfo) -> Any:
        config = as_config(value)
        return config if config.force is not None and info.mode != "json" else config.to_dict()

    @field_serializer("model")
    def _dump_model(self, value: Any, info: SerializationInfo) -> Any:
        return json_or_live("model", value, info)

    def _ingredients(self) -> tuple[Any, ...]:
        """Model, engine, device, counter, relevance and config, as the core takes them."""
        return (self.model, self.engine, self.device, None, None, as_config(self.config))

    def _core(self) -> Compressor:
        """The core compressor for the current fields. Safe from several threads."""
        want = self._ingredients()
        made = self._made
        if made is not None and all(
            a is b or (isinstance(a, str | CompressConfig) and a == b)
            for a, b in zip(made[0], want, strict=True)
        ):
            return made[1]
        model, engine, device, counter, relevance, config = want
        core = build(
            model,
            engine=engine,
            device=device,
            counter=counter,
            relevance=relevance,
            config=config,
        )
        self._made = (want, core)
        return core

    def __getstate__(self) -> dict[Any, Any]:
        """Everything but the loaded model, which the copy loads again."""
        state = super().__getstate__()
        private = state.get("__pydantic_private__")
        if private is not None:
            state["__pydantic_private__"] = {**private, "_made": None}
        return state


TextCounter = Callable[[str], int]
