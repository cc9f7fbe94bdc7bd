"""``AudioSearcher``, ``AudioEmbedder`` and ``TensorAudio``."""

from __future__ import annotations

import wave
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from scannlite import InvalidInput, InvalidType, ModelError
from scannlite.task import audio
from scannlite.task.audio import AudioFormat, TensorAudio
from tests.embedders.runtimes import needs_runtime
from tests.embedders.tiny_models import audio_model
from tests.task.searchers import index_file, neighbors

MONO = AudioFormat(1, 16000)
SOUNDS = np.random.default_rng(0).integers(-32, 32, (20, 8)).astype(np.float32) / 32


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Of sounds of 8 samples, by their samples."""
    folder = tmp_path_factory.mktemp("sounds")
    embedder = folder / "embedder.tflite"
    embedder.write_bytes(audio_model(8))
    names = [f"{number}.wav" for number in range(20)]
    return index_file(folder / "searcher.tflite", SOUNDS, names, embedder=embedder, userinfo="a")


@pytest.fixture(scope="module")
def searcher(model):
    return audio.AudioSearcher.create_from_file(model)


@pytest.fixture(scope="module")
def embedder(model):
    return audio.AudioEmbedder.create_from_file(model)


def tensor(samples, audio_format=MONO):
    made = TensorAudio(audio_format, len(samples))
    made.load_from_array(samples)
    return made


@needs_runtime
def test_a_sound_finds_itself(searcher):
    """As a TensorAudio, as floats, or as int16."""
    found = searcher.search(tensor(SOUNDS[3]))
    assert neighbors(found)[0] == (b"3.wav", 0.0)
    assert searcher.search(SOUNDS[3]) == found
    assert searcher.search((SOUNDS[3] * 32768).clip(-32768, 32767).astype(np.int16)) == found
    assert searcher.get_user_info() == "a"


@needs_runtime
def test_several_sounds_have_several_results_also_from_threads(searcher):
    alone = [searcher.search(sound) for sound in SOUNDS]
    assert searcher.search([tensor(sound) for sound in SOUNDS]) == alone
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(searcher.search, SOUNDS)) == alone


@needs_runtime
def test_a_long_sound_is_the_mean_of_its_parts(embedder):
    (long,) = embedder.embed(SOUNDS[:2].ravel()).embeddings
    assert long.feature_vector.value.tolist() == SOUNDS[:2].mean(axis=0).tolist()


@needs_runtime
def test_another_sample_rate_is_refused(searcher):
    with pytest.raises(InvalidInput, match="sample rate of 16000 Hz, got 8000 Hz"):
        searcher.search(tensor(SOUNDS[0], AudioFormat(1, 8000)))


@needs_runtime
@pytest.mark.parametrize("item", ["sound.wav", None, b"RIFF", 3j])
def test_what_is_no_sound_is_refused(searcher, item):
    with pytest.raises(InvalidType):
        searcher.search(item)


@needs_runtime
def test_a_model_says_what_it_hears(searcher, embedder):
    for task in (searcher, embedder):
        assert task.required_audio_format == MONO
        assert task.required_input_buffer_size == 8
        silence = task.create_input_tensor_audio()
        assert silence.buffer.tolist() == 8 * [[0.0]]
    assert embedder.get_embedding_dimension(0) == 8
    vector = embedder.embed(SOUNDS[0]).embeddings[0].feature_vector
    assert vector.value.tolist() == SOUNDS[0].tolist()
    assert embedder.embed([SOUNDS[0]])[0].embeddings[0].feature_vector == vector


@needs_runtime
def test_a_model_that_does_not_say_what_it_hears_takes_arrays(tmp_path):
    path = tmp_path / "silent.tflite"
    path.write_bytes(audio_model(8, sample_rate=None))
    silent = audio.AudioEmbedder.create_from_file(path)
    with pytest.raises(ModelError, match="expected a sample rate in the metadata, found none"):
        silent.create_input_tensor_audio()
    assert silent.embed(SOUNDS[0]) == silent.embed(tensor(SOUNDS[0]))


# ---- TensorAudio -------------------------------------------------------------------------------


def test_the_latest_samples_stay():
    """Eight places: three samples, four more, then two push out the oldest."""
    made = TensorAudio(MONO, 8)
    assert made.buffer_size == 8
    assert made.format == MONO
    made.load_from_array(np.float32([1, 2, 3]))
    assert made.buffer.ravel().tolist() == [0, 0, 0, 0, 0, 1, 2, 3]
    made.load_from_array(np.float64([[4], [5], [6], [7]]))
    assert made.buffer.ravel().tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert made.buffer.dtype == np.float32
    made.load_from_array(np.float32([0, 8, 9, 0]), offset=1, size=2)
    assert made.buffer.ravel().tolist() == [2, 3, 4, 5, 6, 7, 8, 9]
    made.load_from_array(np.float32([]))
    assert made.buffer.ravel().tolist() == [2, 3, 4, 5, 6, 7, 8, 9]
    made.load_from_array(np.arange(20.0))
    assert made.buffer.ravel().tolist() == [12, 13, 14, 15, 16, 17, 18, 19]
    made.clear()
    assert not made.buffer.any()


def test_channels_lie_side_by_side():
    made = TensorAudio(AudioFormat(2, 8000), 2)
    made.load_from_array(np.float32([[1, 2], [3, 4], [5, 6]]))
    assert made.buffer.tolist() == [[3, 4], [5, 6]]
    with pytest.raises(InvalidInput, match=r"src must have shape \(n, 2\), got \(3,\)"):
        made.load_from_array(np.float32([1, 2, 3]))


def test_what_cannot_be_loaded_is_refused():
    made = TensorAudio(MONO, 4)
    samples = np.zeros(3, np.float32)
    with pytest.raises(InvalidInput, match="size must be from -1 to 1, got 2"):
        made.load_from_array(samples, offset=2, size=2)
    with pytest.raises(InvalidInput, match="offset must be from 0 to 3, got 4"):
        made.load_from_array(samples, offset=4)
    with pytest.raises(InvalidType, match="src must be a NumPy array of floats, got int16"):
        made.load_from_array(np.zeros(3, np.int16))
    with pytest.raises(InvalidType, match="src must be a NumPy array of floats, got list"):
        made.load_from_array([0.0])
    with pytest.raises(InvalidInput, match="buffer_size must be from 1, got 0"):
        TensorAudio(MONO, 0)
    with pytest.raises(InvalidInput, match=r"audio_format.channels must be from 1, got 0"):
        TensorAudio(AudioFormat(0, 16000), 4)


@pytest.fixture(scope="module")
def wav(tmp_path_factory):
    """Two channels of ten samples at 8 kHz: 0, 1, and so on, a number each."""
    path = tmp_path_factory.mktemp("wav") / "sound.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, 8000, 10, "NONE", "NONE"))
        file.writeframes(np.arange(20, dtype="<i2").tobytes())
    return path


@pytest.mark.parametrize(
    ("count", "offset", "numbers"), [(10, 0, range(20)), (3, 2, range(4, 10)), (99, 9, (18, 19))]
)
def test_a_part_of_a_file_is_read(wav, count, offset, numbers):
    pytest.importorskip("soundfile", reason="NO SOUND WAS DECODED: needs the extra 'audio'")
    made = TensorAudio.create_from_wav_file(wav, count, offset)
    assert made.format == AudioFormat(2, 8000)
    assert (made.buffer * 32768).ravel().tolist() == list(numbers)


def test_a_file_of_one_channel(tmp_path):
    soundfile = pytest.importorskip("soundfile", reason="NO SOUND WAS DECODED: needs 'audio'")
    soundfile.write(tmp_path / "mono.wav", SOUNDS[0], 16000, subtype="FLOAT")
    made = TensorAudio.create_from_wav_file(str(tmp_path / "mono.wav"), 8)
    assert made.buffer[:, 0].tolist() == SOUNDS[0].tolist()
    assert made.format == MONO


def test_a_part_that_is_not_there_is_refused(wav, tmp_path):
    pytest.importorskip("soundfile", reason="NO SOUND WAS DECODED: needs the extra 'audio'")
    with pytest.raises(InvalidInput, match=r"offset must be below the 10 samples of .*, got 10"):
        TensorAudio.create_from_wav_file(wav, 5, 10)
    with pytest.raises(InvalidInput, match="offset must be from 0, got -1"):
        TensorAudio.create_from_wav_file(wav, 5, -1)
    with pytest.raises(InvalidInput, match="sample_count must be from 1, got 0"):
        TensorAudio.create_from_wav_file(wav, 0)
    with pytest.raises(FileNotFoundError):
        TensorAudio.create_from_wav_file(tmp_path / "none.wav", 5)
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF and no more")
    with pytest.raises(InvalidInput, match=r"broken\.wav"):
        TensorAudio.create_from_wav_file(broken, 5)
