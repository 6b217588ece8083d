"""The core compressor behind every public class: its settings as fields, loaded once, shared."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
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
    """How a field that may hold a live object is written: ``CoreSettings.model_dump`` keeps it.

    Raises:
        InputError: the object would have to become JSON.
    """
    if value is None or isinstance(value, str):
        return value
    if info.mode == "json":
        raise InputError(
            f"{name} is a {type(value).__name__} object and cannot be written as JSON; give it by "
            "name (a string) where the settings must be stored"
        )
    return None


class _Held:
    """Loaded compressors of one settings object and its copies.

    No part of its value: it is equal to any other, and copies and pickles start empty.
    """

    def __init__(self) -> None:
        self._pairs: tuple[tuple[tuple[Any, ...], Compressor], ...] = ()

    def find(self, want: tuple[Any, ...]) -> Compressor | None:
        for made, core in self._pairs:
            if all(
                a is b or (isinstance(a, str | CompressConfig) and a == b)
                for a, b in zip(made, want, strict=True)
            ):
                return core
        return None

    def put(self, want: tuple[Any, ...], core: Compressor) -> None:
        self._pairs = ((want, core), *self._pairs[:3])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held)

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[type[_Held], tuple[()]]:
        return _Held, ()


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
        validate_default=True,
        description="Allocation, guards and form: thresher.CompressConfig or a dict of its fields.",
    )

    _held: _Held = PrivateAttr(default_factory=_Held)

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
        if config.force is not None and info.mode != "json":
            return None
        return config.to_dict()

    @field_serializer("model")
    def _dump_model(self, value: Any, info: SerializationInfo) -> Any:
        return json_or_live("model", value, info)

    def model_dump(self, **kwargs: Any) -> dict[str, Any]:
        """The fields as a dict; live objects stay what they are unless ``mode="json"``."""
        out = super().model_dump(**kwargs)
        if kwargs.get("mode", "python") != "json":
            for name, value in out.items():
                held = getattr(self, name)
                if value is None and held is not None:
                    out[name] = held
        return out

    def _ingredients(self) -> tuple[Any, ...]:
        """Model, engine, device, counter, relevance and config, as the core takes them."""
        return (self.model, self.engine, self.device, None, None, as_config(self.config))

    def _core(self) -> Compressor:
        """The core compressor for the current fields. Safe from several threads."""
        want = self._ingredients()
        held = self._held.find(want)
        if held is None:
            model, engine, device, counter, relevance, config = want
            held = build(
                model,
                engine=engine,
                device=device,
                counter=counter,
                relevance=relevance,
                config=config,
            )
            self._held.put(want, held)
        return held
