"""The arguments that several components share, as pydantic fields with JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from llama_index.core.bridge.pydantic import (
    BaseModel,
    Field,
    field_validator,
    model_validator,
)
from llama_index.postprocessor.thresher.loading import Spec, compressor

from thresher import CompressConfig, Compressor


class ModelFields(BaseModel):
    """Which model scores the words, and how."""

    model: str = Field(
        default="small",
        description="The scoring model: 'small' (bundled), a folder, or a Hugging Face hub id.",
    )
    engine: Literal["auto", "onnx", "torch"] = Field(
        default="auto",
        description="What runs the model: 'onnx' (CPU), 'torch' (GPU), or 'auto'.",
    )
    device: str | None = Field(
        default=None, description="The torch device, for example 'cuda:1'; None for the best one."
    )
    config: dict[str, Any] = Field(
        default_factory=dict,
        description="Everything else: a thresher.CompressConfig, kept as the dict of its fields.",
    )

    @model_validator(mode="before")
    @classmethod
    def _drop_class_name(cls, values: Any) -> Any:
        """Serialized components carry their class name, which is not an argument."""
        if isinstance(values, Mapping) and "class_name" in values:
            return {k: v for k, v in values.items() if k != "class_name"}
        return values

    @field_validator("model", mode="before")
    @classmethod
    def _model_as_text(cls, value: Any) -> Any:
        return str(value) if hasattr(value, "__fspath__") else value

    @field_validator("config", mode="before")
    @classmethod
    def _config_as_dict(cls, value: Any) -> Any:
        if isinstance(value, CompressConfig):
            return {**value.to_dict(), "strategy": value.strategy}
        if value is None:
            return {}
        return _checked(value) if isinstance(value, Mapping) else value

    def _spec(self) -> Spec:
        return Spec(self.model, self.engine, self.device)

    def _scorer(self) -> Compressor:
        """A compressor to score with; its counter does not matter."""
        return compressor(self._spec(), counter="", relevance=None, config=self.config)


class CompressionFields(ModelFields):
    """What counts the tokens, and what rates sentences for the query."""

    counter: str | None = Field(
        default=None,
        description=(
            "What counts tokens: a tiktoken encoding or model name, a Hugging Face tokenizer's "
            "repo id or folder, or None for LlamaIndex's global tokenizer (Settings.tokenizer)."
        ),
    )
    relevance: Literal["lexical", "embedding", "cross", "retriever"] | None = Field(
        default=None,
        description=(
            "What rates sentences for the query: 'lexical', 'embedding', 'cross', 'retriever' "
            "(the scores of the nodes), or None for the model's own query head."
        ),
    )

    def _compressor(self, **changes: Any) -> Compressor:
        return compressor(
            self._spec(),
            counter=self.counter,
            relevance=self.relevance,
            config={**self.config, **changes},
        )


class LimitFields(CompressionFields):
    """How much may be kept of everything together."""

    max_tokens: int | None = Field(
        default=None,
        ge=1,
        description=(
            "Tokens for the whole context together: the text of all nodes as the prompt shows it, "
            "with metadata and separators. Give this or ratio."
        ),
    )
    ratio: float | None = Field(
        default=None,
        gt=0.0,
        le=1.0,
        description="The budget as a share of the tokens that come in, in place of max_tokens.",
    )
    threshold: float | None = Field(
        default=None,
        gt=0.0,
        lt=1.0,
        description="Keep what scores at least this; alone, or under max_tokens or ratio.",
    )

    @model_validator(mode="after")
    def _one_limit(self) -> Self:
        if self.max_tokens is not None and self.ratio is not None:
            raise ValueError(
                f"both max_tokens={self.max_tokens} and ratio={self.ratio} were given; give one"
            )
        given = (self.max_tokens, self.ratio, self.threshold)
        if self.config.get("reference") is not None:
            if given != (None, None, None):
                raise ValueError(
                    "a config made by CompressConfig.llmlingua2 decides by its own rate; leave "
                    "out max_tokens, ratio and threshold"
                )
        elif given == (None, None, None) and self.config.get("threshold") is None:
            raise ValueError(
                "no limit was given: pass max_tokens= (tokens for the whole context) or ratio= "
                "(share of the tokens that come in)"
            )
        return self


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same settings as JSON values, after thresher has checked them."""
    config = CompressConfig.from_dict(values)
    out = config.to_dict()
    if "strategy" in values:
        out["strategy"] = config.strategy
    return out
