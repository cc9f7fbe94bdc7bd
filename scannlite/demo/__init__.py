"""The demo: sentences find pictures that nobody captioned.

``collection`` draws the pictures, embeds them and exports a searcher, ``story`` asks it and
measures, ``gallery`` shows what it found on one page.
"""

from __future__ import annotations

from scannlite.demo.collection import FULL_ROWS, Collection, collect
from scannlite.demo.gallery import jpeg_encoder, write_gallery, write_pictures
from scannlite.demo.story import SENTENCES, Answer, Measured, Storyteller

__all__ = [
    "FULL_ROWS",
    "SENTENCES",
    "Answer",
    "Collection",
    "Measured",
    "Storyteller",
    "collect",
    "jpeg_encoder",
    "write_gallery",
    "write_pictures",
]
