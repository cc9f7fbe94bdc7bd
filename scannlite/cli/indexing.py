"""``scannlite index-text``, ``index-images`` and ``index-audio``: items in, an index file out."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from scannlite.cli.commands import OUTPUT_HELP, Command, declare_common, write_index
from scannlite.cli.flags import check_flags, declare_options
from scannlite.cli.inside import facts_inside
from scannlite.cli.output import Progress, say, say_json
from scannlite.cli.paths import check_folder
from scannlite.engine.storage import kind_named
from scannlite.errors import InvalidInput

if TYPE_CHECKING:
    from scannlite.searcher.embedding_loader import EmbeddingLoader
    from scannlite.searcher.folder import FolderDataLoader

__all__ = ["COMMANDS"]

JSON = (".json", ".jsonl")


def index_text(arguments: argparse.Namespace) -> None:
    """``scannlite index-text``: a column of texts in, an index file out."""
    if arguments.input.suffix.lower() in JSON:
        index_loaded(arguments, load_json)
    else:
        index_loaded(arguments, load_csv)


def index_images(arguments: argparse.Namespace) -> None:
    """``scannlite index-images``: a folder of pictures in, an index file out."""
    index_loaded(arguments, load_images)


def index_audio(arguments: argparse.Namespace) -> None:
    """``scannlite index-audio``: a folder of sounds in, an index file out."""
    index_loaded(arguments, load_sounds)


def index_loaded(
    arguments: argparse.Namespace,
    load: Callable[[argparse.Namespace, Progress], EmbeddingLoader],
) -> None:
    """Load, index, save, and say what there is now; what was skipped, the loader warns of."""
    output, kind = arguments.output, kind_named(arguments.output)
    check_folder(output)
    check_flags(arguments, for_device=kind != "npz")
    embedder = arguments.embedder if kind == "tflite" else None
    with Progress() as progress:
        loader = load(arguments, progress)
        written = write_index(arguments, loader.dataset, loader.metadata, embedder, progress)
    if arguments.json:
        skipped = [asdict(item) for item in loader.skipped]
        say_json(facts_inside(output) | {"skipped": skipped})
    else:
        say(written)


# --------------------------------------------------------------------------------------- loaders


def load_csv(arguments: argparse.Namespace, progress: Progress) -> EmbeddingLoader:
    """The texts of a CSV file."""
    from scannlite.searcher import TextDataLoader  # noqa: PLC0415 - all embedders

    loader = TextDataLoader.create(arguments.embedder, arguments.l2_normalize)
    loader.load_from_csv(
        arguments.input,
        *columns(arguments),
        arguments.delimiter or ",",
        encoding=arguments.encoding or "utf-8",
        checkpoint=arguments.checkpoint,
        threads=arguments.threads,
        progress=progress,
    )
    return loader


def load_json(arguments: argparse.Namespace, progress: Progress) -> EmbeddingLoader:
    """The texts of a JSON file."""
    from scannlite.cli.json_texts import JsonDataLoader  # noqa: PLC0415 - all embedders
    from scannlite.embedders import text_embedder  # noqa: PLC0415
    from scannlite.searcher.embedding_loader import Work  # noqa: PLC0415

    for flag, value in {
        "--delimiter": arguments.delimiter,
        "--encoding": arguments.encoding,
    }.items():
        if value is not None:
            raise InvalidInput(f"{flag} is for CSV files, got {value!r} for {arguments.input}.")
    loader = JsonDataLoader(
        text_embedder(arguments.embedder, l2_normalize=arguments.l2_normalize, num_threads=1)
    )
    work = Work(arguments.checkpoint, arguments.threads, progress)
    loader.load_from_json(arguments.input, columns(arguments), work)
    return loader


def load_images(arguments: argparse.Namespace, progress: Progress) -> EmbeddingLoader:
    """The pictures of a folder."""
    from scannlite.searcher import ImageDataLoader  # noqa: PLC0415 - all embedders

    return load_folder(arguments, progress, ImageDataLoader.create)


def load_sounds(arguments: argparse.Namespace, progress: Progress) -> EmbeddingLoader:
    """The sounds of a folder."""
    from scannlite.searcher import AudioDataLoader  # noqa: PLC0415 - all embedders

    return load_folder(arguments, progress, AudioDataLoader.create)


def load_folder(
    arguments: argparse.Namespace, progress: Progress, create: Callable[..., FolderDataLoader]
) -> EmbeddingLoader:
    """The files of a folder; their metadata as they are, so that they need not be text."""
    from scannlite.searcher import MetadataType  # noqa: PLC0415 - all embedders

    types = {"file-name": MetadataType.FROM_FILE_NAME, "dat": MetadataType.FROM_DAT_FILE}
    loader = create(arguments.embedder, types[arguments.metadata], arguments.l2_normalize)
    loader.load_from_folder(
        arguments.input,
        "rb",
        checkpoint=arguments.checkpoint,
        threads=arguments.threads,
        progress=progress,
    )
    return loader


def columns(arguments: argparse.Namespace) -> tuple[str, str]:
    """Of the text and of the metadata, which is the text where nobody says otherwise."""
    return arguments.text_column, arguments.metadata_column or arguments.text_column


# ------------------------------------------------------------------------- words of the commands


def declare_text(parser: argparse.ArgumentParser) -> None:
    """Words of ``index-text``."""
    add = parser.add_argument
    add("input", type=Path, metavar="TEXTS", help=".csv with a header; or .json, .jsonl of objects")
    add("--text-column", default="text", metavar="NAME", help="what to embed (default: text)")
    add("--metadata-column", metavar="NAME", help="what comes with a row (default: the text)")
    add("--delimiter", metavar="CHARACTER", help="between fields of a CSV file (default: a comma)")
    add("--encoding", metavar="NAME", help="of a CSV file (default: utf-8)")
    declare_indexing(parser)


def declare_folder(parser: argparse.ArgumentParser) -> None:
    """Words of ``index-images`` and ``index-audio``."""
    add = parser.add_argument
    add("input", type=Path, metavar="FOLDER", help="with all folders in it")
    add(
        "--metadata",
        choices=("file-name", "dat"),
        default="file-name",
        help="what comes with a row: the file's name without suffix, or what is in the file beside "
        "it that ends in .dat (default: %(default)s)",
    )
    declare_indexing(parser)


def declare_indexing(parser: argparse.ArgumentParser) -> None:
    """Words that all of them have."""
    add = parser.add_argument
    add("--embedder", type=Path, required=True, metavar="MODEL.tflite", help="what makes the rows")
    add("-o", "--output", type=Path, required=True, metavar="INDEX", help=OUTPUT_HELP)
    add("--l2-normalize", action="store_true", help="scale embeddings to length 1")
    add("--checkpoint", type=Path, metavar="FILE", help="keeps embeddings, to stop and go on")
    add("--threads", type=int, metavar="N", help="default: one a processor")
    declare_common(parser, "seed", "json", "userinfo")
    declare_options(parser)


COMMANDS = {
    "index-text": Command(index_text, "embed texts and index them", declare_text),
    "index-images": Command(index_images, "embed pictures and index them", declare_folder),
    "index-audio": Command(index_audio, "embed sounds and index them", declare_folder),
}
