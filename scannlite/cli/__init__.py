"""The shell's way in: ``scannlite COMMAND``.

Thin: names and shapes change here, nothing is computed here. ``commands`` holds one small function
for each command on vectors and files, ``indexing`` and ``asking`` for those that run a model,
``serving`` and ``showing`` for those that have pictures to look at, ``warming`` compiles; ``flags``
turns words into options, ``output`` turns results into lines.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence

from scannlite import __version__
from scannlite.cli import asking, commands, indexing, serving, showing, warming
from scannlite.cli.output import complain, warn_in_one_line
from scannlite.errors import ScannliteError

__all__ = ["main"]

COMMANDS = (
    showing.COMMANDS
    | commands.COMMANDS
    | indexing.COMMANDS
    | asking.COMMANDS
    | serving.COMMANDS
    | warming.COMMANDS
)
BAD_INPUT, INTERRUPTED, CLOSED_PIPE = 2, 130, 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give the shell's exit code.

    0 is fine, 1 a query over its budget, 2 bad input, 130 Ctrl-C and 141 a closed pipe.

    Args:
        argv: the words after ``scannlite``; None for those of this process.
    """
    arguments = parser().parse_args(argv)
    with warnings.catch_warnings():
        warnings.showwarning = warn_in_one_line
        try:
            code = arguments.run(arguments)
            sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # no word at exit either
            return CLOSED_PIPE
        except KeyboardInterrupt:
            return INTERRUPTED
        except (ScannliteError, OSError) as error:
            complain(error)
            return BAD_INPUT
    return code or 0


def parser() -> argparse.ArgumentParser:
    """Every command with its words."""
    root = argparse.ArgumentParser(
        prog="scannlite", description="ScaNN's search on any machine that runs Python."
    )
    root.add_argument("--version", action="version", version=f"scannlite {__version__}")
    subcommands = root.add_subparsers(metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        words = subcommands.add_parser(name, help=command.help, description=command.help)
        words.set_defaults(run=command.run)
        command.declare(words)
    return root
