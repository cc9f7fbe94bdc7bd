"""Sounds: what a model is given of them, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scannlite import Index, InvalidInput, InvalidType, embedders
from scannlite.embedders.audio import audio_embedder, audio_preprocessor
from scannlite.embedders.model import Model
from scannlite.embedders.runtime import Tensor
from scannlite.errors import ModelError
from tests.embedders import tiny_models as models
from tests.embedders.runtimes import needs_runtime
from tests.strategies import same_bits, seeds

YAMNET = Path(__file__).parents[3] / "shared" / "models" / "yamnet_embedder1024.tflite"
WINDOW = 15600
needs_yamnet = pytest.mark.skipif(
    not YAMNET.is_file(), reason=f"NO SOUND WENT INTO A REAL MODEL: there is no {YAMNET}"
)


def tensor(shape, dtype="float32"):
    return Tensor("input_0", 0, np.dtype(dtype), shape, 0.0, 0)


def preprocessor(*shape, sample_rate=16000, channels=1):
    """For a model with an input of this shape."""
    described = models.audio_model(channels, sample_rate=sample_rate, channels=channels)
    return audio_preprocessor(Model.read(described), [tensor(shape)], [tensor((1, 2))])


def heard(prepared):
    """The windows as lists, one behind the other."""
    return [window.reshape(-1).tolist() for (window,) in prepared]


def open_length_model():
    """A model whose embedding, (1, 1), is the sum of however many samples."""
    graph = models._Graph()
    sound = graph.tensor("input_0", "float32", [1, -1])
    total = graph.step("SUM", [sound, graph.numbers([1])], graph.tensor("sum", "float32", [1]))
    return graph.model([sound], [graph.reshape(total, [1, 1])])


# ---- length ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sound", "windows"),
    [
        ([1], [[1, 0, 0, 0]]),
        ([1, 2, 3], [[1, 2, 3, 0]]),
        ([1, 2, 3, 4], [[1, 2, 3, 4]]),
        ([1, 2, 3, 4, 5], [[1, 2, 3, 4]]),
        ([1, 2, 3, 4, 5, 6], [[1, 2, 3, 4], [5, 6, 0, 0]]),
        ([1, 2, 3, 4, 5, 6, 7, 8, 9], [[1, 2, 3, 4], [5, 6, 7, 8]]),
    ],
)
def test_a_sound_is_cut_into_windows(sound, windows):
    """Silence follows a short one; a rest counts from half a window."""
    assert heard(preprocessor(4).prepare(np.float32(sound))) == windows


@given(n=st.integers(1, 60), size=st.integers(1, 12), channels=st.integers(1, 3))
def test_windows_are_the_sound_but_for_a_rest_of_less_than_half(n, size, channels):
    sound = np.arange(1, n * channels + 1, dtype=np.float32).reshape(n, channels)
    prepared = preprocessor(1, size, channels, channels=channels).prepare(sound)
    assert all(same_bits(window, np.ascontiguousarray(window)) for (window,) in prepared)
    assert {window.shape for (window,) in prepared} == {(1, size, channels)}
    found = np.concatenate([window[0] for (window,) in prepared])
    kept = min(n, len(found))
    assert same_bits(found[:kept], sound[:kept])
    assert not found[kept:].any()
    assert 2 * (n - kept) < size
    assert len(prepared) == 1 or 2 * (len(found) - kept) <= size


@pytest.mark.parametrize("shape", [(-1,), (1, -1), (-1, -1), (1, -1, 1), (-1, 1)])
def test_a_model_of_open_length_hears_all_at_once(shape):
    prepared = preprocessor(*shape).prepare(np.arange(7.0))
    assert heard(prepared) == [list(range(7))]
    ((window,),) = prepared
    assert window.shape == {1: (7,), 2: (1, 7), 3: (1, 7, 1)}[len(shape)] or window.shape == (7, 1)


# ---- numbers -----------------------------------------------------------------------------------


def test_int16_is_divided_by_32768():
    """As the Task Library does it, so that -32768 is -1 and 32767 falls short of 1."""
    (loud,) = heard(preprocessor(4).prepare(np.int16([-32768, 32767, 1, 0])))
    assert loud == [-1.0, 32767 / 32768, 1 / 32768, 0.0]


@given(
    seed=seeds,
    shape=st.sampled_from([(1,), (9,), (30,), (9, 1), (30, 2), (5, 3)]),
    channels=st.integers(1, 2),
    kind=st.sampled_from(
        ["int16", ">i2", "f8", ">f4", "f2-exact", "strided", "reversed", "fortran", "read-only"]
    ),
)
def test_what_holds_the_samples_changes_nothing(seed, shape, channels, kind):
    """Integers or floats, in whatever order of bytes and places."""
    whole = np.random.default_rng(seed).integers(-(2**15), 2**15, shape, np.int16)
    if kind == "f2-exact":
        whole = whole // 32 * 32  # what 11 bits hold
    floats = whole.astype(np.float32) / 32768
    prepare = preprocessor(8, channels=channels).prepare
    if len(shape) == 2 and shape[1] not in (1, channels) and channels > 1:
        with pytest.raises(InvalidInput, match="sound must have 1 channel or the 2 of the model"):
            prepare(whole)
        return
    held = {
        "int16": lambda: whole,
        "strided": lambda: np.repeat(floats, 3, axis=0)[::3],
        "reversed": lambda: floats[::-1].copy()[::-1],
        "fortran": lambda: np.asfortranarray(floats),
        "read-only": lambda: np.frombuffer(floats.tobytes(), np.float32).reshape(shape),
        ">i2": lambda: whole.astype(">i2"),
    }.get(kind, lambda: floats.astype(kind.partition("-")[0]))()
    before = held.tobytes()
    expected, found = prepare(floats), prepare(held)
    assert all(same_bits(a, b) for (a,), (b,) in zip(expected, found, strict=True))
    assert heard(expected) == heard(found)
    assert held.tobytes() == before


def test_what_was_prepared_is_a_copy():
    """A buffer may be filled again before the model runs."""
    buffer = np.ones(4, np.float32)
    prepared = preprocessor(4).prepare(buffer)
    buffer[:] = 7
    assert heard(prepared) == [[1, 1, 1, 1]]


# ---- channels ----------------------------------------------------------------------------------


def test_a_model_of_one_channel_hears_the_mean():
    sound = np.float32([[0.25, 0.75], [-1, 1], [0.5, 0.5]])
    assert heard(preprocessor(3).prepare(sound)) == [[0.5, 0, 0.5]]
    largest = np.full((3, 4), np.finfo(np.float32).max)
    assert heard(preprocessor(3).prepare(largest)) == [largest[:, 0].tolist()]


@pytest.mark.parametrize("shape", [(6,), (1, 6), (3, 2), (1, 3, 2), (-1, 6)])
def test_channels_of_a_moment_follow_one_another(shape):
    """One channel is heard in each of two."""
    stereo = preprocessor(*shape, channels=2)
    assert heard(stereo.prepare(np.float32([[1, 2], [3, 4]]))) == [[1, 2, 3, 4, 0, 0]]
    assert heard(stereo.prepare(np.float32([1, 2]))) == [[1, 1, 2, 2, 0, 0]]
    assert heard(stereo.prepare(np.float32([[1], [2]]))) == [[1, 1, 2, 2, 0, 0]]


# ---- models ------------------------------------------------------------------------------------


def test_the_model_tells_its_rate_and_channels():
    """Without metadata samples are taken as they come."""
    found = preprocessor(6, sample_rate=44100, channels=2)
    assert (found.sample_rate, found.channels, found.kind, found.output) == (44100, 2, "audio", 0)
    found = preprocessor(6, sample_rate=None)
    assert (found.sample_rate, found.channels) == (None, 1)
    assert preprocessor(1, 6, 2, sample_rate=None).channels == 2
    assert preprocessor(6, sample_rate=0, channels=1).sample_rate is None


@pytest.mark.parametrize(
    ("shape", "channels"),
    [
        ((), 1),
        ((0,), 1),
        ((1, 0), 1),
        ((96, 64), 1),
        ((1, 96, 64), 1),
        ((7,), 2),
        ((1, 7), 2),
        ((1, 7, 3), 2),
        ((1, 2, 7), 2),
        ((1, 7, -1), 1),
        ((-1, -1, -1), 1),
        ((1, 1, 7, 1), 1),
    ],
)
def test_a_shape_that_holds_no_sound_is_refused(shape, channels):
    """A spectrogram among them."""
    with pytest.raises(ModelError, match=r"input: expected shape \(samples,\), \(1, samples\)"):
        preprocessor(*shape, channels=channels)


def test_a_model_of_anything_else_is_refused():
    model, sound = Model.read(models.audio_model(4)), tensor((4,))
    for dtype in ("uint8", "int16", "float16", "S"):
        with pytest.raises(ModelError, match="input: expected float32 samples, found"):
            audio_preprocessor(model, [tensor((4,), dtype)], [sound])
    for inputs, outputs in ([], [sound]), ([sound] * 2, [sound]), ([sound], []):
        with pytest.raises(ModelError, match="inputs and outputs: expected 1 and at least 1, fou"):
            audio_preprocessor(model, inputs, outputs)


# ---- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sound", "said"),
    [
        ([], "sound must have at least one sample, got none."),
        (np.empty((0, 2)), "sound must have at least one sample, got none."),
        ([0, 0.5, np.nan], "sound must be finite in float32, got nan in sample 2."),
        (
            [[0, 0.5], [0, -np.inf]],
            "sound must be finite in float32, got -inf in sample 1 of channel 1.",
        ),
        ([0, 1e300], "sound must be finite in float32, got inf in sample 1."),
        (0.5, "sound must have shape (n,) or (n, channels), with 1 to 64 channels, got ()."),
        (
            np.zeros((2, 4800)),
            "sound must have shape (n,) or (n, channels), with 1 to 64 channels, got (2, 4800).",
        ),
        (
            np.zeros((2, 0)),
            "sound must have shape (n,) or (n, channels), with 1 to 64 channels, got (2, 0).",
        ),
    ],
)
def test_a_sound_that_cannot_be_used_is_refused(sound, said):
    """One of two channels on its side too."""
    with pytest.raises(InvalidInput) as error:
        preprocessor(4).prepare(sound)
    assert str(error.value) == said


@pytest.mark.parametrize(
    "sound",
    ["a.wav", b"RIFF", None, [1, 2], np.zeros(4, np.uint8), np.zeros(4, np.int32), [1j], [True]],
)
def test_what_is_no_sound_is_refused(sound):
    """Whole numbers but int16 too: what their largest is, nobody can tell."""
    with pytest.raises(InvalidType, match="sound must be an array of floating point numbers or"):
        preprocessor(4).prepare(sound)


def test_rows_of_different_lengths_are_refused():
    with pytest.raises(InvalidType, match="sound must be an array of samples, got"):
        preprocessor(4).prepare([[0.5], [0.5, 0.5]])


# ---- models that run ---------------------------------------------------------------------------


@needs_runtime
@pytest.mark.parametrize("two_d", [False, True])
def test_an_embedding_is_the_mean_over_the_windows(two_d):
    """Then it is normalised: (1, 2) and (5, 6) are (3, 4), which becomes (0.6, 0.8)."""
    content, sound = models.audio_model(2, two_d=two_d), np.float32([1, 2, 5, 6])
    assert audio_embedder(content).embed(sound).tolist() == [3, 4]
    normal = audio_embedder(content, l2_normalize=True, num_threads=1).embed(sound)
    np.testing.assert_allclose(normal, [0.6, 0.8], rtol=1e-6)


@needs_runtime
def test_a_model_hears_channels_and_lengths():
    stereo = audio_embedder(models.audio_model(4, channels=2))
    assert stereo.embed(np.float32([[1, 2], [3, 4]])).tolist() == [1, 2, 3, 4]
    grows = audio_embedder(open_length_model())
    assert [grows.embed(np.ones(n, np.float32)).tolist() for n in (1, 5, 99, 2)] == [
        [1],
        [5],
        [99],
        [2],
    ]


@needs_runtime
def test_a_sound_model_is_told_by_its_input():
    """The sample rate is within reach of whoever reads files."""
    found = embedders.open_embedder(models.audio_model(4, sample_rate=8000))
    assert (found.kind, found.preprocessor.sample_rate) == ("audio", 8000)


# ---- a real one --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def yamnet():
    return audio_embedder(YAMNET, num_threads=1)


def tone(rng, time):
    return np.sin(2 * np.pi * rng.uniform(300, 1500) * time)


def noise(rng, time):
    return rng.standard_normal(len(time)) / 3


def clicks(rng, time):
    """Eight to twenty a second."""
    every = 16000 // int(rng.integers(8, 20))
    return (np.arange(len(time)) % every < 20) * rng.choice([-1.0, 1.0], len(time))


def chirps(rng, time):
    """Up by an octave or two, twice to four times a second."""
    lowest, octaves, rate = rng.uniform(800, 1600), rng.uniform(1, 2), rng.integers(2, 5)
    phase = np.cumsum(lowest * 2 ** (octaves * (time * rate % 1))) / 16000
    return np.sin(2 * np.pi * phase)


KINDS = (tone, noise, clicks, chirps)


def recordings(number, seed):
    """So many of each kind, about a second long and of any loudness, and their kinds."""
    rng = np.random.default_rng(seed)
    sounds, kinds = [], np.repeat(np.arange(len(KINDS)), number)
    for kind in kinds:
        time = np.arange(int(rng.integers(14000, 33000))) / 16000
        sounds.append(rng.uniform(0.1, 0.9) * KINDS[kind](rng, time).astype(np.float32))
    return sounds, kinds


@needs_runtime
@needs_yamnet
def test_sounds_of_one_kind_are_found_by_one_another(yamnet):
    """Tones, noise, clicks and chirps: for at least nine of ten the nearest is of their kind."""
    sounds, kinds = recordings(12, seed=0)
    queries, asked = recordings(6, seed=1)
    index = Index.build(yamnet.embed_batch(sounds), "cosine", seed=0)
    ids = index.search(yamnet.embed_batch(queries, threads=2), k=1).ids[:, 0]
    assert np.mean(kinds[ids] == asked) >= 0.9


@needs_runtime
@needs_yamnet
def test_yamnet_takes_sounds_of_any_length(yamnet):
    """A long one is the mean of its windows; a short one is one with silence behind."""
    assert (yamnet.preprocessor.sample_rate, yamnet.dimensions) == (16000, 1024)
    sound = recordings(1, seed=2)[0][0][:WINDOW]
    sound = np.pad(sound, (0, WINDOW - len(sound)))
    pair = np.concatenate([sound, 0.5 * sound[::-1]])
    halves = yamnet.embed_batch([pair[:WINDOW], pair[WINDOW:]]).astype(np.float64)
    assert same_bits(yamnet.embed(pair), halves.mean(axis=0).astype(np.float32))
    short = sound[:4000]
    assert same_bits(yamnet.embed(short), yamnet.embed(np.pad(short, (0, WINDOW - 4000))))
    assert same_bits(yamnet.embed(pair[:, None]), yamnet.embed(np.stack([pair, pair], axis=1)))
