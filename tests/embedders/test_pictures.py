"""Picture files: what is read of them, and which are refused."""

from __future__ import annotations

import io
import re
import struct
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scannlite.embedders.image import image_preprocessor
from scannlite.embedders.model import Model
from scannlite.embedders.pictures import decode_image
from scannlite.embedders.runtime import Tensor
from scannlite.errors import InvalidInput, InvalidType, MissingExtra
from tests.embedders import tiny_models as models
from tests.strategies import same_bits

pillow = pytest.importorskip("PIL.Image", reason="NO PICTURE WAS DECODED: Pillow is not installed")

u1 = np.uint8
PIXELS = np.random.default_rng(0).integers(0, 256, (9, 14, 4), u1)
RGB = np.ascontiguousarray(PIXELS[..., :3])
SMOOTH = np.add.outer(np.arange(0, 96, 4), np.arange(0, 96, 3))[..., None].repeat(3, 2).astype(u1)
ORIENTATION = 0x0112


def file_of(pixels, kind="PNG", mode=None, **options):
    image = pillow.fromarray(pixels)
    file = io.BytesIO()
    (image.convert(mode) if mode else image).save(file, kind, **options)
    return file.getvalue()


def png(head, *chunks):
    """Signature, head and chunks, with right checksums."""
    parts = [(b"IHDR", head), *chunks, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts
    )


def with_orientation(kind):
    exif = pillow.Exif()
    exif[ORIENTATION] = 6
    return file_of(SMOOTH, kind, exif=exif)


# ---- what is read ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "TGA", "WEBP"])
def test_pixels_are_those_of_the_file(kind, tmp_path):
    """From its content and by its path, whatever its name."""
    content = file_of(RGB, kind, **({"lossless": True} if kind == "WEBP" else {}))
    path = tmp_path / "picture.dat"
    path.write_bytes(content)
    for source in (content, bytearray(content), memoryview(content), path, str(path)):
        assert same_bits(decode_image(source).copy(), RGB)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF"])
def test_pixels_are_nearly_those_of_a_file_with_loss(kind):
    if kind not in pillow.OPEN:
        pytest.skip(f"this Pillow reads no {kind}")
    found = decode_image(file_of(SMOOTH, kind, quality=95))
    assert (found.shape, found.dtype) == (SMOOTH.shape, np.uint8)
    assert np.abs(found.astype(int) - SMOOTH).mean() < 4


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "TGA"])
def test_an_alpha_is_kept(kind):
    assert same_bits(decode_image(file_of(PIXELS, kind)).copy(), PIXELS)


@pytest.mark.parametrize("transparency", [None, 3, bytes([0, 255, 7])])
def test_a_palette_becomes_colours(transparency):
    """With an alpha where some of them are transparent."""
    image = pillow.fromarray(np.array([[0, 1], [2, 3]], u1)).convert("P")
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90, 1, 2, 3])
    file = io.BytesIO()
    image.save(file, "PNG", **({} if transparency is None else {"transparency": transparency}))
    found = decode_image(file.getvalue())
    assert found[..., :3].tolist() == [[[10, 20, 30], [40, 50, 60]], [[70, 80, 90], [1, 2, 3]]]
    assert found.shape[2] == (3 if transparency is None else 4)


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("JPEG", "CMYK"), ("TIFF", "CMYK"), ("TIFF", "LAB"), ("GIF", "P")],
)
def test_other_colours_become_rgb(kind, mode):
    found = decode_image(file_of(SMOOTH, kind, mode))
    assert found.shape == SMOOTH.shape
    assert np.abs(found.astype(int) - SMOOTH).mean() < 16


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("PNG", "L"), ("PNG", "LA"), ("PNG", "1"), ("JPEG", "L"), ("TIFF", "F"), ("TGA", "LA")],
)
def test_grey_stays_grey(kind, mode):
    found = decode_image(file_of(SMOOTH, kind, mode))
    assert (found.shape, found.dtype) == (SMOOTH.shape[:2], np.uint8)
    if mode != "1":
        assert np.abs(found.astype(int) - SMOOTH[..., 0]).max() <= 3


@pytest.mark.parametrize("kind", ["GIF", "BMP"])
@pytest.mark.parametrize("mode", ["L", "1"])
def test_formats_that_know_no_grey_are_in_colour(kind, mode):
    """Whatever Pillow makes of a palette of greys."""
    image = decode_image(file_of(RGB, kind, mode))
    assert image.shape == (9, 14, 3)
    assert np.array_equal(image[..., 0], image[..., 2])


def test_16_bits_become_their_upper_8():
    wide = np.random.default_rng(1).integers(0, 65536, (4, 6, 3), np.uint16)
    for kind in ("PNG", "TIFF", "PPM"):
        assert same_bits(
            decode_image(file_of(wide[..., 0], kind)), (wide[..., 0] >> 8).astype(u1)
        ), kind
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in wide)
    content = png(struct.pack(">IIBBBBB", 6, 4, 16, 2, 0, 0, 0), (b"IDAT", zlib.compress(rows)))
    assert same_bits(decode_image(content).copy(), (wide >> 8).astype(u1))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_rotation_of_exif_is_ignored(kind):
    turned = pillow.open(io.BytesIO(with_orientation(kind)))
    assert turned.getexif()[ORIENTATION] == 6
    assert decode_image(with_orientation(kind)).shape == SMOOTH.shape


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_an_animation_the_first_frame_is_read(kind):
    frames = [pillow.new("RGB", (20, 10), colour) for colour in ("red", "blue", "lime")]
    file = io.BytesIO()
    frames[0].save(file, kind, save_all=True, append_images=frames[1:])
    found = decode_image(file.getvalue())
    assert found.shape[:2] == (10, 20)
    assert np.abs(found[..., :3].astype(int) - [255, 0, 0]).max() <= 3


# ---- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x",
        b"What is no picture.\n" * 100,
        bytes(1000),
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n/x\n%%EOF\n",
        b"%PDF-1.4\n",
        b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
        png(struct.pack(">IIBBBBB", 0, 0, 8, 2, 0, 0, 0)),
        png(struct.pack(">IIBBBBB", 9, 9, 8, 2, 0, 0, 0)),
        png(struct.pack(">IIBBBBB", 9, 9, 8, 2, 0, 0, 0), (b"IDAT", b"no zlib")),
        png(struct.pack(">IIBBBBB", 9, 9, 8, 2, 0, 0, 0), (b"tEXt", bytes(9)), (b"IDAT", b"")),
    ],
)
def test_what_is_no_picture_is_refused(content, tmp_path):
    """By the name of its file, or as bytes; no program is asked to draw it."""
    path = tmp_path / "holiday.jpg"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=re.escape(str(path))):
        decode_image(path)
    with pytest.raises(InvalidInput, match=r"^<bytes> must be an? (undamaged )?picture"):
        decode_image(content)


def test_a_file_that_is_not_there_is_the_systems_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        decode_image(tmp_path / "none.jpg")
    with pytest.raises(OSError, match=re.escape(str(tmp_path))):
        decode_image(tmp_path)


@pytest.mark.parametrize("source", [None, 3, RGB, ["a.jpg"]])
def test_what_is_neither_path_nor_bytes_is_refused(source):
    with pytest.raises(InvalidType, match="source must be the path of a picture file or its bytes"):
        decode_image(source)


@pytest.mark.parametrize("bytes_a_pixel", [1, 3])
def test_a_picture_too_large_is_refused_before_it_is_decoded(bytes_a_pixel):
    """A few bytes that promise 400 million pixels."""
    colour = {1: 0, 3: 2}[bytes_a_pixel]
    head = struct.pack(">IIBBBBB", 20_000, 20_000, 8, colour, 0, 0, 0)
    with pytest.raises(InvalidInput, match="400000000 pixels"):
        decode_image(png(head, (b"IDAT", zlib.compress(b"\0"))))


KINDS = {
    "JPEG": with_orientation("JPEG"),
    "PNG": file_of(SMOOTH),
    "palette": file_of(SMOOTH, "PNG", "P"),
    "GIF": file_of(SMOOTH, "GIF"),
    "BMP": file_of(SMOOTH, "BMP"),
    "TIFF": file_of(SMOOTH, "TIFF"),
    "WEBP": file_of(SMOOTH, "WEBP"),
    "PPM": file_of(SMOOTH, "PPM"),
}


@given(kind=st.sampled_from(sorted(KINDS)), place=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_anywhere_is_refused_or_whole(kind, place):
    """Whole where only what follows the pixels is missing."""
    whole = KINDS[kind]
    try:
        found = decode_image(whole[: int(place * len(whole))])
    except InvalidInput:
        return
    assert same_bits(found.copy(), decode_image(whole).copy())


@given(
    kind=st.sampled_from(sorted(KINDS)),
    changes=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=5
    ),
)
def test_a_damaged_file_is_a_picture_or_refused(kind, changes):
    """Nothing but InvalidInput is raised, and nobody is warned."""
    content = bytearray(KINDS[kind])
    for place, number in changes:
        content[int(place * len(content))] = number
    try:
        found = decode_image(bytes(content))
    except InvalidInput:
        return
    assert found.dtype == np.uint8
    assert found.ndim in (2, 3)


def test_a_grey_picture_is_refused_by_the_model():
    content = models.image_model(4, 5)
    image = Tensor("input_0", 0, np.dtype("uint8"), (1, 4, 5, 3), 0.0, 0)
    preprocessor = image_preprocessor(Model.read(content), [image], [image])
    with pytest.raises(InvalidInput, match=r"in colour, .* got a grey one of shape \(24, 32\)"):
        preprocessor.prepare(decode_image(file_of(SMOOTH, mode="L")))


# ---- manners -----------------------------------------------------------------------------------


def tiff_with_a_tag_beyond_its_end():
    """Which says what made it, at a place that there is not."""
    content = file_of(SMOOTH, "TIFF", software="made for a test")
    entry = struct.pack("<HHI", 305, 2, len("made for a test") + 1)
    assert entry in content
    before, after = content.split(entry)
    return before + entry + struct.pack("<I", 1 << 24) + after[4:]


WARNED_OF = {
    "JPEG": file_of(SMOOTH, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x09\0\x1a\x01\x05\0\x01"),
    "TIFF": tiff_with_a_tag_beyond_its_end(),
}


@pytest.mark.parametrize("kind", WARNED_OF)
def test_nobody_is_warned_and_the_filters_stay_as_they_are(kind):
    """From many threads too, which have one list of filters."""
    content = WARNED_OF[kind]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        pillow.open(io.BytesIO(content)).load()
    assert told, "Pillow warns of this file no more: take another"
    before = list(warnings.filters)
    interval = sys.getswitchinterval()
    try:
        sys.setswitchinterval(1e-6)
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(decode_image, [content, KINDS["PNG"]] * 50))
    finally:
        sys.setswitchinterval(interval)
    assert {image.shape for image in found} == {SMOOTH.shape}
    assert list(warnings.filters) == before


@pytest.mark.parametrize("kind", KINDS)
def test_the_limit_is_pillows_own(kind, monkeypatch):
    """Who moves it is heard, and nobody else moves it; twice as much is refused, none warned of."""
    monkeypatch.setattr(pillow, "MAX_IMAGE_PIXELS", SMOOTH.size // 3 * 2 // 3)
    assert decode_image(KINDS[kind]).shape == SMOOTH.shape
    monkeypatch.setattr(pillow, "MAX_IMAGE_PIXELS", SMOOTH.size // 3 // 3)
    with pytest.raises(InvalidInput, match="exceeds limit"):
        decode_image(KINDS[kind])
    assert SMOOTH.size // 3 // 3 == pillow.MAX_IMAGE_PIXELS


def test_without_pillow_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(MissingExtra, match=re.escape('pip install "scannlite[vision]"')):
        decode_image(Path("a.jpg"))
