"""Pictures of another size: cases by hand, and a twin that goes pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scannlite.embedders.resize import resize
from tests.strategies import same_bits, seeds

u1 = np.uint8


def picture(H, W, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (H, W, channels), u1)


sizes = st.tuples(st.integers(1, 12), st.integers(1, 12))
pictures = st.builds(
    lambda size, channels, seed: picture(*size, channels, seed),
    sizes,
    st.sampled_from([3, 4]),
    seeds,
)


def grey_column(*numbers):
    """(H, 2, 3), each row of one number; pictures of one column would not be blended."""
    return np.repeat(np.array(numbers, u1), 6).reshape(-1, 2, 3)


def row_of(*numbers):
    """(1, W, 3), each pixel of one number."""
    return np.repeat(np.array(numbers, u1), 3).reshape(1, -1, 3)


# ---- by hand -----------------------------------------------------------------------------------


def test_rows_that_shrink_are_blended_at_their_centres():
    """Of 3 rows 2: at 1/4 and at 7/4, weights of 256 in all, rounded."""
    found = resize(grey_column(0, 101, 200), 2, 2)
    assert found[:, 0, 0].tolist() == [(101 * 64 + 128) >> 8, (101 * 64 + 200 * 192 + 128) >> 8]
    assert found[:, 0, 0].tolist() == [25, 175]


def test_columns_that_shrink_are_a_little_darker():
    """Of 3 columns 2: at 1/4 and at 7/4, weights of 127 in all, cut off."""
    found = resize(row_of(0, 100, 200), 1, 2)
    assert found[0, :, 0].tolist() == [(100 * 32) >> 7, (100 * 31 + 200 * 96) >> 7] == [25, 174]
    assert resize(row_of(255, 255, 255), 1, 2).tolist() == [[[253] * 3] * 2]


def test_rows_that_grow_keep_their_corners():
    """Of 2 rows 3: a step of 32767 / 65536, so that the last falls just short of the end."""
    assert resize(grey_column(0, 200), 3, 2)[:, 0, 0].tolist() == [0, 99, 199]


def test_columns_that_grow_keep_their_corners():
    assert resize(row_of(0, 200), 1, 3)[0, :, 0].tolist() == [0, 200 * 63 >> 7, 200 * 127 >> 7]


def test_an_odd_ratio_takes_the_middle():
    image = picture(9, 15)
    assert same_bits(resize(image, 3, 3), np.ascontiguousarray(image[1::3, 2::5]))
    assert same_bits(resize(image, 9, 5), np.ascontiguousarray(image[:, 1::3]))


def test_an_even_ratio_takes_the_mean_of_four():
    """One of four ones gives 0, but 1 where columns come in fours, which are rounded up twice."""
    image = np.zeros((2, 14, 3), u1)
    image[1, ::2] = 1
    assert resize(image, 1, 7)[0, :, 0].tolist() == [1, 1, 1, 1, 0, 0, 0]
    wide = np.zeros((8, 8, 3), u1)
    wide[3:5, 3:5] = [[[10], [20]], [[30], [41]]]
    assert resize(wide, 1, 1).tolist() == [[[25] * 3]]


def test_one_column_is_not_blended():
    """Nor one row of three times the columns."""
    column = np.arange(10, 60, 10, dtype=u1).reshape(5, 1, 1).repeat(3, 2)
    assert resize(column, 2, 3)[:, 0, 0].tolist() == [20, 40]
    assert resize(column, 2, 3).tolist() == column[[1, 3]].repeat(3, 1).tolist()
    assert resize(row_of(1, 200, 3, 4, 5, 6), 2, 2)[:, :, 0].tolist() == [[200, 5]] * 2


# ---- the twin ----------------------------------------------------------------------------------


def _step(size, wanted):
    """Where the first pixel is and how far apart they are, in 1/65536."""
    if wanted > size:
        return 0, (size * 65536 - 65537) // (wanted - 1) if size > 1 else 0
    step = size * 65536 // wanted
    return step // 2 - 32768, step


def _blended(line, wanted, blend):
    """Of pixels in a line others in a line."""
    start, step = _step(len(line), wanted)
    places = [start + step * i for i in range(wanted)]
    return [blend(line[p // 65536], line[min(p // 65536 + 1, len(line) - 1)], p) for p in places]


def _down(a, b, place):
    f = place // 256 % 256
    return (a * (256 - f) + b * f + 128) // 256


def _across(a, b, place):
    f = place // 512 % 128
    return (a * (127 - f) + b * f) // 128


def twin(channel, height, width):
    """One channel (H, W), pixel by pixel."""
    H, W = channel.shape
    if channel.shape == (height, width):
        return channel
    if W == 1 or (H == 1 and 3 * width == W) or (H / height % 2 == W / width % 2 == 1):
        rows = [(2 * i + 1) * (H * 65536 // height) // 2 // 65536 for i in range(height)]
        columns = [(2 * i + 1) * (W * 65536 // width) // 2 // 65536 for i in range(width)]
        return channel[np.ix_(rows, columns)]
    pixels = channel.astype(int)
    if H / height % 2 == W / width % 2 == 0:
        return np.array([[_mean(pixels, height, width, i, j) for j in range(width)]
                         for i in range(height)], u1)  # fmt: skip
    for axis in (1, 0) if height > H else (0, 1):
        if axis == 0:
            lines = pixels.T
            pixels = np.array([_blended(line, height, _down) for line in lines]).T
        elif width != W:
            pixels = np.array([_blended(line, width, _across) for line in pixels])
    return pixels.astype(u1)


def _mean(pixels, height, width, i, j):
    down, across = len(pixels) // height, len(pixels[0]) // width
    y, x = i * down + down // 2, j * across + across // 2
    (a, b), (c, d) = pixels[y - 1 : y + 1, x - 1 : x + 1].tolist()
    if j >= width // 4 * 4:
        return (a + b + c + d + 2) // 4
    return ((a + c + 1) // 2 + (b + d + 1) // 2 + 1) // 2


@given(image=pictures, size=sizes)
@example(image=picture(1, 9), size=(4, 3))
@example(image=picture(9, 1), size=(4, 3))
@example(image=picture(1, 1, 4), size=(12, 12))
@example(image=picture(8, 12, 4), size=(4, 6))
@example(image=picture(12, 12), size=(12, 6))
def test_every_pixel_is_the_twins(image, size):
    expected = np.stack([twin(image[..., c], *size) for c in range(3)], axis=2)
    assert same_bits(resize(image, *size), expected)


@pytest.mark.parametrize("shape", [(480, 640), (1, 40000), (40000, 1), (337, 801), (96, 97)])
def test_large_pictures_are_the_twins(shape):
    """Also those with a side above 32768, which phones refuse."""
    image = picture(*shape)
    expected = np.stack([twin(image[..., c], 21, 22) for c in range(3)], axis=2)
    assert same_bits(resize(image, 21, 22), expected)


# ---- properties --------------------------------------------------------------------------------


@given(image=pictures)
def test_the_same_size_is_a_copy(image):
    found = resize(image, *image.shape[:2])
    assert same_bits(found, np.ascontiguousarray(image[..., :3]))
    assert not np.shares_memory(found, image)


@given(before=sizes, after=sizes, number=st.integers(0, 255))
def test_one_colour_stays_one_colour(before, after, number):
    """Rows keep their numbers, columns that are blended lose what 127 / 128 cuts off."""
    (found,) = set(resize(np.full((*before, 3), number, u1), *after).reshape(-1).tolist())
    assert found == number or (found == number * 127 >> 7 and before[1] != after[1])


LAYOUTS = {
    "plain": lambda image: image,
    "read-only": lambda image: np.frombuffer(image.tobytes(), u1).reshape(image.shape),
    "fortran": np.asfortranarray,
    "backwards": lambda image: image[::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1],
    "every other": lambda image: image.repeat(2, 0).repeat(3, 1)[::2, ::3],
    "channels first": lambda image: image.transpose(2, 0, 1).copy().transpose(1, 2, 0),
    "a box": lambda image: np.pad(image, ((3, 2), (1, 4), (0, 0)))[3:-2, 1:-4],
    "broadcast": lambda image: np.broadcast_to(image, image.shape),
}


@given(image=pictures, size=sizes, layout=st.sampled_from(sorted(LAYOUTS)))
def test_the_layout_in_memory_does_not_matter(image, size, layout):
    """Nor is it changed; what comes out is in C order and one's own."""
    before = image.copy()
    found = resize(LAYOUTS[layout](image), *size)
    assert same_bits(found, resize(image, *size))
    assert found.flags.c_contiguous
    assert found.flags.writeable
    assert same_bits(image, before)
