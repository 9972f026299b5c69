"""What holds memory: every array once, under the op that made it; and the error of a device that has no more."""

from __future__ import annotations

import gc
import re
from typing import Any

import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import memory, nn, optim
from tinygrad_lstm.backend import xp
from tinygrad_lstm.cli import main

KIB = 1024
SIDE = 300
SIZE = SIDE * SIDE * 4
"""The bytes of a float32 array that no other test is likely to have."""


def held(what: str, scope: str = "") -> tuple[int, int]:
    """Return how many arrays of a kind there are, and their bytes."""
    gc.collect()
    found = [(h.arrays, h.bytes) for h in memory.held() if (h.what, h.scope) == (what, scope)]
    assert len(found) <= 1
    return found[0] if found else (0, 0)


@pytest.fixture
def x() -> tg.Tensor:
    return tg.ones((SIDE, SIDE), requires_grad=True).named("x of a test")


def test_what_the_tape_keeps_is_held_by_the_op_that_made_it(x: tg.Tensor) -> None:
    with tg.scope("memory test"):
        y = tg.tanh(tg.expm1(x))  # tanh keeps its result, expm1 its own
        loss = (y * y).sum()  # the product keeps y, which is counted
    assert held("leaf 'x of a test'") == (1, SIZE)
    assert held("tanh", "memory test") == held("expm1", "memory test") == (1, SIZE)
    assert held("multiply", "memory test") == (0, 0)  # nobody needs the squares again
    loss.backward()
    assert held("expm1", "memory test") == (0, 0)  # it is let go once it was swept
    assert held("gradient of leaf 'x of a test'") == (1, SIZE)


def test_steps_are_counted_together(x: tg.Tensor) -> None:
    y = x
    for t in range(4):
        with tg.scope(f"step {t}"):
            y = tg.tanh(y)
    assert held("tanh", "step *") == (4, 4 * SIZE)


def test_views_are_not_counted_again(x: tg.Tensor) -> None:
    views = [x.T, x[1:], x.reshape(-1), x.detach(), x.detach()[1:]]
    assert held("leaf 'x of a test'") == (1, SIZE)
    assert [holding for holding in memory.held() if holding.what in ("permute_dims", "reshape")] == []
    del views


def test_what_stands_beside_the_tape_has_a_name_too() -> None:
    constant = tg.ones((SIDE, SIDE))
    parameter = tg.ones((SIDE, SIDE), requires_grad=True)
    optimizer = optim.Adam([parameter], amsgrad=True)  # which computes in a room of its own in any case
    (parameter * constant).sum().backward()
    optimizer.step()
    assert held("exp_avg of Adam")[0] >= 1
    assert held("exp_avg_sq of Adam")[1] >= SIZE
    assert held("room of Adam")[1] >= SIZE
    assert held("a tensor on no tape")[1] >= SIZE


def test_a_sequence_in_one_piece_or_in_steps_is_held_in_its_scope() -> None:
    lstm = nn.LSTM(20, 64)
    before = sum(holding.bytes for holding in memory.held())
    output, _ = lstm(tg.ones((50, 16, 20)))
    grown = sum(holding.bytes for holding in memory.held()) - before
    assert grown >= 50 * 16 * 64 * 4 * 4  # four gates at the least
    assert any(holding.scope for holding in memory.held())
    del output


def test_the_report_has_the_largest_first_and_few_lines(x: tg.Tensor) -> None:
    y = [tg.exp(x) for _ in range(5)]
    named = [tg.ones((number,)).named(f"leaf {number}") for number in range(30)]
    head, first, *rest = memory.report().splitlines()
    assert head == "What holds the memory:"
    assert len(rest) <= memory.SHOWN + 1
    sizes = [float(re.match(r" *([\d,.]+) MiB", line)[1].replace(",", "")) for line in [first, *rest[:-2]]]
    assert sizes == sorted(sizes, reverse=True)
    del y, named


# A device that has no more


def unrolled(x: tg.Tensor, steps: int) -> tg.Tensor:
    """Return a long computation that keeps every step."""
    for t in range(steps):
        with tg.scope(f"exhausting/t={t}"):
            x = tg.tanh(x)
    return x


def test_running_out_says_what_held_the_memory(pool: Any, x: tg.Tensor) -> None:
    pool.set_limit(size=pool.total_bytes() + 20 * SIZE)
    with pytest.raises(xp.cuda.memory.OutOfMemoryError) as told:
        unrolled(x, 100)
    message = str(told.value)
    assert message.startswith("Out of memory allocating ")
    assert "What holds the memory:" in message
    found = re.search(r"([\d.]+) MiB +(\d+)  tanh in exhausting/t=\*\n", message)
    assert found is not None
    assert 15 <= int(found[2]) <= 20
    assert float(found[1]) == pytest.approx(int(found[2]) * SIZE / 2**20, abs=0.2)
    assert "  leaf 'x of a test'\n" in message
    assert "elsewhere: " in message


def test_running_out_in_a_sweep_says_it_too(pool: Any, x: tg.Tensor) -> None:
    y = unrolled(x, 30)
    pool.free_all_blocks()
    pool.set_limit(size=pool.total_bytes() + SIZE // 2)
    with pytest.raises(MemoryError, match=r"(?s)What holds the memory:.*tanh in exhausting/t=\*"):
        (y * 2.0).sum().backward()


def test_there_is_room_again_after_running_out(pool: Any, x: tg.Tensor) -> None:
    pool.set_limit(size=pool.total_bytes() + 20 * SIZE)
    with pytest.raises(MemoryError):
        unrolled(x, 100)
    gc.collect()
    assert unrolled(x, 5).shape == x.shape


def test_the_command_says_it_in_place_of_a_traceback(
    pool: Any, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "text.txt"
    text.write_text("the quick brown fox " * 100)
    pool.set_limit(size=pool.total_bytes() + 200 * KIB)
    assert main(["train", str(text), "--updates", "2", "--hidden", "64", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("tinygrad-lstm: Out of memory allocating ")
