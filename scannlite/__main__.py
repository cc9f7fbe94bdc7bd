"""``python -m scannlite`` is ``scannlite``."""

from __future__ import annotations

import sys

from scannlite.cli import main

if __name__ == "__main__":
    sys.exit(main())
