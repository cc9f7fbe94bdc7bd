"""What was found, to look at: one page with everything in it, and pictures in a folder."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import TypeAlias

from scannlite.demo.collection import Collection, name_of
from scannlite.demo.story import Answer, Measured
from scannlite.extras import imported
from scannlite.files.atomic import replacing
from scannlite.scenes.describe import Scene
from scannlite.scenes.dice import Dice
from scannlite.scenes.draw import SIDE, draw
from scannlite.scenes.sentences import full
from scannlite.types import Codes, Progress

__all__ = ["Encoder", "jpeg_encoder", "write_gallery", "write_pictures"]

Encoder: TypeAlias = Callable[[Codes], bytes]

_STYLE = Path(__file__).with_name("gallery.css")
_QUALITY = 88


def write_gallery(
    path: Path, collection: Collection, answers: Sequence[Answer], measured: Measured
) -> None:
    """Write a page that needs no other file.

    Args:
        path: of the page.
        collection: that was asked.
        answers: a section each.
        measured: told at the top.

    Raises:
        MissingExtra: Pillow is not installed.
        OSError: the page cannot be written.
    """
    encode = jpeg_encoder()
    sections = "\n".join(_section(collection, answer, encode) for answer in answers)
    n = f"{len(collection.rows):,}"
    page = (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<title>scannlite: sentences find pictures</title>\n"
        f"<style>\n{_STYLE.read_text(encoding='utf-8')}</style>\n"
        "<header>\n<h1>Sentences find pictures</h1>\n"
        f"<p>{n} pictures, none of them captioned. A model of pictures and a model of sentences, "
        "trained together, put both into one space; a ScaNN index finds what lies near.</p>\n"
        f"{_figures(measured)}</header>\n<main>\n{sections}\n</main>\n"
        f"<footer>{escape(repr(collection.index))}</footer>\n</html>\n"
    )
    with replacing(path) as file:
        file.write(page.encode())


def write_pictures(folder: Path, scenes: Sequence[Scene], progress: Progress) -> None:
    """Write each scene's picture, unless it is there, as a search page shows them.

    Args:
        folder: made if missing.
        scenes: of the collection.
        progress: told how far it is.

    Raises:
        MissingExtra: Pillow is not installed.
        OSError: a picture cannot be written.
    """
    encode = jpeg_encoder()
    folder.mkdir(parents=True, exist_ok=True)
    there = {path.name for path in folder.iterdir()}
    for row, scene in enumerate(scenes):
        name = name_of(row)
        if name not in there:
            unfinished = folder / f".{name}.tmp"  # so that who stops this leaves no half picture
            unfinished.write_bytes(encode(draw(scene)))
            unfinished.replace(folder / name)
        progress("write pictures", row + 1, len(scenes))


def jpeg_encoder() -> Encoder:
    """What makes a JPEG file of a picture.

    Raises:
        MissingExtra: Pillow is not installed.
    """
    pillow = imported("PIL.Image", "vision", "writing pictures")

    def encode(picture: Codes) -> bytes:
        content = io.BytesIO()
        pillow.fromarray(picture).save(content, "JPEG", quality=_QUALITY)
        return content.getvalue()

    return encode


def _figures(measured: Measured) -> str:
    """The few numbers that sum it up."""
    total = measured.timings.by_stage()["total"]
    facts = (
        (f"{measured.index.partial:.1%}", "of the pictures found are as the sentence says"),
        (f"{measured.index.full:.1%}", "of pictures that are told in full come among ten"),
        (f"{measured.recall:.1%}", "of what exact search finds is found"),
        (f"{total['p50']:.2f} ms", "from a sentence to ten pictures, in one thread"),
    )
    items = "".join(
        f"<div><dt>{words}</dt><dd>{escape(number)}</dd></div>" for number, words in facts
    )
    return f"<dl>{items}</dl>\n"


def _section(collection: Collection, answer: Answer, encode: Encoder) -> str:
    """A sentence and its pictures."""
    pictures = "\n".join(_pictures(collection, answer, encode))
    return (
        f"<section>\n<h2>{escape(answer.sentence)}</h2>\n"
        f"<p>{escape(' · '.join(answer.notes()))}</p>\n<ol>\n{pictures}\n</ol>\n</section>"
    )


def _pictures(collection: Collection, answer: Answer, encode: Encoder) -> Iterator[str]:
    """An item of the list for each picture."""
    true = answer.true or (None,) * len(answer.rows)
    for row, distance, is_true in zip(
        answer.rows.tolist(), answer.distances.tolist(), true, strict=True
    ):
        scene = collection.scenes[row]
        data = base64.b64encode(encode(draw(scene))).decode()
        words = escape(full(scene, Dice(row)).text)
        kind = {None: "", True: "true", False: "false"}[is_true]
        kind += " own" if row == answer.own else ""
        mark = {None: "", True: "✓ ", False: "✗ "}[is_true]
        yield (
            f'<li class="{kind.strip()}"><img src="data:image/jpeg;base64,{data}" alt="{words}" '
            f'title="{words}" width="{SIDE}" height="{SIDE}" loading="lazy">'
            f"<span>{mark}{distance:.3f}</span></li>"
        )
