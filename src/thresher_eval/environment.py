"""Where figures come from: machine, versions, commit."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import thresher

_PACKAGES = (
    "thresher", "numpy", "onnxruntime", "tokenizers", "torch", "transformers",
    "sentence-transformers", "bm25s", "tiktoken", "llmlingua", "trimwise", "llmslim",
)  # fmt: skip


def environment() -> dict[str, Any]:
    """A JSON-safe description of this machine and of what is installed."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu(),
        "cores": _cores(),
        "packages": {name: v for name in _PACKAGES if (v := _version(name))},
        "commit": commit(),
    }


def commit() -> str | None:
    """Commit of the checkout that the package runs from, ``+`` where sources were changed."""
    folder = Path(thresher.__file__).parent
    found = _git(folder, "rev-parse", "--short=12", "HEAD")
    if found is None:
        return None
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ".")
    return found + ("+" if changed else "")


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return str(thresher.__version__) if name == "thresher" else None


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"
