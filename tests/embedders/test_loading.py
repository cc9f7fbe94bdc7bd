"""``embed_all``: many items, in order, whatever happens to some of them."""

from __future__ import annotations

import threading
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scannlite.embedders.embedder import Embedder
from scannlite.embedders.loading import _AHEAD, Item, Skipped, embed_all
from scannlite.embedders.model import Model
from scannlite.errors import InvalidInput, InvalidType, ModelError
from tests.embedders import tiny_models as models
from tests.embedders.runtimes import needs_runtime
from tests.embedders.test_embedder import ROWS, Numbers


class Counting:
    """An embedder whose embedding is a number and its square; some numbers are beyond it."""

    kind, l2_normalize, dimensions = "text", False, 2
    model = SimpleNamespace(span=SimpleNamespace(data=b"a model"))

    def __init__(self, wrong=None):
        self.wrong = wrong or {}
        self.embedded = []

    def embed(self, number):
        self.embedded.append(number)
        if number in self.wrong:
            raise self.wrong[number]
        return np.float32([number, number**2])


def item(number):
    return Item(f"number {number}", partial(str(number).encode, "ascii"), int)


def items(n):
    return [item(number) for number in range(n)]


def numbers(loaded):
    return loaded.rows[:, 0].astype(int).tolist()


def test_rows_come_in_the_order_of_the_items():
    loaded = embed_all(Counting(), items(5))
    assert loaded.rows.tolist() == [[0, 0], [1, 1], [2, 4], [3, 9], [4, 16]]
    assert loaded.rows.dtype == np.float32
    assert loaded.kept.tolist() == [0, 1, 2, 3, 4]
    assert loaded.kept.dtype == np.int64
    assert loaded.skipped == ()


def test_no_items_are_no_rows():
    loaded = embed_all(Counting(), [])
    assert loaded.rows.shape == (0, 2)
    assert loaded.kept.shape == (0,)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=80), st.integers(1, 5))
@settings(deadline=None)
def test_the_threads_do_not_matter(chosen, threads):
    """Neither to the rows nor to what is skipped, which are those that fail, in order."""
    wrong = {3: InvalidInput("no threes."), 7: OSError("no sevens")}
    if set(chosen) <= set(wrong):
        chosen = [1, *chosen]
    loaded = embed_all(Counting(wrong), [item(number) for number in chosen], threads=threads)
    kept = [place for place, number in enumerate(chosen) if number not in wrong]
    assert loaded.kept.tolist() == kept
    assert numbers(loaded) == [chosen[place] for place in kept]
    left_out = [number for number in chosen if number in wrong]
    assert [skipped.name for skipped in loaded.skipped] == [f"number {n}" for n in left_out]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (InvalidInput("<bytes> must be a number."), "number 1 must be a number."),
        (ModelError("model: it cannot."), "model: it cannot."),
        (FileNotFoundError(2, "No such file", "x"), "[Errno 2] No such file: 'x'"),
    ],
)
def test_what_cannot_be_embedded_is_kept_apart_by_name_and_reason(error, reason):
    loaded = embed_all(Counting({1: error}), items(3))
    assert numbers(loaded) == [0, 2]
    assert loaded.skipped == (Skipped("number 1", reason),)


def test_an_embedding_that_is_not_finite_is_skipped():
    embedder = Counting()
    embedder.embed = lambda number: np.float32([number, np.nan if number == 2 else 0])
    loaded = embed_all(embedder, items(4))
    assert numbers(loaded) == [0, 1, 3]
    assert "not finite" in loaded.skipped[0].reason


def test_where_all_fail_the_first_says_why():
    wrong = {number: InvalidInput(f"no {number}.") for number in range(3)}
    message = "at least one that can be embedded, got 3 that cannot, the first of them number 0: no"
    with pytest.raises(InvalidInput, match=message):
        embed_all(Counting(wrong), items(3))


@pytest.mark.parametrize("error", [TypeError("a bug"), InvalidType("wrong."), ImportError("none")])
def test_programming_errors_are_not_swallowed(error):
    with pytest.raises(type(error), match=str(error)):
        embed_all(Counting({40: error}), items(100))


def test_progress_counts_every_item():
    told = []
    embed_all(Counting({1: OSError()}), items(3), progress=lambda *what: told.append(what))
    assert told == [("embed", 1, 3), ("embed", 2, 3), ("embed", 3, 3)]


@pytest.mark.parametrize("threads", [0, -1])
def test_threads_are_checked(threads):
    with pytest.raises(InvalidInput, match="threads must be from 1"):
        embed_all(Counting(), items(1), threads=threads)


def test_items_are_read_by_the_workers_and_only_a_few_ahead():
    """The first waits for the last that may begin before it is done; never are more begun."""
    last = 2 * _AHEAD
    reached, begun, ahead = threading.Event(), [], []

    def read(number):
        begun.append(threading.get_ident())
        if number == last:
            reached.set()
        assert number > 0 or reached.wait(60)
        return b"%d" % number

    many = [Item(str(number), partial(read, number), int) for number in range(500)]

    def progress(_stage, done, _total):
        ahead.append(len(begun) - done)

    embed_all(Counting(), many, threads=2, progress=progress)
    assert len(begun) == 500
    assert threading.get_ident() not in begun
    assert max(ahead) == last


def test_an_interrupt_stops_what_has_not_begun_and_keeps_what_was_told(tmp_path):
    embedder = Counting()

    def interrupt(_stage, done, _total):
        if done == 10:
            raise KeyboardInterrupt

    path = tmp_path / "embeddings"
    with pytest.raises(KeyboardInterrupt):
        embed_all(embedder, items(10_000), threads=2, progress=interrupt, checkpoint=path)
    assert len(embedder.embedded) < 1000
    again = Counting()
    loaded = embed_all(again, items(20), checkpoint=path)
    assert numbers(loaded) == list(range(20))
    assert sorted(again.embedded) == list(range(10, 20))


def test_a_checkpoint_embeds_only_what_is_new(tmp_path):
    """Items are known by what they hold: they may change their names, their order and number."""
    path = tmp_path / "embeddings"
    first = embed_all(Counting(), items(10), checkpoint=path)
    assert numbers(first) == list(range(10))
    embedder = Counting()
    more = [Item("renamed", partial(str(n).encode, "ascii"), int) for n in (12, 3, 11, 0, 3)]
    loaded = embed_all(embedder, more, checkpoint=path)
    assert numbers(loaded) == [12, 3, 11, 0, 3]
    assert sorted(embedder.embedded) == [11, 12]


def test_what_was_skipped_is_tried_again(tmp_path):
    path = tmp_path / "embeddings"
    embed_all(Counting({1: OSError()}), items(3), checkpoint=path)
    assert numbers(embed_all(Counting(), items(3), checkpoint=path)) == [0, 1, 2]


@needs_runtime
def test_a_real_embedder_gives_the_same_bits_for_any_number_of_threads(tmp_path):
    """With and without a checkpoint, read or written."""
    model = Model.read(models.regex_model(ROWS))
    embedder = Embedder(model, lambda *_: Numbers(), num_threads=1)
    many = [Item(f"{n}", partial(bytes, [n % 9, n % 7]), list) for n in range(100)]
    expected = np.stack([embedder.embed([n % 9, n % 7]) for n in range(100)])
    for threads in (1, 2, 5):
        for checkpoint in (None, tmp_path / "embeddings"):
            loaded = embed_all(embedder, many, threads=threads, checkpoint=checkpoint)
            assert loaded.rows.tobytes() == expected.tobytes()
