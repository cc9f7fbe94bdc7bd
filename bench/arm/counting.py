"""What a query executes: instructions of every block, lines that the modelled caches missed.

The query runs under QEMU's emulation with the plugin of ``counts.c``, which counts exactly. The
kernels were compiled beforehand by ``compiling``: QEMU only runs them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import scannlite as sl
from bench.arm.boards import Processor
from bench.arm.compiling import ROOT, settings
from bench.arm.inside import K

__all__ = [
    "HOME",
    "PROFILE",
    "Block",
    "Stretch",
    "check_answers",
    "counted",
    "parse_libraries",
    "parse_stretches",
]

HOME = ROOT / ".arm"
PROFILE = HOME / "profile"
_UMASK = {True: 166, False: 95}  # the number of that system call, on ARM or x86
# Nothing of this process's own but where programs are: so that counts repeat.
_SETTINGS = {
    "PATH": os.environ["PATH"],
    "PYTHONHASHSEED": "0",
    "PYTHONNOUSERSITE": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
_ARM = {
    "QEMU_LD_PREFIX": str(HOME / "arm64"),
    "PYTHONHOME": str(HOME / "arm64/usr"),
    "PYTHONPATH": str(HOME / "wheels"),
}


@dataclass(frozen=True)
class Block:
    """Instructions that always run one after the other.

    Attributes:
        instructions: how many.
        runs: how often they ran.
        code: their bytes.
        kernel: whether they are of a kernel, and not of Python or a library.
    """

    instructions: int
    runs: int
    code: bytes
    kernel: bool

    @property
    def executed(self) -> int:
        """Instructions in all."""
        return self.instructions * self.runs


@dataclass(frozen=True)
class Stretch:
    """One query.

    Attributes:
        blocks: what ran.
        shared: lines that the first caches missed and a shared one had.
        lines: lines from memory.
        jumps: as many of them as no line before it foretold.
    """

    blocks: tuple[Block, ...]
    shared: int
    lines: int
    jumps: int

    def executed(self, *, kernel: bool) -> int:
        """Instructions of kernels, or of all the rest."""
        return sum(block.executed for block in self.blocks if block.kernel == kernel)


def counted(
    processor: Processor,
    caches: Sequence[tuple[int, int]],
    code: Path,
    files: tuple[Path, Path],
    count: int,
) -> list[Stretch]:
    """``count`` queries in a row, and one with empty caches.

    Args:
        processor: that is emulated.
        caches: as ``Board.caches``; none are modelled where it is empty.
        code: the folder of ``compile_kernels``.
        files: an index and its queries.
        count: of queries.

    Raises:
        RuntimeError: it finds what is not found here.
    """
    arm = not processor.triple.startswith("x86")
    with tempfile.TemporaryDirectory() as folder:
        out, answers = Path(folder, "counts"), Path(folder, "answers.npz")
        modelled = "/".join(f"{size}:{ways}" for size, ways in caches)
        plugin = f"{PROFILE}/counts.so,out={out},umask={_UMASK[arm]}"
        inside = ["-m", "bench.arm.inside", *map(str, files), str(count), str(answers)]
        command = [
            *_emulator("qemu-aarch64" if arm else "qemu-x86_64"),
            *("-plugin", plugin + (f",caches={modelled}" if caches else "")),
            *(str((HOME / "arm64/usr/bin/python3").resolve()) if arm else sys.executable, *inside),
        ]
        done = subprocess.run(  # noqa: S603 - paths made here
            command,
            cwd=ROOT,
            env={
                **(_ARM if arm else {}),
                **_SETTINGS,
                "QEMU_CPU": processor.emulated,
                **settings(processor, code),
            },
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
        check_answers(files, answers)
        return list(parse_stretches(out.read_text(encoding="ascii"), parse_libraries(done.stdout)))


def check_answers(files: tuple[Path, Path], answers: Path) -> None:
    """Instructions count for nothing where they do not find what is found here, to the last bit.

    Raises:
        RuntimeError: another answer.
    """
    expected = sl.Index.load(files[0], verify=False).search(np.load(files[1]), K)
    with np.load(answers) as found:
        for name, value in expected._asdict().items():
            if found[name].tobytes() != value.tobytes():
                raise RuntimeError(f"{name} of {files[0].name} are others than here")


def _emulator(program: str) -> list[str]:
    """QEMU with its own libraries, by way of their own loader."""
    root = PROFILE / "qemu"
    libraries = f"{root}/lib/x86_64-linux-gnu:{root}/usr/lib/x86_64-linux-gnu"
    loader = root / "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
    return [str(loader), "--library-path", libraries, str(root / "usr/bin" / program)]


def parse_libraries(maps: str) -> list[range]:
    """Addresses of code that lies in files, from lines of ``/proc/self/maps``."""
    found = []
    for line in maps.splitlines():
        addresses, access, path = line.split(" ", 2)
        if "x" in access and path:
            first, last = (int(address, 16) for address in addresses.split("-"))
            found.append(range(first, last))
    return found


def parse_stretches(text: str, libraries: Sequence[range]) -> Iterator[Stretch]:
    """Of the text that the plugin wrote; code that is in no library is a kernel's."""
    for part in text.split("stretch ")[1:]:
        head, *lines = part.splitlines()
        blocks = []
        for line in lines:
            address, instructions, runs, code = line.split()
            place = int(address, 16)
            inside = any(place in one for one in libraries)
            blocks.append(Block(int(instructions), int(runs), bytes.fromhex(code), not inside))
        _, lines_read, _, jumps, _, *missed = head.split()
        first = sum(map(int, missed[:2]))
        yield Stretch(tuple(blocks), first - int(lines_read), int(lines_read), int(jumps))
