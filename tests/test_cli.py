"""The shell's way in: what it prints, what it writes, and how it fails."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import scannlite as sl
from scannlite.cli import main
from scannlite.cli.output import Progress

ROOT = Path(__file__).resolve().parents[1]
ROWS = np.random.default_rng(0).standard_normal((300, 8), dtype=np.float32)

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    np.save(tmp_path / "vectors.npy", ROWS)
    return tmp_path / "vectors.npy"


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    np.save(tmp_path / "queries.npy", ROWS[:2])
    return tmp_path / "queries.npy"


@pytest.fixture
def names(tmp_path: Path) -> Path:
    path = tmp_path / "names.txt"
    path.write_text("".join(f"row\u2028 {row}\n" for row in range(len(ROWS))), encoding="utf-8")
    return path


@pytest.fixture
def index(tmp_path: Path) -> Path:
    index = sl.Index.build(ROWS, "squared_l2", metadata=[f"row {row}" for row in range(len(ROWS))])
    index.save(tmp_path / "index.npz")
    return tmp_path / "index.npz"


@pytest.fixture
def run(capsys: Capture) -> Callable[..., tuple[int, str, str]]:
    def run(*words: object) -> tuple[int, str, str]:
        code = main([str(word) for word in words])
        return (code, *capsys.readouterr())

    return run


Run = Callable[..., tuple[int, str, str]]


# ---- build -------------------------------------------------------------------------------------


def test_build_writes_what_the_engine_builds(run: Run, vectors: Path, names: Path) -> None:
    """The same rows, options and seed give the same neighbours from the shell and from Python."""
    path = vectors.with_name("new.npz")
    code, out, err = run(
        *("build", vectors, "-o", path, "--metadata", names, "--distance", "squared_l2"),
        *("--leaves", 12, "--leaves-to-search", 3, "--dimensions-per-block", 2, "--reorder", 30),
        *("--seed", 5),
    )
    options = sl.ScaNNOptions(
        "squared_l2", tree=sl.Tree(12, 3), score_ah=sl.ScoreAH(2), reorder=sl.Reorder(30)
    )
    expected = sl.Index.build(ROWS, options, seed=5)
    loaded = sl.Index.load(path)
    assert code == 0
    assert out.startswith(f"{path}: ")
    assert "Traceback" not in err
    assert options == loaded.options
    assert list(loaded.metadata or ()) == [f"row\u2028 {row}" for row in range(len(ROWS))]
    for ours, theirs in zip(expected.search(ROWS, 5), loaded.search(ROWS, 5), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_build_says_its_facts_as_json(run: Run, vectors: Path) -> None:
    path = vectors.with_name("new.npz")
    code, out, _ = run("build", vectors, "-o", path, "--json", "--distance", "cosine")
    facts = json.loads(out)
    assert code == 0
    assert facts["path"] == str(path)
    assert facts["bytes"] == path.stat().st_size
    assert (facts["rows"], facts["dimensions"], facts["metadata"]) == (300, 8, False)
    assert sl.ScaNNOptions.from_dict(facts["options"]).distance_measure == "cosine"


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("", {"score_brute_force": sl.ScoreBruteForce()}),
        ("--quantize", {"score_brute_force": sl.ScoreBruteForce(quantize=True)}),
        ("--brute-force", {"score_brute_force": sl.ScoreBruteForce()}),
        (
            "--leaves 40",
            {"tree": sl.Tree(40, 4), "score_brute_force": sl.ScoreBruteForce()},
        ),
        (
            "--leaves 4 --brute-force",
            {"tree": sl.Tree(4, 1), "score_brute_force": sl.ScoreBruteForce()},
        ),
        ("--leaves 0 --dimensions-per-block 4", {"score_ah": sl.ScoreAH(4)}),
        ("--threshold 0.2", {"score_ah": sl.ScoreAH(2, 0.2)}),
        ("--threshold 0", {"score_ah": sl.ScoreAH(2)}),
        ("--projection 3", {"score_ah": sl.ScoreAH(2, projection=3)}),
        ("--projection 0 --threshold 0", {"score_ah": sl.ScoreAH(2)}),
        ("--hash-type lut256", {"score_ah": sl.ScoreAH(2, hash_type="lut256")}),
        (
            "--reorder 50 --quantize",
            {"score_ah": sl.ScoreAH(2), "reorder": sl.Reorder(50, quantize=True)},
        ),
        ("--reorder 0", {"score_ah": sl.ScoreAH(2)}),
    ],
)
def test_every_flag_changes_the_options(
    run: Run, vectors: Path, flags: str, expected: dict[str, object]
) -> None:
    path = vectors.with_name("new.npz")
    code, out, _ = run("build", vectors, "-o", path, "--json", *flags.split())
    assert code == 0
    options = sl.ScaNNOptions.from_dict(json.loads(out)["options"])
    assert sl.ScaNNOptions("dot_product", **expected) == options  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--leaves-to-search 3", "--leaves-to-search needs a tree"),
        ("--leaves 0 --leaves-to-search 3", "--leaves-to-search needs a tree"),
        ("--leaves 4 --leaves-to-search 5", "Tree.num_leaves_to_search must be"),
        ("--brute-force --threshold 0.2", "--threshold is about codes"),
        ("--brute-force --hash-type lut16", "--hash-type is about codes"),
        ("--dimensions-per-block 2 --quantize", "--quantize needs --reorder"),
        ("--dimensions-per-block 0", "ScoreAH.dimensions_per_block must be"),
        ("--threshold nan", "anisotropic_quantization_threshold must be"),
        ("--projection 99", "ScoreAH.projection must be from 1 to"),
        ("--projection -1", "ScoreAH.projection must be a whole number from 1"),
    ],
)
def test_a_flag_without_effect_is_refused(run: Run, vectors: Path, flags: str, words: str) -> None:
    path = vectors.with_name("new.npz")
    assert_one_sentence(run("build", vectors, "-o", path, *flags.split()), words)
    assert not path.exists()


def test_what_is_not_given_is_chosen(run: Run, tmp_path: Path) -> None:
    np.save(tmp_path / "many.npy", np.repeat(ROWS, 8, axis=0) + np.arange(8, dtype="f4").sum())
    code, out, _ = run(
        "build",
        tmp_path / "many.npy",
        "-o",
        tmp_path / "new.npz",
        "--leaves-to-search",
        7,
        "--json",
    )
    options = sl.ScaNNOptions.from_dict(json.loads(out)["options"])
    assert code == 0
    assert options.tree == sl.Tree(49, 7)
    assert options.reorder == sl.Reorder(100)


# ---- search ------------------------------------------------------------------------------------


def test_search_prints_a_table_with_metadata(run: Run, index: Path, queries: Path) -> None:
    code, out, err = run("search", index, queries, "-k", 3)
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0].split() == ["query", "rank", "id", "distance", "metadata"]
    assert lines[1].split() == ["0", "1", "0", "0", "row", "0"]
    assert lines[4].split() == ["1", "1", "1", "0", "row", "1"]
    assert len(lines) == 7


def test_search_prints_json_lines(run: Run, index: Path, queries: Path) -> None:
    code, out, _ = run("search", index, queries, "-k", 3, "--json")
    expected = sl.Index.load(index).search(ROWS[:2], 3)
    assert code == 0
    for query, line in enumerate(out.splitlines()):
        facts = json.loads(line)
        assert facts["query"] == query
        assert facts["ids"] == expected.ids[query].tolist()
        assert facts["metadata"] == [f"row {row}" for row in facts["ids"]]
        np.testing.assert_array_equal(np.float32(facts["distances"]), expected.distances[query])


def test_search_takes_one_query_and_leaves_out_what_was_not_found(
    run: Run, index: Path, tmp_path: Path
) -> None:
    np.save(tmp_path / "one.npy", ROWS[0])
    code, out, _ = run("search", index, tmp_path / "one.npy", "-k", 400, "--json")
    facts = json.loads(out)
    assert code == 0
    assert sorted(facts["ids"]) == list(range(300))
    assert len(facts["distances"]) == 300


def test_search_writes_arrays(run: Run, index: Path, queries: Path) -> None:
    path = queries.with_name("found.npz")
    code, out, _ = run("search", index, queries, "-k", 3, "-o", path)
    expected = sl.Index.load(index).search(ROWS[:2], 3)
    assert (code, out) == (0, f"{path}: 3 neighbours of 2 queries\n")
    with np.load(path) as found:
        np.testing.assert_array_equal(found["ids"], expected.ids)
        np.testing.assert_array_equal(found["distances"], expected.distances)


def test_search_knobs_reach_the_engine(
    run: Run, index: Path, queries: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    came = {}
    search = sl.Index.search

    def spy(self: sl.Index, Q: np.ndarray, k: int, **knobs: object) -> sl.Neighbors:
        came.update(knobs, k=k)
        return search(self, Q, k)

    monkeypatch.setattr(sl.Index, "search", spy)
    words = ("-k", 4, "--leaves-to-search", 5, "--reorder", 60, "--threads", 2)
    assert run("search", index, queries, *words)[0] == 0
    assert came == {
        "k": 4,
        "leaves_to_search": 5,
        "pre_reorder_num_neighbors": 60,
        "threads": 2,
    }


# ---- tune --------------------------------------------------------------------------------------


in_place = pytest.mark.skipif(sys.platform == "win32", reason="a loaded index holds its file")


@pytest.fixture
def coded(tmp_path: Path) -> Path:
    """An index with something to turn."""
    options = sl.ScaNNOptions(
        "squared_l2", tree=sl.Tree(12, 1), score_ah=sl.ScoreAH(2), reorder=sl.Reorder(12)
    )
    sl.Index.build(ROWS, options).save(tmp_path / "coded.npz")
    return tmp_path / "coded.npz"


@in_place
def test_tune_keeps_the_settings_in_place(run: Run, coded: Path, queries: Path) -> None:
    expected = sl.Index.load(coded)
    tuned = expected.tune(ROWS[:2], 0.9, k=5)
    words = ("--queries", queries, "--recall", 0.9, "-k", 5)
    code, out, err = run("tune", coded, *words)
    heading, *lines, last = out.splitlines()
    assert code == 0
    assert [line.split(" ... ")[0] for line in err.splitlines()] == ["truth", "tune", "refine"]
    assert heading.split() == ["leaves", "reorder", "recall", "model", "µs"]
    assert [line.split()[:3] for line in lines if line.endswith("<- chosen")] == [
        [
            str(tuned.leaves_to_search),
            str(tuned.pre_reorder_num_neighbors),
            f"{tuned.recall:.4f}",
        ]
    ]
    assert len(lines) == len(tuned.front)
    assert last.startswith(f"{coded}: <scannlite.Index 300 x 8")
    assert sl.Index.load(coded).options == expected.options


def test_tune_writes_another_file_and_json(run: Run, coded: Path) -> None:
    before, path = coded.read_bytes(), coded.with_name("tuned.npz")
    code, out, _ = run("tune", coded, "--out", path, "--recall", 0.8, "--json")
    facts = json.loads(out)
    options = sl.Index.load(path).options
    assert code == 0
    assert coded.read_bytes() == before
    assert (facts["path"], facts["target"], facts["k"], facts["queries"]) == (
        str(path),
        0.8,
        10,
        300,
    )
    assert options.tree == sl.Tree(12, facts["leaves_to_search"])
    assert options.reorder == sl.Reorder(facts["pre_reorder_num_neighbors"])
    assert facts["recall"] in [trial["recall"] for trial in facts["front"]]


def test_tune_takes_the_truth(run: Run, coded: Path, queries: Path, tmp_path: Path) -> None:
    bare = sl.ScaNNOptions("squared_l2", tree=sl.Tree(12, 1), score_ah=sl.ScoreAH(1))
    sl.Index.build(ROWS, bare).save(tmp_path / "bare.npz")
    np.save(tmp_path / "truth.npy", sl.Index.load(coded).search(ROWS[:2], 5).ids)
    words = ("--queries", queries, "--recall", 0.4, "-k", 5, "--out", tmp_path / "out.npz")
    assert_one_sentence(run("tune", tmp_path / "bare.npz", *words), "truth must be given")
    code, out, _ = run("tune", tmp_path / "bare.npz", *words, "--truth", tmp_path / "truth.npy")
    assert code == 0
    assert "<- chosen" in out


@in_place
def test_tune_keeps_metadata_and_has_nothing_to_turn_in_exact_search(run: Run, index: Path) -> None:
    code, out, _ = run("tune", index)
    assert code == 0
    assert out.splitlines()[1].split()[:3] == ["-", "-", "1.0000"]
    assert list(sl.Index.load(index).metadata or ()) == [f"row {row}" for row in range(len(ROWS))]


@in_place
@pytest.mark.filterwarnings("always")
def test_tune_says_when_a_recall_is_out_of_reach(
    run: Run, coded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scannlite.engine.truth.Judge.recall", lambda *_: 0.5)
    code, _, err = run("tune", coded)
    assert code == 0
    assert "scannlite: warning: recall 0.95 is out of reach" in err


def test_tune_refuses_in_one_sentence(
    run: Run, coded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "narrow.npy", ROWS[:, :5])
    before = coded.read_bytes()
    assert_one_sentence(run("tune", coded, "--recall", 1.5), "recall must be above 0")
    assert_one_sentence(run("tune", coded, "-k", 300), "k must be from 1 to 299")
    assert_one_sentence(run("tune", coded, "--queries", tmp_path / "narrow.npy"), "(8,)")
    assert_one_sentence(run("tune", coded, "--out", tmp_path / "none" / "x.npz"), "none")
    monkeypatch.setattr(sys, "platform", "win32")
    assert_one_sentence(run("tune", coded), "--output must be another file on Windows")
    assert coded.read_bytes() == before


# ---- info --------------------------------------------------------------------------------------


def test_info_says_what_is_inside(run: Run, index: Path) -> None:
    code, out, err = run("info", index)
    assert (code, err) == (0, "")
    assert out.startswith(f"{index}: 300 rows of 8 dimensions, with metadata, ")
    assert "squared_l2" in out
    assert "float32" in out


def test_info_says_it_as_json(run: Run, index: Path) -> None:
    code, out, _ = run("info", index, "--json")
    facts = json.loads(out)
    assert code == 0
    assert (facts["rows"], facts["dimensions"], facts["metadata"]) == (300, 8, True)
    assert sl.ScaNNOptions.from_dict(facts["options"]) == sl.Index.load(index).options
    assert 0 < sum(part["bytes"] for part in facts["parts"].values()) < facts["bytes"]


def test_info_needs_no_compiler(index: Path) -> None:
    code = (
        "import sys\nfrom scannlite.cli import main\n"
        f"assert main(['info', {str(index)!r}]) == 0\n"
        "sys.exit('numba' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)  # noqa: S603


# ---- how it fails ------------------------------------------------------------------------------


def assert_one_sentence(came: tuple[int, str, str], words: str) -> None:
    """Code 2, nothing on standard output, and after stages of work one sentence."""
    code, out, err = came
    *stages, sentence = err.splitlines()
    assert (code, out) == (2, "")
    assert all(" ... " in stage for stage in stages)
    assert sentence.startswith("scannlite: ")
    assert sentence.endswith(".")
    assert words in sentence


@pytest.mark.parametrize(
    "words",
    [
        ("build", "missing.npy", "-o", "new.npz"),
        ("search", "missing.npz", "vectors.npy"),
        ("search", "index.npz", "missing.npy"),
        ("info", "missing.npz"),
        ("tune", "missing.npz"),
        ("tune", "index.npz", "--queries", "missing.npy"),
        ("build", "vectors.npy", "-o", "new.npz", "--metadata", "missing.txt"),
        ("build", "vectors.npy", "-o", "missing/new.npz"),
        ("build", ".", "-o", "new.npz"),
    ],
)
def test_a_missing_file_is_one_sentence(
    run: Run, index: Path, vectors: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    assert index.parent == vectors.parent
    monkeypatch.chdir(vectors.parent)
    named = "." if "." in words else "missing"
    assert_one_sentence(run(*words), named)


def test_a_foreign_file_is_one_sentence(run: Run, index: Path, tmp_path: Path) -> None:
    (tmp_path / "text.npy").write_text("not an array")
    (tmp_path / "empty.npy").write_bytes(b"")
    np.save(tmp_path / "objects.npy", np.array([{}], object), allow_pickle=True)
    np.save(tmp_path / "cube.npy", np.zeros((2, 2, 2)))
    new = tmp_path / "new.npz"
    for name in ("text.npy", "empty.npy", "objects.npy", "cube.npy"):
        assert_one_sentence(run("build", tmp_path / name, "-o", new), name)
        assert_one_sentence(run("search", index, tmp_path / name), name)
    assert_one_sentence(run("info", tmp_path / "text.npy"), "text.npy")
    assert_one_sentence(run("search", tmp_path / "cube.npy", tmp_path / "cube.npy"), "cube.npy")


def test_wrong_arrays_and_numbers_are_one_sentence(
    run: Run, index: Path, vectors: Path, queries: Path, tmp_path: Path
) -> None:
    np.save(tmp_path / "narrow.npy", ROWS[:, :5])
    np.save(tmp_path / "nan.npy", np.where(ROWS > 2, np.nan, ROWS))
    (tmp_path / "three.txt").write_text("a\nb\nc\n", encoding="utf-8")
    (tmp_path / "latin.txt").write_bytes(b"\xe9\n")
    new = tmp_path / "new.npz"
    assert_one_sentence(run("search", index, tmp_path / "narrow.npy"), "8")
    assert_one_sentence(run("search", index, queries, "-k", 0), "k must be")
    assert_one_sentence(run("build", tmp_path / "nan.npy", "-o", new), "nan")
    three, latin = tmp_path / "three.txt", tmp_path / "latin.txt"
    assert_one_sentence(run("build", vectors, "-o", new, "--metadata", three), "metadata")
    assert_one_sentence(run("build", vectors, "-o", new, "--metadata", latin), "latin.txt")
    assert not new.exists()


def test_a_wrong_word_is_usage(capsys: Capture) -> None:
    for words in (["build"], ["nonsense"], [], ["search", "a", "b", "-k", "x"]):
        with pytest.raises(SystemExit) as left:
            main(words)
        assert left.value.code == 2
        assert "usage: scannlite" in capsys.readouterr().err


def test_version(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out == f"scannlite {sl.__version__}\n"


def test_ctrl_c_is_130_and_leaves_no_file(
    run: Run, vectors: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sl.Index, "build", interrupted)
    path = vectors.with_name("new.npz")
    assert run("build", vectors, "-o", path) == (130, "", "")
    assert not path.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGPIPE")
def test_a_closed_pipe_is_quiet(index: Path) -> None:
    words = [sys.executable, "-m", "scannlite", "info", str(index)]
    with subprocess.Popen(  # noqa: S603
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 141


def test_a_warning_is_one_line(
    run: Run, vectors: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    build = sl.Index.build

    def warning(*arguments: object, **words: object) -> sl.Index:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("T has no effect.", sl.ScannliteWarning, stacklevel=2)
        return build(*arguments, **words)  # type: ignore[arg-type]

    monkeypatch.setattr(sl.Index, "build", warning)
    code, _, err = run("build", vectors, "-o", vectors.with_name("new.npz"))
    assert code == 0
    assert "scannlite: warning: T has no effect.\n" in err
    assert not recwarn


# ---- progress ----------------------------------------------------------------------------------


def work() -> None:
    with Progress() as progress:
        for stage in ("k-means", "encode"):
            for done in range(4):
                progress(stage, done, 3)


def test_progress_is_one_line_a_stage_without_a_terminal(capsys: Capture) -> None:
    work()
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(" ... ")[0] for line in lines] == ["k-means", "encode"]


def test_progress_is_a_bar_on_a_terminal(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tqdm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    work()
    err = capsys.readouterr().err
    assert "k-means: 100%" in err
    assert "encode: 100%" in err


def test_progress_needs_no_tqdm(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    work()
    assert capsys.readouterr().err.count("\n") == 2


def test_help_comes_with_every_command(capsys: Capture) -> None:
    for command in ("demo", "build", "search", "tune", "info"):
        with pytest.raises(SystemExit) as left:
            main([command, "--help"])
        assert left.value.code == 0
        assert f"usage: scannlite {command}" in capsys.readouterr().out
