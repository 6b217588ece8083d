"""Question answering with LlamaIndex and Thresher: ten nodes retrieved, 300 tokens sent.

    pip install llama-index-postprocessor-thresher
    python examples/llama_index_rag.py

Everything runs offline: the embedding is a bag of words, and the language model is LlamaIndex's
``MockLLM``, which answers with the prompt it was sent, so that you see exactly what a hosted model
would get. In your own program leave both out, and ``Settings.llm`` and ``Settings.embed_model``
take their places.
"""

from __future__ import annotations

import asyncio
import zlib
from time import perf_counter

import numpy as np
from llama_index.core import Document, MockEmbedding, Settings, VectorStoreIndex
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.llms import MockLLM
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import MetadataMode
from llama_index.core.utils import get_tokenizer
from llama_index.postprocessor.thresher import (
    ThresherPostprocessor,
    ThresherScorer,
    compress_tool,
)

BUDGET = 300
QUESTION = "When did the Verrazzano strait ferry stop running, and what replaced it?"

PAGES = {
    "Ferry": (
        "The ferry across the strait ran from 1912 until 25 November 1964, four days after the "
        "bridge that replaced it had opened. In its last full year it carried 7.4 million cars. "
        "The crossing took 18 minutes in calm weather, and on foggy mornings the horn could be "
        "heard two miles inland. Its five boats were sold, most of them to Philadelphia, and one "
        "of them was a floating restaurant until 1979. Old passengers still speak of the doughnuts."
    ),
    "Bridge": (
        "The suspension bridge has a main span of 1,298 m and was the longest in the world until "
        "1981. Its towers are 41 mm farther apart at the top than at the base, because the earth "
        "curves. In summer the cables grow longer in the heat and the roadway hangs 3.7 m lower "
        "than in winter. Building it took five years and 12,000 workers, three of whom died. The "
        "lower deck, which nobody had expected to need so soon, was opened in 1969."
    ),
    "Harbour": (
        "The harbour handles 4.9 million containers a year. Pilots board the larger ships off the "
        "point, and tugs meet them at the bend. Since the channel was dredged to 15 m in 2016 the "
        "newest container ships can come in at any tide. The harbour office is in the old customs "
        "house, which is also the best place to watch the ships from, if the guard is in a good "
        "mood. Tours start every Saturday at 10:30 and cost $12."
    ),
    "Lighthouse": (
        "The lighthouse was lit in 1828 and automated in 1965. Its keeper for 33 years was Kate "
        "Walker, who is said to have rescued 50 people in a rowing boat. The lamp was first fed "
        "with whale oil, then with kerosene, and is now a light-emitting diode of 40 W. Visitors "
        "may climb its 76 steps on the first Sunday of each month, unless the wind is stronger "
        "than 50 km/h."
    ),
    "Weather": (
        "Fog is most frequent in May and June, when warm air meets the cold water of the bay. On "
        "average there are 34 days of fog a year. The record wind, 183 km/h, was measured on 29 "
        "October 2012. Rain falls on every third day, and snow, which used to lie for weeks, now "
        "seldom stays for more than two days. Locals say that one should never trust a sunny "
        "morning in April."
    ),
}


class BagOfWords(MockEmbedding):
    """Texts that share words are close. A stand-in for a real embedding model."""

    def _embed(self, text: str) -> list[float]:
        vector = np.zeros(self.embed_dim)
        for word in text.lower().split():
            vector[zlib.crc32(word.strip(".,?!").encode()) % self.embed_dim] += len(word) > 3
        return (vector / (np.linalg.norm(vector) or 1.0)).tolist()

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._embed(text)

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._embed(query)


def tokens(text: str) -> int:
    return len(get_tokenizer()(text))


def build_index() -> VectorStoreIndex:
    """Split, score once, embed, index."""
    pages = [Document(text=text, metadata={"title": title}) for title, text in PAGES.items()]
    pipeline = IngestionPipeline(
        transformations=[SentenceSplitter(chunk_size=80, chunk_overlap=0), ThresherScorer()]
    )
    return VectorStoreIndex(pipeline.run(documents=pages))


def ask(index: VectorStoreIndex) -> None:
    """The same question without and with compression."""
    for postprocessors in ([], [ThresherPostprocessor(max_tokens=BUDGET)]):
        engine = index.as_query_engine(similarity_top_k=10, node_postprocessors=postprocessors)
        start = perf_counter()
        response = engine.query(QUESTION)
        seconds = perf_counter() - start
        context = "\n\n".join(n.get_content(MetadataMode.LLM) for n in response.source_nodes)
        name = "with Thresher" if postprocessors else "as retrieved"
        print(f"{name}: {len(response.source_nodes)} nodes, {tokens(context)} tokens", end="")
        print(f", {1000 * seconds:.0f} ms")
        for fact in ("1964", "bridge"):
            assert fact in context, f"{fact!r} is missing from the context"
    assert tokens(context) <= BUDGET
    print(f"\nThe prompt, as a language model gets it:\n\n{response}\n")


async def call_tool(index: VectorStoreIndex) -> None:
    """What an agent would see of a tool that says too much."""
    retriever = index.as_retriever(similarity_top_k=10)

    async def search(query: str) -> str:
        """Search the pages about the strait."""
        return "\n\n".join(n.get_content() for n in await retriever.aretrieve(query))

    tool = compress_tool(search, max_tokens=120)  # goes into FunctionAgent(tools=[tool], ...)
    output = await tool.acall(query="How long is the main span of the bridge?")
    print(f"tool output: {tokens(output.raw_output)} -> {tokens(output.content)} tokens")
    assert tokens(output.content) <= 120


def main() -> None:
    Settings.llm = MockLLM()
    Settings.embed_model = BagOfWords(embed_dim=512)
    index = build_index()
    ask(index)
    asyncio.run(call_tool(index))


if __name__ == "__main__":
    main()
