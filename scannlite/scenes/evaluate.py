"""How good a search from sentences to scenes is, judged by what the scenes truly show.

Two questions: of the pictures that are returned for a sentence, of how many is it true; and is the
picture that a full sentence was written for among them. Both are asked apart for sentences and
pictures with pairs of shape and colour that were never drawn for training.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from scannlite.scenes.describe import UNSEEN, Scene, has_unseen, scene_of
from scannlite.scenes.dice import Dice
from scannlite.scenes.meaning import Facts, Meaning
from scannlite.scenes.sentences import KINDS, Sentence, full, partial
from scannlite.types import AnyArray, Ids

__all__ = [
    "Found",
    "Question",
    "Score",
    "Summary",
    "questions_of",
    "scores_of",
    "speaks_of_unseen",
    "summary_of",
]

Found = Callable[[Sequence[str]], Ids]
"""Answers q sentences with the rows of k pictures each, (q, k), -1 for none."""

K = 10
_TRIES = 40  # sentences drawn, at most, for each that is wanted


@dataclass(frozen=True)
class Question:
    """A sentence that is asked of a collection.

    Attributes:
        kind: one of ``sentences.KINDS``, or ``"full"``.
        sentence: what is asked.
        unseen: whether it speaks of a pair of ``describe.UNSEEN``.
        own: the row of the picture that a full sentence was written for; None for a partial one.
        share: of the collection's scenes, those that the sentence is true of.
    """

    kind: str
    sentence: Sentence
    unseen: bool
    own: int | None
    share: float


@dataclass(frozen=True)
class Score:
    """What was measured over the questions of one kind.

    Attributes:
        kind: of these questions.
        unseen: whether they speak of pairs that were never drawn for training.
        questions: how many there are.
        score: the share of returned pictures of which the sentence is true, or for full sentences
            the share of questions that returned the picture they were written for.
        chance: what pictures drawn at random would score.
    """

    kind: str
    unseen: bool
    questions: int
    score: float
    chance: float


@dataclass(frozen=True)
class Summary:
    """What many scores come to.

    Attributes:
        partial: the share of pictures returned for partial sentences of which these are true.
        full: the share of full sentences that returned the picture they were written for.
        chance: what pictures drawn at random would score for partial sentences.
    """

    partial: float
    full: float
    chance: float


def questions_of(scenes: Sequence[Scene], seed: int, count: int = 100) -> list[Question]:
    """Sentences to ask of a collection of scenes.

    Partial sentences are written about scenes outside of the collection, and kept when at least
    ten of its scenes satisfy them. Full ones are written about scenes of the collection.

    Args:
        scenes: the collection.
        seed: of the sentences; for scenes outside, another than the collection's.
        count: of sentences of each kind, half as many of unseen pairs.
    """
    facts = Facts(scenes)
    asked = _full_questions(scenes, seed, count)
    for place, kind in enumerate(KINDS, 1):
        wanted = {False: count, True: count // 2}
        for number in range(_TRIES * count):
            dice = Dice(seed, number, place)
            sentence = partial(kind, scene_of(seed, number), dice)
            unseen = speaks_of_unseen(sentence.meaning)
            if not wanted[unseen]:
                continue
            satisfied = int(facts.satisfying(sentence.meaning).sum())
            if satisfied >= K:
                share = satisfied / len(scenes)
                asked.append(Question(kind, sentence, unseen, None, share))
                wanted[unseen] -= 1
    return asked


def _full_questions(scenes: Sequence[Scene], seed: int, count: int) -> list[Question]:
    """Twice as many of seen pairs as of unseen ones, from the collection's first scenes."""
    wanted = {False: 5 * count, True: 5 * count // 2}
    asked = []
    for row, scene in enumerate(scenes):
        unseen = has_unseen(scene)
        if wanted[unseen]:
            sentence = full(scene, Dice(seed, row, len(KINDS) + 1))
            asked.append(Question("full", sentence, unseen, row, min(1.0, K / len(scenes))))
            wanted[unseen] -= 1
    return asked


def scores_of(scenes: Sequence[Scene], asked: Sequence[Question], found: Found) -> list[Score]:
    """Ask every question, and judge the answers.

    Args:
        scenes: the collection.
        asked: questions about it.
        found: answers sentences with ten rows of the collection each.
    """
    facts = Facts(scenes)
    rows = found([question.sentence.text for question in asked])
    grades = np.array(
        [_grade(facts, question, answer) for question, answer in zip(asked, rows, strict=True)]
    )
    groups = dict.fromkeys((question.kind, question.unseen) for question in asked)
    return [_score(asked, grades, kind, unseen) for kind, unseen in groups]


def summary_of(scores: Sequence[Score], *, unseen: bool) -> Summary:
    """Each sentence counts the same.

    Args:
        scores: of all kinds of sentences.
        unseen: whether of those that speak of pairs that were never drawn for training, or of the
            others.
    """
    asked = [score for score in scores if score.unseen == unseen]
    partial = [score for score in asked if score.kind != "full"]
    counts = [score.questions for score in partial]
    full = [score.score for score in asked if score.kind == "full"]
    return Summary(
        partial=float(np.average([score.score for score in partial], weights=counts)),
        full=float(np.mean(full)),
        chance=float(np.average([score.chance for score in partial], weights=counts)),
    )


def _grade(facts: Facts, question: Question, answer: Ids) -> float:
    if question.own is not None:
        return float(question.own in answer[:K])
    true = facts.satisfying(question.sentence.meaning)
    return float(true[answer[:K][answer[:K] >= 0]].sum() / K)


def _score(asked: Sequence[Question], grades: AnyArray, kind: str, unseen: bool) -> Score:
    rows = [
        row
        for row, question in enumerate(asked)
        if (question.kind, question.unseen) == (kind, unseen)
    ]
    chance = float(np.mean([asked[row].share for row in rows]))
    return Score(kind, unseen, len(rows), float(grades[rows].mean()), chance)


def speaks_of_unseen(meaning: Meaning) -> bool:
    """Whether a sentence speaks of a pair of ``describe.UNSEEN``."""
    return any((mention.shape, mention.colour) in UNSEEN for mention in meaning.mentions)
