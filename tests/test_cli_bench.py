"""Whole queries timed, stage by stage: the arithmetic by hand, the command with tiny models."""

from __future__ import annotations

import json
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scannlite as sl
from scannlite.cli import generated
from scannlite.cli.budget import Flush, VectorQuery, WholeQuery, time_cold, time_queries
from scannlite.cli.cases import ARTICLE_ROWS, Case, case_of
from scannlite.cli.report import STAGES, Report, Surroundings, Timings
from scannlite.native.folders import users_folder
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


AROUND = Surroundings(
    machine={"cpu": "Cortex-A72", "cores": 4},
    before={"celsius": 50.0},
    after={"celsius": 55.0},
    memory={"peak": 2_000_000},
    index="<an index>",
)


def test_cold_queries_come_after_the_stages_then_what_it_was_measured_on() -> None:
    """A vector has one stage, whose name is its own; cold ones have no first."""
    timings = Timings(np.array([40.0]), np.arange(1.0, 11)[:, None], ("search",))
    cold = np.arange(11.0, 21)
    lines = list(Report("index.npz", "vector", 9, 5, timings, None, cold, AROUND).lines())
    assert [line.split() for line in lines[2:6]] == [
        ["ms", "p50", "p95", "p99", "first"],
        ["search", "5.500", "9.550", "9.910", "40.000"],
        ["cold", "15.500", "19.550", "19.910"],
        [],
    ]
    assert lines[6:] == [
        "<an index>",
        "Cortex-A72, 4 cores",
        "50.0 °C before, 55.0 °C after",
        "2.0 MB at the most",
    ]


def test_all_of_that_is_json() -> None:
    timings = Timings(np.array([40.0]), np.arange(1.0, 11)[:, None], ("search",))
    verdict = timings.judged(9.55, 95)
    assert verdict.passed
    report = Report("index.npz", "vector", 9, 5, timings, verdict, np.ones(3), AROUND)
    facts = json.loads(json.dumps(report.facts()))
    assert facts["ms"] == {"search": {"p50": 5.5, "p95": 9.55, "p99": 9.91, "first": 40.0}}
    assert facts["cold_ms"] == {"p50": 1.0, "p95": 1.0, "p99": 1.0}
    assert facts["machine"] == {"cpu": "Cortex-A72", "cores": 4}
    assert facts["before"]["celsius"] < facts["after"]["celsius"]
    assert facts["memory"] == {"peak": 2_000_000}
    assert facts["versions"]["scannlite"] == sl.__version__


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


def test_caches_are_emptied_before_each_cold_query(ticking: Any) -> None:
    """Which is not part of its time."""
    done: list[str] = []

    def flush() -> None:
        ticking.now += 10**12
        done.append("flush")

    took = time_cold(WholeQuery(ticking, ticking, 2), count(5), flush, 3)
    assert ticking.asked == [5, 6, 7]
    assert done == ["flush"] * 3
    assert took.tolist() == pytest.approx([4321] * 3, abs=1e-3)


@pytest.mark.parametrize(
    ("largest", "read"),
    [(None, 8 << 20), (1 << 20, 8 << 20), (12 << 20, 24 << 20), (99 << 20, 64 << 20)],
)
def test_twice_the_largest_cache_is_read_within_bounds(largest: int | None, read: int) -> None:
    assert Flush(largest)._filler.nbytes == read


def test_a_vector_is_searched_for_and_nothing_else(ticking: Any) -> None:
    assert VectorQuery(ticking, 2).timed(7) == (300_000_000,)


# ---- vectors that are generated ----------------------------------------------------------------


def test_fewer_rows_are_the_first_of_more_and_no_query_is_a_row() -> None:
    few, more = (
        np.concatenate([*generated.chunks(10, 8)]),
        np.concatenate([*generated.chunks(50_010, 8)]),
    )
    assert few.shape == (10, 8)
    assert more.shape == (50_010, 8)
    np.testing.assert_array_equal(few, more[:10])
    asked = generated.queries(5, 8)
    assert asked.shape == (5, 8)
    assert not (asked[:, None] == more[None, :100]).all(axis=2).any()


def test_without_rows_it_is_the_articles_case(tmp_path: Path) -> None:
    """Without rows; kept in the folder that is named, or else in the user's own."""
    assert case_of(None, tmp_path) == Case(ARTICLE_ROWS, tmp_path) == Case(123_287, tmp_path)
    assert case_of(5, None).folder == users_folder()[0]


def test_an_index_is_built_once(run: Run, tmp_path: Path) -> None:
    """With options chosen and tuned for its rows; the vectors do not stay."""
    words = ("bench", "--rows", 3_000, "--keep", tmp_path / "new", "--budget-ms", 1e9)
    code, out, err = run(*words)
    assert code == 0
    assert [line.split()[0] for line in err.splitlines()][:2] == ["generate", "train"]
    assert out.splitlines()[-1].startswith("pass: p95")
    [path] = (tmp_path / "new").iterdir()
    index = sl.Index.load(path)
    assert (len(index), index.dimensions) == (3_000, 128)
    assert index.options.score_ah is not None
    code, out, err = run(*words, "--json")
    assert (code, err) == (0, "")
    facts = json.loads(out)
    assert (facts["searcher"], facts["kind"], facts["queries"]) == (str(path), "vector", 1_000)
    assert list(facts["ms"]) == ["search"]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--rows", 0), "--rows must be from 1, got 0"),
        (("--index", "index.npz"), "--index must be given with a searcher"),
        (("--queries", "lines.txt"), "--queries must be given with a searcher"),
        (("searcher.tflite", "--rows", 5), "--rows must be given without a searcher"),
        (("searcher.tflite", "--keep", "folder"), "--keep must be given without a searcher"),
    ],
)
def test_words_that_do_not_go_together(run: Run, words: tuple[object, ...], named: str) -> None:
    assert_one_sentence(run("bench", *words), named)


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
    assert [line.split()[0] for line in out.splitlines()[6:8]] == ["total", "cold"]
    assert "whole queries" not in out


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
