"""Tables and pictures from a few lines, and the race itself with this package alone."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import growth, plot, race
from bench.clusters import generated
from bench.contest import contest
from bench.peers import ENTRIES, entered
from bench.report import read, tables


def target(peer: str, microseconds: float | None, **more: Any) -> dict[str, Any]:
    figures = None
    if microseconds is not None:
        figures = {
            "setting": [5, 40],
            "tuned_recall": 0.951,
            "recall": 0.949,
            "microseconds": microseconds,
        }
    return {
        "kind": "target",
        "set": "tiny",
        "n": 1000,
        "d": 8,
        "distance": "cosine",
        "peer": peer,
        "turns": ["leaves", "candidates"],
        "build_seconds": 1.5,
        "first_call_seconds": 0.001,
        "bytes": 2_000_000,
        "peak_bytes": None,
        "target": 0.95,
        "best_tuned_recall": 0.93,
        "single": figures,
        "batch": figures,
        **more,
    }


LINES = [
    {"kind": "about", "cpu": "abacus", "cores": 2, "scann": None},
    target("scannlite", 10.0),
    target("scannlite-fine", 8.0),
    target("scann", 25.0),
    target("hnswlib", 45.0),
    target("usearch", None),
    *(
        {"kind": "front", **{k: v for k, v in target(peer, 1.0).items() if k != "kind"},
         "points": [(0.9, 5.0, 4.0), (0.96, 9.0, 7.0)]}
        for peer in ("scannlite", "scann")
    ),
]  # fmt: skip


def test_the_best_peer_is_compared_with_ours(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in LINES), encoding="utf-8")
    text = tables(read(path))
    assert "| tiny | 0.95 | 10.0 / 25.0 scann | 2.50 | 10.0 / 25.0 scann | 2.50 |" in text
    assert "| 0.95 | scann | leaves 5, candidates 40 | 0.9510 / 0.9490 | 25.0 |" in text
    assert "| 0.95 | usearch | not reached, at most 0.9300 | – | – |" in text
    assert "| hnswlib | 1.50 | 1.00 | 2.0 | – |" in text
    assert text.startswith("cpu abacus, cores 2\n")


def test_without_peers_there_is_no_ratio() -> None:
    assert "| tiny | 0.95 | 10.0 / – none | – |" in tables([target("scannlite", 10.0)])


@pytest.mark.parametrize("name", ["fronts.svg", "fronts.png"])
def test_a_picture_of_the_fronts(tmp_path: Path, name: str) -> None:
    pytest.importorskip("matplotlib")
    plot.draw_fronts(LINES, tmp_path / name)
    assert (tmp_path / name).stat().st_size > 1_000


def test_growth_is_a_table_and_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    lines = [target("scannlite", 10.0), target("scannlite", 30.0, n=50_000), target("scann", None)]
    assert "| 50,000 | 30.0 | – |" in growth.table(lines)
    growth.draw_growth(lines, tmp_path / "growth.svg")
    assert "<svg" in (tmp_path / "growth.svg").read_text(encoding="utf-8")


def test_a_missing_library_is_said_aloud(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = ENTRIES["scann"]._replace(library="no_such_library")
    monkeypatch.setitem(ENTRIES, "scann", nowhere)
    assert [peer.name for peer in entered(["scann", "scannlite"], "cosine")] == ["scannlite"]
    assert "scann: no_such_library is not installed, skipped" in capsys.readouterr().err


def test_a_recall_below_its_floor_is_named() -> None:
    assert race.failures([target("scannlite", 10.0)]) == []
    assert race.failures([target("scann", 25.0)]) == ["scannlite was not in the race"]
    assert race.failures([target("scannlite", None)]) == [
        "tiny: recall 0.0000 single, wanted 0.95",
        "tiny: recall 0.0000 batch, wanted 0.95",
    ]


def test_this_package_alone_reaches_its_targets() -> None:
    problem = generated(3_000, 16, "squared_l2", queries=60)
    lines = list(contest(problem, ["scannlite"], targets=(0.9,), rounds=1))
    assert [line["kind"] for line in lines] == ["target", "front"]
    assert race.failures(lines) == []
    assert "scannlite" in tables(lines)


def test_the_tuner_may_choose_in_place_of_the_clock() -> None:
    problem = generated(3_000, 16, "cosine", queries=60)
    line = next(contest(problem, ["scannlite-tuned"], targets=(0.9,), rounds=1))
    assert line["single"]["setting"] == line["batch"]["setting"]
    assert line["single"]["tuned_recall"] >= 0.9


def test_the_command_writes_lines_and_prints_tables(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "results.jsonl"
    words = ["race", "--generate", "500x8", "--queries", "20", "--rounds", "1"]
    monkeypatch.setattr(sys, "argv", [*words, "--peers", "scannlite", "--out", str(out)])
    assert race.main() == 0
    assert [line["kind"] for line in read(out)] == ["about", "target", "target", "target", "front"]
    assert "### generated-500x8-squared_l2: 500 x 8, squared_l2" in capsys.readouterr().out
