"""``ThresherCompressor``: the document compressor for retrievers, pipelines and LCEL."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from langchain_core.callbacks import Callbacks
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.prompts import PromptTemplate
from langchain_core.runnables import Runnable, RunnableLambda
from pydantic import Field, SerializationInfo, field_serializer, field_validator, model_validator
from thresher import BudgetError, Compression, InputError

from langchain_thresher._core import CoreSettings, as_config, json_or_live
from langchain_thresher._documents import as_prompt, from_core, render, to_core

_ATTEMPTS = 6


class ThresherCompressor(CoreSettings, BaseDocumentCompressor):
    """Compress retrieved documents, together, to one token budget.

    Works wherever LangChain takes a document compressor: ``ContextualCompressionRetriever``,
    ``DocumentCompressorPipeline`` (after a reranker or ``EmbeddingsFilter``), and through
    ``as_runnable()`` in LCEL. The model is loaded on first use, shared between instances, and
    never runs on the event loop.

    Exactly one of ``max_tokens`` and ``ratio`` is needed, unless a ``threshold`` decides. The
    budget covers the context as ``create_stuff_documents_chain`` renders it: every document with
    its ``document_prompt``, and the separators.

    Example:
        .. code-block:: python

            from langchain_classic.retrievers import ContextualCompressionRetriever
            from langchain_thresher import ThresherCompressor

            retriever = ContextualCompressionRetriever(
                base_compressor=ThresherCompressor(max_tokens=1500, counter="gpt-4o"),
                base_retriever=vector_store.as_retriever(search_kwargs={"k": 20}),
            )
    """

    max_tokens: int | None = Field(
        default=None, description="Budget in tokens of the whole context, never of one document."
    )
    ratio: float | None = Field(
        default=None, description="Budget as a share of the input's tokens, in (0, 1]."
    )
    threshold: float | None = Field(
        default=None,
        description="Keep what scores at least this, in (0, 1); alone, or under a budget.",
    )
    counter: Any = Field(
        default=None,
        description=(
            "What counts tokens: a chat model (its get_num_tokens), a tiktoken encoding or model "
            "name, a Hugging Face tokenizer (object, repo id or folder), a callable from str to "
            "int, or None for the model's own tokenizer."
        ),
    )
    relevance: Any = Field(
        default=None,
        description=(
            "What rates sentences for the query: 'lexical', 'embedding', 'cross', 'retriever', a "
            "thresher.Relevance, or None for the model's own query head."
        ),
    )
    document_prompt: Any = Field(
        default=None,
        description=(
            "How the chain renders a document: the PromptTemplate given to "
            "create_stuff_documents_chain, or its template string. None: the bare text."
        ),
    )
    document_separator: str | None = Field(
        default=None, description="Between documents; None for the separator of config ('\\n\\n')."
    )
    score_key: str | tuple[str, ...] = Field(
        default=("relevance_score", "score"),
        description="Metadata keys of the retriever's score (higher is better), first found wins.",
    )
    dropped: Literal["omit", "empty"] = Field(
        default="omit",
        description="Documents of which nothing is kept: left out, or kept with empty text.",
    )
    report: bool = Field(
        default=False,
        description="Whether to put token counts, spans and reasons under metadata['thresher'].",
    )

    @field_validator("document_prompt")
    @classmethod
    def _check_prompt(cls, value: Any) -> Any:
        as_prompt(value)
        return value

    @model_validator(mode="after")
    def _check_limits(self) -> Self:
        config = as_config(self.config)
        given = [self.max_tokens, self.ratio]
        if None not in given:
            raise BudgetError(
                f"both max_tokens={self.max_tokens} and ratio={self.ratio} were given; give one"
            )
        if config.reference is not None:
            if given != [None, None] or self.threshold is not None:
                raise BudgetError(
                    "the LLMLingua-2 compatible config decides by its own rate; give neither "
                    "max_tokens, ratio nor threshold with it"
                )
        elif given == [None, None] and self.threshold is None and config.threshold is None:
            raise BudgetError(
                "no limit was given: pass max_tokens= (budget of the whole context), ratio= "
                "(share of the input's tokens) or threshold="
            )
        if self.max_tokens is not None and self.max_tokens < 1:
            raise BudgetError(f"max_tokens is {self.max_tokens}; it must be 1 or more")
        if self.ratio is not None and not 0.0 < self.ratio <= 1.0:
            raise BudgetError(f"ratio is {self.ratio}; it must lie in (0, 1], for example 0.4")
        if self.threshold is not None and not 0.0 < self.threshold < 1.0:
            raise BudgetError(f"threshold is {self.threshold}; it must lie between 0 and 1")
        return self

    @field_serializer("counter")
    def _dump_counter(self, value: Any, info: SerializationInfo) -> Any:
        return json_or_live("counter", value, info)

    @field_serializer("relevance")
    def _dump_relevance(self, value: Any, info: SerializationInfo) -> Any:
        return json_or_live("relevance", value, info)

    @field_serializer("document_prompt")
    def _dump_prompt(self, value: Any, info: SerializationInfo) -> Any:
        if (
            isinstance(value, PromptTemplate)
            and value.template_format == "f-string"
            and not value.partial_variables
        ):
            return value.template
        return json_or_live("document_prompt", value, info)

    def compress_documents(
        self,
        documents: Sequence[Document],
        query: str,
        callbacks: Callbacks | None = None,
    ) -> Sequence[Document]:
        """Compress retrieved documents to the budget.

        Args:
            documents: retrieved documents, in the order in which they go into the prompt. They
                are not changed.
            query: the question that they are to answer.
            callbacks: parents of the trace span ``ThresherCompressor``.

        Returns:
            New documents with id and metadata kept. Those of which nothing is kept are left out
            (or empty, see ``dropped``).

        Raises:
            BudgetError: the budget cannot hold anything.
            InputError: the documents or the query are not such.
            CounterError, ScorerError, ModelError: counter or model failed.
        """
        if not documents:
            return []
        span = RunnableLambda(self._traced, name="ThresherCompressor")
        traced = span.invoke(
            {"documents": list(documents), "query": query}, config={"callbacks": callbacks}
        )
        out: list[Document] = traced["documents"]
        return out

    async def acompress_documents(
        self,
        documents: Sequence[Document],
        query: str,
        callbacks: Callbacks | None = None,
    ) -> Sequence[Document]:
        """``compress_documents`` with counting and model in a worker thread.

        Args:
            documents: as in ``compress_documents``.
            query: as in ``compress_documents``.
            callbacks: as in ``compress_documents``.

        Returns:
            As ``compress_documents``.
        """
        if not documents:
            return []
        span = RunnableLambda(self._traced, self._atraced, name="ThresherCompressor")
        traced = await span.ainvoke(
            {"documents": list(documents), "query": query}, config={"callbacks": callbacks}
        )
        out: list[Document] = traced["documents"]
        return out

    def as_runnable(
        self, *, documents_key: str = "context", query_key: str = "input"
    ) -> Runnable[dict[str, Any], list[Document]]:
        """This compressor as a step of an LCEL chain.

        Args:
            documents_key: where the input dict holds the documents.
            query_key: where it holds the question.

        Returns:
            A Runnable from such a dict to the compressed documents. Typical use:
            ``RunnablePassthrough.assign(context=compressor.as_runnable())``.
        """

        def unpack(inputs: Mapping[str, Any]) -> tuple[Sequence[Document], str]:
            missing = [k for k in (documents_key, query_key) if k not in inputs]
            if missing:
                raise InputError(
                    f"the input has the keys {sorted(inputs)} and lacks {missing}; name the right "
                    "ones: as_runnable(documents_key=..., query_key=...)"
                )
            return inputs[documents_key], inputs[query_key]

        def run(inputs: dict[str, Any]) -> list[Document]:
            return list(self.compress_documents(*unpack(inputs)))

        async def arun(inputs: dict[str, Any]) -> list[Document]:
            return list(await self.acompress_documents(*unpack(inputs)))

        return RunnableLambda(run, arun, name="compress_documents")

    async def _atraced(self, inputs: dict[str, Any]) -> dict[str, Any]:
        return await asyncio.to_thread(self._traced, inputs)

    def _traced(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """The work, as the trace shows it: documents and query in, documents and counts out."""
        documents: list[Document] = inputs["documents"]
        prompt = as_prompt(self.document_prompt)
        keys = (self.score_key,) if isinstance(self.score_key, str) else self.score_key
        core = self._core()
        originals = [to_core(d, prompt, keys) for d in documents]
        budget, ratio, limit = self.max_tokens, self.ratio, self.max_tokens
        for _ in range(_ATTEMPTS):
            result = core.compress(
                originals,
                query=inputs["query"],
                budget=budget,
                ratio=ratio,
                threshold=self.threshold,
            )
            limit = result.budget if limit is None else limit
            out = self._collect(documents, result)
            over = 0
            if limit is not None and len(out) > len(result.order):  # empty ones are rendered too
                over = core.counter(render(out, prompt, core.config.separator)) - limit
            if over <= 0:
                return {
                    "documents": out,
                    "tokens_before": result.tokens_before,
                    "tokens_after": result.tokens,
                    "budget": limit,
                    "notes": list(result.notes),
                }
            budget, ratio = (result.budget or 0) - over, None
            if budget < 1:
                break
        raise BudgetError(
            f"{len(documents)} documents with the framing of those that are dropped and kept as "
            f"empty ones do not fit {limit} tokens; raise max_tokens, or use dropped='omit'"
        )

    def _collect(self, documents: Sequence[Document], result: Compression) -> list[Document]:
        """The documents to return: kept ones in prompt order, dropped ones as asked."""
        order = [i for i in result.order if result.documents[i].kept]
        if self.dropped == "empty":
            if order == sorted(order):
                order = list(range(len(documents)))
            else:
                kept = set(order)
                order += [i for i in range(len(documents)) if i not in kept]
        return [from_core(documents[i], result.documents[i], report=self.report) for i in order]

    def _ingredients(self) -> tuple[Any, ...]:
        config = as_config(self.config)
        if self.document_separator is not None:
            config = config.with_(separator=self.document_separator)
        return (self.model, self.engine, self.device, self.counter, self.relevance, config)
