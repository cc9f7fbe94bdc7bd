"""Models from the shell: texts, pictures and sounds indexed and asked for, and what is refused."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scannlite as sl
from scannlite.cli import main
from scannlite.searcher import TextDataLoader
from tests.embedders import tiny_models as models
from tests.embedders.runtimes import needs_runtime
from tests.test_cli import Run, assert_one_sentence, run

__all__ = ["run"]  # a fixture

pytest.importorskip("google.protobuf", reason="needs the extra 'device'")
pytest.importorskip("google_crc32c", reason="needs the extra 'device'")

pytestmark = needs_runtime

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
BURGER = SHARED / "golden" / "upstream" / "burger.jpg"
needs_shared = pytest.mark.skipif(not BURGER.exists(), reason=f"NO REAL MODELS AT {SHARED}")

ROWS = np.random.default_rng(0).standard_normal((40, 8), dtype=np.float32)
WORDS = models.word_list(len(ROWS))  # p0, p1 and so on: the text p7 is embedded as row 7
NEAR = ("--distance", "squared_l2")


@pytest.fixture
def embedder(tmp_path: Path) -> Path:
    path = tmp_path / "embedder.tflite"
    path.write_bytes(models.regex_model(ROWS))
    return path


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "texts.csv"
    path.write_text("text,name\n" + "".join(f"{word},the {word}\n" for word in WORDS))
    return path


@pytest.fixture
def searcher(run: Run, csv: Path, embedder: Path, tmp_path: Path) -> Path:
    path = tmp_path / "searcher.tflite"
    words = ("--metadata-column", "name", *NEAR)
    assert run("index-text", csv, "--embedder", embedder, "-o", path, *words)[0] == 0
    return path


def written(path: Path, content: bytes) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


# ---- index-text --------------------------------------------------------------------------------


def test_a_text_finds_itself(run: Run, searcher: Path) -> None:
    """Indexed and asked for through one file, at a distance of nothing."""
    code, out, err = run("query", searcher, "p7", "p3", "-k", 2)
    heading, *lines = out.splitlines()
    assert (code, err) == (0, "")
    assert heading.split() == ["query", "rank", "id", "distance", "metadata"]
    assert [line.split()[:2] for line in lines] == [["0", "1"], ["0", "2"], ["1", "1"], ["1", "2"]]
    assert [lines[0].split()[4:], lines[2].split()[4:]] == [["the", "p7"], ["the", "p3"]]
    assert abs(float(lines[0].split()[3])) < 1e-5


def test_the_shell_builds_what_python_does(
    searcher: Path, csv: Path, embedder: Path, tmp_path: Path
) -> None:
    """The same bytes, from ``TextDataLoader`` and ``Index``."""
    loader = TextDataLoader.create(embedder)
    loader.load_from_csv(csv, "text", "name", progress=None)
    options = sl.ScaNNOptions("squared_l2", score_brute_force=sl.ScoreBruteForce()).for_device()
    index = sl.Index.build(loader.dataset, options, metadata=loader.metadata)
    index.save(tmp_path / "other.tflite", embedder=embedder)
    assert (tmp_path / "other.tflite").read_bytes() == searcher.read_bytes()


@pytest.mark.parametrize("name", ["index.ldb", "index.npz"])
def test_an_index_apart_from_its_model(
    run: Run, csv: Path, embedder: Path, tmp_path: Path, name: str
) -> None:
    index = tmp_path / name
    code, out, _ = run("index-text", csv, "--embedder", embedder, "-o", index, *NEAR)
    assert code == 0
    assert out.startswith(f"{index}: <scannlite.Index 40 x 8, squared_l2")
    code, out, _ = run("query", embedder, "--index", index, "p7", "-k", 1, "--json")
    assert json.loads(out)["metadata"] == ["p7"]


def test_json_says_what_was_written(run: Run, csv: Path, embedder: Path, tmp_path: Path) -> None:
    path = tmp_path / "index.ldb"
    words = ("--userinfo", "mine", "--json")
    code, out, _ = run("index-text", csv, "--embedder", embedder, "-o", path, *words)
    facts = json.loads(out)
    assert (code, facts["rows"], facts["dimensions"]) == (0, 40, 8)
    assert (facts["userinfo"], facts["skipped"]) == ("mine", [])


@pytest.mark.parametrize("suffix", [".json", ".JSONL"])
def test_objects_are_rows_too(
    run: Run, searcher: Path, embedder: Path, tmp_path: Path, suffix: str
) -> None:
    """A list of objects, or an object a line, gives the bytes that the CSV file gave."""
    objects = [{"text": word, "name": f"the {word}"} for word in WORDS]
    lines = "\n\n".join(map(json.dumps, objects))
    text = json.dumps(objects) if suffix == ".json" else lines
    path = written(tmp_path / f"texts{suffix}", text.encode())
    other = tmp_path / "other.tflite"
    words = ("--metadata-column", "name", *NEAR)
    assert run("index-text", path, "--embedder", embedder, "-o", other, *words)[0] == 0
    assert other.read_bytes() == searcher.read_bytes()


def test_metadata_that_is_no_text_is_kept_as_json(run: Run, embedder: Path, tmp_path: Path) -> None:
    objects = [{"text": "p1", "is": 17}, {"text": "p2", "is": {"ä": None}}]
    path = written(tmp_path / "texts.json", json.dumps(objects).encode())
    index = tmp_path / "index.npz"
    words = ("--metadata-column", "is")
    assert run("index-text", path, "--embedder", embedder, "-o", index, *words)[0] == 0
    assert list(sl.Index.load(index).metadata or ()) == ["17", '{"ä": null}']


def test_csv_files_of_other_manners(run: Run, embedder: Path, tmp_path: Path) -> None:
    path = written(tmp_path / "texts.csv", "titre;réponse\np1;naïve\n".encode("latin-1"))
    index = tmp_path / "index.npz"
    words = ("--delimiter", ";", "--encoding", "latin-1")
    names = ("--text-column", "titre", "--metadata-column", "réponse")
    assert run("index-text", path, "--embedder", embedder, "-o", index, *words, *names)[0] == 0
    assert list(sl.Index.load(index).metadata or ()) == ["naïve"]


def test_embeddings_of_length_1_on_both_sides(
    run: Run, csv: Path, embedder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "searcher.tflite"
    words = ("--l2-normalize", "--brute-force")
    assert run("index-text", csv, "--embedder", embedder, "-o", path, *words)[0] == 0
    _, out, _ = run("query", path, "p7", "-k", 1, "--l2-normalize", "--json")
    assert json.loads(out)["distances"] == pytest.approx([-1])


def test_a_checkpoint_is_kept_and_used(
    run: Run, csv: Path, embedder: Path, searcher: Path, tmp_path: Path
) -> None:
    """A second run with it adds nothing to it, and writes the same file."""
    kept, path = tmp_path / "kept", tmp_path / "other.tflite"
    words = ("--checkpoint", kept, "--metadata-column", "name", *NEAR)
    sizes = []
    for _ in range(2):
        assert run("index-text", csv, "--embedder", embedder, "-o", path, *words)[0] == 0
        sizes.append(kept.stat().st_size)
        assert path.read_bytes() == searcher.read_bytes()
    assert sizes[0] == sizes[1] > 40 * 8 * 4


# ---- what is skipped ---------------------------------------------------------------------------


@pytest.mark.filterwarnings("always")
def test_rows_that_are_no_text_are_skipped_and_told_of(
    run: Run, embedder: Path, tmp_path: Path
) -> None:
    path = written(tmp_path / "texts.csv", b"text\np1\n\xff\np2\n")
    index = tmp_path / "index.npz"
    code, out, err = run("index-text", path, "--embedder", embedder, "-o", index, "--json")
    assert code == 0
    assert f"scannlite: warning: {path}: 1 of 3 were skipped, the first {path}, line 3: " in err
    assert [item["name"] for item in json.loads(out)["skipped"]] == [f"{path}, line 3"]
    assert list(sl.Index.load(index).metadata or ()) == ["p1", "p2"]


@pytest.mark.filterwarnings("always")
def test_objects_without_text_are_skipped_and_told_of(
    run: Run, embedder: Path, tmp_path: Path
) -> None:
    values = [{"text": "p1"}, {"texts": "p2"}, {"text": 3}, "p4", {"text": "\ud800"}, {}]
    path = written(tmp_path / "texts.json", json.dumps(values).encode())
    words = ("-o", tmp_path / "index.npz", "--json")
    code, out, err = run("index-text", path, "--embedder", embedder, *words)
    skipped = json.loads(out)["skipped"]
    assert code == 0
    assert "5 of 6 were skipped" in err
    assert [item["name"] for item in skipped] == [f"{path}, object {i}" for i in range(2, 7)]
    assert [item["reason"] for item in skipped] == [
        "it must have 'text', got only 'texts'.",
        "its 'text' must be text, got int.",
        "it must be an object, got str.",
        "it must hold whole characters, got half of a surrogate pair.",
        "it must have 'text', got only nothing.",
    ]


# ---- pictures and sounds -----------------------------------------------------------------------


def picture(color: Any, mode: str = "RGB") -> bytes:
    image = pytest.importorskip("PIL.Image", reason="needs the extra 'vision'")
    out = io.BytesIO()
    image.new(mode, (2, 2), color).save(out, "PNG")
    return out.getvalue()


def sound(samples: Any) -> bytes:
    pytest.importorskip("soundfile", reason="needs the extra 'audio'")
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes((32767 * np.asarray(samples)).astype("<i2").tobytes())
    return out.getvalue()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two pictures of one colour each, a grey one, one that is damaged, and metadata."""
    folder = tmp_path / "pictures"
    written(folder / "blue.png", picture((0, 0, 255)))
    written(folder / "blue.dat", b"the sea \xff")
    written(folder / "red.png", picture((255, 0, 0)))
    written(folder / "red.dat", b"a rose\n")
    written(folder / "grey.png", picture(128, "L"))
    written(folder / "grey.dat", b"fog")
    written(folder / "torn.png", picture((1, 2, 3))[:-30])
    written(folder / "torn.dat", b"paper")
    return folder


@pytest.mark.filterwarnings("always")
def test_a_picture_finds_its_like(run: Run, pictures: Path, tmp_path: Path) -> None:
    """What is grey or damaged is skipped, the rest is found by the path of a picture."""
    embedder = written(tmp_path / "embedder.tflite", models.image_model(2, 2))
    path = tmp_path / "searcher.tflite"
    words = ("--embedder", embedder, "-o", path, *NEAR)
    code, _, err = run("index-images", pictures, *words)
    assert code == 0
    assert f"{pictures}: 2 of 4 were skipped, the first {pictures / 'grey.png'}: " in err
    _, out, _ = run("query", path, pictures / "red.png", "-k", 2, "--json")
    facts = json.loads(out)
    assert (facts["query"], facts["metadata"]) == (str(pictures / "red.png"), ["red", "blue"])


@pytest.mark.filterwarnings("always")
def test_metadata_of_a_file_beside_the_picture_may_be_anything(
    run: Run, pictures: Path, tmp_path: Path
) -> None:
    """Bytes that are no UTF-8, and ends of lines, are shown escaped: a line stays a line."""
    embedder = written(tmp_path / "embedder.tflite", models.image_model(2, 2))
    path = tmp_path / "searcher.tflite"
    words = ("--embedder", embedder, "-o", path, "--metadata", "dat", *NEAR)
    assert run("index-images", pictures, *words)[0] == 0
    assert b"the sea \xff" in list(sl.Index.load(path).metadata or ())
    _, out, _ = run("query", path, pictures / "red.png")
    _, red, blue = out.splitlines()
    assert red.endswith("  a rose\\n")
    assert blue.endswith("  the sea \\xff")


@pytest.mark.filterwarnings("always")
def test_a_sound_finds_its_like(run: Run, tmp_path: Path) -> None:
    """One without samples is skipped."""
    folder = tmp_path / "sounds"
    loud = written(folder / "loud.wav", sound([0.9] * 8))
    written(folder / "low.wav", sound([0.1] * 8))
    written(folder / "none.wav", sound([]))
    embedder = written(tmp_path / "embedder.tflite", models.audio_model(8))
    path = tmp_path / "searcher.tflite"
    code, _, err = run("index-audio", folder, "--embedder", embedder, "-o", path, *NEAR)
    assert code == 0
    assert f"1 of 3 were skipped, the first {folder / 'none.wav'}: " in err
    _, out, _ = run("query", path, loud, "--json")
    assert json.loads(out)["metadata"] == ["loud", "low"]


# ---- query -------------------------------------------------------------------------------------


def test_queries_from_a_pipe(run: Run, searcher: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line each, those that are blank passed over, whatever the ends of lines."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"p5\r\n\np6")))
    code, out, _ = run("query", searcher, "-", "-k", 1, "--json")
    facts = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [fact["query"] for fact in facts] == ["p5", "p6"]
    assert [fact["metadata"] for fact in facts] == [["the p5"], ["the p6"]]


@pytest.mark.parametrize(("piped", "words"), [(b" \n", "got none"), (b"\xff", "UTF-8")])
def test_a_pipe_without_queries_is_refused(
    run: Run, searcher: Path, monkeypatch: pytest.MonkeyPatch, piped: bytes, words: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(piped)))
    assert_one_sentence(run("query", searcher, "-"), words)


def test_options_may_stand_before_the_query(run: Run, searcher: Path) -> None:
    assert run("query", searcher, "-k", 1, "p5") == run("query", searcher, "p5", "-k", 1)


def test_more_neighbours_than_there_are(run: Run, searcher: Path) -> None:
    _, out, _ = run("query", searcher, "p5", "-k", 400, "--json")
    assert sorted(json.loads(out)["ids"]) == list(range(40))


# ---- how it fails ------------------------------------------------------------------------------

OTHERS: dict[str, Callable[[], bytes]] = {
    "no model": lambda: b"not a model",
    "two inputs": lambda: models.two_inputs_model(8, dtype="int32"),
    "no inputs": lambda: models.no_inputs_model(8),
    "no metadata": lambda: models.regex_model(ROWS, metadata=False),
    "unknown operator": models.custom_op_model,
    "pictures": lambda: models.image_model(2, 2),
}


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("name", ["index.ldb", "searcher.tflite"])
def test_a_wrong_model_is_one_sentence(
    run: Run, csv: Path, tmp_path: Path, kind: str, name: str
) -> None:
    """Before the work, and nothing is written."""
    other = written(tmp_path / "other.tflite", OTHERS[kind]())
    found = run("index-text", csv, "--embedder", other, "-o", tmp_path / name)
    assert_one_sentence(found, "other.tflite")
    assert "embed ..." not in found[2]
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize(
    ("content", "flags", "words"),
    [
        (b"", [], "must be a CSV file with a header"),
        (b"text\n", [], "must hold something to embed"),
        (b"name\np1\n", [], "text_column must be one of the columns 'name', got 'text'"),
        (b"text\np1\n", ["--metadata-column", "no"], "metadata_column must be one of"),
        (b"text\np1\n", ["--delimiter", "ab"], "delimiter and quotechar must be one character"),
        (b"text\np1\n", ["--encoding", "no"], "encoding must be one"),
        (b"text\n\xff\n", [], "got only what was skipped"),
        (b"text\np1\n", ["--reorder", "50"], "what phones read cannot hold it"),
        (b"text\np1\n", ["--leaves", "0", "--leaves-to-search", "3"], "needs a tree"),
        (b"text\np1\n", ["--threads", "0"], "threads must be"),
        (b"text\np1\n", ["--checkpoint", "none/kept"], "none"),
    ],
)
def test_wrong_texts_and_flags_are_one_sentence(
    run: Run, embedder: Path, tmp_path: Path, *, content: bytes, flags: list[str], words: str
) -> None:
    """Before the work, and nothing is written."""
    path, index = written(tmp_path / "texts.csv", content), tmp_path / "index.ldb"
    found = run("index-text", path, "--embedder", embedder, "-o", index, *flags)
    assert_one_sentence(found, words)
    assert "embed ..." not in found[2]
    assert not index.exists()


@pytest.mark.parametrize(
    ("name", "content", "flags", "words"),
    [
        ("texts.json", "{}", [], "must hold a list of objects, got dict"),
        ("texts.json", "[", [], "must be JSON"),
        ("texts.json", "[]", [], "must hold something to embed, got nothing"),
        ("texts.json", '[{"a": "p1"}]', [], "got only what was skipped"),
        ("texts.jsonl", '{"text": "p1"}\n{', [], "line 2 must be JSON"),
        ("texts.json", "[]", ["--delimiter", ";"], "--delimiter is for CSV files"),
        ("texts.jsonl", "", ["--encoding", "utf-8"], "--encoding is for CSV files"),
    ],
)
def test_wrong_objects_are_one_sentence(
    run: Run,
    embedder: Path,
    tmp_path: Path,
    *,
    name: str,
    content: str,
    flags: list[str],
    words: str,
) -> None:
    path, index = written(tmp_path / name, content.encode()), tmp_path / "index.ldb"
    assert_one_sentence(run("index-text", path, "--embedder", embedder, "-o", index, *flags), words)
    assert not index.exists()


@pytest.mark.parametrize("command", ["index-text", "index-images", "index-audio"])
def test_missing_files_and_folders_are_one_sentence(
    run: Run, command: str, csv: Path, embedder: Path, tmp_path: Path
) -> None:
    made = {
        "index-text": lambda: models.regex_model(ROWS),
        "index-images": lambda: models.image_model(2, 2),
        "index-audio": lambda: models.audio_model(8),
    }
    embedder.write_bytes(made[command]())
    index = tmp_path / "index.ldb"
    for given, model, out in (
        (tmp_path / "missing", embedder, index),
        (csv.parent, tmp_path / "missing.tflite", index),
        (csv.parent, embedder, tmp_path / "missing" / "index.ldb"),
    ):
        assert_one_sentence(run(command, given, "--embedder", model, "-o", out), "missing")
    assert not index.exists()


def test_a_folder_without_pictures_is_one_sentence(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    embedder = written(tmp_path / "embedder.tflite", models.image_model(2, 2))
    words = (folder, "--embedder", embedder, "-o", tmp_path / "index.ldb")
    assert_one_sentence(run("index-images", *words), "must hold something to embed")
    written(folder / "text.png", b"no picture")
    assert_one_sentence(run("index-images", *words), "text.png")
    assert not (tmp_path / "index.ldb").exists()


def test_an_index_of_other_dimensions_is_one_sentence(
    run: Run, searcher: Path, tmp_path: Path
) -> None:
    """When asked, and, for vectors of a file, before a build."""
    narrow = written(tmp_path / "narrow.tflite", models.regex_model(ROWS[:, :5]))
    assert_one_sentence(run("query", narrow, "--index", searcher, "p1"), "same dimensions")
    np.save(tmp_path / "vectors.npy", ROWS)
    out = tmp_path / "new.tflite"
    found = run("build", tmp_path / "vectors.npy", "-o", out, "--embedder", narrow)
    assert_one_sentence(found, "8 dimensions")
    assert found[2].count("\n") == 1
    assert not out.exists()


def test_wrong_questions_are_one_sentence(
    run: Run, searcher: Path, embedder: Path, tmp_path: Path
) -> None:
    assert_one_sentence(run("query", embedder, "p1"), "an embedder without an index")
    assert_one_sentence(run("query", tmp_path / "missing.tflite", "p1"), "missing.tflite")
    assert_one_sentence(run("query", searcher, "p1", "--index", tmp_path / "no.ldb"), "no.ldb")
    assert_one_sentence(run("query", searcher, "p1", "-k", 0), "k must be")


def test_a_wrong_picture_is_one_sentence(run: Run, pictures: Path, tmp_path: Path) -> None:
    embedder = written(tmp_path / "embedder.tflite", models.image_model(2, 2))
    index = tmp_path / "index.npz"
    sl.Index.build(np.zeros((1, 12))).save(index)
    for name in ("torn.png", "grey.png", "missing.png"):
        words = ("query", embedder, pictures / name, "--index", index)
        assert_one_sentence(run(*words), name)


def test_a_file_stays_as_it_was_when_work_is_stopped(
    run: Run, csv: Path, embedder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sl.Index, "build", interrupted)
    index = written(tmp_path / "index.ldb", b"old")
    assert run("index-text", csv, "--embedder", embedder, "-o", index)[0] == 130
    assert index.read_bytes() == b"old"


def test_help_needs_no_embedder(capsys: pytest.CaptureFixture[str]) -> None:
    """It is there for every command, and loads neither a model's room nor a compiler."""
    for command in ("index-text", "index-images", "index-audio", "query", "bench"):
        with pytest.raises(SystemExit) as left:
            main([command, "--help"])
        assert left.value.code == 0
        assert f"usage: scannlite {command}" in capsys.readouterr().out
    code = "import sys\nfrom scannlite.cli import main\nprint(*sys.modules)"
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    unwanted = ("scannlite.embedders", "scannlite.searcher", "scannlite.task", "numba")
    assert not [name for name in done.stdout.split() if name.startswith(unwanted)]


# ---- real models -------------------------------------------------------------------------------


@needs_shared
@pytest.mark.parametrize(
    "model",
    [
        "models/mobilenet_v1_0.25_224_embedder256_metadata.tflite",
        "models/mobilenet_v2_1.0_224_quant_embedder1280.tflite",
        "golden/upstream/mobilenet_v2_035_96_embedder_with_metadata.tflite",
    ],
)
def test_real_models_find_a_burger(run: Run, tmp_path: Path, model: str) -> None:
    """A picture, nearest to itself and then to a part of it, not to colours."""
    folder = tmp_path / "pictures"
    written(folder / "burger.jpg", BURGER.read_bytes())
    written(folder / "crop.jpg", BURGER.with_name("burger_crop.jpg").read_bytes())
    written(folder / "red.png", picture((255, 0, 0)))
    path = tmp_path / "searcher.tflite"
    words = ("--embedder", SHARED / model, "-o", path, "--l2-normalize")
    assert run("index-images", folder, *words)[0] == 0
    _, out, _ = run("query", path, BURGER, "--l2-normalize", "--json")
    assert json.loads(out)["metadata"] == ["burger", "crop", "red"]
