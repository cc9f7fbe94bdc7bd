"""Instructions a query executes on ARM, beside those it is known to execute: they repeat.

``python -m bench.arm.gate --check`` fails where a kernel, or the Python around it, executes over
2 % more than ``expected.json`` says, or less: then the file is no longer true. ``--write`` writes
it anew. Small cases, counted under emulation in a minute or two; it says so loudly where
``bench/arm/setup`` cannot be run, and where another compiler or Python makes counts others.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TypeAlias

from bench.arm.boards import BOARDS, Processor
from bench.arm.cases import GATE_CASES
from bench.arm.compiling import compile_kernels
from bench.arm.counting import HOME, PROFILE, ROOT, counted

EXPECTED = Path(__file__).with_name("expected.json")
MADE = HOME / "gate"  # always there: a name that varied would vary what Python does
TOLERANCE, QUERIES = 0.02, 10
PARTS = {"kernel": ("numba", "llvmlite"), "Python": ("emulated Python", "emulated NumPy")}
Counts: TypeAlias = dict[str, int]


def _made_with() -> dict[str, str]:
    """What the number of instructions depends on, beside the project."""
    python = (HOME / "arm64/usr/bin/python3").resolve().name.removeprefix("python")
    packages = {name: version(name) for name in ("numba", "llvmlite")}
    numpy = next((HOME / "wheels").glob("numpy-*.dist-info")).name.split("-")[1]
    return {**packages, "emulated Python": python, "emulated NumPy": numpy.removesuffix(".dist")}


def _counts(processor: Processor, cases: Path) -> Counts:
    """Instructions of a query of each case, those of kernels and the others."""
    code = PROFILE / "code" / processor.name
    compile_kernels(processor, code)
    found: Counts = {}
    for case in GATE_CASES:
        *warm, _ = counted(processor, (), code, case.files(cases), QUERIES)
        for part, kernel in (("kernel", True), ("Python", False)):
            name = f"{processor.name}, {case.name}, {part}"
            found[name] = sum(stretch.executed(kernel=kernel) for stretch in warm) // QUERIES
    return found


def compare(found: Counts, expected: Counts, others: dict[str, str]) -> bool:
    """Print a line for each count; whether all that can be judged are as expected.

    Args:
        found: instructions by what executed them; the part is the last of its words.
        expected: likewise.
        others: why a part cannot be judged.
    """
    sound = True
    for name, count in found.items():
        known, unlike = expected.get(name), others.get(name.rsplit(", ", 1)[1])
        if known is None:
            print(f"{name:42} {count:10,}  new: not in {EXPECTED.name}")
            sound = False
            continue
        change = count / known - 1
        word = "MORE" if change > TOLERANCE else "LESS" if change < -TOLERANCE else ""
        print(f"{name:42} {count:10,} {known:10,} {change:+7.2%}  {word}")
        sound &= not word or unlike is not None
    for part, unlike in others.items():
        print(f"!!!! NOT JUDGED: {part}: {unlike}")
    return sound


def unlike(now: dict[str, str], then: dict[str, str]) -> dict[str, str]:
    """The parts that another compiler or Python than then may have changed, and which."""
    found = {}
    for part, names in PARTS.items():
        changed = [
            f"{name} {now[name]}, not {then[name]}" for name in names if now[name] != then[name]
        ]
        if changed:
            found[part] = "; ".join(changed)
    return found


def main() -> int:
    """Count, then compare or write."""
    parser = argparse.ArgumentParser(prog="bench.arm.gate", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", action="store_true")
    what.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    try:
        subprocess.run([ROOT / "bench/arm/setup"], check=True)  # noqa: S603 - the project's own
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"!!!! NOT RUN: instructions on ARM: no emulation here: {error}", file=sys.stderr)
        return 0
    made_with = _made_with()
    shutil.rmtree(MADE, ignore_errors=True)
    found: Counts = {}
    for board in BOARDS:
        found.update(_counts(board.processor, MADE))
    if arguments.write:
        told = {"made with": made_with, "instructions a query": found}
        EXPECTED.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
        return 0
    told = json.loads(EXPECTED.read_text(encoding="utf-8"))
    others = unlike(made_with, told["made with"])
    return 0 if compare(found, told["instructions a query"], others) else 1


if __name__ == "__main__":
    sys.exit(main())
