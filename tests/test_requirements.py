"""What pip installs beside the package, by machine."""

from importlib.metadata import requires

import pytest
from packaging.requirements import Requirement

COMPILED = [
    ("linux", "x86_64"),
    ("linux", "aarch64"),
    ("darwin", "arm64"),
    ("win32", "AMD64"),
    ("win32", "ARM64"),
]
PLAIN = [("linux", machine) for machine in ("armv6l", "armv7l", "armv8l", "i686", "riscv64")]


def asked_for(system, machine, extra=""):
    where = {"sys_platform": system, "platform_machine": machine, "extra": extra}
    asked = [Requirement(line) for line in requires("scannlite")]
    return {each.name for each in asked if each.marker is None or each.marker.evaluate(where)}


@pytest.mark.parametrize(("system", "machine"), COMPILED)
def test_numba_compiles_where_it_has_wheels(system, machine):
    assert asked_for(system, machine) == {"numpy", "numba"}


@pytest.mark.parametrize(("system", "machine"), PLAIN)
def test_numpy_is_enough_elsewhere(system, machine):
    """No runtime of models either: it has no wheels for 32 bits."""
    assert asked_for(system, machine) == {"numpy"}
    assert "ai-edge-litert" not in asked_for(system, machine, "tflite")
