"""Recall against time, a panel a set and a line a peer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.choice import Tried, front
from bench.contest import Line

__all__ = ["COLOURS", "STYLE", "draw_fronts", "nice_axes", "round_ticks", "style_of"]

# Ours in the one strong colour; a library's other ways to build are dashed.
COLOURS = {
    "scannlite": "#d1495b",
    "scann": "#30638e",
    "faiss": "#2e8b57",
    "hnswlib": "#b8860b",
    "usearch": "#7b5ea7",
}
DASHES = ("-", "--", ":", "-.")
STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888888",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "legend.frameon": False,
    "svg.hashsalt": "scannlite",  # the same lines give the same bytes
}
LEAST_RECALL = 0.8
LEAST_MISSED = 5e-4  # a recall of 1 has no place on a log axis
TICKS = (0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)


def draw_fronts(lines: Sequence[Line], path: Path) -> None:
    """Draw the lines of kind ``front``: single queries, time upwards on a log axis."""
    import matplotlib as mpl  # noqa: PLC0415 - only to draw

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    fronts = [line for line in lines if line["kind"] == "front" and line["points"]]
    sets = list(dict.fromkeys(line["set"] for line in fronts))
    across = min(2, len(sets))
    down = -(-len(sets) // across)
    with mpl.rc_context(STYLE):
        size = (4.6 * across, 3.4 * down + 0.5)
        figure, panels = plt.subplots(down, across, figsize=size, squeeze=False)
        for panel in panels.flat[len(sets) :]:
            panel.set_visible(False)
        for name, panel in zip(sets, panels.flat, strict=False):
            _panel(panel, [line for line in fronts if line["set"] == name])
        labelled: dict[str, Any] = {}
        for panel in panels.flat:
            labelled |= dict(zip(*panel.get_legend_handles_labels()[::-1], strict=True))
        top = figure.get_size_inches()[1]
        figure.tight_layout(rect=(0, 0, 1, 1 - 0.5 / top))
        figure.legend(labelled.values(), labelled.keys(), loc="upper center", ncols=3 * across)
        metadata = {"Date": None} if path.suffix == ".svg" else None
        figure.savefig(path, dpi=150, metadata=metadata)
        plt.close(figure)


def round_ticks(axis: Any) -> None:
    """Ticks at 1, 2, 5, 10, 20 and so on, written out, for a log axis."""
    low, high = axis.get_view_interval()
    shown = [
        digit * 10**power
        for power in range(8)
        for digit in (1, 2, 5)
        if low <= digit * 10**power <= high
    ]
    axis.set_ticks(shown, [f"{tick:,}" for tick in shown])


def nice_axes(panel: Any) -> None:
    """A light grid behind the lines."""
    panel.grid(which="major", color="#dddddd", linewidth=0.6)
    panel.set_axisbelow(True)


def style_of(peer: str, among: Sequence[str]) -> dict[str, Any]:
    """Colour by library, dashes by its place among that library's names."""
    library = peer.split("-", maxsplit=1)[0]
    kin = [name for name in among if name.split("-", maxsplit=1)[0] == library]
    ours = peer == "scannlite"
    return {
        "color": COLOURS.get(library, "#555555"),
        "linestyle": DASHES[kin.index(peer) % len(DASHES)],
        "linewidth": 2.4 if ours else 1.3,
        "zorder": 3 if ours else 2,
        "marker": "o",
        "markersize": 4 if ours else 2.5,
    }


def _panel(panel: Any, fronts: Sequence[Line]) -> None:
    names = [line["peer"] for line in fronts]
    least = 1 - LEAST_RECALL
    for line in fronts:
        tested = [Tried((), recall, single) for recall, single, _ in line["points"]]
        points = [(one.recall, one.seconds) for one in front(tested) if one.recall >= LEAST_RECALL]
        # Near 1 is where peers part: the axis is the logarithm of what is missed.
        missed = [max(1 - recall, LEAST_MISSED) for recall, _ in points]
        least = min([least, *missed])
        times = [microseconds for _, microseconds in points]
        panel.plot(missed, times, label=line["peer"], **style_of(line["peer"], names))
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_xlim(1.05 * (1 - LEAST_RECALL), 0.8 * least)
    ticks = [tick for tick in TICKS if 1 - tick >= 0.8 * least]
    panel.set_xticks([1 - tick for tick in ticks], [f"{tick:g}" for tick in ticks])
    round_ticks(panel.yaxis)
    panel.minorticks_off()
    panel.set_title(f"{fronts[0]['set']}, {fronts[0]['n']:,} rows", loc="left")
    panel.set_xlabel("recall@10")
    panel.set_ylabel("µs a query, one thread")
    nice_axes(panel)
