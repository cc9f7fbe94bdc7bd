"""Pictures of another size, with the bits that phones get.

They blend neighbouring pixels by the whole numbers of 16.16 fixed point, with rounding of its own
in each direction, whatever the ratio: a picture that shrinks a lot is sampled, not averaged.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from scannlite.types import AnyArray, Codes, Ids

__all__ = ["resize"]

Widened: TypeAlias = NDArray[np.uint16]  # holds 255 times 256, and a half to round it

_u2 = np.uint16
_ONE = 1 << 16  # a pixel


def resize(image: AnyArray, height: int, width: int) -> Codes:
    """A picture of another size, without its alpha.

    Args:
        image: (H, W, 3) or (H, W, 4) uint8 of any strides, neither H nor W 0.
        height: of the picture that is wanted, in pixels, from 1 on.
        width: likewise.

    Returns:
        (height, width, 3) uint8, C order, always a copy.
    """
    H, W = image.shape[:2]
    if height == H and width == W:
        return image[..., :3].copy()
    down, across = H % (2 * height), W % (2 * width)  # 0 where the ratio is even
    odd = (down, across) == (height, width)
    if odd or W == 1 or (H == 1 and 3 * width == W):
        return image[_centres(H, height)][..., :3].take(_centres(W, width), 1)
    if down == across == 0:
        return _means_of_four(image, H // height, W // width)
    if height > H:
        return _between_rows(_between_columns(image, width), height).astype(np.uint8)
    return _between_columns(_between_rows(image, height), width).astype(np.uint8)


def _between_rows(image: AnyArray, height: int) -> Widened:
    """(H, W, channels) to (height, W, channels): weights of 256 in all, rounded."""
    first, second, fraction = _places(len(image), height)
    weight = (fraction >> 8).astype(_u2)[:, None]
    found: Widened = image[first].reshape(height, -1) * (256 - weight)
    found += image[second].reshape(height, -1) * weight
    found += _u2(128)
    found >>= _u2(8)
    return found.reshape(height, *image.shape[1:])


def _between_columns(image: AnyArray, width: int) -> AnyArray:
    """(H, W, channels) to (H, width, 3): weights of 127 in all, cut off, so a little darker."""
    W = image.shape[1]
    if width == W:
        return image[..., :3]
    first, second, fraction = _places(W, width)
    weight = np.repeat((fraction >> 9).astype(_u2), 3)
    found: Widened = _columns(image, first) * (127 - weight)
    found += _columns(image, second) * weight
    found >>= _u2(7)
    return found.reshape(-1, width, 3)


def _means_of_four(image: AnyArray, down: int, across: int) -> Codes:
    """The mean of the two by two pixels in the middle of what becomes one; both ratios even.

    Columns in whole groups of four are rounded up twice, as the vector instructions of x86 take
    means; those left over are rounded once.
    """
    height, width = len(image) // down, image.shape[1] // across
    left, right = (across // 2 - i + across * np.arange(width) for i in (1, 0))
    top, bottom = (image[down // 2 - i :: down].astype(_u2) for i in (1, 0))
    halves = (top + bottom + _u2(1)) >> _u2(1)
    means = (_columns(halves, left) + _columns(halves, right) + _u2(1)) >> _u2(1)
    alone = width // 4 * 4
    sums = sum(_columns(rows, at[alone:]) for rows in (top, bottom) for at in (left, right))
    means[:, 3 * alone :] = (sums + _u2(2)) >> _u2(2)
    return means.astype(np.uint8).reshape(height, width, 3)


def _columns(image: AnyArray, at: Ids) -> AnyArray:
    """Pixels of each row without their alpha, (H, W, channels) to (H, 3 len(at)).

    Numbers one by one, which is faster than pixels of three.
    """
    H, _, channels = image.shape
    numbers = channels * at[:, None] + np.arange(3)
    found: AnyArray = image.reshape(H, -1).take(numbers.reshape(-1), 1)
    return found


def _places(size: int, wanted: int) -> tuple[Ids, Ids, Ids]:
    """The two neighbours that each wanted pixel lies between, and how far, in 1/65536, from one.

    Pixels that shrink keep their centres over each other, pixels that grow their corners.
    """
    if wanted <= size:
        step = size * _ONE // wanted
        start = (step - _ONE) // 2
    else:
        step = max(size * _ONE - _ONE - 1, 0) // (wanted - 1)
        start = 0
    place = start + step * np.arange(wanted, dtype=np.int64)
    first = place >> 16
    return first, np.minimum(first + 1, size - 1), place & (_ONE - 1)


def _centres(size: int, wanted: int) -> Ids:
    """The pixel in the middle of what becomes one."""
    step = size * _ONE // wanted
    centres: Ids = (step // 2 + step * np.arange(wanted, dtype=np.int64)) >> 16
    return centres
