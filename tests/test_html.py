"""The HTML view holds every character of the sources, marks what was dropped, and runs nothing."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import HashScorer
from thresher import Compression, Compressor, Document
from thresher.compression import CompressedDocument, Span
from thresher.html import marked, page

VOID = {"meta", "input", "br"}


class Reader(HTMLParser):
    """Collects tags, attributes, the text of each document, and what of it was dropped."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.source = self.kept = ""
        self.inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self.inside |= ("class", "text") in attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.inside &= tag != "div"

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.source += data
            self.kept += "" if "del" in self.open else data


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert not reader.open
    return reader


def document(source: str, spans: list[tuple[int, int]]) -> CompressedDocument:
    return CompressedDocument(
        index=0,
        id=None,
        score=None,
        metadata=None,
        source=source,
        text="",
        spans=tuple(Span(*s) for s in spans),
        tokens=1,
        tokens_before=2,
    )


@pytest.fixture
def compression(scorer: HashScorer) -> Compression:
    documents = [
        Document("The fee is $45 <script>alert(1)</script> & not $50.\r\n\tIt stays.", id='a"<b>'),
        Document("A second passage with other words in it, long enough to lose some.", score=0.25),
        Document("", id="empty"),
    ]
    return Compressor(scorer).compress(documents, query="What <is> the fee?", budget=40)


def test_page_holds_every_character_and_is_well_formed(compression: Compression) -> None:
    reader = read(page(compression, title="A & B"))
    assert reader.source == "".join(d.source for d in compression.documents)


def test_page_runs_nothing_and_loads_nothing(compression: Compression) -> None:
    html = page(compression)
    reader = read(html)
    assert not {"script", "link", "img", "iframe"} & set(reader.tags)
    assert not [n for n, _ in reader.attributes if n in {"src", "href"} or n.startswith("on")]
    assert "http" not in html.replace("prefers-", "")
    assert "<script>alert" not in html


def test_page_tells_what_happened(compression: Compression) -> None:
    html = page(compression, title="A & B")
    assert "<title>A &amp; B</title>" in html
    assert "What &lt;is&gt; the fee?" in html
    assert "a&quot;&lt;b&gt;" in html
    assert f"{compression.tokens_before:,} → {compression.tokens:,}" in html
    assert "score 0.25" in html
    assert html.count("<article>") == 3
    assert 'aria-label="' in html


def test_dropped_documents_say_why(scorer: HashScorer) -> None:
    result = Compressor(scorer).compress(["word " * 50, "other things " * 50], budget=3)
    assert result.dropped
    html = result.to_html(title="x")
    assert all(f"Dropped: {d.reason}" in html for d in result.dropped)


def test_kept_words_alone_stay_apart() -> None:
    kept = read(f'<div class="text">{marked(document("one two three", [(0, 3), (8, 13)]))}</div>')
    assert kept.kept == "one three"


def test_impossible_characters_are_shown_and_encodable() -> None:
    html = marked(document("a\x00b\x1b[0m \ud800 \uffff\r\n", [(0, 3)]))
    assert html.encode("utf-8")
    assert "\u2400" in html
    assert "&#13;" in html


def test_page_of_nothing() -> None:
    html = page(Compression("", (), 0, 0, 10))
    assert read(html).source == ""


@given(st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc")), max_size=60), st.data())
def test_marked_keeps_source_and_spans(source: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(source)), max_size=6)))
    spans = list(zip(cuts[::2], cuts[1::2], strict=False))
    clean = source.replace("\uffff", "").replace("\ufffe", "")
    if clean != source:
        return
    reader = read(f'<div class="text">{marked(document(source, spans))}</div>')
    assert reader.source == source
    visible = "".join(reader.kept.split())
    assert visible == "".join("".join(source[a:b] for a, b in spans).split())
