"""Sound files: what is read of them, and which are refused."""

from __future__ import annotations

import io
import struct
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scannlite.embedders import sounds
from scannlite.embedders.audio import audio_embedder
from scannlite.embedders.sounds import decode_sound
from scannlite.errors import InvalidInput, InvalidType, MissingExtra
from tests.embedders import tiny_models as models
from tests.embedders.runtimes import needs_runtime
from tests.strategies import same_bits, seeds

soundfile = pytest.importorskip(
    "soundfile", reason="NO SOUND FILE WAS READ: soundfile is not installed"
)
pytest.importorskip("soxr", reason="NO SOUND FILE WAS READ: soxr is not installed")

EXACT = [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("WAVEX", "PCM_24"), ("AIFF", "PCM_16"),
         ("AU", "PCM_16"), ("CAF", "PCM_16"), ("W64", "PCM_16"), ("RF64", "PCM_16"),
         ("FLAC", "PCM_16")]  # fmt: skip
LOSSY = [("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")]
every_format = pytest.mark.parametrize(("kind", "coding"), EXACT + LOSSY)


def sine(rate, hertz=440.0, seconds=0.5):
    time = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def file_of(samples, rate=16000, kind="WAV", coding="PCM_16"):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=coding)
    return file.getvalue()


def wav_by_hand(samples, rate=16000, channels=1, size=None):
    """A file of 16 bits; ``size`` is what its header says of its samples, in bytes."""
    data = np.array(samples, "<i2").tobytes()
    size = len(data) if size is None else size
    head = struct.pack("<HHIIHH", 1, channels, rate, 2 * channels * rate, 2 * channels, 16)
    chunks = b"WAVEfmt " + struct.pack("<I", 16) + head + b"data" + struct.pack("<I", size) + data
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks


def hertz_of(samples, rate):
    """The strongest frequency, to 1/8 of what the length resolves."""
    loud = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 8 * len(samples)))
    return loud.argmax() * rate / (8 * len(samples))


# ---- what is read ------------------------------------------------------------------------------


def test_16_bits_are_divided_by_32768():
    found = decode_sound(wav_by_hand([-32768, 32767, 1, 0]), 16000)
    assert found.dtype == np.float32
    assert found.tolist() == [-1.0, 32767 / 32768, 1 / 32768, 0.0]


def test_channels_are_columns():
    found = decode_sound(wav_by_hand([1, 2, 3, 4, 5, 6], channels=2), None)
    assert (found * 32768).tolist() == [[1, 2], [3, 4], [5, 6]]


def test_a_path_and_its_content_are_alike(tmp_path):
    """Whatever the name says of the format."""
    path = tmp_path / "é sound.raw"
    path.write_bytes(content := wav_by_hand([1, 2, 3]))
    expected = decode_sound(content, 16000)
    for source in (path, str(path), bytearray(content), memoryview(content)):
        assert same_bits(decode_sound(source, 16000), expected)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(("kind", "coding"), EXACT)
def test_what_was_written_is_read(kind, coding, channels):
    """To the last bit where nothing is lost."""
    sound = np.stack([sine(16000), sine(16000, 700)], axis=1)[:, :channels]
    numbers = np.rint(sound * 32768).astype(np.int16)
    expected = np.squeeze(numbers.astype(np.float32) / 32768)
    written = expected if coding == "FLOAT" else numbers
    assert same_bits(decode_sound(file_of(written, kind=kind, coding=coding), 16000), expected)


@pytest.mark.parametrize(("kind", "coding"), LOSSY)
def test_what_was_compressed_sounds_the_same(kind, coding):
    found = decode_sound(file_of(sine(16000), kind=kind, coding=coding), 16000)
    assert abs(len(found) - 8000) <= 2000
    assert abs(hertz_of(found, 16000) - 440) < 2
    assert 0.4 < np.abs(found[1000:-1000]).max() < 0.6


def test_a_long_file_is_read_in_parts(monkeypatch):
    stereo = file_of(np.stack([sine(16000), sine(16000, 700)], axis=1))
    whole = decode_sound(stereo, None)
    for most in (2, 999, 16000, 16001):
        monkeypatch.setattr(sounds, "_MOST_AT_ONCE", most)
        assert same_bits(decode_sound(stereo, None), whole)


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000])
def test_a_length_that_was_not_known_when_it_was_written_is_no_matter(size):
    """As recorders and pipes leave it."""
    found = decode_sound(wav_by_hand([1, 2, 3, 4], size=size), None)
    assert (found * 32768).tolist() == [1, 2, 3, 4]


@needs_runtime
def test_a_file_goes_into_a_model():
    """At the rate that the model asks for."""
    embedder = audio_embedder(models.audio_model(800, sample_rate=8000))
    rate = embedder.preprocessor.sample_rate
    found = embedder.embed(decode_sound(file_of(sine(16000, 200, 0.1)), rate))
    np.testing.assert_allclose(found[100:-100], sine(8000, 200, 0.1)[100:-100], atol=1e-3)


# ---- resampling --------------------------------------------------------------------------------


@given(
    rate=st.sampled_from([8000, 11025, 22050, 32000, 44100, 48000, 96000]),
    hertz=st.floats(100, 3000),
    channels=st.integers(1, 2),
)
def test_resampling_keeps_frequency_loudness_and_duration(rate, hertz, channels):
    written = np.stack([sine(rate, hertz), sine(rate, hertz / 2)], axis=1)[:, :channels]
    found = decode_sound(file_of(written, rate, coding="FLOAT"), 16000).reshape(-1, channels)
    assert abs(len(found) - 8000) <= 1
    assert found.dtype == np.float32
    for column, wanted in zip(found.T, (hertz, hertz / 2), strict=False):
        assert abs(hertz_of(column, 16000) - wanted) < 2
        middle = column[1000:-1000].astype(np.float64)
        assert 0.97 < np.sqrt(2 * np.mean(middle**2)) / 0.5 < 1.03


def test_what_the_lower_rate_cannot_hold_falls_silent():
    """7 kHz at 8,000 samples a second would come back as 1 kHz."""
    found = decode_sound(file_of(sine(44100, 7000), 44100), 8000)
    assert np.abs(found[200:-200]).max() < 1e-3


@given(rate=st.sampled_from([8000, 16000, 44100]), seed=seeds)
def test_the_rate_of_the_file_is_kept_where_none_is_asked_for(rate, seed):
    samples = np.random.default_rng(seed).integers(-(2**15), 2**15, 50)
    content = wav_by_hand(samples, rate)
    expected = samples.astype(np.float32) / 32768
    assert same_bits(decode_sound(content, None), expected)
    assert same_bits(decode_sound(content, rate), expected)


# ---- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "must be a sound (WAV, FLAC, OGG, MP3), got 0 bytes "),
        (b"not a sound", "must be a sound (WAV, FLAC, OGG, MP3), got "),
        (b"\x89PNG\r\n\x1a\n" + bytes(5000), "must be a sound (WAV, FLAC, OGG, MP3), got "),
        (wav_by_hand([]), "must hold a sound of at least one sample, got none."),
        (wav_by_hand([1], rate=96000), "must hold a sound of at least one sample, got none."),
        (wav_by_hand([1, 2], rate=7), "must have at least 1000 samples a second, got 7."),
        (wav_by_hand([1, 2], size=6), "must hold 6 bytes of sound, got 4."),
        (
            file_of(np.float32([0, np.nan]), coding="FLOAT"),
            "must hold finite samples, got NaN or infinity.",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path, content, said):
    path = tmp_path / "broken.wav"
    path.write_bytes(content)
    with pytest.raises(InvalidInput) as error:
        decode_sound(path, 16000)
    assert str(error.value).startswith(f"{path} {said}")
    assert "\n" not in str(error.value)
    assert "0x" not in str(error.value)
    with pytest.raises(InvalidInput, match=r"^<bytes> must"):
        decode_sound(content, 16000)


@every_format
def test_a_file_that_was_cut_is_refused(kind, coding):
    """Wherever; only MP3 has no end to miss, what is left of one is a sound."""
    content = file_of(sine(16000), kind=kind, coding=coding)
    if kind == "MP3":
        assert 0 < len(decode_sound(content[: 3 * len(content) // 4], None)) < 8000
        return
    last = len(content) - (50 if kind == "CAF" else 5)  # of CAF libsndfile forgives a few bytes
    for size in {*range(0, last, 97), last}:
        with pytest.raises(InvalidInput):
            decode_sound(content[:size], None)


@every_format
@given(seed=seeds)
def test_a_damaged_file_is_a_sound_or_refused(kind, coding, seed):
    """And never anything else."""
    rng = np.random.default_rng(seed)
    content = bytearray(file_of(sine(16000, seconds=0.1), kind=kind, coding=coding))
    for place in rng.integers(0, rng.choice([100, len(content)]), rng.integers(1, 5)):
        content[place] = rng.integers(256)
    try:
        found = decode_sound(content, 16000)
    except InvalidInput:
        return
    assert found.dtype == np.float32
    assert len(found) > 0
    assert np.isfinite(found).all()


def test_a_missing_file_is_the_systems_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        decode_sound(tmp_path / "none.wav", 16000)


@pytest.mark.parametrize("source", [None, 7, np.zeros(4), io.BytesIO()])
def test_what_is_neither_a_path_nor_bytes_is_refused(source):
    with pytest.raises(InvalidType, match="source must be the path of a sound file or its bytes"):
        decode_sound(source, 16000)


@pytest.mark.parametrize(
    ("module", "purpose"),
    [
        ("soundfile", "reading a sound file"),
        ("soxr", "resampling a sound of 8000 Hz to 16000 Hz"),
    ],
)
def test_a_missing_library_names_its_extra(monkeypatch, module, purpose):
    """Only for another rate is soxr needed."""
    content = wav_by_hand([1, 2], rate=8000)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=rf"^{purpose} needs the extra 'audio'"):
        decode_sound(content, 16000)
    if module == "soxr":
        assert len(decode_sound(content, 8000)) == 2
