"""What goes between the host and a GPU: in a training step nothing, and nobody waits; batches come ahead of time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
from conftest import Traffic

import tinygrad_lstm as tg
from tinygrad_lstm import backend, charlm, data, nn, optim
from tinygrad_lstm.backend import xp

Count = Callable[[Callable[[], object]], Traffic]
Ask = Callable[[Callable[[], object]], bool]

T, B, CLASSES = 3, 4, 5


def stepping(make: Callable[..., Any], optimizer: Callable[..., optim.Optimizer], **options: Any) -> Callable[[], Any]:
    """Return a training step of a recurrent network that tells classes, with its inputs on the device."""
    network = make(3, 6, **options)
    output = nn.Linear(network._width, CLASSES)
    parameters = [*network.parameters(), *output.parameters()]
    moves = optimizer(parameters)
    x, classes = tg.randn(T, B, 3), tg.randint(0, CLASSES, (T * B,))

    def step() -> tg.Tensor:
        scores = output(network(x)[0]).reshape(T * B, CLASSES)
        loss = tg.cross_entropy(scores, classes)
        moves.zero_grad()
        loss.backward()
        optim.clip_grad_norm_(parameters, 1.0)
        moves.step()
        return loss.detach()

    return step


def demo() -> Callable[[], Any]:
    """Return a training step of the demo's model, on a text that is on the device."""
    training = charlm.Training(charlm.CharLM(9, 4, 6), charlm.Configuration(batch=B, steps=T, updates=50))
    updates = charlm.train(training, tg.randint(0, 9, (200,)))
    return lambda: next(updates)


STEPS: dict[str, Callable[[], Callable[[], Any]]] = {
    "lstm": lambda: stepping(nn.LSTM, optim.Adam),
    "lstm, two layers, both directions, dropout": lambda: stepping(
        nn.LSTM, optim.AdamW, num_layers=2, bidirectional=True, dropout=0.2
    ),
    "lstm, noise": lambda: stepping(nn.LSTM, optim.Adam, zoneout=0.1, weight_drop=0.2, recurrent_dropout=0.2),
    "gru": lambda: stepping(nn.GRU, optim.RMSprop),
    "rnn": lambda: stepping(nn.RNN, lambda parameters: optim.SGD(parameters, lr=0.1, momentum=0.9)),
    "demo": demo,
}


@pytest.mark.parametrize("name", STEPS)
def test_a_training_step_sends_nothing_and_waits_for_nothing(name: str, traffic: Count) -> None:
    step = STEPS[name]()
    step()
    assert traffic(step) == (0, 0)


@pytest.mark.parametrize("name", STEPS)
def test_the_host_goes_on_during_a_training_step(name: str, host_waits: Ask) -> None:
    step = STEPS[name]()
    for _ in range(3):  # kernels are compiled, and memory is taken from the system, only once
        step()
    assert not host_waits(step)


@pytest.mark.parametrize("name", STEPS)
def test_memory_does_not_grow_from_step_to_step(name: str, pool: Any) -> None:
    step = STEPS[name]()
    for _ in range(3):
        step()
    before = pool.total_bytes()
    for _ in range(5):
        step()
    assert pool.total_bytes() == before


def test_who_reads_a_number_waits(traffic: Count) -> None:
    x = tg.ones((2, 3))
    for read in (lambda: x.sum().item(), lambda: x.tolist(), lambda: x.numpy(), lambda: bool(x[0, 0] > 0)):
        assert traffic(read) == (0, 1)
    assert traffic(lambda: x[x > 0]) == (0, 1)  # how many are above 0 is the shape
    assert traffic(lambda: tg.unique_values(x)).waited == 1
    assert traffic(lambda: repr(x)) == (0, 1)


def test_who_reads_a_number_on_a_card_waits(host_waits: Ask) -> None:
    x = tg.ones((2, 3))
    (x + 1).sum().item()
    assert host_waits(lambda: x.sum().item())
    assert not host_waits(lambda: x + 1)


def test_what_the_host_has_is_sent(traffic: Count) -> None:
    assert traffic(lambda: tg.asarray(np.ones((2, 3)))) == (1, 0)
    assert traffic(lambda: tg.asarray([1.0, 2.0])) == (1, 0)
    assert traffic(lambda: tg.randn(2, 3)) == (1, 0)  # drawn on the host, to be the same everywhere
    assert traffic(lambda: tg.zeros((2, 3)) + tg.arange(3) * 2.0) == (0, 0)


def test_lengths_that_the_host_has_are_sent_once_and_not_read_back(traffic: Count) -> None:
    network = nn.LSTM(3, 6, num_layers=2, bidirectional=True)
    x = tg.ones((T, B, 3))
    assert traffic(lambda: network(x, lengths=[3, 1, 2, 3])) == (1, 0)
    lengths = tg.asarray([3, 1, 2, 3])
    assert traffic(lambda: network(x, lengths=lengths)).waited == 1


# Ahead of time


class Pair(NamedTuple):
    """A batch of a user's own."""

    x: Any
    name: str


def one_array_over_and_over(count: int) -> Iterator[Pair]:
    """Give batches that are all in the same memory, as a reader of files may do it."""
    x = np.empty((2, 3), "float32")
    for number in range(count):
        x[...] = number
        yield Pair(x, f"batch {number}")


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_every_batch_comes_in_turn_with_its_own_numbers(count: int) -> None:
    batches = list(data.Prefetch(one_array_over_and_over(count)))
    assert [batch.name for batch in batches] == [f"batch {number}" for number in range(count)]
    for number, batch in enumerate(batches):
        assert type(batch) is Pair
        assert type(batch.x) is tg.Tensor
        assert batch.x.dtype == "float32"
        assert batch.x.tolist() == [[number] * 3] * 2


def test_batches_keep_their_form() -> None:
    kept = tg.ones((2,))
    (batch,) = data.Prefetch(
        [{"x": [np.ones(2), np.zeros((0, 3))], "rest": (kept, 3, "word", [1, 2], np.asarray(True))}]
    )
    assert [x.tolist() for x in batch["x"]] == [[1, 1], []]
    assert batch["rest"][0] is kept
    assert batch["rest"][1:4] == (3, "word", [1, 2])
    assert batch["rest"][4].item() is True


def test_what_no_tensor_may_hold_is_given_as_it_is() -> None:
    words, odd, swapped = np.array(["a", "b"]), np.array([1j]), np.arange(3, dtype=">f4")
    ((*kept, numbers),) = data.Prefetch([(words, odd, swapped)])
    assert all(ours is theirs for ours, theirs in zip(kept, (words, odd), strict=True))
    assert (numbers.tolist(), numbers.dtype) == ([0, 1, 2], "float32")
    assert numbers.data.dtype.isnative


def test_all_batches_before_a_failure_are_given() -> None:
    def batches() -> Iterator[Any]:
        yield from (np.full(1, number) for number in range(3))
        raise OSError("no more")

    given = iter(data.Prefetch(batches()))
    assert [next(given).item() for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match="no more"):
        next(given)


def test_it_is_as_long_as_what_it_goes_through() -> None:
    assert len(data.Prefetch(data.Minibatches(range(7), 2))) == 4
    with pytest.raises(TypeError, match="Prefetch: got generator, which has no length"):
        len(data.Prefetch(one_array_over_and_over(2)))


def test_a_batch_is_taken_before_the_one_in_front_of_it_is_given() -> None:
    taken = []

    def batches() -> Iterator[Any]:
        for number in range(3):
            taken.append(number)
            yield np.full(2, number)

    seen = [(x.tolist()[0], len(taken)) for x in data.Prefetch(batches())]
    assert seen == [(0, 2), (1, 3), (2, 3)]


def test_nobody_waits_for_a_batch(traffic: Count) -> None:
    batches = [(np.ones((2, 3)), np.ones(3))] * 4
    assert traffic(lambda: [x @ y for x, y in data.Prefetch(batches)]) == (8, 0)


def test_the_host_does_not_wait_for_a_batch_on_a_card(host_waits: Ask) -> None:
    batches = [(np.ones((200, 300)), np.ones(300))] * 4
    go_through = lambda: [x @ y for x, y in data.Prefetch(batches)]  # noqa: E731
    go_through()
    assert not host_waits(go_through)


def test_copies_wait_for_what_reads_their_memory_and_computations_for_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    if not hasattr(xp, "work"):
        pytest.skip("only the stand-in for CuPy tells who waits for whom")
    waits, original = [], xp.cuda.Stream.wait_event
    computing = xp.cuda.get_current_stream()

    def noted(stream: Any, event: Any) -> None:
        waits.append("compute" if stream is computing else "copy")
        assert stream is not event.stream
        original(stream, event)

    monkeypatch.setattr(xp.cuda.Stream, "wait_event", noted)
    for _ in data.Prefetch([np.ones(2)] * 3):
        waits.append("given")
    assert waits == ["copy", "copy", "compute", "given", "copy", "compute", "given", "compute", "given"]


def test_pinned_memory_is_let_go_once_it_was_copied() -> None:
    for _ in data.Prefetch([np.ones(1000)] * 20):
        pass
    if backend.name == "cupy":
        xp.cuda.Device().synchronize()
    assert len(backend._under_way) <= 2
