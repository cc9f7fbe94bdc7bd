"""Whether a model can be run here at all."""

from __future__ import annotations

import importlib.util

import pytest

__all__ = ["needs_runtime"]

_PACKAGES = ("ai_edge_litert", "tflite_runtime", "tensorflow")
needs_runtime = pytest.mark.skipif(
    not any(importlib.util.find_spec(name) for name in _PACKAGES),
    reason="NO MODEL WAS RUN: neither ai-edge-litert nor tflite-runtime is installed",
)
