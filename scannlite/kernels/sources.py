"""What kernels are compiled from, in a few letters: an edit, or an upgrade, compiles anew."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

__all__ = ["source_digest"]

_HERE = Path(__file__).parent


@functools.cache
def source_digest(*folders: Path) -> str:
    """Of all sources of kernels and of these folders; empty where an application has none."""
    found = [source for folder in (_HERE, *folders) for source in sorted(folder.glob("*.py"))]
    digest = hashlib.sha256()
    for source in found:
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12] if found else ""
