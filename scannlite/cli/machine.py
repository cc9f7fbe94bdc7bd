"""What a machine says of itself, in the files of Linux: what is not there is left out."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from scannlite import __version__

__all__ = ["about", "cache_bytes", "in_words", "state", "versions"]

ROOT = Path("/")
_CPUS = "sys/devices/system/cpu"
_ARM_PARTS = {
    "0xd03": "Cortex-A53",
    "0xd04": "Cortex-A35",
    "0xd05": "Cortex-A55",
    "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72",
    "0xd09": "Cortex-A73",
    "0xd0a": "Cortex-A75",
    "0xd0b": "Cortex-A76",
    "0xd0c": "Neoverse-N1",
    "0xd40": "Neoverse-V1",
    "0xd41": "Cortex-A78",
    "0xd44": "Cortex-X1",
    "0xd46": "Cortex-A510",
    "0xd47": "Cortex-A710",
    "0xd48": "Cortex-X2",
    "0xd49": "Neoverse-N2",
}
# Bits of a Raspberry Pi's word; 16 places higher, what was so since it was switched on.
_THROTTLED = {0: "under-voltage", 1: "clock capped", 2: "throttled", 3: "soft limit of temperature"}
_PI_WORDS = (
    "sys/devices/platform/soc/soc:firmware/get_throttled",
    "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled",
)


def about(root: Path = ROOT) -> dict[str, Any]:
    """What stays: board, processor, cores, the clock's limit in MHz, the governor."""
    facts = {
        "board": _text(root / "proc/device-tree/model"),
        "cpu": _cpu(root),
        "cores": os.cpu_count(),
        "max_mhz": _greatest(root, f"{_CPUS}/cpu*/cpufreq/cpuinfo_max_freq", 1_000),
        "governor": _all_of(root, f"{_CPUS}/cpu*/cpufreq/scaling_governor"),
    }
    return {name: fact for name, fact in facts.items() if fact is not None}


def state(root: Path = ROOT) -> dict[str, Any]:
    """What changes: the clock in MHz, degrees Celsius, and what holds the clock back."""
    facts = {
        "mhz": _greatest(root, f"{_CPUS}/cpu*/cpufreq/scaling_cur_freq", 1_000),
        "celsius": _greatest(root, "sys/class/thermal/thermal_zone*/temp", 1_000),
        "throttled": _throttled(root),
        "throttle_count": _greatest(root, f"{_CPUS}/cpu*/thermal_throttle/core_throttle_count", 1),
    }
    return {name: fact for name, fact in facts.items() if fact is not None}


def cache_bytes(root: Path = ROOT) -> int | None:
    """Bytes of the largest cache of the first processor."""
    units = {"K": 1 << 10, "M": 1 << 20}
    sizes = [_text(path) or "" for path in root.glob(f"{_CPUS}/cpu0/cache/index*/size")]
    found = [int(size[:-1]) * units[size[-1]] for size in sizes if re.fullmatch(r"\d+[KM]", size)]
    return max(found, default=None)


def versions() -> dict[str, str]:
    """What was run, and on what."""
    facts = {
        "scannlite": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
    for package in ("numpy", "numba", "llvmlite"):
        with suppress(PackageNotFoundError):
            facts[package] = version(package)
    return facts


def in_words(facts: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """A line on the machine, and one on how it was before and after."""
    parts = [facts[name] for name in ("board", "cpu") if name in facts]
    if facts.get("cores"):
        parts.append(f"{facts['cores']} cores")
    if "max_mhz" in facts:
        parts.append(f"up to {facts['max_mhz']:.0f} MHz")
    if "governor" in facts:
        parts.append(f"governor {facts['governor']}")
    yield ", ".join(parts)
    units = {"mhz": "{:.0f} MHz", "celsius": "{:.1f} °C", "throttled": "{}"}
    changes = [
        f"{unit.format(before[name])} before, {unit.format(after[name])} after"
        for name, unit in units.items()
        if name in before and name in after
    ]
    count = after.get("throttle_count", 0) - before.get("throttle_count", 0)
    if count:
        changes.append(f"throttled {count:.0f} times meanwhile")
    if changes:
        yield "; ".join(changes)


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0\n ") or None
    except OSError:
        return None


def _cpu(root: Path) -> str | None:
    told = _text(root / "proc/cpuinfo") or ""
    named = re.search(r"^model name\s*:\s*(.+)$", told, re.MULTILINE)
    if named:
        return named[1].strip()
    parts = dict.fromkeys(re.findall(r"^CPU part\s*:\s*(\w+)", told, re.MULTILINE))
    if parts:
        return " and ".join(_ARM_PARTS.get(part, f"CPU part {part}") for part in parts)
    return platform.processor() or platform.machine() or None


def _greatest(root: Path, pattern: str, unit: int) -> float | None:
    found = (_text(path) or "" for path in root.glob(pattern))
    return max((int(text) / unit for text in found if re.fullmatch(r"-?\d+", text)), default=None)


def _all_of(root: Path, pattern: str) -> str | None:
    found = {_text(path) for path in root.glob(pattern)} - {None}
    return " and ".join(sorted(filter(None, found))) or None


def _throttled(root: Path) -> str | None:
    """A Raspberry Pi's word, in words."""
    told = next(filter(None, (_text(root / path) for path in _PI_WORDS)), None) or _asked(root)
    if told is None or not re.fullmatch(r"(0x)?[0-9a-fA-F]+", told):
        return None
    word = int(told, 16)
    now = [name for bit, name in _THROTTLED.items() if word >> bit & 1]
    ever = [f"once {name}" for bit, name in _THROTTLED.items() if word >> (bit + 16) & 1]
    return ", ".join(now + ever) or "not throttled"


def _asked(root: Path) -> str | None:
    """What the command of a Raspberry Pi says, where it is installed."""
    command = root / "usr/bin/vcgencmd"
    if not command.exists():
        return None
    try:
        done = subprocess.run(  # noqa: S603 - the system's own
            [str(command), "get_throttled"], capture_output=True, check=True, text=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip().removeprefix("throttled=")
