"""``scannlite serve``: a search page in the browser."""

from __future__ import annotations

import argparse
import sys
import threading
import warnings
import webbrowser
from pathlib import Path

from scannlite.cli.commands import Command
from scannlite.cli.output import say
from scannlite.cli.paths import read_lines
from scannlite.errors import ScannliteWarning

__all__ = ["COMMANDS"]


def serve(arguments: argparse.Namespace) -> None:
    """``scannlite serve``: results as one types, until Ctrl-C."""
    from scannlite.web.application import Page, application  # noqa: PLC0415 - loads all embedders
    from scannlite.web.hosts import Hosts  # noqa: PLC0415
    from scannlite.web.opening import Sources, open_search  # noqa: PLC0415
    from scannlite.web.server import Listener  # noqa: PLC0415

    examples = read_lines(arguments.examples) if arguments.examples else None
    page = Page(arguments.searcher.name, arguments.k, examples)
    sources = Sources(
        arguments.searcher,
        arguments.index,
        arguments.images,
        arguments.image_embedder,
        arguments.l2_normalize,
    )
    with Listener(arguments.host, arguments.port) as listener:
        search = open_search(sources)
        answering = application(search, page, Hosts.of(arguments.host))
        warn_of_no_pictures(arguments.images, search.pictures)
        rows = f"{len(search.index):,} rows, {search.pictures:,} with a picture"
        say(f"{arguments.searcher}: {rows}. Ctrl-C stops the page at")
        say(listener.address)
        sys.stdout.flush()  # to a pipe too, where one may wait for the address
        if arguments.open:
            open_browser(listener.address)
        listener.run(answering)


def warn_of_no_pictures(folder: Path | None, count: int) -> None:
    """It may be another folder than that which was indexed."""
    if folder is not None and count == 0:
        warnings.warn(
            f"no row's metadata names a picture of {folder}: the page shows text.",
            ScannliteWarning,
            stacklevel=2,
        )


def open_browser(address: str) -> None:
    """In a thread, since a browser of the terminal stays until it is closed."""
    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()


def declare_serve(parser: argparse.ArgumentParser) -> None:
    """Words of ``serve``."""
    add = parser.add_argument
    add("searcher", type=Path, metavar="SEARCHER.tflite", help="a model of texts or pictures")
    add(
        "--images",
        type=Path,
        metavar="DIR",
        help="the pictures that metadata name by path or file name, with or without suffix; of "
        "several that could be meant the first by path; default: metadata are shown as text",
    )
    add("--index", type=Path, metavar="INDEX", help="an index in place of the one inside")
    add(
        "--image-embedder",
        type=Path,
        metavar="IMAGE.tflite",
        help="the model that made the index of pictures, to search by picture too",
    )
    add("--host", default="127.0.0.1", help="to listen on (default: %(default)s, this machine)")
    add("--port", type=int, default=8000, help="default: %(default)s; 0: any that is free")
    add("--open", action="store_true", help="open the page in the browser")
    add("--l2-normalize", action="store_true", help="scale embeddings to length 1")
    add("-k", type=int, default=24, help="results to begin with (default: %(default)s)")
    add(
        "--examples",
        type=Path,
        metavar="LINES.txt",
        help="questions to click, one a line; default: some drawn from metadata",
    )


COMMANDS = {"serve": Command(serve, "search in the browser, as you type", declare_serve)}
