"""``TextDataLoader``: CSV files, sound and otherwise."""

from __future__ import annotations

import csv
import inspect
import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scannlite import InvalidInput, InvalidType, ModelError, ScannliteWarning
from scannlite.searcher import TextDataLoader
from tests.embedders import tiny_models as models
from tests.embedders.runtimes import needs_runtime
from tests.searcher.counting import Counting

GOLDEN = Path(__file__).parents[3] / "shared" / "golden"
needs_golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason=f"no golden files in {GOLDEN}")


@pytest.fixture
def written(tmp_path):
    """Writes a CSV file."""

    def write(content):
        path = tmp_path / "texts.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def load(path, **options):
    loader = TextDataLoader(Counting())
    loader.load_from_csv(path, "text", "name", **options)
    return loader


def test_names_order_and_defaults_are_model_makers():
    create = inspect.signature(TextDataLoader.create).parameters
    assert str(create["l2_normalize"].default) == "False"
    assert list(create) == ["text_embedder_path", "l2_normalize"]
    found = inspect.signature(TextDataLoader.load_from_csv).parameters
    names = ["self", "path", "text_column", "metadata_column", "delimiter", "quotechar"]
    assert [name for name, p in found.items() if p.kind is p.POSITIONAL_OR_KEYWORD] == names
    assert (found["delimiter"].default, found["quotechar"].default) == (",", '"')


def test_rows_keep_their_order_and_metadata_are_str(written):
    loader = load(written('id,text,name\n1,"one, two",x\n2,three,"y ""z"""\n'))
    assert loader.dataset.tolist() == [[8, ord("o")], [5, ord("t")]]
    assert loader.dataset.dtype == np.float32
    assert loader.metadata == ["x", 'y "z"']
    assert loader.embedder_path == "model.tflite"
    assert loader.skipped == ()


@given(st.lists(st.tuples(st.text(min_size=1), st.text()), min_size=1, max_size=30))
def test_whatever_python_writes_is_read(tmp_path_factory, rows):
    """But for NUL, and for what is no text at all."""
    rows = [[re.sub(r"[\0\ud800-\udfff]", "?", field) for field in row] for row in rows]
    path = tmp_path_factory.mktemp("csv") / "texts.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["text", "name"], *rows])
    loader = load(path)
    assert loader.metadata == [name for _, name in rows]
    assert loader.dataset.tolist() == [[len(text), ord(text[0])] for text, _ in rows]


def test_delimiters_and_quotes_may_be_others(written):
    path = written("text;name\n'a;b';x\n")
    loader = load(path, delimiter=";", quotechar="'")
    assert loader.dataset[0, 0] == 3
    with pytest.raises(InvalidInput, match="delimiter and quotechar must be one character each"):
        load(path, delimiter=";;")
    with pytest.raises(InvalidInput, match="delimiter and quotechar must be one character each"):
        load(path, quotechar="")


def test_loads_add_up(written):
    loader = load(written("text,name\na,x\n"))
    loader.load_from_csv(written("text,name\nbb,y\n"), "text", "name")
    assert loader.metadata == ["x", "y"]
    assert loader.dataset[:, 0].tolist() == [1, 2]


def test_a_load_may_be_appended_to_at_once(written):
    """The original raises IndexError until somebody reads ``dataset``."""
    loader, other = load(written("text,name\na,x\n")), load(written("text,name\nbb,y\n"))
    loader.append(other)
    assert loader.metadata == ["x", "y"]


# ---- damage ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"\xff\xfe,y", "line 3: it holds bytes that are not utf-8 text, or NUL."),
        (b"b,\xc3", "line 3: it holds bytes that are not utf-8 text, or NUL."),
        (b"b\0b,y", "line 3: it holds bytes that are not utf-8 text, or NUL."),
        (b"b", "line 3: it has 1 of 2 fields."),
        (b"bad,y", "line 3: {path}, line 3 must not be bad."),
        (b'"a\nb"', "line 4: it has 1 of 2 fields."),
    ],
)
def test_a_broken_row_is_skipped_and_told_of_once(written, row, reason):
    path = written(b"text,name\na,x\n" + row + b"\nccc,z\n")
    message = f"{path}: 1 of 3 were skipped, the first {path}, " + reason.format(path=path)
    with pytest.warns(ScannliteWarning, match=re.escape(message)) as warned:
        loader = load(path)
    assert len(warned) == 1
    assert warned[0].filename == __file__
    assert loader.metadata == ["x", "z"]
    (skipped,) = loader.skipped
    assert f"{skipped.name}: {skipped.reason}".startswith(str(path))


def test_empty_lines_are_passed_over(written):
    assert load(written("text,name\n\na,x\n\n\n")).metadata == ["x"]


def test_skipped_rows_of_all_loads_are_kept(written):
    path = written("text,name\na,x\nbad,y\nb\n")
    loader = TextDataLoader(Counting())
    for count in (2, 4):
        with pytest.warns(ScannliteWarning, match="2 of 3 were skipped"):
            loader.load_from_csv(path, "text", "name")
        assert len(loader.skipped) == count
    assert loader.metadata == ["x", "x"]


@pytest.mark.parametrize("mark", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_is_no_part_of_a_name(written, mark):
    path = written("text,name\nnaïve,x\n".encode(mark))
    encoding = mark.removesuffix("-sig")
    assert load(path, encoding=encoding).dataset[0].tolist() == [5, ord("n")]


def test_other_encodings_are_read_when_asked_for(written):
    loader = load(written("text,name\né,ü\n".encode("latin-1")), encoding="latin-1")
    assert loader.dataset[0].tolist() == [1, ord("é")]
    assert loader.metadata == ["ü"]


@pytest.mark.parametrize("encoding", ["klingon", "base64"])
def test_an_encoding_must_be_known(written, encoding):
    with pytest.raises(InvalidInput, match="encoding must be one of text that Python knows, got"):
        load(written("text,name\na,x\n"), encoding=encoding)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "must be a CSV file with a header, got an empty file."),
        ("\n\n", "must be a CSV file with a header, got an empty file."),
        ("text,name\n", "must hold something to embed, got nothing"),
        ("text,name\nb\n", "got only what was skipped, the first .*line 2: it has 1 of 2 fields."),
        ("text,id\na,b\n", "metadata_column must be one of the columns 'text', 'id', got 'name'."),
        ("Text,name\na,b\n", "text_column must be one of the columns 'Text', 'name', got 'text'."),
        ("text,name,text\na,b,c\n", "text_column must name one column, got 'text', which names 2"),
        ("text,name\nbad,x\nbad,y\n", "at least one that can be embedded, got 2 that cannot"),
        ("text,name\n" + "a" * 200_000 + ",b\n", "must be a CSV file in utf-8, got in line 2: fi"),
    ],
)
def test_a_useless_file_is_one_sentence_and_nothing_is_added(written, content, message):
    loader = load(written("text,name\na,x\n"))
    with pytest.raises(InvalidInput, match=message):
        loader.load_from_csv(written(content), "text", "name")
    assert (loader.metadata, len(loader)) == (["x"], 1)


def test_a_file_cut_in_a_character_of_two_bytes_is_refused(written):
    with pytest.raises(InvalidInput, match="must be a CSV file in utf-16, got in line"):
        load(written("text,name\na,x\n".encode("utf-16")[:-1]), encoding="utf-16")


def test_a_missing_file_is_the_systems_own_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "missing.csv")


# ---- long loads --------------------------------------------------------------------------------


def test_a_checkpoint_embeds_only_what_is_new(written, tmp_path):
    checkpoint = tmp_path / "embeddings"
    load(written("text,name\na,x\nbb,y\n"), checkpoint=checkpoint)
    loader = TextDataLoader(Counting())
    path = written("text,name\nccc,1\na,2\nbb,3\n")
    loader.load_from_csv(path, "text", "name", checkpoint=checkpoint)
    assert loader.dataset[:, 0].tolist() == [3, 1, 2]
    assert loader.metadata == ["1", "2", "3"]
    assert loader._embedder.embedded == ["ccc"]


def test_progress_is_told_and_silent_without_a_terminal(written, capsys):
    told = []
    path = written("text,name\na,x\nbb,y\n")
    load(path, progress=lambda *what: told.append(what), threads=1)
    assert told == [("embed", 1, 2), ("embed", 2, 2)]
    load(path)
    load(path, progress=None)
    assert capsys.readouterr() == ("", "")


# ---- models ------------------------------------------------------------------------------------


@needs_runtime
@needs_golden
@pytest.mark.parametrize("l2_normalize", [False, True])
def test_sentences_become_what_the_task_library_embeds(tmp_path, l2_normalize):
    known = json.loads((GOLDEN / "searcher_models/regex_searcher.json").read_text())
    sentences = known[f"embeddings_l2_{l2_normalize}"]
    path = tmp_path / "sentences.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = [[place, sentence["text"]] for place, sentence in enumerate(sentences)]
        csv.writer(file).writerows([["number", "sentence"], *rows])
    model = GOLDEN / "upstream/regex_one_embedding_with_metadata.tflite"
    loader = TextDataLoader.create(str(model), l2_normalize=l2_normalize)
    loader.load_from_csv(path, text_column="sentence", metadata_column="number")
    assert loader.dataset.shape == (len(sentences), 16)
    expected = np.float32([sentence["values"] for sentence in sentences])
    np.testing.assert_allclose(loader.dataset, expected, rtol=0, atol=2e-7)
    assert loader.metadata == [str(place) for place in range(len(sentences))]


@needs_runtime
def test_a_model_may_be_named_from_elsewhere(tmp_path, monkeypatch, written):
    """Its path is made absolute at once."""
    (tmp_path / "model.tflite").write_bytes(models.string_model(4, words=["a", "b", "c", "d"]))
    monkeypatch.chdir(tmp_path)
    loader = TextDataLoader.create("model.tflite")
    monkeypatch.chdir("/")
    loader.load_from_csv(written("text,name\nb,x\nd,y\n"), "text", "name", threads=2)
    assert loader.dataset.tolist() == [[0, 1, 0, 0], [0, 0, 0, 1]]
    assert loader.embedder_path == str(tmp_path / "model.tflite")


def test_what_is_no_model_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        TextDataLoader.create(str(tmp_path / "missing.tflite"))
    (tmp_path / "text.tflite").write_bytes(b"not a model at all")
    with pytest.raises(ModelError, match=re.escape(str(tmp_path))):
        TextDataLoader.create(tmp_path / "text.tflite")
    with pytest.raises(InvalidType, match="text_embedder_path must be the path of a file, got"):
        TextDataLoader.create(b"not a path")
