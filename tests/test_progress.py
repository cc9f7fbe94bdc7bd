"""What is said of long work, and to whom."""

from __future__ import annotations

import sys

import pytest

from scannlite.progress import reported


def work(progress):
    with reported(progress) as report:
        for done in range(4):
            report("embed", done, 3)


def test_who_is_named_is_told():
    told = []
    work(lambda *what: told.append(what))
    assert told == [("embed", done, 3) for done in range(4)]


def test_nothing_is_said_without_a_terminal(capsys):
    work("auto")
    assert capsys.readouterr() == ("", "")


def test_nothing_is_said_where_there_is_no_standard_error(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    work("auto")


def test_none_is_silence_on_a_terminal_too(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    work(None)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_shows_a_bar(capsys, monkeypatch):
    pytest.importorskip("tqdm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    work("auto")
    assert "embed: 100%" in capsys.readouterr().err
