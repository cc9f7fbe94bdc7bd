"""How many cycles a processor needs for instructions that run again and again, as LLVM models it.

llvm-mca knows ports and latencies of a processor's own guide. Every load is found in the first
cache, and every branch is foretold.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence

from bench.arm.boards import Processor
from bench.arm.counting import PROFILE

__all__ = ["cycles", "disassembled", "parse_blocks", "parse_cycles"]

_TURNS = 200


def _run(tool: str, *arguments: str, text: str = "") -> str:
    """What a program of LLVM says."""
    root = PROFILE / "llvm/usr/lib"
    environment = {"LD_LIBRARY_PATH": f"{root}/x86_64-linux-gnu:{root}/llvm-19/lib"}
    done = subprocess.run(  # noqa: S603 - a program of .arm/
        [f"{root}/llvm-19/bin/{tool}", *arguments],
        input=text,
        env=environment,
        capture_output=True,
        check=True,
        text=True,
    )
    return done.stdout


def disassembled(codes: Sequence[bytes], triple: str) -> list[list[str]]:
    """Instructions of blocks, given by their bytes, as text."""
    x86 = triple.startswith("x86")
    # After each block instructions that no program has: some, as QEMU may cut off a block's end.
    between, word = (16 * b"\xcc", "int3") if x86 else (bytes.fromhex("2094 2bd4"), "brk")
    source = "\n".join(" ".join(f"0x{byte:02x}" for byte in code + between) for code in codes)
    attributes = () if x86 else ("-mattr=+all",)
    out = _run("llvm-mc", "-disassemble", f"-triple={triple}", *attributes, text=source)
    found = parse_blocks(out, word)
    if len(found) != len(codes):
        raise ValueError(f"{len(codes)} blocks were disassembled as {len(found)}")
    return found


def parse_blocks(out: str, between: str) -> list[list[str]]:
    """Instructions that llvm-mc printed, by block: each ends with some ``between``, no others."""
    found: list[list[str]] = [[]]
    ended = False
    for line in out.splitlines():
        instruction = line.strip()
        if instruction.split()[:1] == [between]:
            found += [] if ended else [[]]
            ended = True
        elif line.startswith("\t") and not instruction.startswith("."):
            found[-1].append(instruction)
            ended = False
    return found[:-1]


def cycles(blocks: Sequence[Sequence[str]], processor: Processor) -> list[tuple[float, float]]:
    """Cycles of one turn of each block when it runs in a loop, and what its ports alone allow."""
    parts = []
    for i, block in enumerate(blocks):
        parts += [f"# LLVM-MCA-BEGIN {i}", *block, "# LLVM-MCA-END"]
    out = _run(
        "llvm-mca",
        f"-mtriple={processor.triple}",
        f"-mcpu={processor.modelled}",
        f"-iterations={_TURNS}",
        *(() if processor.triple.startswith("x86") else ("-mattr=+dotprod",)),
        text="\n".join(parts) + "\n",
    )
    found = parse_cycles(out, _TURNS)
    if len(found) != len(blocks):
        raise ValueError(f"llvm-mca knew {len(found)} of {len(blocks)} blocks")
    return found


def parse_cycles(out: str, turns: int) -> list[tuple[float, float]]:
    """For each block that llvm-mca printed: cycles of a turn, and what its ports alone allow."""
    totals = re.findall(r"^Total Cycles:\s+(\d+)", out, re.MULTILINE)
    bounds = re.findall(r"^Block RThroughput:\s+([\d.]+)", out, re.MULTILINE)
    pairs = zip(totals, bounds, strict=True)
    return [(int(total) / turns, float(bound)) for total, bound in pairs]
