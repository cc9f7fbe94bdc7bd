"""Memory that this process holds, as Linux tells it; elsewhere only the most it ever held."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["in_words", "memory"]

PROCESS = Path("/proc/self")


def memory(files: Iterable[Path], process: Path = PROCESS) -> dict[str, int]:
    """Bytes in memory: ``resident`` now, ``peak`` so far, ``mapped`` of files; what is told.

    Args:
        files: whose mapped pages are counted as ``mapped``: the system takes them back at will.
        process: the folder of a process.
    """
    try:
        told = (process / "status").read_text(encoding="utf-8")
        maps = (process / "smaps").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return _most()
    fields = {line.split(":")[0]: line.split()[1] for line in told.splitlines() if " kB" in line}
    names = {"resident": "VmRSS", "peak": "VmHWM"}
    facts = {name: 1024 * int(fields[field]) for name, field in names.items() if field in fields}
    wanted = {str(path.resolve()) for path in files}
    return {**facts, "mapped": sum(size for path, size in _mappings(maps) if path in wanted)}


def _mappings(maps: str) -> Iterator[tuple[str, int]]:
    """The path of each mapping, and its bytes in memory."""
    path = ""
    for line in maps.splitlines():
        field, *rest = line.split(maxsplit=5)
        if field == "Rss:":
            yield path, 1024 * int(rest[0])
        elif "-" in field and not field.endswith(":"):
            path = rest[4] if len(rest) == 5 else ""


def _most() -> dict[str, int]:
    with suppress(ImportError):
        import resource  # noqa: PLC0415 - no such thing on Windows

        unit = 1 if sys.platform == "darwin" else 1024
        return {"peak": unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}
    return {}


def in_words(facts: dict[str, Any]) -> str | None:
    """One line; None where nothing is known."""
    words = {
        "resident": "in memory",
        "mapped": "of them pages of the index file, which the system may drop",
        "peak": "at the most",
    }
    parts = [f"{facts[name] / 1e6:.1f} MB {word}" for name, word in words.items() if name in facts]
    return ", ".join(parts) or None
