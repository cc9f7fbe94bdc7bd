"""Tables and a plot from the lines of a race.

``python -m bench.report results.jsonl [--plot file.svg]``
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.contest import HOWS, Line

__all__ = ["read", "tables"]

OURS = "scannlite"


def read(path: Path) -> list[Line]:
    """The lines of a file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def tables(lines: Sequence[Line]) -> str:
    """Markdown: versions, the ratios, each set's settings and times, what an index costs."""
    parts = [_versions(line) for line in lines if line["kind"] == "about"]
    targets = [line for line in lines if line["kind"] == "target"]
    parts.append(_ratios(targets))
    for name in dict.fromkeys(line["set"] for line in targets):
        of_set = [line for line in targets if line["set"] == name]
        parts += [_heading(of_set[0]), _times(of_set), _costs(of_set)]
    return "\n\n".join(parts)


def _versions(about: Line) -> str:
    return ", ".join(f"{name} {value}" for name, value in about.items() if name != "kind" and value)


def _heading(line: Line) -> str:
    return f"### {line['set']}: {line['n']:,} x {line['d']}, {line['distance']}"


def _table(head: str, rows: Iterable[Sequence[str]]) -> str:
    rule = "|" + "---|" * (head.count("|") - 1)
    return "\n".join([head, rule, *(f"| {' | '.join(row)} |" for row in rows)])


def _time(line: Line | None, how: str) -> float | None:
    return line[how]["microseconds"] if line and line[how] else None


def _is_ours(peer: str) -> bool:
    return peer == OURS or peer.startswith(f"{OURS}-")


def _ratio(lines: Sequence[Line], how: str) -> tuple[str, str]:
    """Microseconds, ours and the best peer's with its name; and how many times sooner ours is."""
    ours = next((_time(line, how) for line in lines if line["peer"] == OURS), None)
    theirs = [
        (time, line["peer"])
        for line in lines
        if not _is_ours(line["peer"]) and (time := _time(line, how)) is not None
    ]
    time, name = min(theirs, default=(None, "none"))
    said = f"{_us(ours)} / {_us(time)} {name}"
    return said, f"{time / ours:.2f}" if ours and time else "–"


def _us(microseconds: float | None) -> str:
    return "–" if microseconds is None else f"{microseconds:.1f}"


def _ratios(lines: Sequence[Line]) -> str:
    rows = []
    for name, target in dict.fromkeys((line["set"], line["target"]) for line in lines):
        of_both = [line for line in lines if (line["set"], line["target"]) == (name, target)]
        rows.append([name, f"{target:.2f}", *_ratio(of_both, "single"), *_ratio(of_both, "batch")])
    return _table(
        "| set | recall@10 | µs a query, scannlite / best peer | times sooner "
        "| µs a query in batches | times sooner |",
        rows,
    )


def _setting(line: Line, how: str) -> str:
    figures = line[how]
    if figures is None:
        return f"not reached, at most {line['best_tuned_recall']:.4f}"
    return ", ".join(
        f"{turn} {value}" for turn, value in zip(line["turns"], figures["setting"], strict=True)
    )


def _recalls(figures: Line | None) -> str:
    if figures is None:
        return "–"
    tuned = figures["tuned_recall"]
    return f"{'–' if tuned is None else f'{tuned:.4f}'} / {figures['recall']:.4f}"


def _times(lines: Sequence[Line]) -> str:
    rows = [
        [
            f"{line['target']:.2f}",
            line["peer"],
            *(
                cell
                for how in HOWS
                for cell in (_setting(line, how), _recalls(line[how]), _us(_time(line, how)))
            ),
        ]
        for line in sorted(lines, key=lambda line: float(line["target"]))
    ]
    return _table(
        "| target | peer | setting | recall tuned / tested | µs a query "
        "| setting for batches | recall tuned / tested | µs a query |",
        rows,
    )


def _costs(lines: Sequence[Line]) -> str:
    by_peer = {line["peer"]: line for line in lines}
    rows = [
        [
            peer,
            f"{line['build_seconds']:.2f}",
            f"{1e3 * line['first_call_seconds']:.2f}",
            f"{line['bytes'] / 1e6:.1f}",
            f"{line['peak_bytes'] / 1e6:.0f}" if line["peak_bytes"] is not None else "–",
        ]
        for peer, line in by_peer.items()
    ]
    return _table("| peer | build s | first call ms | index MB | build peak MB |", rows)


def main() -> None:
    """Print the tables, draw the plot."""
    parser = argparse.ArgumentParser(prog="bench.report", description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--plot", type=Path, help="recall against time, .svg or .png")
    arguments = parser.parse_args()
    lines = read(arguments.results)
    print(tables(lines))
    if arguments.plot:
        from bench.plot import draw_fronts  # noqa: PLC0415 - matplotlib, only to draw

        draw_fronts(lines, arguments.plot)


if __name__ == "__main__":
    main()
