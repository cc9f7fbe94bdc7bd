"""Which settings are worth timing, and which of the timed is the cheapest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from bench.peers.peer import Ladder, Setting

__all__ = ["Tried", "cheapest", "climb", "front", "promising"]

ENOUGH = 0.995  # recall beyond which no ladder is climbed
STILL, GAIN = 4, 0.001  # this many rungs that together gain less than this: the ladder is done


@dataclass(frozen=True)
class Tried:
    """A setting, and what it came to."""

    setting: Setting
    recall: float
    seconds: float


def climb(
    ladders: Iterable[Ladder],
    attempt: Callable[[Setting], Tried],
    *,
    enough: float = ENOUGH,
) -> list[Tried]:
    """Try each ladder rung by rung, up to where more is of no use.

    Args:
        ladders: settings whose recall and cost grow along each.
        attempt: tries one setting.
        enough: recall at which a ladder is left: what follows on it only costs more.
    """
    tried = []
    for ladder in ladders:
        recalls: list[float] = []
        for setting in ladder:
            found = attempt(setting)
            tried.append(found)
            recalls.append(found.recall)
            still = len(recalls) > STILL and recalls[-1] - recalls[-1 - STILL] < GAIN
            if found.recall >= enough or still:
                break
    return tried


def front(tried: Iterable[Tried]) -> list[Tried]:
    """Those that nothing else beats in both recall and time, from fast to exact."""
    best: list[Tried] = []
    for one in sorted(tried, key=lambda one: (one.seconds, -one.recall)):
        if not best or one.recall > best[-1].recall:
            best.append(one)
    return best


def cheapest(tried: Iterable[Tried], target: float) -> Tried | None:
    """The fastest that reaches the target, or None."""
    return min(
        (one for one in tried if one.recall >= target), key=lambda one: one.seconds, default=None
    )


def promising(
    tried: Sequence[Tried], target: float, *, most: int = 10, within: float = 1.5
) -> list[Tried]:
    """Those that may prove the cheapest at a target once they are timed with care.

    Args:
        tried: with rough times.
        target: the recall to reach.
        most: how many to keep.
        within: how many times the roughly best one's time is still of interest.
    """
    reaching = sorted((one for one in tried if one.recall >= target), key=lambda one: one.seconds)
    return [one for one in reaching[:most] if one.seconds <= within * reaching[0].seconds]
