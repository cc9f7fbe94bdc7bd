"""What a machine says of itself, read from trees of files made here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from scannlite.cli.machine import about, cache_bytes, in_words, state, versions
from scannlite.cli.memory import in_words as memory_in_words
from scannlite.cli.memory import memory

CPU = "sys/devices/system/cpu/cpu"
PI = {
    "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
    "proc/cpuinfo": "processor\t: 0\nCPU part\t: 0xd08\n\nprocessor\t: 1\nCPU part\t: 0xd08\n",
    f"{CPU}0/cpufreq/scaling_cur_freq": "600000\n",
    f"{CPU}1/cpufreq/scaling_cur_freq": "1500000\n",
    f"{CPU}0/cpufreq/cpuinfo_max_freq": "1500000\n",
    f"{CPU}0/cpufreq/scaling_governor": "ondemand\n",
    f"{CPU}1/cpufreq/scaling_governor": "ondemand\n",
    f"{CPU}0/cache/index0/size": "32K\n",
    f"{CPU}0/cache/index2/size": "1024K\n",
    "sys/class/thermal/thermal_zone0/temp": "48312\n",
    "sys/class/thermal/thermal_zone1/temp": "51000\n",
    "sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n",
}


def tree(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        if sys.platform == "win32" and ":" in name:
            pytest.skip("no such names here")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def test_a_raspberry_pi(tmp_path: Path) -> None:
    root = tree(tmp_path, PI)
    facts = about(root)
    assert facts.pop("cores") >= 1
    assert facts == {
        "board": "Raspberry Pi 4 Model B Rev 1.4",
        "cpu": "Cortex-A72",
        "max_mhz": 1500,
        "governor": "ondemand",
    }
    assert state(root) == {
        "mhz": 1500,
        "celsius": 51,
        "throttled": "under-voltage, throttled, once under-voltage, once throttled",
    }
    assert cache_bytes(root) == 1 << 20


def test_a_phone_names_all_its_processors(tmp_path: Path) -> None:
    parts = "".join(f"CPU part\t: {part}\n" for part in ("0xd05", "0xd05", "0xd0b", "0xfff"))
    root = tree(
        tmp_path,
        {
            "proc/cpuinfo": parts,
            f"{CPU}0/cpufreq/scaling_governor": "schedutil",
            f"{CPU}7/cpufreq/scaling_governor": "performance",
            f"{CPU}0/cache/index3/size": "2M",
        },
    )
    assert about(root)["cpu"] == "Cortex-A55 and Cortex-A76 and CPU part 0xfff"
    assert about(root)["governor"] == "performance and schedutil"
    assert cache_bytes(root) == 2 << 20


def test_a_pc_counts_how_often_it_was_throttled(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "proc/cpuinfo": "vendor_id : X\nmodel name\t: AMD EPYC\nmodel name\t: AMD EPYC\n",
            f"{CPU}0/thermal_throttle/core_throttle_count": "3",
            f"{CPU}1/thermal_throttle/core_throttle_count": "7",
        },
    )
    assert about(root)["cpu"] == "AMD EPYC"
    assert state(root) == {"throttle_count": 7}


def test_what_is_not_there_is_left_out(tmp_path: Path) -> None:
    assert state(tmp_path) == {}
    assert set(about(tmp_path)) <= {"cpu", "cores"}
    assert cache_bytes(tmp_path) is None


@pytest.mark.parametrize("text", ["", "no number", "\0"])
def test_what_makes_no_sense_is_left_out(tmp_path: Path, text: str) -> None:
    root = tree(tmp_path, dict.fromkeys(PI, text))
    assert state(root) == {}
    assert cache_bytes(root) is None


@pytest.mark.skipif(sys.platform == "win32", reason="a script of another system")
@pytest.mark.parametrize(
    ("script", "throttled"),
    [
        ("echo throttled=0x0", "not throttled"),
        ("echo throttled=0x80008", "soft limit of temperature, once soft limit of temperature"),
        ("exit 1", None),
    ],
)
def test_the_command_of_a_raspberry_pi_is_asked_where_there_is_no_file(
    tmp_path: Path, script: str, throttled: str | None
) -> None:
    root = tree(tmp_path, {"usr/bin/vcgencmd": f"#!/bin/sh\n{script}\n"})
    (root / "usr/bin/vcgencmd").chmod(0o755)
    assert state(root).get("throttled") == throttled


def test_a_machine_in_words(tmp_path: Path) -> None:
    root = tree(tmp_path, PI)
    facts, before = {**about(root), "cores": 4}, state(root)
    after = {**before, "celsius": 60.25, "throttled": "not throttled"}
    assert list(in_words(facts, before, after)) == [
        "Raspberry Pi 4 Model B Rev 1.4, Cortex-A72, 4 cores, up to 1500 MHz, governor ondemand",
        (
            "1500 MHz before, 1500 MHz after; 51.0 °C before, 60.2 °C after; "
            f"{before['throttled']} before, not throttled after"
        ),
    ]


def test_a_machine_that_says_little_is_one_line() -> None:
    assert list(in_words({"cpu": "AMD EPYC", "cores": 2}, {}, {})) == ["AMD EPYC, 2 cores"]
    counts = {"throttle_count": 3}, {"throttle_count": 5}
    assert list(in_words({"cpu": "X"}, *counts)) == ["X", "throttled 2 times meanwhile"]


def test_versions_are_those_of_what_runs() -> None:
    import numpy as np  # noqa: PLC0415 - only here

    assert versions()["numpy"] == np.__version__
    assert {"scannlite", "python", "platform"} <= set(versions())


STATUS = "Name:\tpython\nVmHWM:\t    300 kB\nVmRSS:\t    200 kB\nThreads:\t1\n"
SMAPS = """\
00400000-00600000 r-xp 00000000 08:01 1234   /usr/bin/python
Rss:                  50 kB
7f0000000000-7f0000100000 rw-p 00000000 00:00 0
Rss:                  90 kB
7f0000200000-7f0000300000 r--p 00000000 08:01 99   {path}
Size:               1024 kB
Rss:                  40 kB
Pss:                  40 kB
7f0000300000-7f0000400000 r--p 00100000 08:01 99   {path}
Rss:                  20 kB
VmFlags: rd mr mw me
"""


def process(folder: Path, path: Path) -> Path:
    return tree(folder, {"status": STATUS, "smaps": SMAPS.format(path=path)})


@pytest.mark.skipif(sys.platform == "win32", reason="paths of another system")
def test_memory_is_told_apart_from_pages_of_a_file(tmp_path: Path) -> None:
    """A path may hold spaces; every mapping of it counts, and no other."""
    index = tmp_path.resolve() / "my index.npz"
    folder = process(tmp_path, index)
    assert memory([index], folder) == {
        "resident": 200 << 10,
        "peak": 300 << 10,
        "mapped": 60 << 10,
    }
    assert memory([tmp_path / "another"], folder)["mapped"] == 0


def test_without_files_of_linux_only_the_peak_is_told(tmp_path: Path) -> None:
    facts = memory([], tmp_path)
    assert set(facts) <= {"peak"}
    assert all(size > 1 << 20 for size in facts.values())


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, None),
        ({"peak": 2_000_000}, "2.0 MB at the most"),
        (
            {"resident": 3_000_000, "peak": 4_000_000, "mapped": 500_000},
            (
                "3.0 MB in memory, 0.5 MB of them pages of the index file, which the system "
                "may drop, 4.0 MB at the most"
            ),
        ),
    ],
)
def test_memory_in_words(facts: dict[str, Any], words: str | None) -> None:
    assert memory_in_words(facts) == words
