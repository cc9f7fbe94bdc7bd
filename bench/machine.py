"""What was measured with: processor, versions, commit."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import scannlite as sl

__all__ = ["about", "processor"]


def processor() -> str:
    """The processor's name, as Linux tells it or else as Python does."""
    told = Path("/proc/cpuinfo")
    if told.exists():
        for line in told.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":")[1].strip()
    return platform.processor()


def _commit() -> str | None:
    git = shutil.which("git")
    if git is None:
        return None
    done = subprocess.run(  # noqa: S603 - git itself
        [git, "rev-parse", "--short", "HEAD"],
        cwd=Path(__file__).parent,
        capture_output=True,
        check=False,
        text=True,
    )
    return done.stdout.strip() or None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def about(packages: Iterable[str]) -> dict[str, str | int | None]:
    """Machine and versions; a package that is not installed has None."""
    return {
        "cpu": processor(),
        "cores": os.cpu_count() or 1,
        "python": platform.python_version(),
        "scannlite": sl.__version__,
        "commit": _commit(),
        **{package: _version(package) for package in packages},
    }
