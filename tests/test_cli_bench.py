"""Whole queries timed, stage by stage: the arithmetic by hand, the command with tiny models."""

from __future__ import annotations

import json
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scannlite as sl
from scannlite.cli.budget import STAGES, Report, Timings, WholeQuery, time_queries
from scannlite.types import Neighbors
from tests.embedders import tiny_models as models
from tests.embedders.runtimes import needs_runtime
from tests.test_cli import Run, assert_one_sentence, run
from tests.test_cli_embedders import picture, sound, written

__all__ = ["run"]  # a fixture

TEN = np.arange(1, 11)
# Ten queries: 1 to 10 ms to prepare, 100 in the model, 10 to 100 in the search.
TIMINGS = Timings(
    first=np.array([1.0, 2.0, 400.0, 403.0]),
    others=np.stack([TEN, np.full(10, 100), 10 * TEN, 100 + 11 * TEN], axis=1).astype(np.float64),
)


# ---- the arithmetic ----------------------------------------------------------------------------


def test_percentiles_lie_between_their_neighbours() -> None:
    """Of 1 to 10 the half is at 5.5, and 95 in a hundred at 1 + 9 · 0.95."""
    stages = TIMINGS.by_stage()
    assert tuple(stages) == STAGES
    assert stages["prepare"] == {"p50": 5.5, "p95": 9.55, "p99": 9.91, "first": 1.0}
    assert stages["model"] == {"p50": 100.0, "p95": 100.0, "p99": 100.0, "first": 2.0}
    assert stages["search"] == {"p50": 55.0, "p95": 95.5, "p99": 99.1, "first": 400.0}
    assert stages["total"] == {"p50": 160.5, "p95": 205.05, "p99": 209.01, "first": 403.0}


@pytest.mark.parametrize(
    ("budget", "percentile", "passed"),
    [(160.5, 50, True), (160.4, 50, False), (210, 100, True), (209.9, 100, False), (111, 0, True)],
)
def test_what_takes_all_of_the_budget_is_within(
    budget: float, percentile: float, passed: bool
) -> None:
    assert TIMINGS.judged(budget, percentile).passed == passed


def test_the_verdict_says_which_percentile() -> None:
    assert str(TIMINGS.judged(6, 95)) == (
        "FAIL: p95 of whole queries is 205.050 ms, the budget is 6 ms"
    )
    assert str(TIMINGS.judged(250.5, 99.9)).startswith("pass: p99.9 of whole queries is 209.9")


def report(kind: Any, budget: float | None = None) -> Report:
    verdict = None if budget is None else TIMINGS.judged(budget, 95)
    return Report("searcher.tflite", kind, 25_014, 5, TIMINGS, verdict)


def test_a_report_is_a_table() -> None:
    heading, blank, columns, *stages, gap, verdict = report("text", 6).lines()
    assert heading == (
        "searcher.tflite: 10 text queries in one thread, 5 neighbours each of 25,014 rows"
    )
    assert columns.split() == ["ms", "p50", "p95", "p99", "first"]
    assert [line.split()[0] for line in stages] == ["tokenise", "model", "search", "total"]
    assert stages[3].split()[1:] == ["160.500", "205.050", "209.010", "403.000"]
    assert (blank, gap, verdict[:5]) == ("", "", "FAIL:")


def test_only_texts_are_tokenised_and_only_a_budget_is_judged() -> None:
    lines = list(report("image").lines())
    assert lines[3].split()[0] == "prepare"
    assert lines[-1].split()[0] == "total"


def test_a_report_is_json() -> None:
    facts = json.loads(json.dumps(report("text", 6).facts()))
    assert facts["ms"] == TIMINGS.by_stage()
    assert (facts["queries"], facts["threads"], facts["k"]) == (10, 1, 5)
    assert facts["budget"] == {
        "percentile": 95,
        "took_ms": pytest.approx(205.05),
        "budget_ms": 6,
        "passed": False,
    }
    assert report("text").facts()["budget"] is None


# ---- the clock ---------------------------------------------------------------------------------


class Ticking:
    """Stands in for the clock, an embedder and an index: each stage takes as long as it says."""

    def __init__(self) -> None:
        self.now = 0
        self.asked: list[int] = []
        self.metadata: Any = self

    def perf_counter_ns(self) -> int:
        return self.now

    def perf_counter(self) -> float:
        return self.now / 1e9

    def prepare(self, item: int) -> int:
        self.asked.append(item)
        self.now += 1_000_000
        return item

    def run(self, item: int) -> int:
        self.now += 20_000_000 + item
        return item

    def search(self, item: int, k: int) -> Neighbors:
        self.now += 300_000_000
        return Neighbors(np.zeros(k, np.float32), np.array([item, -1][:k]))

    def __getitem__(self, row: int) -> bytes:
        assert row >= 0
        self.now += 4_000_000_000
        return b""


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> Any:
    ticking = Ticking()
    monkeypatch.setattr("scannlite.cli.budget.time", ticking)
    return ticking


def test_stages_add_up_and_metadata_are_part_of_the_search(ticking: Any) -> None:
    found = WholeQuery(ticking, ticking, 2).timed(7)
    assert found == (1_000_000, 20_000_007, 4_300_000_000, 4_321_000_007)


def test_the_first_query_is_apart_and_the_next_ones_warm_up(ticking: Any) -> None:
    """Number 0 is the first, 1 to 20 are not timed, then as many as are wanted."""
    found = time_queries(WholeQuery(ticking, ticking, 2), count(), most=3)
    assert ticking.asked == list(range(24))
    assert found.first.tolist() == pytest.approx([1, 20, 4300, 4321])
    assert found.others.shape == (3, 4)
    assert (found.others[:, 1] - 20).tolist() == pytest.approx([21e-6, 22e-6, 23e-6])


def test_time_that_is_up_ends_it_after_one_query_at_least(ticking: Any) -> None:
    ticking.metadata = None
    found = time_queries(WholeQuery(ticking, ticking, 2), count(), seconds=1)
    assert len(found.others) == 4  # of 0.321 s each
    found = time_queries(WholeQuery(ticking, ticking, 2), count(), seconds=1e-9)
    assert len(found.others) == 1


# ---- the command -------------------------------------------------------------------------------

WORDS = models.word_list(40)
ROWS = np.random.default_rng(0).standard_normal((len(WORDS), 8), dtype=np.float32)


@pytest.fixture
def searcher(tmp_path: Path) -> Path:
    """Of texts, with the texts for metadata."""
    return searcher_of(tmp_path, models.regex_model(ROWS), ROWS, WORDS)


def searcher_of(
    folder: Path, model: bytes, rows: np.ndarray, metadata: list[str] | None = None
) -> Path:
    pytest.importorskip("google_crc32c", reason="needs the extra 'device'")
    embedder, path = written(folder / "embedder.tflite", model), folder / "searcher.tflite"
    index = sl.Index.build(rows, sl.options_for(rows, "squared_l2").for_device(), metadata=metadata)
    index.save(path, embedder=embedder)
    return path


def facts_of(came: tuple[int, str, str]) -> Any:
    code, out, err = came
    assert (code, err) == (0, "")
    return json.loads(out)


@needs_runtime
def test_a_budget_is_an_exit_code(run: Run, searcher: Path) -> None:
    """0 within it, 1 beyond, and 0 without one."""
    code, out, err = run("bench", searcher, "--budget-ms", 1e9, "--repeat", 1)
    assert (code, err) == (0, "")
    assert out.splitlines()[-1].startswith("pass: p95 of whole queries is ")
    code, out, _ = run("bench", searcher, "--budget-ms", 1e-9, "--percentile", 50, "--repeat", 1)
    assert code == 1
    assert out.splitlines()[-1].startswith("FAIL: p50 of whole queries is ")
    code, out, _ = run("bench", searcher, "--repeat", 1)
    assert code == 0
    assert out.splitlines()[-1].split()[0] == "total"


@needs_runtime
def test_json_has_every_stage(run: Run, searcher: Path) -> None:
    facts = facts_of(run("bench", searcher, "--repeat", 2, "--json", "-k", 3))
    assert (facts["searcher"], facts["kind"], facts["rows"]) == (str(searcher), "text", 40)
    assert (facts["queries"], facts["k"], facts["budget"]) == (80, 3, None)
    assert tuple(facts["ms"]) == STAGES
    for took in facts["ms"].values():
        assert 0 < took["p50"] <= took["p95"] <= took["p99"]
    assert facts["ms"]["total"]["first"] > facts["ms"]["model"]["first"]


@needs_runtime
@pytest.mark.parametrize(
    ("words", "queries"), [((), 1_000), (("--seconds", 1e-9), 1), (("--repeat", 3), 120)]
)
def test_how_many_are_asked(
    run: Run, searcher: Path, words: tuple[object, ...], queries: int
) -> None:
    """A thousand, unless the shell says how often each, or for how long."""
    assert facts_of(run("bench", searcher, "--json", *words))["queries"] == queries


@needs_runtime
def test_sentences_of_a_file(run: Run, searcher: Path, tmp_path: Path) -> None:
    lines = written(tmp_path / "lines.txt", b"p1\n\np2\n")
    words = ("--queries", lines, "--repeat", 2, "--json")
    assert facts_of(run("bench", searcher, *words))["queries"] == 4


@needs_runtime
def test_an_index_apart_lends_its_metadata(run: Run, tmp_path: Path) -> None:
    embedder = written(tmp_path / "embedder.tflite", models.regex_model(ROWS))
    sl.Index.build(ROWS[:3], metadata=["p1", b"\xff", ""]).save(tmp_path / "index.npz")
    words = ("--index", tmp_path / "index.npz", "--l2-normalize", "--repeat", 1, "--json")
    assert facts_of(run("bench", embedder, *words))["queries"] == 2
    sl.Index.build(ROWS[:3]).save(tmp_path / "index.npz")
    assert_one_sentence(run("bench", embedder, *words), "must hold at least one query, got none")


@needs_runtime
def test_a_thousand_sentences_from_all_over(run: Run, tmp_path: Path) -> None:
    rows = np.resize(ROWS, (2_500, 8))
    path = searcher_of(tmp_path, models.regex_model(ROWS), rows, WORDS * 62 + WORDS[:20])
    assert facts_of(run("bench", path, "--repeat", 1, "--json"))["queries"] == 1_000


@needs_runtime
def test_pictures_of_noise_or_of_a_folder(run: Run, tmp_path: Path) -> None:
    """Noise where none are given; .dat files are metadata, no pictures."""
    pytest.importorskip("PIL", reason="needs the extra 'vision'")
    path = searcher_of(tmp_path, models.image_model(2, 2), np.eye(12))
    facts = facts_of(run("bench", path, "--repeat", 1, "--json"))
    assert (facts["kind"], facts["queries"]) == ("image", 8)
    folder = tmp_path / "pictures"
    one = written(folder / "one.png", picture((1, 2, 3)))
    written(folder / "one.dat", b"one")
    written(folder / "two.png", picture((3, 2, 1)))
    for queries, number in ((folder, 2), (one, 1)):
        words = ("--queries", queries, "--repeat", 1, "--json")
        assert facts_of(run("bench", path, *words))["queries"] == number


@needs_runtime
def test_sounds_of_noise_or_of_a_file(run: Run, tmp_path: Path) -> None:
    path = searcher_of(tmp_path, models.audio_model(8), np.eye(8))
    facts = facts_of(run("bench", path, "--repeat", 1, "--json"))
    assert (facts["kind"], facts["queries"]) == ("audio", 8)
    file = written(tmp_path / "sound.wav", sound([0.5] * 8))
    words = ("--queries", file, "--repeat", 2, "--json")
    assert facts_of(run("bench", path, *words))["queries"] == 2


@needs_runtime
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--budget-ms", 0), "--budget-ms must be above 0, got 0.0"),
        (("--budget-ms", "nan"), "--budget-ms must be above 0, got nan"),
        (("--repeat", -1), "--repeat must be above 0"),
        (("--seconds", 0), "--seconds must be above 0"),
        (("--percentile", 101), "--percentile must be from 0 to 100, got 101"),
        (("--queries", "missing.txt"), "missing.txt"),
        (("-k", 0), "k must be"),
    ],
)
def test_wrong_words_are_one_sentence(
    run: Run, searcher: Path, words: tuple[object, ...], said: str
) -> None:
    assert_one_sentence(run("bench", searcher, *words), said)


def test_either_how_often_or_how_long(run: Run) -> None:
    with pytest.raises(SystemExit) as left:
        run("bench", "searcher.tflite", "--repeat", 1, "--seconds", 1)
    assert left.value.code == 2


def test_items_are_asked_for_one_at_a_time() -> None:
    """Pictures are decoded when their turn has come, so that they need not fit into memory."""
    ticking, drawn = Ticking(), []

    def items() -> Any:
        for item in islice(count(), 30):
            drawn.append(item)
            yield item

    time_queries(WholeQuery(ticking, ticking, 1), items(), most=2)  # type: ignore[arg-type]
    assert drawn == ticking.asked
