"""The steps of ``docs/text-search.md``, as they stand there, on 25,014 real sentences."""

from __future__ import annotations

import io
import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from scannlite.cli import main
from scannlite.embedders import text_embedder
from scannlite.types import Floats
from tests.embedders.runtimes import needs_runtime

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
CAPTIONS = SHARED / "data" / "coco-captions.json"
MODEL = SHARED / "golden" / "upstream" / "regex_one_embedding_with_metadata.tflite"
SENTENCE = "A black Honda motorcycle parked in front of a garage."
K = 10

pytest.importorskip("google.protobuf", reason="needs the extra 'device'")
pytest.importorskip("google_crc32c", reason="needs the extra 'device'")
pytestmark = [
    needs_runtime,
    pytest.mark.skipif(not CAPTIONS.exists(), reason=f"NO SENTENCES AT {CAPTIONS}"),
]


class Step(NamedTuple):
    """A command of the document, and what it says there."""

    words: list[str]
    shown: str


def steps() -> dict[str, Step]:
    """By name, those that show what comes out of them."""
    text = (ROOT / "docs" / "text-search.md").read_text(encoding="utf-8")
    found = re.findall(r"```sh\nscannlite ([^\n]*)\n```\n```\n(.*?)```", text, re.DOTALL)
    return {words[0]: Step(words, shown) for line, shown in found for words in [shlex.split(line)]}


class Done(NamedTuple):
    """What a command gave."""

    code: int
    out: str


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the files that the document names, where its first step was done."""
    folder = tmp_path_factory.mktemp("text-search")
    for name, source in (("captions.json", CAPTIONS), ("embedder.tflite", MODEL)):
        (folder / name).write_bytes(source.read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(steps()["index-text"].words) == 0
    return folder


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(words: list[str]) -> Done:
        code = main(words)
        return Done(code, capsys.readouterr().out)

    monkeypatch.chdir(folder)
    return run


@pytest.fixture(scope="module")
def sentences() -> list[str]:
    return [entry["caption"] for entry in json.loads(CAPTIONS.read_bytes())]


@pytest.fixture(scope="module")
def rows(sentences: list[str]) -> Floats:
    return text_embedder(MODEL, l2_normalize=True).embed_batch(sentences)


def test_the_steps_are_found_in_the_document() -> None:
    assert list(steps()) == ["index-text", "query", "bench"]


def test_all_sentences_are_indexed(run: Any) -> None:
    _, out = run(["info", "searcher.tflite", "--json"])
    facts = json.loads(out)
    assert (facts["rows"], facts["dimensions"]) == (25_014, 16)
    assert "25,014 x 16, dot_product, 16 of 158 leaves" in steps()["index-text"].shown


def test_the_sentence_of_the_document_finds_itself(run: Any) -> None:
    """The nearest, in the lines that are shown there too."""
    step = steps()["query"]
    code, out = run(step.words)
    assert code == 0
    for lines in (out.splitlines(), step.shown.splitlines()):
        assert len(lines) == 4
        assert lines[1].split()[1] == "1"
        assert lines[1].endswith(f"  {SENTENCE}")


def test_sentences_find_themselves_and_their_neighbours(
    run: Any, sentences: list[str], rows: Floats, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recall@10 against exact search above 0.99; 1.00 on the machine that it was written on.

    A sentence finds itself, or another of the very same embedding, among the first five.
    """
    asked = np.arange(0, len(sentences), 125)
    lines = "\n".join(sentences[row].replace("\n", " ") for row in asked)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))
    code, out = run(["query", "searcher.tflite", "-", "-k", str(K), "--l2-normalize", "--json"])
    answers = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert len(answers) == len(asked)

    exact = -np.sort(-(rows[asked] @ rows.T), axis=1)[:, K - 1]
    row_of = {sentence: row for row, sentence in enumerate(sentences)}
    found = np.array([[row_of[text] for text in answer["metadata"]] for answer in answers])
    reached = np.einsum("qd,qkd->qk", rows[asked], rows[found])
    assert (reached >= exact[:, None] - 2e-7).mean() > 0.99
    for row, near in zip(asked, found[:, :5], strict=True):
        assert any(np.array_equal(rows[row], rows[other]) for other in near)


def test_the_time_is_taken_of_a_thousand_sentences(run: Any) -> None:
    """With the lines that are shown; how long it takes here is not said."""
    step = steps()["bench"]
    code, out = run(step.words)
    assert code in {0, 1}
    for lines in (out.splitlines(), step.shown.splitlines()):
        assert lines[0].startswith("searcher.tflite: 1,000 text queries in one thread, 5 neigh")
        assert [line.split()[0] for line in lines[2:7]] == [
            "ms",
            "tokenise",
            "model",
            "search",
            "total",
        ]
        assert "p95 of whole queries is " in lines[-1]
