"""The bars of the bench from text to image."""

from __future__ import annotations

import pytest

from bench.text_to_image import missed_bars
from scannlite.scenes.evaluate import Score


def scores(*, partial, full):
    """Of seen pairs, and worthless ones of unseen pairs, which no bar is for."""
    seen = [Score("full", False, 4, full, 0.1), Score("object", False, 2, partial, 0.1)]
    return [*seen, Score("full", True, 4, 0.0, 0.1), Score("object", True, 2, 0.0, 0.1)]


def test_all_bars_are_met():
    ways = {"exact": scores(partial=0.92, full=0.62), "index": scores(partial=0.91, full=0.61)}
    assert missed_bars(ways) == []


@pytest.mark.parametrize(
    ("index", "words"),
    [
        ({"partial": 0.89, "full": 0.62}, "partial: the index scores 0.8900, the bar is 0.9"),
        ({"partial": 0.92, "full": 0.59}, "full: the index scores 0.5900, the bar is 0.6"),
    ],
)
def test_what_an_index_finds_may_be_too_little(index, words):
    assert missed_bars({"exact": scores(**index), "index": scores(**index)}) == [words]


def test_an_index_may_lose_too_much():
    ways = {"exact": scores(partial=0.95, full=0.7), "index": scores(partial=0.92, full=0.67)}
    assert missed_bars(ways) == [
        "partial: the index loses 0.0300, the bar is 0.02",
        "full: the index loses 0.0300, the bar is 0.02",
    ]
