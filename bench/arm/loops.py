"""The inner loops of a query's kernels: their instructions, and what bounds them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from bench.arm.band import Clock, looped
from bench.arm.boards import Processor
from bench.arm.counting import Stretch
from bench.arm.cycles import disassembled

__all__ = ["LOOPS", "Found", "Loop", "found"]


@dataclass(frozen=True)
class Loop:
    """A loop that is known by its instructions.

    Attributes:
        title: what it does.
        case: the name of a case in which it is hot.
        alike: for each way to compile it, instructions that it has at least so many of.
        read: bytes of the index that one turn reads.
        shown: whether its instructions are of interest.
        without: an instruction that it has none of, unlike another that is alike.
    """

    title: str
    case: str
    alike: tuple[dict[str, int], ...]
    read: int
    shown: bool = False
    without: str = ""

    def matches(self, names: Counter[str]) -> bool:
        """Whether a block with so many instructions of each name is this loop."""
        alike = any(all(names[name] >= n for name, n in one.items()) for one in self.alike)
        return alike and names[self.without] == 0


@dataclass(frozen=True)
class Found:
    """A loop as it ran.

    Attributes:
        text: its instructions.
        cycles: of a turn, as llvm-mca has it.
        ports: of a turn, if ports alone were a limit.
        share: of the kernel's cycles in that query.
    """

    text: list[str]
    cycles: float
    ports: float
    share: float


LOOPS = (
    Loop(
        "4-bit codes: 64 rows, 4 blocks of dimensions",
        "million",
        ({"tbl": 16, "uqadd": 16},),
        read=128,
        shown=True,
    ),
    Loop(
        "centroids: 64 of them, 4 dimensions",
        "million",
        ({"sdot": 16}, {"smull": 32, "sadalp": 16}),
        read=256,
        shown=True,
    ),
    Loop(
        "rows scored again: 64 dimensions of one",
        "million",
        ({"sdot": 4}, {"smull": 4, "smull2": 4}),
        read=64,
        without="ld1r",
    ),
    Loop(
        "phones' codes, bounds: 64 rows, 1 dimension",
        "article",
        ({"tbl": 4, "uaddw": 4, "uaddw2": 4},),
        read=64,
        shown=True,
    ),
    Loop(
        "phones' codes, whole tables: 64 rows, 1 dimension",
        "article-foreign",
        ({"tbl": 16, "usra": 1}, {"tbl": 16, "ushr": 4}),
        read=64,
    ),
    Loop("phones' tables: 64 entries", "article", ({"fcvtzs": 16, "fmul": 32},), read=256),
    Loop("phones' centroids: 64 of them, 1 dimension", "article", ({"fmul": 16, "fadd": 16},), 256),
)


def found(loop: Loop, stretch: Stretch, processor: Processor, clock: Clock) -> Found | None:
    """The loop in a query: of all blocks that match, the one that took longest."""
    blocks = looped(stretch)
    clock.learn(blocks)
    whole = sum(map(clock.cycles, blocks))
    texts = disassembled([block.code for block in blocks], processor.triple)
    by_cycles = sorted(zip(blocks, texts, strict=True), key=lambda pair: -clock.cycles(pair[0]))
    for block, text in by_cycles:
        if loop.matches(Counter(line.split()[0] for line in text)):
            return Found(text, *clock.turn(block), clock.cycles(block) / whole)
    return None
