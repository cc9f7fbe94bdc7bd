"""``scannlite demo``: sentences find pictures that nobody captioned."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from scannlite.cli.commands import Command
from scannlite.cli.output import Progress, say

if TYPE_CHECKING:
    from scannlite.demo import Answer, Collection, Measured, Storyteller

__all__ = ["COMMANDS"]

_SHOWN = 5  # pictures that are told of in words


def demo(arguments: argparse.Namespace) -> None:
    """``scannlite demo``: draw, embed, index, ask, measure, show."""
    from scannlite import demo as pictures  # noqa: PLC0415 - loads all embedders

    pictures.jpeg_encoder()  # a missing library is better told before the work than after
    rows = pictures.FULL_ROWS if arguments.full else arguments.rows
    with Progress() as progress:
        collection = pictures.collect(rows, arguments.output, progress)
        if arguments.pictures:
            pictures.write_pictures(arguments.output / "pictures", collection.scenes, progress)
        teller = pictures.Storyteller(collection)
        measured = teller.measure(progress)
    for line in told(collection, measured):
        say(line)
    answers = teller.dozen()
    for answer in answers:
        say(summed_up(answer))
    asked = [teller.ask(sentence) for sentence in arguments.sentences]
    if not asked and sys.stdin.isatty() and sys.stdout.isatty():
        asked = list(conversation(teller))
    else:
        for answer in asked:
            say(summed_up(answer))
    page = arguments.output / "results.html"
    pictures.write_gallery(page, collection, [*asked, *answers], measured)
    say("")
    say(f"searcher     {collection.searcher}")
    say(f"gallery      {page}")
    if arguments.pictures:
        say(f"try          {serving(arguments.output, collection)}")


def told(collection: Collection, measured: Measured) -> Iterator[str]:
    """What was made, and what it comes to."""
    n, built = len(collection.rows), collection.build_seconds
    yield f"pictures     {n:,}, drawn and embedded in {collection.embed_seconds:.1f} s"
    yield f"index        {'kept from before' if built is None else f'built in {built:.1f} s'}"
    yield f"             {collection.index!r}"
    yield ""
    yield from measured.lines()
    yield ""


def summed_up(answer: Answer) -> str:
    """A sentence and how good its answer is."""
    return f"{answer.sentence}: {', '.join(answer.notes())}"


def conversation(teller: Storyteller) -> Iterator[Answer]:
    """Whatever is typed, until an empty line."""
    say("")
    say("Now you: a sentence and Enter; Enter alone ends.")
    while True:
        try:
            sentence = input("> ").strip()
        except EOFError:
            return
        if not sentence:
            return
        answer = teller.ask(sentence)
        say(f"  {', '.join(answer.notes())}")
        for line in teller.in_words(answer)[:_SHOWN]:
            say(f"  {line}")
        yield answer


def serving(folder: Path, collection: Collection) -> str:
    """The command that opens the search page."""
    from scannlite.scenes.models import IMAGE_TOWER  # noqa: PLC0415 - for this line alone

    return (
        f"scannlite serve {collection.searcher} --images {folder / 'pictures'} "
        f"--image-embedder {IMAGE_TOWER} --open"
    )


def declare_demo(parser: argparse.ArgumentParser) -> None:
    """Words of ``demo``."""
    add = parser.add_argument
    add("sentences", nargs="*", metavar="SENTENCE", help="to ask; on a terminal also asked for")
    add(
        "--output",
        type=Path,
        default=Path("scannlite-demo"),
        metavar="DIR",
        help="folder of all that is made and kept (default: %(default)s)",
    )
    add("--rows", type=int, default=20_000, help="pictures, from 1000 (default: %(default)s)")
    add("--full", action="store_true", help="the article's 123,287 pictures, 351 leaves")
    add("--pictures", action="store_true", help="write all pictures too, for scannlite serve")


COMMANDS = {"demo": Command(demo, "find pictures by sentences, and show them", declare_demo)}
