"""What is asked, what is true of the answers, and what it comes to."""

from __future__ import annotations

import numpy as np
import pytest

from scannlite.demo import SENTENCES, Answer, Collection, Measured, Storyteller
from scannlite.scenes.meaning import Meaning, satisfies
from scannlite.scenes.reading import meaning_of
from tests.embedders.runtimes import needs_runtime


def answer_of(true: tuple[bool, ...], there: int, own: int | None = None) -> Answer:
    rows = np.arange(5, 5 + max(len(true), 1))
    return Answer("words", rows, -rows.astype(np.float32), true, there, False, own, 0.25)


@pytest.mark.parametrize(
    ("answer", "notes"),
    [
        (answer_of((), 0), ["no word of it is known"]),
        (answer_of((True, False, True), 9), ["2 of 3 as it says"]),
        (answer_of((True, False, False), 2), ["1 of the 2 there are"]),
        (
            answer_of((False, True), 1, own=6),
            ["1 of the 1 there are", "the picture it was written for: no. 2"],
        ),
        (
            answer_of((False, True), 1, own=99),
            ["1 of the 1 there are", "the picture it was written for: not found"],
        ),
    ],
)
def test_notes_by_hand(answer: Answer, notes: list[str]):
    assert answer.notes() == [*notes, "0.25 ms"]


def test_every_word_of_the_sentences_is_known():
    """Else an answer could not be judged."""
    for sentence in SENTENCES:
        assert meaning_of(sentence) != Meaning()
    assert len(set(SENTENCES)) == len(SENTENCES) == 11


@needs_runtime
def test_a_dozen_answers_are_judged_by_what_the_scenes_show(
    teller: Storyteller, collection: Collection
):
    answers = teller.dozen()
    assert len(answers) == 12
    for answer in answers:
        meaning = meaning_of(answer.sentence)
        scenes = [collection.scenes[row] for row in answer.rows]
        assert len(scenes) == 10
        assert answer.true == tuple(satisfies(scene, meaning) for scene in scenes)
        assert answer.there == sum(satisfies(scene, meaning) for scene in collection.scenes)
        assert (np.diff(answer.distances) >= 0).all()
    assert answers[-1].own in answers[-1].rows
    assert [answer.sentence for answer in answers if answer.unseen] == ["a white cross on grass"]


@needs_runtime
def test_unknown_words_are_answered_and_not_judged(teller: Storyteller):
    answer = teller.ask("qwerty uiop")
    assert len(answer.rows) == 10
    assert (answer.true, answer.there, answer.unseen) == ((), 0, False)


@needs_runtime
def test_pictures_are_told_in_words(teller: Storyteller, collection: Collection):
    answer = teller.ask("a red star")
    for row, words in zip(answer.rows.tolist(), teller.in_words(answer), strict=True):
        assert satisfies(collection.scenes[row], meaning_of(words))


@needs_runtime
def test_measures_are_far_better_than_chance(measured: Measured):
    """The bars are those of 20,000 pictures, in bench.text_to_image; here are too few for most."""
    for summary in (measured.exact, measured.index):
        assert summary.chance < 0.2
        assert summary.partial > 0.8
        assert summary.full > 0.9
    assert measured.recall > 0.6
    lines = list(measured.lines())
    assert any("unseen" in line for line in lines)
    assert lines[-1].startswith(("pass", "FAIL"))
