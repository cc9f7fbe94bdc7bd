"""What is known of the boards: their processors, their caches, and how fast memory is read."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["A72", "A76", "BOARDS", "X1", "Board", "Processor"]

_ARM = "+aes,+crc,+fp-armv8,{lse}+neon,-rand,+sha2,-sve"


@dataclass(frozen=True)
class Processor:
    """What code is compiled for, and what is asked about its cycles.

    Attributes:
        name: as LLVM and QEMU call it.
        features: as LLVM lists them there.
        emulated: QEMU's name of one that runs the code.
        modelled: whose model of cycles llvm-mca uses: 19 has none of an A76 or an X1 but of
            their twins for servers, and takes an A57 for an A72.
    """

    name: str
    features: str
    emulated: str
    modelled: str
    triple: str = "aarch64-unknown-linux-gnu"


@dataclass(frozen=True)
class Board:
    """A processor at work.

    Attributes:
        name: of the board.
        processor: of its cores.
        gigahertz: their clock.
        caches: bytes and ways: instructions, data, then what both share.
        instructions_a_cycle: least and most, assumed for code that is not a kernel's loop.
        gigabytes_a_second: least and most that one core reads from memory in order, published.
        latency: nanoseconds until a line from memory is there that nothing foretold, assumed.
        shared_bytes_a_cycle: from a cache that instructions and data share, assumed.
    """

    name: str
    processor: Processor
    gigahertz: float
    caches: tuple[tuple[int, int], ...]
    instructions_a_cycle: tuple[float, float]
    gigabytes_a_second: tuple[float, float]
    latency: float
    shared_bytes_a_cycle: float


A72 = Processor("cortex-a72", _ARM.format(lse=""), "cortex-a72", "cortex-a72")
A76 = Processor("cortex-a76", _ARM.format(lse="+lse,"), "cortex-a76", "neoverse-n1")
X1 = Processor("cortex-x1", _ARM.format(lse="+lse,"), "max", "neoverse-v1")
_K, _M = 1 << 10, 1 << 20
BOARDS = (
    Board(
        "Raspberry Pi 4",
        A72,
        1.5,
        ((48 * _K, 3), (32 * _K, 2), (1 * _M, 16)),
        (0.8, 1.2),
        (4.8, 5.6),
        latency=150,
        shared_bytes_a_cycle=8,
    ),
    Board(
        "Raspberry Pi 5",
        A76,
        2.4,
        ((64 * _K, 4), (64 * _K, 4), (512 * _K, 8), (2 * _M, 16)),
        (1.5, 2.2),
        (9.1, 9.4),
        latency=110,
        shared_bytes_a_cycle=16,
    ),
)
