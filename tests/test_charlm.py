"""The character model: it learns as PyTorch's does, beats counting, is judged exactly, and comes back as it was."""

from __future__ import annotations

import json
import math
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import charlm
from tinygrad_lstm.charlm import CharLM, Checkpoint, Configuration, Training
from tinygrad_lstm.data import TextError, Vocabulary, python_topics, windows
from tinygrad_lstm.interchange import FormatError, safetensors, write_whole
from tinygrad_lstm.tape import thread

SMALL = Configuration(embedding=8, hidden=16, batch=8, steps=16, updates=150, lr=0.03)


@pytest.fixture
def small() -> CharLM:
    return CharLM(vocabulary_size=5, embedding=3, hidden=4)


def trained(text: str, configuration: Configuration) -> tuple[CharLM, list[float]]:
    """Return a model trained on all of a text, and the losses, in nats."""
    tg.manual_seed(configuration.seed)
    vocabulary = Vocabulary.of(text)
    model = CharLM(len(vocabulary), configuration.embedding, configuration.hidden)
    updates = charlm.train(Training(model, configuration), vocabulary.encode(text))
    return model, [update.loss.item() for update in updates]


# Training


def test_it_beats_counting_pairs_where_memory_is_needed() -> None:
    text = "the cat, the dog; that cat - that dog: " * 60
    training, heldout = charlm.split(text)
    vocabulary = Vocabulary.of(text)
    model, losses = trained(training, SMALL)
    bits = charlm.bits_per_char(model, vocabulary.encode(training[-1] + heldout), batch=1)
    bigram = charlm.bigram_bits(training, heldout, len(vocabulary))
    assert bits < 0.5 * bigram < charlm.uniform_bits(len(vocabulary))
    assert losses[-1] < 0.25 * losses[0]


def test_the_same_seed_gives_the_same_model() -> None:
    text = "abcabd" * 60
    configuration = Configuration(embedding=4, hidden=5, batch=4, steps=7, updates=20, seed=3)
    (model, losses), (again, losses_again) = trained(text, configuration), trained(text, configuration)
    assert losses == losses_again
    assert same(weights(model), weights(again))


def weights(model: CharLM) -> list[tg.Tensor]:
    return list(model.state_dict().values())


def same(ours: list[tg.Tensor], theirs: list[tg.Tensor]) -> bool:
    return all((a.numpy() == b.numpy()).all() for a, b in zip(ours, theirs, strict=True))


def test_training_does_as_many_updates_as_asked_over_and_over_a_short_text(small: CharLM) -> None:
    configuration = Configuration(batch=2, steps=4, updates=7)
    updates = charlm.train(Training(small, configuration), tg.asarray([0, 1, 2, 3, 4] * 3))
    assert [update.characters for update in updates] == [8, 6] * 3 + [8]


def test_a_text_shorter_than_the_batch_is_refused(small: CharLM) -> None:
    with pytest.raises(TextError, match="too short"):
        list(charlm.train(Training(small, Configuration(batch=2)), tg.asarray([0, 1])))


def test_the_state_is_carried_but_not_its_gradient(small: CharLM, monkeypatch: pytest.MonkeyPatch) -> None:
    states: list[Any] = []
    loss = CharLM.loss

    def spy(self: CharLM, inputs: tg.Tensor, targets: tg.Tensor, before: Any) -> Any:
        value, after = loss(self, inputs, targets, before)
        states.append((before, after))
        return value, after

    monkeypatch.setattr(CharLM, "loss", spy)
    training = Training(small, Configuration(batch=2, steps=6, updates=3))
    list(charlm.train(training, tg.asarray([0, 1, 2, 3, 4] * 5)))
    (first, kept), (carried, _), (restarted, _) = states
    assert first is None
    assert restarted is None
    assert all((a.data is b.data) and not b.requires_grad for a, b in zip(kept, carried, strict=True))


def test_the_learning_rate_falls_along_half_a_cosine(small: CharLM) -> None:
    training = Training(small, Configuration(batch=2, steps=4, updates=10, lr=0.5))
    rates = []
    for _ in charlm.train(training, tg.asarray([0, 1, 2, 3, 4] * 3)):
        rates += training.schedule.get_last_lr()
    assert rates == pytest.approx([0.25 + 0.25 * math.cos(math.pi * done / 10) for done in range(1, 11)])


@pytest.mark.parametrize("name", ["embedding", "hidden", "batch", "steps", "updates"])
def test_a_configuration_that_makes_no_sense_is_refused(name: str) -> None:
    for value in (0, -1, 2.5, "3", None):
        with pytest.raises(ValueError, match=f"Configuration: got {name} = {value!r}, wanted a whole number"):
            Configuration(**{name: value})


def test_the_weights_that_did_best_on_a_held_out_text_are_kept() -> None:
    text, other = "the cat sat on the mat, the cat did. " * 4, "that dog sat on a hat, it did not eat. "
    vocabulary = Vocabulary.of(text + other)
    numbers, heldout = vocabulary.encode(text), vocabulary.encode(other)
    tg.manual_seed(0)
    model = CharLM(len(vocabulary), embedding=8, hidden=32)
    training = Training(model, Configuration(batch=4, steps=16, updates=75, lr=0.03))
    bits = [charlm.bits_per_char(model, heldout) for _ in charlm.train(training, numbers, heldout)]
    looks = {after: bits[after - 1] for after in (*range(10, 75, 10), 75)}
    assert training.best is not None
    assert training.best.updates == min(looks, key=looks.__getitem__) < 75
    assert training.best.bits == min(looks.values()) < bits[-1]
    model.load_state_dict(training.best.weights)
    assert charlm.bits_per_char(model, heldout) == training.best.bits


def test_a_long_text_is_left_for_the_held_out_one_when_it_was_read(
    small: CharLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    training, looks = Training(small, Configuration(batch=2, steps=4, updates=30)), []
    monkeypatch.setattr(training, "look", lambda heldout: looks.append(training.updates))
    numbers = tg.asarray([0, 1, 2, 3, 4] * 20)  # two streams of 49 characters, 13 windows
    for _ in charlm.train(training, numbers, numbers[:9]):
        pass
    assert looks == [13, 26, 30]


def test_a_look_at_a_held_out_text_changes_nothing_else() -> None:
    (training, numbers, _), (again, *_) = begun(), begun()
    losses = [update.loss.item() for update in charlm.train(training, numbers)]
    assert training.best is None
    assert [update.loss.item() for update in charlm.train(again, numbers, numbers[:50])] == losses


@pytest.mark.peers
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-4), ("float64", 1e-9)])
def test_losses_are_those_of_the_same_model_in_pytorch(dtype: str, tolerance: float) -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
    torch.set_num_threads(1)  # the model is too small for more
    text = python_topics()[:5000]
    numbers = Vocabulary.of(text).encode(text)
    configuration = Configuration(embedding=8, hidden=16, batch=4, steps=16, updates=100, lr=0.01)
    model = CharLM(len(set(text)), configuration.embedding, configuration.hidden)
    model.to(dtype)
    twin = _torch_twin(torch, model, configuration)
    expected = list(_torch_losses(torch, twin, numbers, configuration))
    losses = [update.loss.item() for update in charlm.train(Training(model, configuration), numbers)]
    assert losses == pytest.approx(expected, rel=tolerance, abs=0)
    assert losses[-1] < losses[0]


def _torch_twin(torch: Any, model: CharLM, configuration: Configuration) -> Any:
    """Return PyTorch's modules with the weights of a model, under the same names."""
    arrays = {name: torch.tensor(weight.numpy()) for name, weight in model.state_dict().items()}
    size = len(arrays["output.bias"])
    twin = torch.nn.ModuleDict(
        {
            "embedding": torch.nn.Embedding(size, configuration.embedding),
            "lstm": torch.nn.LSTM(configuration.embedding, configuration.hidden),
            "output": torch.nn.Linear(configuration.hidden, size),
        }
    )
    twin.to(arrays["output.bias"].dtype).load_state_dict(arrays)
    return twin


def _torch_losses(torch: Any, twin: Any, numbers: tg.Tensor, configuration: Configuration) -> Iterator[float]:
    """Train the twin on the same batches, and give its losses."""
    optimizer = torch.optim.Adam(twin.parameters())
    done = 0
    while True:
        memory = None
        for inputs, targets in windows(numbers, configuration.batch, configuration.steps):
            if done == configuration.updates:
                return
            for group in optimizer.param_groups:
                group["lr"] = configuration.lr * (1 + math.cos(math.pi * done / configuration.updates)) / 2
            outputs, memory = twin["lstm"](twin["embedding"](torch.tensor(inputs.numpy())), memory)
            scores = twin["output"](outputs).flatten(0, 1)
            loss = torch.nn.functional.cross_entropy(scores, torch.tensor(targets.numpy()).flatten())
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(twin.parameters(), 1.0)
            optimizer.step()
            memory = tuple(part.detach() for part in memory)
            done += 1
            yield loss.item()


# Interruption

TEXT = "the cat, the dog; that cat - that dog: " * 10
LONG = Configuration(embedding=4, hidden=5, batch=4, steps=7, updates=30, lr=0.03)


def begun(configuration: Configuration = LONG) -> tuple[Training, tg.Tensor, Vocabulary]:
    """Return a training at its beginning, and its text."""
    tg.manual_seed(configuration.seed)
    vocabulary = Vocabulary.of(TEXT)
    model = CharLM(len(vocabulary), configuration.embedding, configuration.hidden)
    return Training(model, configuration), vocabulary.encode(TEXT), vocabulary


def interrupted(updates: int) -> Checkpoint:
    """Return the checkpoint of a training after some updates, the end of its text held out."""
    training, numbers, vocabulary = begun()
    for _ in islice(charlm.train(training, numbers, numbers[-50:]), updates):
        pass
    return Checkpoint(training.model, vocabulary, LONG, training.updates, training.state_dict())


@pytest.mark.parametrize("updates", [1, 14, 15, 29])  # the 14th window is the last of the text
def test_training_goes_on_from_a_checkpoint_as_if_never_left(updates: int, tmp_path: Path) -> None:
    training, numbers, _ = begun()
    losses = [update.loss.item() for update in charlm.train(training, numbers, numbers[-50:])]
    next_draw = tg.rand(1).item()
    charlm.save(tmp_path / "half.safetensors", interrupted(updates))
    tg.manual_seed(12345)
    checkpoint = charlm.load(tmp_path / "half.safetensors")
    assert checkpoint.updates == updates
    resumed = charlm.resumed(checkpoint)
    assert [update.loss.item() for update in charlm.train(resumed, numbers, numbers[-50:])] == losses[updates:]
    assert same(weights(training.model), weights(resumed.model))
    assert training.best is not None
    assert resumed.best is not None
    assert training.best[:2] == resumed.best[:2]
    assert same(list(training.best.weights.values()), list(resumed.best.weights.values()))
    assert tg.rand(1).item() == next_draw
    assert list(charlm.train(resumed, numbers)) == []


def test_a_checkpoint_with_its_training_serves_without_it_too(tmp_path: Path) -> None:
    charlm.save(tmp_path / "half.safetensors", interrupted(3))
    checkpoint = charlm.load(tmp_path / "half.safetensors")
    assert len("".join(charlm.generate(checkpoint.model, checkpoint.vocabulary, "the", 10))) == 10


def test_training_goes_on_with_its_own_text_alone() -> None:
    resumed = charlm.resumed(interrupted(3))
    with pytest.raises(TextError, match="the text is not the one on which this training was begun"):
        next(charlm.train(resumed, resumed.model.embedding.weight.argmax(axis=1)))


def test_a_training_that_is_over_cannot_go_on(checkpoint: Checkpoint) -> None:
    with pytest.raises(FormatError, match="has no training to go on with, but a model after 17 of 600 updates"):
        charlm.resumed(checkpoint)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("memory", [tg.ones((1, 4, 6))] * 2),
        ("memory", 3),
        ("optimizer", {}),
        ("schedule", {"last_epoch": 3, "best": 1.0}),
        ("schedule", {"last_epoch": 2.5}),
        ("random", {}),
        ("best", {"bits": 1.0, "updates": 2, "weights": {"output.bias": tg.ones(3)}}),
        ("best", {"bits": 1.0, "updates": 2}),
        ("best", 3),
    ],
)
def test_a_training_that_does_not_fit_is_refused(part: str, value: Any) -> None:
    checkpoint = interrupted(3)
    wrong = replace(checkpoint, training={**(checkpoint.training or {}), part: value})
    with pytest.raises(FormatError, match="the training in the checkpoint does not fit its model: "):
        charlm.resumed(wrong)


def test_a_learning_rate_that_cannot_be_gone_on_with_is_refused() -> None:
    checkpoint = interrupted(3)
    with pytest.raises(FormatError, match=r"the training in the checkpoint does not fit its model: .* lr = -1"):
        charlm.resumed(replace(checkpoint, configuration=replace(LONG, lr=-1)))


def test_a_training_from_before_the_best_weights_were_kept_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "half.safetensors"
    charlm.save(path, interrupted(3))
    tensors, metadata = safetensors.load(path)
    state = json.loads(metadata["training"])
    del state["best"]
    safetensors.save(path, tensors, {**metadata, "format": "tinygrad_lstm.charlm 2", "training": json.dumps(state)})
    resumed = charlm.resumed(charlm.load(path))
    assert (resumed.updates, resumed.best) == (3, None)


# Evaluation


def test_a_text_is_split_into_all_of_itself() -> None:
    for length in (10, 19, 20, 1234):
        text = "".join(chr(1000 + i) for i in range(length))
        training, heldout = charlm.split(text)
        assert training + heldout == text
        assert len(heldout) == length // 10
    with pytest.raises(TextError, match="9 characters: too few"):
        charlm.split("123456789")


def test_bigram_bits_are_those_worked_out_by_hand() -> None:
    # In "aabab": a follows a once, b follows a twice, a follows b once; smoothed by 1 over 3 characters.
    # The held-out "ba" after that b: p(b | b) = (0 + 1) / (1 + 3), then p(a | b) = (1 + 1) / (1 + 3).
    assert charlm.bigram_bits("aabab", "ba", 3, smoothing=1.0) == pytest.approx((2 + 1) / 2)
    # p(a | b) = 2 / 4, p(a | a) = (1 + 1) / (3 + 3).
    assert charlm.bigram_bits("aabab", "aa", 3, smoothing=1.0) == pytest.approx((1 + math.log2(3)) / 2)


def test_uniform_bits() -> None:
    assert charlm.uniform_bits(1) == 0
    assert charlm.uniform_bits(100) == pytest.approx(math.log(100) / math.log(2))


@pytest.mark.parametrize("batch", [1, 3, 4, 100])
@pytest.mark.parametrize("steps", [1, 5, 128])
def test_every_character_counts_once(small: CharLM, batch: int, steps: int) -> None:
    numbers = tg.asarray([0, 1, 2, 3, 4, 3, 2, 1, 0, 2, 4, 1, 3])
    assert charlm.bits_per_char(small, numbers, batch, steps) == pytest.approx(_bits(small, numbers.tolist(), batch))


def _bits(model: CharLM, numbers: list[int], batch: int) -> float:
    """Return the bits per character, stream by stream, from probabilities."""
    predicted = len(numbers) - 1
    length = max(predicted // batch, 1)
    starts = list(range(0, predicted, length))[: min(batch, predicted)]
    bits = 0.0
    for start, end in zip(starts, [*starts[1:], predicted], strict=True):
        scores, _ = model(tg.asarray(numbers[start:end])[:, None])
        likelihoods = tg.softmax(scores.detach()).tolist()
        for (row,), target in zip(likelihoods, numbers[start + 1 : end + 1], strict=True):
            bits -= math.log2(row[target])
    return bits / predicted


# Sampling


def test_a_sample_is_the_same_for_the_same_seed(small: CharLM) -> None:
    vocabulary = Vocabulary("abcde")
    samples = {seed: "".join(charlm.generate(small, vocabulary, "a", 50, seed=seed)) for seed in (1, 2)}
    assert samples[1] == "".join(charlm.generate(small, vocabulary, "a", 50, seed=1)) != samples[2]
    assert len(samples[1]) == len(samples[2]) == 50


def test_the_likeliest_character_every_time_is_greedy(small: CharLM) -> None:
    vocabulary, text = Vocabulary("abcde"), "abc"
    while len(text) < 20:
        scores, _ = small(vocabulary.encode(text)[:, None])
        text += vocabulary.characters[scores[-1, 0].argmax().item()]
    assert "abc" + "".join(charlm.generate(small, vocabulary, "abc", 17, top_k=1)) == text
    assert "abc" + "".join(charlm.generate(small, vocabulary, "abc", 17, temperature=1e-6)) == text


def test_draws_follow_temperature_and_top_k(small: CharLM) -> None:
    for weight in small.parameters():
        weight.assign_(tg.zeros_like(weight))
    scores = [0.0, 1.0, 2.0, 3.0, 4.0]
    small.output.bias.assign_(tg.asarray(scores))
    for temperature, top_k in ((1.0, None), (2.0, None), (1.0, 2)):
        kept = scores[-top_k:] if top_k else scores
        raised = [math.exp(score / temperature) * (score in kept) for score in scores]
        text = "".join(
            charlm.generate(small, Vocabulary("abcde"), "a", 1000, temperature=temperature, top_k=top_k, seed=1)
        )
        found = [text.count(character) / 1000 for character in "abcde"]
        assert found == pytest.approx([x / sum(raised) for x in raised], abs=0.05)
        assert top_k is None or set(text) == set("de")


def test_sampling_leaves_recording_as_it_is(small: CharLM) -> None:
    for _ in charlm.generate(small, Vocabulary("abcde"), "a", 2):
        assert thread.state.recording


def test_what_cannot_be_continued_is_refused(small: CharLM) -> None:
    vocabulary = Vocabulary("abcde")
    for prompt, message in (("", "the prompt is empty"), ("az", "outside the vocabulary of 5: 'z'")):
        with pytest.raises(TextError, match=message):
            charlm.generate(small, vocabulary, prompt)
    for options in ({"temperature": 0.0}, {"temperature": math.nan}, {"top_k": 0}):
        with pytest.raises(ValueError, match="wanted"):
            charlm.generate(small, vocabulary, "a", **options)


# The tape


def test_the_unrolled_model_has_a_scope_for_each_step(small: CharLM) -> None:
    tape = charlm.unrolled(small, tg.asarray([3, 1, 4]))
    scopes = {part for entry in tape for part in tg.tape.scope_path(entry.node.scope)}
    assert {"embedding", "lstm", "t=1", "t=2", "t=3", "output"} <= scopes
    assert "t=4" not in scopes
    assert tape.entries[-1].node.shape == (3, 1, 5)


# Checkpoints


@pytest.fixture
def checkpoint(small: CharLM) -> Checkpoint:
    return Checkpoint(small, Vocabulary("\nabé🙂"), Configuration(embedding=3, hidden=4, lr=1 / 3), updates=17)


def test_a_checkpoint_comes_back_as_it_was(checkpoint: Checkpoint, tmp_path: Path) -> None:
    charlm.save(tmp_path / "model.safetensors", checkpoint)
    loaded = charlm.load(tmp_path / "model.safetensors")
    assert loaded.vocabulary.characters == "\nabé🙂"
    assert (loaded.configuration, loaded.updates) == (checkpoint.configuration, 17)
    before, after = checkpoint.model.state_dict(), loaded.model.state_dict()
    assert list(before) == list(after)
    assert all((before[name].numpy() == after[name].numpy()).all() for name in before)
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_an_interrupted_write_leaves_the_old_file(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.safetensors"
    charlm.save(path, checkpoint)
    before = path.read_bytes()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    for step in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, step, interrupted)
            with pytest.raises(KeyboardInterrupt):
                write_whole(path, b"new")
        assert path.read_bytes() == before
        assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_files_are_written_whole_where_several_threads_write_one(tmp_path: Path) -> None:
    path, contents = tmp_path / "file", [bytes([n]) * size for n, size in enumerate((10, 100_000, 1_000_000))]
    write_whole(path, contents[0])
    start = threading.Barrier(4)

    def write(content: bytes) -> None:
        start.wait()
        for _ in range(20):
            write_whole(path, content)

    with ThreadPoolExecutor(3) as pool:
        writers = [pool.submit(write, content) for content in contents]
        start.wait()
        while not all(writer.done() for writer in writers):
            assert path.read_bytes() in contents
        for writer in writers:
            writer.result()
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


def test_a_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    write_whole(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"new"


def test_a_damaged_file_is_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    charlm.save(path, checkpoint)
    content = path.read_bytes()
    for damaged in (b"", b"\x00" * 100, content[:50], content[:-1], content + b"\x00", b"[" * 1000):
        path.write_bytes(damaged)
        with pytest.raises(FormatError, match=r"model\.safetensors is not a safetensors file, or not all of one: "):
            charlm.load(path)


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "foreign.safetensors"
    safetensors.save(path, {"w": tg.ones((2,))})
    with pytest.raises(FormatError, match=r"foreign\.safetensors is a safetensors file but not a checkpoint"):
        charlm.load(path)


def test_a_type_of_elements_that_tensors_lack_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "half.safetensors"
    header = b'{"w":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}'
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\x80\x3f")
    with pytest.raises(FormatError, match=r"half\.safetensors has BF16 in 'w'"):
        safetensors.load(path)


def test_a_checkpoint_from_before_there_was_training_in_them_is_read(checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    charlm.save(path, checkpoint)
    tensors, metadata = safetensors.load(path)
    metadata["format"] = "tinygrad_lstm.charlm 1"
    del metadata["training"]
    safetensors.save(path, tensors, metadata)
    loaded = charlm.load(path)
    assert (loaded.updates, loaded.training) == (17, None)
    assert loaded.model.output.bias.tolist() == checkpoint.model.output.bias.tolist()


@pytest.mark.parametrize(
    ("part", "content"),
    [
        ("vocabulary", None),
        ("vocabulary", '"ab'),
        ("vocabulary", '"ab"'),
        ("configuration", '{"hidden": 5}'),
        ("configuration", '{"hidden": 0}'),
        ("configuration", '{"embedding": 3, "hidden": 4, "steps": -1}'),
        ("configuration", '{"embedding": 3, "hidden": 4, "batch": 2.5}'),
        ("configuration", '{"unknown": 1}'),
        ("configuration", "3"),
        ("updates", None),
    ],
)
def test_parts_that_do_not_fit_are_refused(
    checkpoint: Checkpoint, tmp_path: Path, part: str, content: str | None
) -> None:
    path = tmp_path / "model.safetensors"
    charlm.save(path, checkpoint)
    tensors, metadata = safetensors.load(path)
    if content is None:
        del metadata[part]
    else:
        metadata[part] = content
    safetensors.save(path, tensors, metadata)
    with pytest.raises(FormatError, match="parts do not fit each other"):
        charlm.load(path)


def test_metadata_is_plain_json(checkpoint: Checkpoint, tmp_path: Path) -> None:
    charlm.save(tmp_path / "model.safetensors", checkpoint)
    _, metadata = safetensors.load(tmp_path / "model.safetensors")
    assert json.loads(metadata["vocabulary"]) == "\nabé🙂"
    assert json.loads(metadata["configuration"]) == asdict(checkpoint.configuration)
