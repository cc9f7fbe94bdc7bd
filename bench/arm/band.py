"""From counts to a band of milliseconds: everything overlaps, or nothing does.

Loops of kernels take what llvm-mca says of each block, over and over; the rest, most of it Python,
takes an assumed number of instructions a cycle. Lines from memory take the published bandwidth,
but for those that no line before foretold, which at worst are waited for one by one. Lines from a
shared cache come at an assumed bandwidth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.arm.boards import Board, Processor
from bench.arm.counting import Block, Stretch
from bench.arm.cycles import cycles, disassembled

__all__ = ["Band", "Clock", "band", "looped"]

LINE = 64
OFTEN = 8  # a block of a kernel that runs as often is taken for one of a loop


@dataclass(frozen=True)
class Band:
    """Modelled milliseconds of a query, and what they are made of.

    Attributes:
        kernel, python: computing, least and most.
        memory: reading from memory and from shared caches, least and most.
    """

    kernel: tuple[float, float]
    python: tuple[float, float]
    memory: tuple[float, float]

    @property
    def least(self) -> float:
        """Computing hides memory, or memory hides computing."""
        return max(self.kernel[0] + self.python[0], self.memory[0])

    @property
    def most(self) -> float:
        """One after the other."""
        return self.kernel[1] + self.python[1] + self.memory[1]


class Clock:
    """What llvm-mca says of blocks on a processor; it is asked once about each."""

    def __init__(self, processor: Processor) -> None:
        self._processor = processor
        self._known: dict[bytes, tuple[float, float]] = {}

    def learn(self, blocks: Sequence[Block]) -> None:
        """Ask about all that has not been asked about."""
        new = list({block.code for block in blocks if block.code not in self._known})
        if new:
            texts = disassembled(new, self._processor.triple)
            self._known.update(zip(new, cycles(texts, self._processor), strict=True))

    def turn(self, block: Block) -> tuple[float, float]:
        """Cycles of one run of a block that ``learn`` was given, and what its ports allow."""
        return self._known[block.code]

    def cycles(self, block: Block) -> float:
        """Of all its runs."""
        return self.turn(block)[0] * block.runs


def looped(stretch: Stretch) -> list[Block]:
    """Blocks whose cycles llvm-mca can tell."""
    return [block for block in stretch.blocks if block.kernel and block.runs >= OFTEN]


def band(stretch: Stretch, board: Board, clock: Clock) -> Band:
    """What a query takes on a board, modelled."""
    loops = looped(stretch)
    clock.learn(loops)
    by_loops = sum(map(clock.cycles, loops))
    rest = stretch.executed(kernel=True) - sum(block.executed for block in loops)
    slow, fast = board.instructions_a_cycle
    python = stretch.executed(kernel=False)
    hertz = 1e6 * board.gigahertz  # in cycles a millisecond
    slowly, quickly = board.gigabytes_a_second
    read = LINE * stretch.lines / 1e6
    follow = LINE * (stretch.lines - stretch.jumps) / 1e6
    waited = stretch.jumps * board.latency / 1e6
    shared = stretch.shared * LINE / board.shared_bytes_a_cycle / hertz
    return Band(
        kernel=((by_loops + rest / fast) / hertz, (by_loops + rest / slow) / hertz),
        python=(python / fast / hertz, python / slow / hertz),
        memory=(read / quickly, follow / slowly + waited + shared),
    )
