"""``ImageDataLoader`` and ``AudioDataLoader``: folders, sound and otherwise."""

from __future__ import annotations

import inspect
import io
import re
import sys
import wave

import numpy as np
import pytest

from scannlite import InvalidInput, InvalidType, MissingExtra, ScannliteWarning
from scannlite.searcher import AudioDataLoader, ImageDataLoader, MetadataType
from scannlite.searcher.folder import FolderDataLoader
from tests.embedders import tiny_models as models
from tests.embedders.runtimes import needs_runtime
from tests.searcher.counting import Counting

NAMES, DAT = MetadataType.FROM_FILE_NAME, MetadataType.FROM_DAT_FILE


@pytest.fixture
def folder(tmp_path):
    """Writes files into a folder."""

    def write(**files):
        for name, content in files.items():
            path = tmp_path / "files" / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return tmp_path / "files"

    return write


def load(path, kind=NAMES, **options):
    loader = FolderDataLoader(Counting(), kind, bytes)
    loader.load_from_folder(path, **options)
    return loader


def test_names_order_and_defaults_are_model_makers():
    assert [(kind.name, kind.value) for kind in MetadataType] == [
        ("FROM_FILE_NAME", 1),
        ("FROM_DAT_FILE", 2),
    ]
    for loader, first in ((ImageDataLoader, "image"), (AudioDataLoader, "audio")):
        create = inspect.signature(loader.create).parameters
        assert list(create) == [f"{first}_embedder_path", "metadata_type", "l2_normalize"]
        assert (create["metadata_type"].default, create["l2_normalize"].default) == (NAMES, False)
        load = inspect.signature(loader.load_from_folder).parameters
        assert list(load)[:3] == ["self", "path", "mode"]
        assert load["mode"].default == "r"


def test_files_come_by_name_then_folders_and_metadata_are_names(folder):
    path = folder(
        c_jpg=b"c", a_tar_gz=b"a", b__z_jpg=b"bz", b__a=b"ba", a__x_png=b"ax", a_dat=b"", b_DAT=b""
    )
    loader = load(path)
    assert loader.metadata == ["a.tar", "c", "x", "a", "z"]
    assert loader.dataset[:, 1].tolist() == [ord(letter) for letter in "acabb"]
    assert loader.skipped == ()


def test_hidden_files_and_folders_are_files_and_folders(folder):
    path = folder(b=b"b", _a=b"a", _x__y=b"y")
    assert load(path).metadata == [".a", "b", "y"]


def test_loads_add_up(folder):
    path = folder(a=b"a")
    loader = load(path)
    loader.load_from_folder(path)
    assert loader.metadata == ["a", "a"]


@pytest.mark.parametrize(("mode", "expected"), [("r", "naïve\r\n"), ("rb", "naïve\r\n".encode())])
def test_metadata_of_dat_files_are_their_content(folder, mode, expected):
    path = folder(a_jpg=b"a", a_dat="naïve\r\n".encode())
    assert load(path, DAT, mode=mode).metadata == [expected]


@pytest.mark.parametrize("kind", MetadataType)
def test_a_wrong_mode_is_refused_at_once(kind):
    with pytest.raises(InvalidInput, match="mode must be 'r' or 'rb', got 'w'"):
        load("no such folder", kind, mode="w")


def test_metadata_types_are_checked():
    with pytest.raises(InvalidInput, match="metadata_type must be a member of MetadataType, got 1"):
        FolderDataLoader(Counting(), 1, bytes)


# ---- damage ------------------------------------------------------------------------------------


def test_a_broken_file_is_skipped_by_name(folder):
    path = folder(a=b"a", b_jpg=b"bad", c=b"c")
    broken = str(path / "b.jpg")
    message = f"{path}: 1 of 3 were skipped, the first {broken}: {broken} must not be bad."
    with pytest.warns(ScannliteWarning, match=re.escape(message)) as warned:
        loader = load(path)
    assert len(warned) == 1
    assert warned[0].filename == __file__
    assert loader.metadata == ["a", "c"]
    assert [skipped.name for skipped in loader.skipped] == [broken]


def test_a_missing_dat_file_skips_one_picture(folder):
    """The original stops."""
    path = folder(a_jpg=b"a", b_jpg=b"b", b_dat=b"B")
    with pytest.warns(ScannliteWarning, match=r"1 of 2 .*its metadata cannot be read: .*a\.dat"):
        assert load(path, DAT).metadata == ["B"]


def test_a_dat_file_that_is_no_text_skips_one_picture_unless_bytes_are_wanted(folder):
    path = folder(a_jpg=b"a", a_dat=b"\xff", b_jpg=b"b", b_dat=b"B")
    with pytest.warns(ScannliteWarning, match="1 of 2 .*cannot be read: 'utf-8' codec"):
        assert load(path, DAT).metadata == ["B"]
    assert load(path, DAT, mode="rb").metadata == [b"\xff", b"B"]


def test_an_empty_folder_is_refused(folder, tmp_path):
    path = folder(a_dat=b"")
    with pytest.raises(InvalidInput, match=re.escape(f"{path} must hold something to embed, got")):
        load(path)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "missing")
    with pytest.raises(NotADirectoryError):
        load(path / "a.dat")


def test_where_nothing_can_be_embedded_nothing_is_added(folder):
    loader = load(folder(a=b"a"))
    (folder() / "a").write_bytes(b"bad")
    with pytest.raises(InvalidInput, match=r"got 1 that cannot, the first of them .* not be bad"):
        loader.load_from_folder(folder())
    assert len(loader) == 1
    assert loader.skipped == ()


def test_a_checkpoint_knows_files_by_what_they_hold(folder, tmp_path):
    checkpoint = tmp_path / "embeddings"
    path = folder(a=b"a", b=b"b")
    load(path, checkpoint=checkpoint)
    (path / "a").rename(path / "z")
    folder(c=b"c")
    loader = load(path, checkpoint=checkpoint)
    assert loader.metadata == ["b", "c", "z"]
    assert loader.dataset[:, 1].tolist() == [ord(letter) for letter in "bca"]
    assert loader._embedder.embedded == [b"c"]


# ---- pictures and sounds -----------------------------------------------------------------------


def picture(pixels):
    image = pytest.importorskip("PIL.Image")
    file = io.BytesIO()
    image.fromarray(np.uint8(pixels)).save(file, "PNG")
    return file.getvalue()


def sound(samples, rate=16000):
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(np.int16(samples).tobytes())
    return file.getvalue()


@needs_runtime
def test_pictures_become_rows(folder, tmp_path):
    model = tmp_path / "model.tflite"
    model.write_bytes(models.image_model(2, 2))
    pixels = np.arange(24).reshape(2, 2, 2, 3)
    path = folder(b_png=picture(pixels[1]), a_png=picture(pixels[0]), c_png=b"no picture")
    loader = ImageDataLoader.create(str(model))
    with pytest.warns(ScannliteWarning, match=r"1 of 3 .*c\.png: .*c\.png must be a picture"):
        loader.load_from_folder(path)
    assert loader.metadata == ["a", "b"]
    assert loader.dataset.tolist() == pixels.reshape(2, 12).tolist()
    assert loader.embedder_path == str(model)


@needs_runtime
def test_rows_may_have_length_1(folder, tmp_path):
    (tmp_path / "model.tflite").write_bytes(models.image_model(1, 1))
    loader = ImageDataLoader.create(tmp_path / "model.tflite", l2_normalize=True)
    loader.load_from_folder(folder(a_png=picture([[[0, 3, 4]]])))
    np.testing.assert_allclose(loader.dataset, [[0, 0.6, 0.8]], rtol=1e-6)


@needs_runtime
def test_sounds_become_rows_at_the_rate_of_the_model(folder, tmp_path):
    pytest.importorskip("soundfile")
    pytest.importorskip("soxr")
    (tmp_path / "model.tflite").write_bytes(models.audio_model(4, sample_rate=16000))
    samples = np.array([[0, 8192, -8192, 16384], [1, 2, 3, 4]])
    constant = sound(np.full(4800, 16384), 48000)
    path = folder(a_wav=sound(samples[0]), b_wav=sound(samples[1]), c_wav=constant, d_wav=b"noise")
    loader = AudioDataLoader.create(tmp_path / "model.tflite", NAMES)
    with pytest.warns(ScannliteWarning, match=r"1 of 4 .*d\.wav"):
        loader.load_from_folder(path)
    assert loader.metadata == ["a", "b", "c"]
    assert loader.dataset[:2].tolist() == (samples / 32768).tolist()
    np.testing.assert_allclose(loader.dataset[2], 0.5, atol=0.05)


@needs_runtime
def test_a_missing_library_is_named_and_skips_nothing(folder, tmp_path, monkeypatch):
    (tmp_path / "model.tflite").write_bytes(models.image_model(1, 1))
    loader = ImageDataLoader.create(tmp_path / "model.tflite")
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(MissingExtra, match="vision"):
        loader.load_from_folder(folder(a_png=b"a", b_png=b"b"))


@pytest.mark.parametrize("loader", [ImageDataLoader, AudioDataLoader])
def test_what_is_no_path_is_refused(loader):
    with pytest.raises(InvalidType, match="_embedder_path must be the path of a file, got None"):
        loader.create(None)
