"""Task Library's names: ``from scannlite.task import text`` in place of ``tflite_support.task``.

``text``, ``vision`` and ``audio`` have the searchers and embedders, ``core`` and ``processor`` the
options and results they share. ``docs/coming-from-task-library.md`` says what differs.
"""

from __future__ import annotations

from scannlite.task import audio, core, processor, text, vision

__all__ = ["audio", "core", "processor", "text", "vision"]
