"""The command line: what it writes and prints, how it is stopped, and one sentence for every error of the user's."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tinygrad_lstm import backend, charlm
from tinygrad_lstm.cli import main

ROOT = Path(__file__).parents[1]
TINY = ["--hidden", "12", "--embedding", "6", "--batch", "8", "--steps", "8", "--updates", "3"]
WRITTEN = ["checkpoint.safetensors", "metrics.json", "graph.svg", "graph.png"]
TEXT = "The quick brown fox jumps over the lazy dog.\r\n" * 20

MODULE = [sys.executable, "-m", "tinygrad_lstm"]


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "fox.txt"
    path.write_bytes(TEXT.encode())
    return path


@pytest.fixture
def model(text: Path, tmp_path: Path) -> Path:
    """Return the checkpoint of a tiny model."""
    assert main(["train", str(text), *TINY, "--out", str(tmp_path)]) == 0
    return tmp_path / "checkpoint.safetensors"


@pytest.fixture
def script(tmp_path: Path) -> list[str]:
    """Return the command as an installer writes it for the entry point."""
    path = tmp_path / "tinygrad-lstm"
    path.write_text("import sys\nfrom tinygrad_lstm.cli import main\nsys.exit(main())\n")
    return [sys.executable, str(path)]


def command(words: Sequence[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, with the package on its path."""
    return subprocess.run(
        words, capture_output=True, text=True, encoding="utf-8", env=surroundings(**environment), timeout=120
    )


def surroundings(**environment: str) -> dict[str, str]:
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": paths, "PYTHONUTF8": "1", **environment}


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Return the one sentence with which a command is refused."""
    assert main(words) == 2
    sentence = capsys.readouterr().err
    assert sentence.startswith("tinygrad-lstm: ")
    assert sentence.count("\n") == 1
    return sentence


# What is written and printed


def test_demo_writes_everything_and_says_where(tmp_path: Path) -> None:
    out = tmp_path / "nested" / "demo"
    finished = command([*MODULE, "demo", *TINY, "--seed", "5", "--out", str(out)])
    assert finished.returncode == 0, finished.stderr
    assert "updates" not in finished.stderr  # no bar where there is no terminal
    assert sorted(path.name for path in out.iterdir()) == sorted(WRITTEN)
    assert all(f"  {out / name}\n" in finished.stdout for name in WRITTEN)
    assert "this model" in finished.stdout
    assert f"tinygrad-lstm generate {out / 'checkpoint.safetensors'} --prompt" in finished.stdout
    assert "<svg" in (out / "graph.svg").read_text(encoding="utf-8")
    assert (out / "graph.png").read_bytes().startswith(b"\x89PNG")


def test_metrics_say_what_was_measured_and_with_what(model: Path) -> None:
    metrics = json.loads((model.parent / "metrics.json").read_text())
    assert metrics["uniform_bits_per_char"] == pytest.approx(charlm.uniform_bits(len(set(TEXT))))
    training, heldout = charlm.split(TEXT)
    assert metrics["bigram_bits_per_char"] == pytest.approx(charlm.bigram_bits(training, heldout, len(set(TEXT))))
    checkpoint = charlm.load(model)
    numbers = checkpoint.vocabulary.encode(training[-1] + heldout)
    assert metrics["heldout_bits_per_char"] == pytest.approx(charlm.bits_per_char(checkpoint.model, numbers))
    assert metrics["train_seconds"] * metrics["chars_per_second"] == pytest.approx(3 * 8 * 8)
    assert metrics["seed"] == metrics["configuration"]["seed"] == 0
    assert metrics["configuration"]["hidden"] == checkpoint.configuration.hidden == 12
    assert (metrics["backend"], metrics["device"]) == (backend.name, backend.device_name())


def test_the_weights_that_did_best_on_the_held_out_text_are_what_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cat.txt"
    path.write_text("the cat sat on the mat, the cat did. " * 9 + "that dog sat on a hat, it did not eat.")
    words = ["--hidden", "32", "--embedding", "8", "--batch", "4", "--steps", "16", "--lr", "0.3", "--updates", "75"]
    assert main(["train", str(path), *words, "--out", str(tmp_path)]) == 0
    checkpoint = charlm.load(tmp_path / WRITTEN[0])
    metrics = json.loads((tmp_path / WRITTEN[1]).read_text())
    assert checkpoint.updates == metrics["kept_after_updates"] < 75
    training, heldout = charlm.split(path.read_text())
    numbers = checkpoint.vocabulary.encode(training[-1] + heldout)
    assert charlm.bits_per_char(checkpoint.model, numbers) == pytest.approx(metrics["heldout_bits_per_char"])
    shown = capsys.readouterr().out
    assert f"Kept    the weights after {checkpoint.updates} updates: later ones did worse" in shown
    assert "Counting pairs of characters does better. The model learns the text by heart: try a longer one.\n" in shown


def test_a_training_that_is_too_short_is_told_so(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(text), *TINY, "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "Kept" not in shown
    assert "Counting pairs of characters does better. The model still learns: try more --updates.\n" in shown


def test_train_keeps_every_character_of_the_text(model: Path) -> None:
    assert charlm.load(model).vocabulary.characters == "".join(sorted(set(TEXT)))


def test_train_writes_beside_the_user_by_the_name_of_the_text(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", str(text), *TINY]) == 0
    assert sorted(path.name for path in (tmp_path / "fox-lstm").iterdir()) == sorted(WRITTEN)


def test_without_graphviz_everything_else_is_there(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    assert main(["train", str(text), *TINY, "--out", str(tmp_path / "out")]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*WRITTEN[:2], "graph.dot"}
    assert "Not drawn: " in (shown := capsys.readouterr().out)
    assert f"  {tmp_path / 'out' / 'graph.dot'}\n" in shown


def test_the_same_seed_gives_the_same_model(text: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert main(["train", str(text), *TINY, "--seed", "7", "--out", str(tmp_path / name)]) == 0
    one, two = (charlm.load(tmp_path / name / WRITTEN[0]).model.state_dict() for name in ("one", "two"))
    assert all((one[name].numpy() == two[name].numpy()).all() for name in one)


def test_generate_continues_the_prompt_the_same_way_for_a_seed(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()

    def generated(*options: str) -> str:
        assert main(["generate", str(model), "--prompt", "The q", "--length", "30", *options]) == 0
        return capsys.readouterr().out

    sample = generated("--seed", "3")
    assert sample.startswith("The q")
    assert len(sample) == 5 + 30 + 1
    assert sample == generated("--seed", "3") != generated("--seed", "4")
    greedy = generated("--top-k", "1", "--seed", "3")
    assert greedy == generated("--top-k", "1", "--seed", "4", "--temperature", "2")
    assert greedy == generated("--greedy") == generated("--beams", "1") == generated("--top-p", "1e-9")
    assert len(generated("--beams", "3")) == 5 + 30 + 1


def test_generate_draws_as_the_library_does(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = charlm.load(model)
    for words, options in (
        ([], {"temperature": 0.7}),
        (["--top-p", "0.5", "--top-k", "9", "--seed", "7"], {"temperature": 0.7, "top_p": 0.5, "top_k": 9, "seed": 7}),
        (["--temperature", "1.5"], {"temperature": 1.5}),
        (["--beams", "4"], {"beams": 4}),
    ):
        capsys.readouterr()
        assert main(["generate", str(model), "--prompt", "The", "--length", "9", *words]) == 0
        expected = "".join(charlm.generate(checkpoint.model, checkpoint.vocabulary, "The", 9, **options))
        assert capsys.readouterr().out == f"The{expected}\n"


def test_info_names_what_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"]) == 0
    shown = capsys.readouterr().out
    rows = dict(re.split(r"\s{2,}", line, maxsplit=1) for line in shown.splitlines())
    assert rows["backend"].startswith(backend.name)
    assert rows["device"] == backend.device_name()
    assert rows["arrays"].startswith(f"{backend.name} ")
    assert {"package", "python", "renderer", "packages"} <= rows.keys()


@pytest.mark.parametrize("words", [["--help"], ["demo", "--help"], ["train", "--help"], ["generate", "--help"]])
def test_help_shows_commands_and_defaults(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(words)
    shown = capsys.readouterr().out
    assert "demo" in shown if words == ["--help"] else "(default: " in shown


# Stopping

TELLING = """
import sys
from tinygrad_lstm import charlm
from tinygrad_lstm.cli import main

train = charlm.train

def telling(*arguments):
    for update in train(*arguments):
        print("Updated", flush=True)
        yield update

charlm.train = telling
sys.exit(main())
"""
"""The command line as a program that says when an update is done, for there is no bar where there is no terminal."""


def test_ctrl_c_keeps_the_model_and_says_where(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.safetensors").write_bytes(b"of an earlier run")
    words = [sys.executable, "-c", TELLING, "demo", *TINY, "--updates", "1000000", "--out", str(tmp_path)]
    with subprocess.Popen(
        words, env=surroundings(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        assert process.stdout is not None
        while process.stdout.readline() != "Updated\n":
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    path = tmp_path / "interrupted.safetensors"
    assert process.returncode == 130
    again = f"tinygrad-lstm demo --resume {path}\n"
    assert re.fullmatch(rf"tinygrad-lstm: interrupted after [\d,]+ updates; to go on: {re.escape(again)}", errors)
    assert 0 < charlm.load(path).updates < 1_000_000
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == b"of an earlier run"


def interrupt_after(updates: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the next training find Ctrl-C pressed behind its ``updates``-th update, and no other."""

    @contextlib.contextmanager
    def pressed() -> Iterator[Callable[[], bool]]:
        yield iter([False] * (updates - 1) + [True]).__next__
        monkeypatch.undo()

    monkeypatch.setattr("tinygrad_lstm.cli.training.interruptible", pressed)


@pytest.mark.parametrize("updates", [2, 11])
def test_a_training_that_was_resumed_ends_as_if_never_left(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], updates: int
) -> None:
    once, twice = tmp_path / "once", tmp_path / "twice"
    words = ["train", str(text), *TINY, "--updates", "14"]
    assert main([*words, "--out", str(once)]) == 0
    interrupt_after(updates, monkeypatch)
    assert main([*words, "--out", str(twice)]) == 130
    assert f"interrupted after {updates} updates" in capsys.readouterr().err
    interrupted = twice / "interrupted.safetensors"
    assert main(["generate", str(interrupted), "--length", "5"]) == 0
    assert main(["train", str(text), "--resume", str(interrupted)]) == 0
    assert f"Trained {14 - updates} updates" in capsys.readouterr().out
    one, two = (charlm.load(folder / WRITTEN[0]) for folder in (once, twice))
    assert (one.configuration, one.updates, one.training) == (two.configuration, two.updates, two.training)
    weights, again = one.model.state_dict(), two.model.state_dict()
    assert all((weights[name].numpy() == again[name].numpy()).all() for name in weights)
    metrics = [json.loads((folder / "metrics.json").read_text()) for folder in (once, twice)]
    assert [each["resumed_after_updates"] for each in metrics] == [0, updates]
    assert metrics[0]["heldout_bits_per_char"] == metrics[1]["heldout_bits_per_char"]


def test_a_training_that_is_resumed_stays_in_its_folder(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", text.name, *TINY]) == 0
    before = (tmp_path / "fox-lstm" / WRITTEN[0]).read_bytes()
    for words in (["train", str(text)], ["demo"]):
        out = tmp_path / f"{words[0]} again"
        interrupt_after(2, monkeypatch)
        assert main([*words, *TINY, "--seed", "1", "--out", str(out)]) == 130
        command, *again = shlex.split(capsys.readouterr().err.rpartition("to go on: ")[2])
        assert (command, again) == ("tinygrad-lstm", [*words, "--resume", str(out / "interrupted.safetensors")])
        monkeypatch.chdir(tmp_path)  # the interruption has undone it
        assert main(again) == 0
        assert (out / WRITTEN[0]).exists()
    assert (tmp_path / "fox-lstm" / WRITTEN[0]).read_bytes() == before
    assert not (tmp_path / "demo").exists()


def test_what_cannot_be_resumed(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupt_after(2, monkeypatch)
    assert main(["train", str(text), *TINY, "--out", str(tmp_path)]) == 130
    interrupted = str(tmp_path / "interrupted.safetensors")
    assert main(["train", str(text), "--resume", interrupted, "--out", str(tmp_path)]) == 0
    capsys.readouterr()
    resume = ["train", str(text), "--out", str(tmp_path), "--resume"]
    assert "missing: No such file" in refusal(capsys, *resume, str(tmp_path / "missing"))
    assert "has no training to go on with" in refusal(capsys, *resume, str(tmp_path / WRITTEN[0]))
    text.write_bytes(TEXT[::-1].encode())
    assert "the text is not the one on which this training was begun" in refusal(capsys, *resume, interrupted)
    text.write_bytes(b"x" + TEXT.replace("q", "!").encode())
    assert "the text has other characters than the one" in refusal(capsys, *resume, interrupted)


def test_a_reader_that_has_seen_enough_ends_the_command_quietly(model: Path) -> None:
    words = [*MODULE, "generate", str(model), "--length", "100000"]
    with subprocess.Popen(words, env=surroundings(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.wait(timeout=60) == 0
        assert process.stderr.read() == b""


# Errors


def test_texts_that_cannot_be_used(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = text.parent
    assert "missing.txt: No such file" in refusal(capsys, "train", str(folder / "missing.txt"))
    assert f"{folder}: Is a directory" in refusal(capsys, "train", str(folder))
    for content, words in (
        (b"caf\xe9 au lait", "is not UTF-8: byte 3 is 0xe9"),
        (b"", "the text has 0 characters: too few"),
        (b"short", "the text has 5 characters: too few"),
        (b"a little longer", "too short for a batch of 32"),
    ):
        text.write_bytes(content)
        assert words in refusal(capsys, "train", str(text), "--out", str(folder / "out"))
        assert text.read_bytes() == content


def test_a_folder_that_cannot_be_written(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "fox.txt: File exists" in refusal(capsys, "train", str(text), "--out", str(text))


def test_checkpoints_and_prompts_that_cannot_be_used(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert "No such file" in refusal(capsys, "generate", str(model.parent / "missing"))
    assert "outside the vocabulary of 31: 'é' '☃'" in refusal(capsys, "generate", str(model), "--prompt", "☃é")
    assert "the prompt is empty" in refusal(capsys, "generate", str(model), "--prompt", "")
    assert "is not a safetensors file" in refusal(capsys, "generate", str(model.parent / "metrics.json"))


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["unknown"],
        ["train"],
        ["demo", "--updates", "0"],
        ["demo", "--hidden", "many"],
        ["demo", "--seed", "-1"],
        ["demo", "--lr", "nan"],
        ["demo", "--lr", "inf"],
        ["demo", "--resume", "demo/interrupted.safetensors", "--seed", "0"],
        ["generate", "model", "--temperature", "0"],
        ["generate", "model", "--top-k", "0"],
        ["generate", "model", "--top-p", "0"],
        ["generate", "model", "--top-p", "1.1"],
        ["generate", "model", "--top-p", "half"],
        ["generate", "model", "--beams", "0"],
        ["verify", "--json", "nowhere/found.json"],
    ],
)
def test_what_is_typed_wrong_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(words)
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--greedy", "--beams", "2"], "argument --beams: not allowed with argument --greedy"),
        (["--greedy", "--temperature", "1"], "--greedy draws nothing: leave out --temperature"),
        (["--beams", "2", "--seed", "0", "--top-p", "0.5"], "--beams draws nothing: leave out --top-p, --seed"),
        (["--beams", "2", "--top-k", "3"], "--beams draws nothing: leave out --top-k"),
    ],
)
def test_options_that_exclude_each_other_are_named(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["generate", "model", *words])
    assert capsys.readouterr().err.endswith(f"tinygrad-lstm generate: error: {sentence}\n")


@pytest.mark.parametrize("form", ["script", "module"])
def test_a_backend_that_cannot_be_had_is_one_sentence(form: str, script: list[str]) -> None:
    words = script if form == "script" else MODULE
    finished = command([*words, "info"], TINYGRAD_LSTM_BACKEND="abacus")
    assert finished.returncode == 2
    assert finished.stdout == ""
    assert finished.stderr == (
        "tinygrad-lstm: TINYGRAD_LSTM_BACKEND=abacus is not a backend: set it to one of numpy, cupy, auto.\n"
    )


@pytest.mark.skipif(backend.name != "numpy", reason="there are no kernels to choose from")
@pytest.mark.parametrize("words", [["info"], ["train", "fox.txt", *TINY]])
def test_kernels_that_there_are_not_are_one_sentence(
    words: list[str], text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(text.parent)
    finished = command([*MODULE, *words], TINYGRAD_LSTM_KERNELS="abacus")
    assert finished.returncode == 2
    assert finished.stderr == (
        "tinygrad-lstm: TINYGRAD_LSTM_KERNELS=abacus is no choice of kernels: set it to one of auto, numpy.\n"
    )


@pytest.mark.parametrize("form", ["script", "module"])
def test_ctrl_c_while_everything_is_imported_is_one_sentence(form: str, script: list[str], tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    words = script if form == "script" else MODULE
    paths = os.pathsep.join([str(tmp_path), surroundings()["PYTHONPATH"]])
    finished = command([*words, "info"], PYTHONPATH=paths)
    assert finished.returncode == -signal.SIGINT  # a shell reports 130
    assert (finished.stdout, finished.stderr) == ("", "tinygrad-lstm: interrupted.\n")


def test_other_programs_get_the_error_of_the_backend() -> None:
    finished = command([sys.executable, "-c", "import tinygrad_lstm"], TINYGRAD_LSTM_BACKEND="abacus")
    assert finished.returncode == 1
    assert "BackendError: TINYGRAD_LSTM_BACKEND=abacus" in finished.stderr


def test_both_forms_of_the_command_run(script: list[str]) -> None:
    shown = {command([*words, "--version"]).stdout for words in (script, MODULE)}
    assert len(shown) == 1
    assert shown.pop().startswith("tinygrad-lstm ")
