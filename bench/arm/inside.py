"""Run by the emulated Python: queries, each between marks that the plugin of QEMU sees.

``python -m bench.arm.inside INDEX QUERIES COUNT ANSWERS``: the first queries compile and warm, then
COUNT queries follow each other, then one more with the modelled caches emptied. What they found
goes into ANSWERS. Where code was compiled to is printed at the end, as ranges of addresses.
"""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import numpy as np

import scannlite as sl

BEGIN, END, EMPTY = 0o1000022, 0o2000022, 0o3000022  # the file mode mask has nine bits of those
K, WARMING = 10, 16  # by then Python has rewritten its own code for what it meets


def main() -> None:
    """Search, stretch by stretch."""
    index = sl.Index.load(sys.argv[1], verify=False)
    queries = list(np.load(sys.argv[2]))
    count = int(sys.argv[3])
    search, mark = index.search, os.umask
    gc.disable()
    search(queries[0], K)
    mark(EMPTY)
    for q in queries[:WARMING]:
        search(q, K)
    for q in queries[WARMING : WARMING + count]:
        mark(BEGIN)
        search(q, K)
        mark(END)
    mark(EMPTY)
    mark(BEGIN)
    search(queries[WARMING + count], K)
    mark(END)
    distances, ids = index.search(np.array(queries), K)
    np.savez(sys.argv[4], distances=distances, ids=ids)
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        addresses, access, *_, path = [*line.split(maxsplit=5), ""][:6]
        print(addresses, access, path)


if __name__ == "__main__":
    main()
