"""Whether the examples can be trained here."""

from __future__ import annotations

import importlib.util

import pytest

__all__ = ["needs_tensorflow"]

needs_tensorflow = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None,
    reason="NO TOWER WAS TRAINED: TensorFlow is not installed (examples/dual_encoder)",
)
