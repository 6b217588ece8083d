"""Retrieval-augmented generation with LangChain, offline: retrieve, compress, stuff, ask.

    pip install thresher langchain-thresher langchain-classic
    python examples/langchain_rag.py

The embeddings and the chat model are stand-ins that need no network. For real ones change the two
lines marked below; nothing else.
"""

from __future__ import annotations

import re
from typing import Any

from langchain_classic.chains import create_retrieval_chain
from langchain_classic.chains.combine_documents import create_stuff_documents_chain
from langchain_classic.retrievers import ContextualCompressionRetriever
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.prompts import ChatPromptTemplate, PromptTemplate
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_thresher import ThresherCompressor, ThresherScorer

QUESTION = "When was the Harbour Bridge of Aldmere reopened, and what did the repair cost?"
BUDGET = 150
PAGES = {
    "bridge.txt": (
        "The Harbour Bridge of Aldmere is a steel arch bridge over the river Wend. It was built "
        "between 1911 and 1914, after a long debate in the town council about where it should "
        "stand. In the winter of 2018 an inspection found cracks in two hangers, and the bridge "
        "was closed to all traffic. The repair cost 4.2 million euros, most of which was paid by "
        "the province. The bridge was reopened on 14 May 2020, without a ceremony because of the "
        "pandemic. Today about 9,000 vehicles cross it on a working day."
    ),
    "market.txt": (
        "The weekly market of Aldmere is held on Saturdays on the Corn Square. It has existed "
        "since at least 1402, when it is first mentioned in a letter of the bishop. Cheese, "
        "flowers and second-hand books are sold. In summer there is music, and in December the "
        "stalls stay open until ten in the evening, which the neighbours do not always like."
    ),
    "ferry.txt": (
        "Before there was a bridge, a ferry connected the two banks of the Wend at Aldmere. It "
        "carried carts and cattle, and it stopped when there was ice. While the Harbour Bridge "
        "was closed, a small electric ferry ran again every twenty minutes; it was free for "
        "pedestrians. Many people asked the council to keep it, but the service ended when the "
        "bridge was open again."
    ),
    "station.txt": (
        "Aldmere station lies on the line from Torhaven to the coast. The building of 1887 was "
        "designed by a pupil of the architect of the town hall. Trains leave every half hour. The "
        "waiting room has been a restaurant since 2015, and its owners are proud of the old clock."
    ),
}


class WordEmbeddings(Embeddings):
    """Stand-in: counts of hashed words."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector a text."""
        return [self.embed_query(t) for t in texts]

    def embed_query(self, text: str) -> list[float]:
        """Words of four letters and more, hashed into 512 counts."""
        vector = [0.0] * 512
        for word in re.findall(r"\w{4,}", text.lower()):
            vector[sum(ord(c) * 31**i for i, c in enumerate(word)) % 512] += 1.0
        return vector


class OfflineChat(BaseChatModel):
    """Stand-in: says how long its prompt was; counts tokens in its own way."""

    @property
    def _llm_type(self) -> str:
        return "offline"

    def get_token_ids(self, text: str) -> list[int]:
        """Pieces of up to six letters, and marks."""
        return [len(piece) for piece in re.findall(r"\w{1,6}|[^\w\s]", text)]

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        context = str(messages[0].content).split("\n\n", 1)[1]
        answer = f"I was sent {self.get_num_tokens(context)} tokens of context:\n\n{context}"
        return ChatResult(generations=[ChatGeneration(message=AIMessage(answer))])


def main() -> None:
    embeddings = WordEmbeddings()  # <- real: OpenAIEmbeddings(), HuggingFaceEmbeddings(), ...
    model = OfflineChat()  # <- real: init_chat_model("openai:gpt-4o-mini")

    pages = [Document(page_content=t, metadata={"source": s}) for s, t in PAGES.items()]
    store = InMemoryVectorStore(embeddings)
    # Optional: store the keep scores now, and no document is scored at query time.
    store.add_documents(list(ThresherScorer().transform_documents(pages)))

    document_prompt = PromptTemplate.from_template("[{source}]\n{page_content}")
    compressor = ThresherCompressor(
        max_tokens=BUDGET,  # for everything that goes into {context}
        counter=model,  # counted as the model counts
        document_prompt=document_prompt,  # as given to the chain below
    )
    retriever = ContextualCompressionRetriever(
        base_compressor=compressor,
        base_retriever=store.as_retriever(search_kwargs={"k": 4}),
    )
    prompt = ChatPromptTemplate.from_messages(
        [("system", "Answer from the context.\n\n{context}"), ("human", "{input}")]
    )
    chain = create_retrieval_chain(
        retriever, create_stuff_documents_chain(model, prompt, document_prompt=document_prompt)
    )
    result = chain.invoke({"input": QUESTION})

    before = model.get_num_tokens(
        "\n\n".join(document_prompt.format(source=s, page_content=t) for s, t in PAGES.items())
    )
    print(f"Question: {QUESTION}")
    print(f"Retrieved: {before} tokens. Budget: {BUDGET}.")
    print(result["answer"])
    context = "\n\n".join(
        document_prompt.format(page_content=d.page_content, source=d.metadata["source"])
        for d in result["context"]
    )
    assert model.get_num_tokens(context) <= BUDGET


if __name__ == "__main__":
    main()
