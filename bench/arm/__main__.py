"""Modelled milliseconds of a query on ARM boards, as tables: ``python -m bench.arm``.

``bench/arm/setup`` first, once. The cases are built once too, into .arm/cases: a million rows take
some minutes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from statistics import median

from bench.arm.band import Clock, band
from bench.arm.boards import BOARDS, X1, Board, Processor
from bench.arm.cases import BOARD_CASES, CASES, Case
from bench.arm.compiling import compile_kernels
from bench.arm.counting import HOME, PROFILE, Stretch, counted
from bench.arm.loops import LOOPS, Found, Loop, found

_X1_CACHES: tuple[tuple[int, int], ...] = ()  # no board of it is modelled


def _queries(
    processor: Processor, caches: Sequence[tuple[int, int]], case: Case, n: int
) -> list[Stretch]:
    code = PROFILE / "code" / processor.name
    compile_kernels(processor, code)
    return counted(processor, caches, code, case.files(HOME / "cases"), n)


def _span(least: float, most: float) -> str:
    return f"{least:.3f} .. {most:.3f}"


def _row(case: Case, board: Board, stretches: Sequence[Stretch], clock: Clock) -> str:
    """One line of the table: of warm queries the median and the dearest, and a cold one."""
    bands = [band(stretch, board, clock) for stretch in stretches]
    warm, cold = bands[:-1], bands[-1]
    typical = _span(median(b.least for b in warm), median(b.most for b in warm))
    kernel = _span(*(median(b.kernel[i] for b in warm) for i in (0, 1)))
    python = _span(*(median(b.python[i] for b in warm) for i in (0, 1)))
    memory = _span(*(median(b.memory[i] for b in warm) for i in (0, 1)))
    dearest = max(b.most for b in warm)
    cells = [case.title, f"**{typical}**", f"{dearest:.3f}", _span(cold.least, cold.most)]
    return f"| {' | '.join([*cells, kernel, python, memory])} |"


def _counts(case: Case, stretches: Sequence[Stretch]) -> str:
    warm = stretches[:-1]
    numbers = [
        median(s.executed(kernel=True) for s in warm),
        median(s.executed(kernel=False) for s in warm),
        median(s.shared for s in warm),
        median(s.lines for s in warm),
        median(s.jumps for s in warm),
        stretches[-1].lines,
    ]
    return f"| {case.title} | {' | '.join(f'{round(number):,}' for number in numbers)} |"


def _board(board: Board, cases: Iterable[Case], n: int) -> dict[str, list[Stretch]]:
    """Print the two tables of a board; what was counted, by case."""
    clock = Clock(board.processor)
    ran = {case.name: _queries(board.processor, board.caches, case, n) for case in cases}
    print(f"\n### {board.name}, {board.processor.name} at {board.gigahertz} GHz\n")
    print("| modelled ms | a query | the dearest | caches empty | kernel | Python | memory |")
    print("|---|---|---|---|---|---|---|")
    for name, stretches in ran.items():
        print(_row(CASES[name], board, stretches, clock))
    print("\n| counted | kernel | Python | shared cache | memory | unforetold | memory, empty |")
    print("|---|---|---|---|---|---|---|")
    for name, stretches in ran.items():
        print(_counts(CASES[name], stretches))
    return ran


def _cell(one: Found | None) -> str:
    if one is None:
        return "–"
    return f"{len(one.text)}, {one.cycles:.1f}, ×{one.cycles / one.ports:.2f}"


def _loops(ran: dict[str, tuple[Processor, dict[str, list[Stretch]]]]) -> None:
    """Print the table of loops, and the instructions of those of interest."""
    shown: list[tuple[str, str, Found]] = []
    print("\n### Loops: instructions, modelled cycles of a turn, times what its ports allow\n")
    wants = " | ".join(f"{board.name} GB/s" for board in BOARDS)
    print(f"| a turn | {' | '.join(ran)} | {wants} |")
    print("|---|" + "---|" * (len(ran) + len(BOARDS)))
    for loop in LOOPS:
        seen: dict[str, Found | None] = {}
        for name, (processor, stretches) in ran.items():
            if loop.case in stretches:
                one = found(loop, stretches[loop.case][0], processor, Clock(processor))
                seen[name] = one
                if loop.shown and one:
                    shown.append((loop.title, name, one))
        if seen:
            cells = [_cell(seen.get(name)) for name in ran]
            print(f"| {loop.title} | {' | '.join(cells + _appetites(loop, seen))} |")
    for title, name, one in shown:
        print(f"\n{name}, {title}; {one.share:.0%} of the kernel's cycles:\n\n```asm")
        print("\n".join(line.replace("\t", " ") for line in one.text))
        print("```")


def _appetites(loop: Loop, seen: dict[str, Found | None]) -> list[str]:
    """GB/s that the loop reads when it never waits, and times what each board's memory has."""
    cells = []
    for board in BOARDS:
        one = seen.get(board.processor.name)
        wanted = loop.read / one.cycles * board.gigahertz if one else 0
        cells.append(f"{wanted:.1f}, ×{wanted / board.gigabytes_a_second[0]:.2f}" if one else "–")
    return cells


def main() -> None:
    """Count, model, print."""
    parser = argparse.ArgumentParser(prog="bench.arm", description=__doc__)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=[c.name for c in BOARD_CASES])
    parser.add_argument("--queries", type=int, default=200, help="warm ones of each case")
    arguments = parser.parse_args()
    cases = [CASES[name] for name in arguments.cases]
    ran = {
        board.processor.name: (board.processor, _board(board, cases, arguments.queries))
        for board in BOARDS
    }
    ran[X1.name] = (X1, {case.name: _queries(X1, _X1_CACHES, case, 1) for case in cases})
    _loops(ran)


if __name__ == "__main__":
    main()
