"""Which settings are tried, kept and chosen."""

from __future__ import annotations

from itertools import pairwise

from bench.choice import Tried, cheapest, climb, front, promising
from bench.peers.peer import Setting, rungs

A = Tried((1,), 0.90, 1.0)
B = Tried((2,), 0.96, 2.0)
C = Tried((3,), 0.95, 3.0)
D = Tried((4,), 0.99, 4.0)


def test_the_cheapest_that_reaches_the_target() -> None:
    assert cheapest([D, C, B, A], 0.95) is B
    assert cheapest([D, C, B, A], 0.90) is A
    assert cheapest([A], 0.95) is None


def test_the_front_drops_what_is_slower_and_worse() -> None:
    assert front([C, D, A, B]) == [A, B, D]
    assert front([]) == []


def test_of_equally_fast_ones_the_front_keeps_the_better() -> None:
    worse = Tried((9,), 0.5, A.seconds)
    assert front([worse, A]) == [A]


def test_the_promising_reach_the_target_in_about_the_best_time() -> None:
    assert promising([A, B, C, D], 0.95, within=1.6) == [B, C]
    assert promising([A, B, C, D], 0.95, most=1) == [B]
    assert promising([A], 0.95) == []


def test_a_ladder_is_left_where_recall_is_enough() -> None:
    tried = climb([[(i,) for i in range(10)]], lambda s: Tried(s, 0.2 * s[0], 1.0), enough=0.7)
    assert [one.setting for one in tried] == [(0,), (1,), (2,), (3,), (4,)]


def test_a_ladder_is_left_where_nothing_is_gained() -> None:
    def attempt(setting: Setting) -> Tried:
        return Tried(setting, min(0.8, 0.4 * setting[0]), 1.0)

    tried = climb([[(i,) for i in range(50)], [(100,)]], attempt)
    assert [one.setting[0] for one in tried] == [0, 1, 2, 3, 4, 5, 6, 100]


def test_rungs_grow_by_the_step_and_end_at_the_last() -> None:
    found = rungs(1, 500)
    assert found[0] == 1
    assert found[-1] == 500
    assert found == sorted(set(found))
    assert all(b <= 1.4 * a + 1 for a, b in pairwise(found))
    assert rungs(3, 3) == [3]
