"""A sound has the embedding that the Task Library's AudioEmbedder gives it."""

from __future__ import annotations

import numpy as np
import pytest

from scannlite.embedders.audio import audio_embedder
from scannlite.embedders.sounds import decode_sound
from tests.embedders.test_audio import WINDOW, YAMNET, needs_yamnet, recordings
from tests.strategies import same_bits

soundfile = pytest.importorskip(
    "soundfile", reason="NO SOUND WAS COMPARED WITH THE TASK LIBRARY: soundfile is not installed"
)


@needs_yamnet
@pytest.mark.parametrize("l2_normalize", [False, True])
def test_sounds_are_embedded_alike(reference, tmp_path, l2_normalize):
    """From WAV files of exactly one window, to the last bit, for it is the same arithmetic."""
    paths = []
    for number, sound in enumerate(recordings(3, seed=0)[0]):
        paths.append(tmp_path / f"{number}.wav")
        soundfile.write(paths[-1], np.resize(sound, WINDOW), 16000, subtype="PCM_16")
    ours = audio_embedder(YAMNET, l2_normalize=l2_normalize, num_threads=1)
    found = ours.embed_batch([decode_sound(path, 16000) for path in paths])
    theirs = reference.ask(
        "embed_sounds", model=YAMNET, paths=list(map(str, paths)), l2_normalize=l2_normalize
    )
    assert same_bits(found, np.array(theirs["embeddings"], np.float32))
