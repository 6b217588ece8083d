"""Put what ``thresher demo`` prints into the README, and a picture of its page into docs/images.

    python scripts/refresh_readme.py [chromium]

Times are left out: they belong to a machine. Without the name of a Chromium the picture stays.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import textwrap
from dataclasses import replace
from pathlib import Path

from thresher import Compressor
from thresher.cli.demo import CONFIG
from thresher.demo import BUDGET, QUERY, Library

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 96
BEGIN, END = "<!-- demo:begin -->\n", "<!-- demo:end -->"
TIME = re.compile(r", [\d,]+ ms\b")
CHROMIUM = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--hide-scrollbars", "--window-size=1000,1090"),
)


def printed(folder: Path) -> str:
    """The demo's output with the first passage of its prompt only."""
    command = [sys.executable, "-m", "thresher", "demo", "--output", str(folder / "demo.html")]
    out = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True)
    text = out.stdout.replace(str(folder / "demo.html"), "demo.html").strip()
    _, _, prompt = text.partition("the prompt ─")
    passages = re.split(r"\n\n(?=\[)", prompt.partition("\n\nQuestion: ")[0])[1:]
    head, _, rest = text.partition("\n\n" + passages[1])
    lines = [TIME.sub("", line).rstrip() for line in head.split("\n")]
    asked = "Question: " + rest.rpartition("\n\nQuestion: ")[2]
    lines += ["", "[...]", "", *asked.split("\n")]
    wrapped = [textwrap.fill(x, WIDTH) if len(x) > WIDTH else x for x in lines]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(wrapped))


def picture(chromium: str, folder: Path) -> None:
    """A picture of the page's first screen."""
    result = Compressor(config=CONFIG).compress(Library().search(QUERY), query=QUERY, budget=BUDGET)
    page = folder / "page.html"
    page.write_text(replace(result, timings={}).to_html(title="Thresher demo"), encoding="utf-8")
    target = ROOT / "docs" / "images" / "demo.png"
    profile = f"--user-data-dir={folder / 'profile'}"
    command = [chromium, *CHROMIUM, profile, f"--screenshot={target}", page.as_uri()]
    subprocess.run(command, check=True, capture_output=True)


def main() -> None:
    readme = ROOT / "README.md"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        text = readme.read_text(encoding="utf-8")
        before, rest = text.split(BEGIN)
        _, after = rest.split(END)
        block = f"```text\n{printed(Path(name))}\n```\n"
        readme.write_text(before + BEGIN + block + END + after, encoding="utf-8")
        if len(sys.argv) > 1:
            picture(sys.argv[1], Path(name))


if __name__ == "__main__":
    main()
