"""A small collection that many tests ask and none changes."""

from __future__ import annotations

import pytest

from scannlite.demo import Collection, Measured, Storyteller, collect

ROWS = 1_000


def silent(stage: str, done: int, total: int) -> None:
    """Said to nobody."""


@pytest.fixture(scope="session")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return collect(ROWS, tmp_path_factory.mktemp("demo"), silent)


@pytest.fixture(scope="session")
def teller(collection: Collection) -> Storyteller:
    return Storyteller(collection)


@pytest.fixture(scope="session")
def measured(teller: Storyteller) -> Measured:
    return teller.measure(silent)
