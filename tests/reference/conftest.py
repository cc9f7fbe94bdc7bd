"""The reference is another interpreter, which the environment names."""

from __future__ import annotations

import os

import numpy as np
import pytest

from tests.reference.client import Reference, ReferenceMissing
from tests.strategies import clustered

collect_ignore = ["runtime.py", "tiny_models.py"]  # for the other interpreter alone

VARIABLE = "SCANNLITE_REFERENCE_PYTHON"


@pytest.fixture(scope="session")
def reference():
    python = os.environ.get(VARIABLE)
    if not python:
        pytest.skip(f"NOTHING WAS COMPARED WITH THE TFLITE SEARCHER: {VARIABLE} is not set")
    try:
        found = Reference(python)
    except ReferenceMissing as error:
        pytest.skip(f"NOTHING WAS COMPARED WITH THE TFLITE SEARCHER: {error}")
    yield found
    found.close()


@pytest.fixture(scope="session")
def asked(reference, tmp_path_factory):
    """Queries (q, d) by d, and the model that answers the texts ``p0``, ``p1`` ... with them."""
    folder, made = tmp_path_factory.mktemp("embedders"), {}

    def of(d):
        if d not in made:
            Q = clustered(12, d, seed=d)
            vectors, model = folder / f"{d}.npy", folder / f"{d}.tflite"
            np.save(vectors, Q)
            reference.ask("text_model", queries=vectors, to=model)
            made[d] = Q, model
        return made[d]

    return of


@pytest.fixture
def found_by_text(reference):
    """The userinfo that a TextSearcher tells, and what it finds for every query."""

    def of(model, Q, k, **index):
        opened = {"name": "texts", "model": model, "questions": len(Q), "k": k, **index}
        return reference.ask("open_texts", **opened)["userinfo"], reference.search("texts")

    return of
