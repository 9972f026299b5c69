from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import tinygrad_lstm as tg
from examples import why_memory


def test_a_lift_goes_up_and_down_and_stops_at_both_ends() -> None:
    tg.manual_seed(0)
    buttons, floors = why_memory.rides(20)
    for ride, stops in zip(buttons.T.tolist(), floors.T.tolist(), strict=True):
        floor = 0
        for button, stop in zip(ride, stops, strict=True):
            floor = min(max(floor + button - 1, 0), 4)
            assert stop == floor


def test_a_feed_forward_net_sees_no_more_than_its_window() -> None:
    tg.manual_seed(0)
    model = why_memory.FeedForward(window=2)
    buttons = tg.asarray([[0], [1], [2], [1]])
    other = tg.asarray([[2], [1], [2], [1]])
    same = tg.all(model(buttons) == model(other), axis=-1)[:, 0]
    assert same.tolist() == [False, False, True, True]


def test_the_recurrent_net_is_the_librarys() -> None:
    tg.manual_seed(0)
    ours, theirs = why_memory.Recurrent(hidden=4), tg.nn.RNN(3, 4)
    theirs.weight_ih_l0.assign_(ours.W_x.detach().T)
    theirs.weight_hh_l0.assign_(ours.W_h.detach().T)
    tg.nn.init.zeros_(theirs.bias_ih_l0)
    tg.nn.init.zeros_(theirs.bias_hh_l0)
    xs = tg.randn(5, 2, 3)
    assert tg.abs(tg.stack(ours.states(xs)) - theirs(xs)[0]).max() < 1e-6


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("pygraphviz", "draw: found neither Graphviz's program dot nor pygraphviz"),
        ("matplotlib", "plots need Matplotlib"),
    ],
)
def test_without_what_draws_pictures_there_are_results_and_a_sentence(
    missing: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if missing != "matplotlib":
        pytest.importorskip("matplotlib")
    for module in [name for name in sys.modules if name.partition(".")[0] == missing]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(why_memory, "train", lambda *_: None)
    figures = why_memory.main(["--quick", "--out", str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(figures) + 1
    assert lines[-1].startswith(f"Not all is drawn: {words}")


def test_memory_beats_any_window(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    figures = why_memory.main(["--quick", "--out", str(tmp_path)])
    order = ["most frequent floor", "feed-forward, 1", "feed-forward, 4", "recurrent"]
    assert sorted(order, key=figures.__getitem__) == order
    assert figures["recurrent"] > 0.9
    for name in ("loop", "unrolled", "module", "accuracy"):
        assert ElementTree.parse(tmp_path / f"{name}.svg").getroot().tag.endswith("svg")
