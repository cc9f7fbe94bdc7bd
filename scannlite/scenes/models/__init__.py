"""The two towers that ship, and ``made.json``, which says how they were made."""

from __future__ import annotations

from pathlib import Path

__all__ = ["IMAGE_TOWER", "TEXT_TOWER"]

IMAGE_TOWER = Path(__file__).with_name("image.tflite")
TEXT_TOWER = Path(__file__).with_name("text.tflite")
