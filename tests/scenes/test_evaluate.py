"""How answers are judged: with answers whose score is known."""

from __future__ import annotations

import numpy as np
import pytest

from scannlite.scenes.describe import scene_of
from scannlite.scenes.evaluate import questions_of, scores_of
from scannlite.scenes.meaning import Facts
from scannlite.scenes.sentences import KINDS

SCENES = [scene_of(0, number) for number in range(1500)]


@pytest.fixture(scope="module")
def asked():
    return questions_of(SCENES, seed=1, count=6)


def answers(asked, choose):
    """What gives the rows that ``choose`` finds for a question, whatever the text."""
    by_text = {question.sentence.text: question for question in asked}
    return lambda texts: np.stack([choose(by_text[text]) for text in texts])


def satisfied(question):
    return np.flatnonzero(Facts(SCENES).satisfying(question.sentence.meaning))


def test_questions_can_be_answered(asked):
    """Ten pictures or more satisfy a partial one, and a full one its own picture."""
    assert {question.kind for question in asked} == {"full", *KINDS}
    for question in asked:
        rows = satisfied(question)
        assert question.own in rows if question.kind == "full" else len(rows) >= 10
        if question.kind != "full":
            assert question.share == len(rows) / len(SCENES)


def test_right_answers_score_all(asked):
    def right(question):
        return satisfied(question)[:10] if question.own is None else np.full(10, question.own)

    assert all(score.score == 1 for score in scores_of(SCENES, asked, answers(asked, right)))


def test_wrong_answers_score_nothing(asked):
    def wrong(question):
        return np.setdiff1d(np.arange(len(SCENES)), satisfied(question))[:10]

    scores = scores_of(SCENES, asked, answers(asked, wrong))
    assert all(score.score == 0 for score in scores)
    assert sum(score.questions for score in scores) == len(asked)


def test_missing_answers_count_as_wrong(asked):
    """Five right ones and five that were not found are a half."""
    partial = [question for question in asked if question.own is None]

    def half(question):
        return np.concatenate([satisfied(question)[:5], np.full(5, -1)])

    scores = scores_of(SCENES, partial, answers(partial, half))
    assert all(score.score == pytest.approx(0.5) for score in scores)


def test_only_the_first_ten_answers_count():
    question = questions_of(SCENES, seed=1, count=1)[0]
    late = np.concatenate([np.full(10, -1), [question.own]])
    [score] = scores_of(SCENES, [question], lambda texts: np.stack([late] * len(texts)))
    assert (score.kind, score.score) == ("full", 0)


def test_the_same_seed_asks_the_same(asked):
    assert questions_of(SCENES, seed=1, count=6) == asked
