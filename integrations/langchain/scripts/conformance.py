"""LangChain's own agent tests, run unmodified with ThresherMiddleware added to every agent.

    python integrations/langchain/scripts/conformance.py [pytest arguments]

The middleware's budget is THRESHER_MAX_TOKENS (1000 by default; 1 makes it compress whatever may
be compressed).

Fetches the sdist of the installed ``langchain`` from the package index, runs its
``tests/unit_tests/agents`` twice, without and with the middleware, and compares. Exit status 1
where a test fails only with it. Nothing of LangChain's is kept.
"""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import tarfile
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

NEEDS = ("pytest", "pytest-asyncio", "pytest-mock", "pytest-socket", "syrupy", "langchain-openai")
PLUGIN = Path(__file__).with_name("conformance_plugin.py")


def fetch(version: str, folder: Path) -> Path:
    """Download and unpack the sdist; the folder that holds its tests."""
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", "langchain"]
    subprocess.run([*pip, f"langchain=={version}", "-d", str(folder)], check=True)
    [archive] = folder.glob("langchain-*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


def run(root: Path, report: Path, arguments: list[str], *, inject: bool) -> dict[str, str]:
    """Outcome of every test."""
    environment = {**os.environ, "PYTHONPATH": str(PLUGIN.parent), "LANGSMITH_TRACING": "false"}
    command = [sys.executable, "-m", "pytest", "tests/unit_tests/agents", "-q", "--tb=short"]
    command += ["--continue-on-collection-errors", "-p", "no:cacheprovider", f"--junitxml={report}"]
    if inject:
        command += ["-p", PLUGIN.stem]
    subprocess.run([*command, *arguments], cwd=root, env=environment, check=False)
    outcomes = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        bad = case.find("failure") is not None or case.find("error") is not None
        skipped = case.find("skipped") is not None
        outcomes[name] = "failed" if bad else "skipped" if skipped else "passed"
    return outcomes


def main() -> int:
    """Run both and compare."""
    version = importlib.metadata.version("langchain")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = fetch(version, folder)
        baseline = run(root, folder / "baseline.xml", sys.argv[1:], inject=False)
        ours = run(root, folder / "ours.xml", sys.argv[1:], inject=True)
    new = sorted(t for t, o in ours.items() if o == "failed" and baseline.get(t) != "failed")
    missing = sorted(set(baseline) - set(ours))
    for title, outcomes in (("baseline", baseline), ("with ThresherMiddleware", ours)):
        counts = {o: list(outcomes.values()).count(o) for o in ("passed", "failed", "skipped")}
        print(f"langchain {version}, {title}: " + ", ".join(f"{n} {o}" for o, n in counts.items()))
    for test in new:
        print(f"NEW FAILURE {test}")
    for test in missing:
        print(f"NOT RUN {test}")
    if not baseline:
        print("no tests were found; needed: " + " ".join(NEEDS))
    return 1 if new or missing or not baseline else 0


if __name__ == "__main__":
    sys.exit(main())
