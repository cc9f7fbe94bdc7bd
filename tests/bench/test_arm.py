"""Instructions and cycles become a band of milliseconds; a count that grew is seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

import scannlite as sl
from bench.arm.band import OFTEN, Clock, band, looped
from bench.arm.boards import A72, BOARDS
from bench.arm.counting import Block, Stretch, check_answers, parse_libraries, parse_stretches
from bench.arm.cycles import parse_blocks, parse_cycles
from bench.arm.gate import compare, unlike
from bench.arm.inside import K
from bench.arm.loops import LOOPS

LOOP = Block(instructions=10, runs=1_000, code=b"loop", kernel=True)
ONCE = Block(instructions=12, runs=OFTEN - 1, code=b"once", kernel=True)
PYTHON = Block(instructions=4, runs=300, code=b"loop", kernel=False)
BOARD = replace(
    BOARDS[0],
    gigahertz=1.0,
    instructions_a_cycle=(0.5, 2.0),
    gigabytes_a_second=(2.0, 4.0),
    latency=100,
    shared_bytes_a_cycle=8,
)


class Known(Clock):
    """Five cycles a turn, whatever it is."""

    def learn(self, blocks: Sequence[Block]) -> None:
        pass

    def turn(self, block: Block) -> tuple[float, float]:  # noqa: ARG002
        return 5.0, 4.0


def test_a_band_by_hand() -> None:
    """At one cycle a nanosecond; 84 instructions of the kernel and 1,200 of Python are no loops."""
    stretch = Stretch((LOOP, ONCE, PYTHON), shared=50, lines=1_000, jumps=10)
    assert looped(stretch) == [LOOP]
    found = band(stretch, BOARD, Known(A72))
    assert found.kernel == pytest.approx((5_042e-6, 5_168e-6))
    assert found.python == pytest.approx((600e-6, 2_400e-6))
    # 64,000 bytes at 4 GB/s; 63,360 at 2, ten waits of 100 ns, 3,200 bytes at 8 a nanosecond.
    assert found.memory == pytest.approx((16_000e-6, 31_680e-6 + 1_000e-6 + 400e-6))
    assert found.least == found.memory[0]
    assert found.most == pytest.approx(5_168e-6 + 2_400e-6 + 33_080e-6)


def test_what_a_query_ran_is_read_from_what_the_plugin_wrote() -> None:
    libraries = parse_libraries(
        "1000-2000 r-xp /usr/lib/libc.so\n3000-4000 r-xp \n5000-6000 r--p /x"
    )
    text = (
        "stretch lines 7 jumps 2 missed 3 9 7\n1004 5 6 0a0b\n3004 2 8 0c\n"
        "stretch lines 0 jumps 0 missed\n"
    )
    first, second = parse_stretches(text, libraries)
    assert first.blocks == (Block(5, 6, b"\x0a\x0b", False), Block(2, 8, b"\x0c", True))
    assert (first.shared, first.lines, first.jumps) == (5, 7, 2)
    assert (first.executed(kernel=True), first.executed(kernel=False)) == (16, 30)
    assert second == Stretch((), 0, 0, 0)


def test_cycles_are_read_from_what_llvm_mca_says() -> None:
    said = "Iterations:  200\nTotal Cycles:      {}\nBlock RThroughput: {}\n"
    out = said.format(4_828, 24.0) + "[1] Code Region - 1\n" + said.format(201, 0.5)
    assert parse_cycles(out, 200) == [(24.14, 24.0), (1.005, 0.5)]


def test_blocks_end_where_an_instruction_of_no_program_is() -> None:
    out = "\t.text\n\tadd x0, x0, #1\n\tb.ne #-4\n\tbrk #1\n\tbrk #1\n\tret\n\tbrk #1\n"
    assert parse_blocks(out, "brk") == [["add x0, x0, #1", "b.ne #-4"], ["ret"]]


def test_loops_that_are_alike_are_told_apart() -> None:
    """Centroids and rows scored again are both dots of bytes."""
    found = {loop.title: loop for loop in LOOPS}
    centroids = found["centroids: 64 of them, 4 dimensions"]
    rows = found["rows scored again: 64 dimensions of one"]
    ranking, scoring = Counter(sdot=16, ldp=8, ld1r=1), Counter(sdot=4, ldp=4)
    assert centroids.matches(ranking)
    assert not rows.matches(ranking)
    assert rows.matches(scoring)
    assert not centroids.matches(scoring)


@pytest.mark.parametrize(("count", "sound"), [(1_019, True), (1_021, False), (979, False)])
def test_a_count_that_changed_fails(count: int, sound: bool) -> None:
    assert compare({"a72, x, kernel": count}, {"a72, x, kernel": 1_000}, {}) is sound


def test_a_count_that_nobody_expected_fails() -> None:
    assert not compare({"a72, y, kernel": 1}, {"a72, x, kernel": 1}, {})


def test_another_compiler_is_no_judge_of_kernels(capsys: pytest.CaptureFixture[str]) -> None:
    then = {"numba": "1", "llvmlite": "2", "emulated Python": "3", "emulated NumPy": "4"}
    others = unlike({**then, "numba": "1.1"}, then)
    assert list(others) == ["kernel"]
    assert compare({"x, kernel": 9}, {"x, kernel": 1}, others)
    assert "NOT JUDGED: kernel: numba 1.1, not 1" in capsys.readouterr().out
    assert not compare({"x, Python": 9}, {"x, Python": 1}, others)


def test_instructions_that_find_something_else_count_for_nothing(tmp_path):
    """The index and queries as on disk, and one distance that is off by its last bit."""
    X = np.random.default_rng(0).standard_normal((200, 8), dtype=np.float32)
    index, queries = tmp_path / "index.npz", tmp_path / "queries.npy"
    options = sl.ScaNNOptions("squared_l2", tree=sl.Tree(5, 2), score_ah=sl.ScoreAH(2))
    sl.Index.build(X, options).save(index)
    np.save(queries, X[:4])
    distances, ids = sl.Index.load(index).search(X[:4], K)
    answers = tmp_path / "answers.npz"
    np.savez(answers, distances=distances, ids=ids)
    check_answers((index, queries), answers)
    distances[1, 2] = np.nextafter(distances[1, 2], np.float32(9))
    np.savez(answers, distances=distances, ids=ids)
    with pytest.raises(RuntimeError, match=r"distances of index.npz are others than here"):
        check_answers((index, queries), answers)
