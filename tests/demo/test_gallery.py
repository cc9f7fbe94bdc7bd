"""One page that needs no other file, and pictures in a folder."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from scannlite.demo import Collection, Measured, Storyteller, write_gallery, write_pictures
from scannlite.embedders.pictures import decode_image
from scannlite.scenes.draw import draw
from scannlite.web.pictures import Pictures
from tests.demo.conftest import silent
from tests.embedders.runtimes import needs_runtime

pytest.importorskip("PIL", reason="NO PICTURE WAS WRITTEN: Pillow is not installed")
HOSTILE = "a red star</h2><script>alert(1)</script> & \"more\" <img src=x onerror='x'>"


class Tags(HTMLParser):
    """Every tag with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@needs_runtime
def test_the_page_shows_every_answer_and_needs_nothing_else(
    tmp_path: Path, teller: Storyteller, collection: Collection, measured: Measured
):
    answers = [teller.ask(HOSTILE), teller.ask("qwerty"), *teller.dozen()]
    path = tmp_path / "results.html"
    write_gallery(path, collection, answers, measured)
    page = path.read_text(encoding="utf-8")
    tags = Tags(page).found
    names = [tag for tag, _ in tags]
    assert names.count("section") == len(answers)
    assert not {"script", "link", "iframe"} & set(names)
    pictures = [attributes for tag, attributes in tags if tag == "img"]
    assert len(pictures) == 10 * len(answers)
    assert all((each["src"] or "").startswith("data:image/jpeg;base64,") for each in pictures)
    assert all(each["alt"] for each in pictures)
    assert not any(name.startswith("on") for _, attributes in tags for name in attributes)
    assert "&lt;script&gt;" in page
    assert not re.search(r"https?://|url\(|@import", page)
    kinds = [attributes.get("class") for tag, attributes in tags if tag == "li"]
    assert "true" in kinds
    assert "true own" in kinds
    assert kinds[10:20] == [""] * 10  # not judged
    assert path.stat().st_size < 3_000_000


@needs_runtime
def test_pictures_are_those_of_the_scenes_and_the_search_page_knows_them(
    tmp_path: Path, collection: Collection
):
    scenes, folder = collection.scenes[:20], tmp_path / "pictures"
    write_pictures(folder, scenes, silent)
    shown = decode_image(folder / "000003.jpg").astype(int)
    assert np.abs(shown - draw(scenes[3])).mean() < 6  # JPEG
    assert Pictures(folder).find("000003.jpg") is not None
    before = (folder / "000003.jpg").stat().st_mtime_ns
    write_pictures(folder, scenes, silent)
    assert (folder / "000003.jpg").stat().st_mtime_ns == before
