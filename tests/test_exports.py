"""What the package promises by name, and what importing it costs."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import scannlite
from scannlite.kernels import compiled

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "scannlite").rglob("*.py")
    if path.name != "__main__.py"
)


def loaded_after(line: str) -> set[str]:
    """Names of the modules that a fresh Python holds after ``line``."""
    code = f"import sys\n{line}\nprint(*sys.modules)"
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_every_exported_name_can_be_imported() -> None:
    for name in scannlite.__all__:
        assert getattr(scannlite, name) is not None


def test_public_names_are_exported_and_nothing_else_is() -> None:
    """``__all__`` is sorted, has no doubles, and holds every lazy name and every error."""
    assert sorted(set(scannlite.__all__)) == sorted(scannlite.__all__)
    assert set(scannlite._HOMES) < set(scannlite.__all__)
    errors = importlib.import_module("scannlite.errors")
    assert set(errors.__all__) < set(scannlite.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Indexx'"):
        _ = scannlite.Indexx


@pytest.mark.parametrize("module", MODULES)
def test_every_module_exports_what_it_says(module: str) -> None:
    kernel = module.startswith("scannlite.kernels.") and ".reference" not in module
    if kernel and not compiled():
        pytest.skip("compiled kernels are not used here")
    room = importlib.import_module(module)
    for name in getattr(room, "__all__", ()):
        assert hasattr(room, name)


def test_the_changelog_begins_with_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(.+?)\]", text, flags=re.MULTILINE)
    assert scannlite.__version__ == versions[0]


def test_types_are_shipped() -> None:
    assert (ROOT / "scannlite" / "py.typed").is_file()


@pytest.mark.parametrize(
    "line",
    [
        "import scannlite",
        "import scannlite; scannlite.ScaNNOptions",
        "from scannlite.cli import main",
        "import scannlite; scannlite.Index.build([[1.0, 2.0]] * 3).save",
    ],
)
def test_numba_is_not_imported_before_it_is_needed(line: str) -> None:
    loaded = loaded_after(line)
    assert "scannlite" in loaded
    assert not loaded & {"numba", "llvmlite", "sklearn", "matplotlib", "tqdm"}
