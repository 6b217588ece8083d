"""A compression as one self-contained HTML page: kept words dark, dropped words grey."""

from __future__ import annotations

import re
from html import escape

from thresher.compression import CompressedDocument, Compression

_HIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")

_STYLE = """
:root { color-scheme: light dark;
  --page: #f6f6f3; --card: #ffffff; --line: #dfdfd8; --ink: #14161a; --soft: #5d626b;
  --gone: #7d828a; --bar: #2f6f4f; --track: #d9dcd6; --warn: #8a5a00; }
@media (prefers-color-scheme: dark) { :root {
  --page: #131517; --card: #1b1e21; --line: #2d3136; --ink: #f1f2f3; --soft: #a2a8b0;
  --gone: #7c828b; --bar: #6cc398; --track: #343a3f; --warn: #e3b860; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 2.5rem 1.25rem 4rem; background: var(--page); color: var(--ink);
  font: 16px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 54rem; margin: 0 auto; }
h1 { font-size: 1.05rem; font-weight: 600; margin: 0 0 .35rem; color: var(--soft); }
.query { font-size: 1.55rem; line-height: 1.3; font-weight: 650; margin: 0 0 1.1rem;
  text-wrap: balance; overflow-wrap: anywhere; }
.facts { display: flex; flex-wrap: wrap; gap: .4rem 2rem; margin: 0 0 1rem; padding: 0; }
.facts div { display: flex; flex-direction: column-reverse; }
.facts dt { font-size: .8rem; color: var(--soft); }
.facts dd { margin: 0; font-size: 1.3rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.bar { height: .5rem; border-radius: .25rem; overflow: hidden; background: var(--track);
  width: var(--of, 100%); }
.bar i { display: block; height: 100%; width: var(--kept); background: var(--bar); }
.note { margin: .8rem 0 0; color: var(--warn); font-size: .92rem; }
.legend { display: flex; flex-wrap: wrap; gap: .4rem 1.5rem; margin: 1.3rem 0 1.6rem;
  font-size: .9rem; color: var(--soft); align-items: center; }
.legend b { color: var(--ink); font-weight: 500; }
.legend label { cursor: pointer; margin-inline-start: auto; }
input:focus-visible, summary:focus-visible { outline: 2px solid var(--bar); outline-offset: 2px; }
article { background: var(--card); border: 1px solid var(--line); border-radius: .65rem;
  padding: 1rem 1.25rem 1.15rem; margin: 0 0 1rem; }
article header { display: flex; flex-wrap: wrap; gap: .1rem 1rem; align-items: baseline;
  margin-bottom: .45rem; }
h2 { font-size: 1rem; font-weight: 600; margin: 0; overflow-wrap: anywhere; }
h2 span, article header p { font-weight: 400; color: var(--soft); font-size: .88rem; }
article header p { margin: 0 0 0 auto; font-variant-numeric: tabular-nums; }
.why { color: var(--soft); font-size: .9rem; margin: .55rem 0 0; }
.text { font-weight: 500; white-space: pre-wrap; overflow-wrap: anywhere; margin-top: .8rem;
  line-height: 1.65; }
del { color: var(--gone); text-decoration: none; font-weight: 400; }
@media (prefers-contrast: more) { del { text-decoration: line-through; } }
body:has(#only:checked) del { display: none; }
details { margin-top: 2rem; }
summary { cursor: pointer; font-weight: 600; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--card);
  border: 1px solid var(--line); border-radius: .65rem; padding: 1rem 1.25rem; margin: .8rem 0 0;
  font: .9rem/1.55 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
@media print { .legend label { display: none; } article { break-inside: avoid; } }
"""


def page(compression: Compression, *, title: str = "Thresher") -> str:
    """Show a compression: every document with its dropped words grey and its kept words dark.

    Nothing is loaded from anywhere else, and nothing in it runs: there is no script. Every
    character of the sources is there in its place; those that HTML cannot hold (control
    characters, lone surrogates) are shown as a visible stand-in.

    Args:
        compression: what ``Compressor.compress`` returned.
        title: of the page.

    Returns:
        An HTML document.
    """
    longest = max((d.tokens_before for d in compression.documents), default=1) or 1
    cards = "\n".join(_card(d, longest) for d in compression.documents)
    asked = compression.query
    query = f'<p class="query" dir="auto">{_safe(asked)}</p>' if asked else ""
    notes = "".join(f'<p class="note">{_safe(n)}</p>' for n in compression.notes)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{_safe(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>{_safe(title)}</h1>
{query}
{_facts(compression)}
{_bar(compression.tokens, compression.tokens_before)}
{notes}
<div class="legend"><span><b>kept words</b></span> <span><del>dropped words</del></span>
<label><input type="checkbox" id="only"> kept words only</label></div>
{cards}
<details><summary>The compressed text, {compression.tokens:,} tokens</summary>
<pre dir="auto">
{_safe(compression.text)}</pre></details>
</main>
</body>
</html>
"""


def _facts(c: Compression) -> str:
    """The numbers that matter, largest first."""
    kept = sum(d.kept for d in c.documents)
    facts = [
        (f"{c.tokens_before:,} → {c.tokens:,}", "tokens"),
        (f"{c.ratio:.0%}", "kept"),
        (f"{kept} of {len(c.documents)}", "documents"),
    ]
    if c.budget is not None:
        facts.insert(1, (f"{c.budget:,}", "budget"))
    if "total" in c.timings:
        facts.append((f"{1000 * c.timings['total']:.0f} ms", "time"))
    inner = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for value, name in facts)
    return f'<dl class="facts">{inner}</dl>'


def _card(d: CompressedDocument, longest: int) -> str:
    name = f"<span>{d.index + 1}</span> {_safe(d.id)}" if d.id else f"Document {d.index + 1}"
    ratings = [
        f"{label} {value:.3g}"
        for label, value in (("score", d.score), ("relevance", d.relevance))
        if value is not None
    ]
    amounts = " · ".join([*ratings, f"{d.tokens_before:,} → {d.tokens:,} tokens", f"{d.share:.0%}"])
    why = f'<p class="why">Dropped: {_safe(d.reason)}</p>' if d.reason is not None else ""
    return f"""<article>
<header><h2>{name}</h2><p>{amounts}</p></header>
{_bar(d.tokens, d.tokens_before, of=d.tokens_before / longest)}{why}
<div class="text" dir="auto">{marked(d)}</div>
</article>"""


def _bar(kept: int, before: int, *, of: float = 1.0) -> str:
    share = 100 * min(kept / before, 1.0) if before else 0.0
    return (
        f'<div class="bar" role="img" aria-label="{kept:,} of {before:,} tokens kept" '
        f'style="--kept: {share:.1f}%; --of: {100 * of:.1f}%"><i></i></div>'
    )


def marked(document: CompressedDocument) -> str:
    """The source as HTML, each dropped stretch in a ``del`` element.

    White space in front of a dropped stretch stays outside, so that kept words stay apart when
    the dropped ones are hidden.
    """
    source, at = document.source, 0
    out: list[str] = []
    for start, end in (*document.spans, (len(source), len(source))):
        gap = source[at:start]
        if gap.strip():
            lead = len(gap) - len(gap.lstrip())
            out += (_safe(gap[:lead]), "<del>", _safe(gap[lead:]), "</del>")
        else:
            out.append(_safe(gap))
        out.append(_safe(source[start:end]))
        at = end
    return "".join(out)


def _safe(text: str | None) -> str:
    """Escaped, with carriage returns kept and impossible characters made visible."""
    shown = _HIDDEN.sub(lambda m: chr(0x2400 + ord(m[0])) if m[0] < " " else "\ufffd", text or "")
    return escape(shown).replace("\r", "&#13;")
