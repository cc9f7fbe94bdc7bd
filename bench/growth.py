"""What a query costs as rows grow, at equal recall, on generated rows.

``python -m bench.growth --out growth.jsonl --plot growth.svg`` takes an hour and some gigabytes
up to a million rows; ``--rows 10000 100000`` some minutes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.clusters import generated
from bench.contest import Line, contest
from bench.machine import about
from bench.peers import ENTRIES, PACKAGES
from bench.plot import STYLE, nice_axes, round_ticks, style_of
from bench.report import read

__all__ = ["draw_growth", "table"]

ROWS = (10_000, 30_000, 100_000, 300_000, 1_000_000)
PEERS = ("scannlite", "scann", "faiss", "hnswlib", "usearch")
TARGET = 0.95


def _of_line(line: Line) -> tuple[str, int, float | None]:
    return line["peer"], line["n"], line["single"] and line["single"]["microseconds"]


def table(lines: Sequence[Line]) -> str:
    """Markdown: a row for each number of rows, a column for each peer."""
    found = {
        (peer, n): time for peer, n, time in (_of_line(x) for x in lines if x["kind"] == "target")
    }
    peers = list(dict.fromkeys(peer for peer, _ in found))
    rows = []
    for n in sorted({n for _, n in found}):
        times = (found.get((peer, n)) for peer in peers)
        cells = ("–" if time is None else f"{time:.1f}" for time in times)
        rows.append(f"| {n:,} | {' | '.join(cells)} |")
    return "\n".join([f"| n | {' | '.join(peers)} |", "|---|" + "---|" * len(peers), *rows])


def draw_growth(lines: Sequence[Line], path: Path) -> None:
    """Microseconds a query against n, both on log axes."""
    import matplotlib as mpl  # noqa: PLC0415 - only to draw

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    targets = [line for line in lines if line["kind"] == "target"]
    found = [(peer, n, time) for peer, n, time in map(_of_line, targets) if time is not None]
    peers = list(dict.fromkeys(peer for peer, _, _ in found))
    with mpl.rc_context(STYLE):
        figure, panel = plt.subplots(figsize=(5.6, 3.8))
        for peer in peers:
            points = sorted((n, time) for name, n, time in found if name == peer)
            panel.plot(*zip(*points, strict=True), label=peer, **style_of(peer, peers))
        _finish(panel, targets)
        figure.tight_layout()
        figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)
        plt.close(figure)


def _finish(panel: Any, targets: Sequence[Line]) -> None:
    panel.set_xscale("log")
    panel.set_yscale("log")
    for axis in (panel.xaxis, panel.yaxis):
        round_ticks(axis)
    panel.minorticks_off()
    panel.set_xlabel(f"rows of {targets[0]['d']} dimensions")
    panel.set_ylabel("µs a query, one thread")
    panel.set_title(f"at recall@10 of {targets[0]['target']:g}", loc="left")
    panel.legend()
    nice_axes(panel)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench.growth", description=__doc__)
    parser.add_argument("--rows", nargs="+", type=int, default=ROWS, metavar="N")
    parser.add_argument("--dimensions", type=int, default=128)
    parser.add_argument("--distance", choices=("squared_l2", "cosine"), default="squared_l2")
    parser.add_argument("--peers", nargs="+", choices=ENTRIES, default=PEERS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, required=True, help="JSON lines, versions first")
    parser.add_argument("--plot", type=Path, help=".svg or .png")
    return parser


def main() -> int:
    """Measure, print, draw."""
    arguments = _parser().parse_args()
    with arguments.out.open("w", encoding="utf-8") as file:
        print(json.dumps({"kind": "about", **about(PACKAGES)}), file=file, flush=True)
        for n in sorted(arguments.rows):
            problem = generated(n, arguments.dimensions, arguments.distance)
            for line in contest(
                problem, arguments.peers, targets=(TARGET,), rounds=arguments.rounds
            ):
                print(json.dumps(line), file=file, flush=True)
    lines = read(arguments.out)
    print(table(lines))
    if arguments.plot:
        draw_growth(lines, arguments.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
