"""Sentences asked of a collection, with what is true of the answers, and what it all comes to."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle

import numpy as np

from scannlite.cli.budget import WholeQuery, time_queries
from scannlite.cli.report import Timings
from scannlite.demo.collection import Collection
from scannlite.engine.truth import Judge
from scannlite.scenes.dice import Dice
from scannlite.scenes.evaluate import (
    K,
    Summary,
    questions_of,
    scores_of,
    speaks_of_unseen,
    summary_of,
)
from scannlite.scenes.meaning import Facts, Meaning
from scannlite.scenes.reading import meaning_of
from scannlite.scenes.sentences import full
from scannlite.types import Floats, Ids, Neighbors, Progress

__all__ = ["SENTENCES", "Answer", "Measured", "Storyteller"]

SENTENCES = (
    "a red star",
    "something blue in the snow",
    "a large yellow heart with stripes",
    "a white cross on grass",  # never drawn for training
    "an orange circle at the top left",
    "a red triangle left of a blue square",
    "a green heart and a purple heart",
    "a small dotted square on a wooden table",
    "a golden star in the night sky",
    "a crimson box below a white circle",
    "a checkered triangle in the middle",
)
_OWN_ROW = 43  # of the picture that the twelfth sentence tells all of
_QUESTIONS, _QUESTIONS_SEED = 50, 2  # of each kind, and of their scenes
_TIMED = 1_000
_BUDGET_MS = 6.0


@dataclass(frozen=True)
class Answer:
    """What was found for a sentence.

    Attributes:
        sentence: that was asked.
        rows: (k,) of the pictures, nearest first.
        distances: (k,) of the pictures.
        true: whether the sentence is true of each picture; empty where no word of it is known.
        there: of how many pictures of the whole collection it is true.
        unseen: whether it speaks of a shape in a colour that was never drawn for training.
        own: the row of the picture that the sentence was written for, or None.
        milliseconds: from the sentence to the names of the pictures.
    """

    sentence: str
    rows: Ids
    distances: Floats
    true: tuple[bool, ...]
    there: int
    unseen: bool
    own: int | None
    milliseconds: float

    def notes(self) -> list[str]:
        """How good the answer is, in a few words each."""
        notes = [self._verdict()]
        if self.own is not None:
            places = self.rows.tolist()
            found = f"no. {places.index(self.own) + 1}" if self.own in places else "not found"
            notes.append(f"the picture it was written for: {found}")
        if self.unseen:
            notes.append("this shape was never drawn in this colour for training")
        return [*notes, f"{self.milliseconds:.2f} ms"]

    def _verdict(self) -> str:
        if not self.true:
            return "no word of it is known"
        if self.there >= len(self.true):
            return f"{sum(self.true)} of {len(self.true)} as it says"
        return f"{sum(self.true)} of the {self.there} there are"


@dataclass(frozen=True)
class Measured:
    """What many questions came to.

    Attributes:
        exact: of every picture compared with the sentence, pairs seen in training.
        index: of the searcher; likewise.
        exact_unseen: likewise, of pairs never drawn for training.
        index_unseen: likewise.
        recall: the share of exact search's ten pictures that the searcher returned, too.
        questions: how many were asked.
        timings: of whole queries in one thread.
    """

    exact: Summary
    index: Summary
    exact_unseen: Summary
    index_unseen: Summary
    recall: float
    questions: int
    timings: Timings

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"{'of ' + format(self.questions, ',') + ' sentences':44}{'exact':>8}{'index':>8}"
        for name, score in (
            ("pictures as the sentence says", "partial"),
            ("the described picture is in the first ten", "full"),
        ):
            for which, exact, index in (
                ("", self.exact, self.index),
                (", unseen", self.exact_unseen, self.index_unseen),
            ):
                values = (getattr(summary, score) for summary in (exact, index))
                yield f"{name + which:51}" + " ".join(f"{value:7.3f}" for value in values)
        yield f"{'recall@10 against exact search':60}{self.recall:7.3f}"
        yield ""
        yield from self.timings.lines("text")
        yield str(self.timings.judged(_BUDGET_MS, 95))


class Storyteller:
    """Asks a collection, and knows what is true.

    Args:
        collection: of n pictures.
    """

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._facts = Facts(collection.scenes)
        self._find("a star")  # loads kernels, model and names

    def dozen(self) -> list[Answer]:
        """A dozen sentences; the last tells all of one picture."""
        sentence = full(self._collection.scenes[_OWN_ROW], Dice(_OWN_ROW)).text
        return [*map(self.ask, SENTENCES), self.ask(sentence, own=_OWN_ROW)]

    def ask(self, sentence: str, own: int | None = None) -> Answer:
        """Find the ten pictures nearest to a sentence.

        Args:
            sentence: any text.
            own: the row of the picture that it was written for.
        """
        rows, distances, seconds = self._find(sentence)
        meaning = meaning_of(sentence)
        says = meaning != Meaning()
        true = self._facts.satisfying(meaning)
        return Answer(
            sentence=sentence,
            rows=rows,
            distances=distances,
            true=tuple(true[rows].tolist()) if says else (),
            there=int(true.sum()) if says else 0,
            unseen=speaks_of_unseen(meaning),
            own=own,
            milliseconds=1e3 * seconds,
        )

    def in_words(self, answer: Answer) -> list[str]:
        """What each picture of an answer shows."""
        scenes = self._collection.scenes
        return [full(scenes[row], Dice(row)).text for row in answer.rows.tolist()]

    def measure(self, progress: Progress) -> Measured:
        """Ask many questions, by exact search and of the searcher, and time them."""
        scenes, rows = self._collection.scenes, self._collection.rows
        asked = questions_of(scenes, _QUESTIONS_SEED, _QUESTIONS)
        texts = [question.sentence.text for question in asked]
        progress("measure", 0, 3)
        embeddings = self._collection.text.embed_batch(texts)
        exact = _nearest(embeddings, rows)
        progress("measure", 1, 3)
        distances, ids = self._collection.index.search(embeddings, K)
        found = self._rows_of(ids)
        progress("measure", 2, 3)
        by_exact = scores_of(scenes, asked, lambda _: exact)
        by_index = scores_of(scenes, asked, lambda _: found)
        query = WholeQuery(self._collection.text, self._collection.index, K)
        timings = time_queries(query, cycle(texts), most=_TIMED)
        progress("measure", 3, 3)
        return Measured(
            exact=summary_of(by_exact, unseen=False),
            index=summary_of(by_index, unseen=False),
            exact_unseen=summary_of(by_exact, unseen=True),
            index_unseen=summary_of(by_index, unseen=True),
            recall=Judge(embeddings, K, ids=exact).recall(Neighbors(distances, found)),
            questions=len(asked),
            timings=timings,
        )

    def _find(self, sentence: str) -> tuple[Ids, Floats, float]:
        """Rows, distances, and the seconds from the sentence to the names of the pictures."""
        began = time.perf_counter()
        embedding = self._collection.text.embed(sentence)
        distances, ids = self._collection.index.search(embedding, K)
        names = self._collection.index.metadata or ()
        [names[place] for place in ids.tolist() if place >= 0]
        seconds = time.perf_counter() - began
        filled = ids >= 0
        return self._rows_of(ids[filled]), distances[filled], seconds

    def _rows_of(self, ids: Ids) -> Ids:
        """Rows by ids, -1 for a place that was not filled."""
        return np.where(ids >= 0, self._collection.row_of[ids], -1)


def _nearest(queries: Floats, rows: Floats) -> Ids:
    """The ten rows of each query with the largest products, nearest first, (q, 10)."""
    found = np.empty((len(queries), K), np.int64)
    for start in range(0, len(queries), _QUESTIONS):  # all at once would not fit a small board
        part = -(queries[start : start + _QUESTIONS] @ rows.T)
        best = np.argpartition(part, K, axis=1)[:, :K]
        order = np.argsort(np.take_along_axis(part, best, axis=1), axis=1, kind="stable")
        found[start : start + len(part)] = np.take_along_axis(best, order, axis=1)
    return found
