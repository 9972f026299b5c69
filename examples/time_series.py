"""Time series: the yearly sunspot numbers of three centuries, and how well the next eleven years can be told.

An LSTM reads the years up to 1920 and learns to say, after each one, what the next eleven will be like. From 1956 on it
is compared with three simpler forecasts: as it was last year, as it was eleven years ago (the length of a solar cycle),
and a linear one from the last nine years. The years between serve to choose how long to train.

    python -m examples.time_series
    python -m examples.time_series --quick
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import tinygrad_lstm as tg
from examples import plots
from tinygrad_lstm import data, nn, optim
from tinygrad_lstm.graph.palette import COLOURS

FIRST, TRAINED, CHOSEN, LAST = 1700, 1920, 1955, 2008
"""The first year; the last one to learn from; the last one to choose by; the last one there is."""

AHEAD = 11
"""How many years are forecast; also the length of a solar cycle."""

# The international sunspot number, yearly means (version 1), as the US National Geophysical Data Center published them
# in the public domain; the same numbers are in the package statsmodels.
SUNSPOTS = np.fromstring("""
5 11 16 23 36 58 29 20 10 8 3 0 0 2 11 27 47 63 60 39 28 26 22 11 21 40 78 122 103 73 47 35 11 5 16 34 70 81 111 101
73 40 20 16 5 11 22 40 60 80.9 83.4 47.7 47.8 30.7 12.2 9.6 10.2 32.4 47.6 54 62.9 85.9 61.2 45.1 36.4 20.9 11.4
37.8 69.8 106.1 100.8 81.6 66.5 34.8 30.6 7 19.8 92.5 154.4 125.9 84.8 68.1 38.5 22.8 10.2 24.1 82.9 132 130.9 118.1
89.9 66.6 60 46.9 41 21.3 16 6.4 4.1 6.8 14.5 34 45 43.1 47.5 42.2 28.1 10.1 8.1 2.5 0 1.4 5 12.2 13.9 35.4 45.8
41.1 30.1 23.9 15.6 6.6 4 1.8 8.5 16.6 36.3 49.6 64.2 67 70.9 47.8 27.5 8.5 13.2 56.9 121.5 138.3 103.2 85.7 64.6
36.7 24.2 10.7 15 40.1 61.5 98.5 124.7 96.3 66.6 64.5 54.1 39 20.6 6.7 4.3 22.7 54.8 93.8 95.8 77.2 59.1 44 47 30.5
16.3 7.3 37.6 74 139 111.2 101.6 66.2 44.7 17 11.3 12.4 3.4 6 32.3 54.3 59.7 63.7 63.5 52.2 25.4 13.1 6.8 6.3 7.1
35.6 73 85.1 78 64 41.8 26.2 26.7 12.1 9.5 2.7 5 24.4 42 63.5 53.8 62 48.5 43.9 18.6 5.7 3.6 1.4 9.6 47.4 57.1 103.9
80.6 63.6 37.6 26.1 14.2 5.8 16.7 44.3 63.9 69 77.8 64.9 35.7 21.2 11.1 5.7 8.7 36.1 79.7 114.4 109.6 88.8 67.8 47.5
30.6 16.3 9.6 33.2 92.6 151.6 136.3 134.7 83.9 69.4 31.5 13.9 4.4 38 141.7 190.2 184.8 159 112.3 53.9 37.6 27.9 10.2
15.1 47 93.8 105.9 105.5 104.5 66.6 68.9 38 34.5 15.5 12.6 27.5 92.5 155.4 154.6 140.4 115.9 66.6 45.9 17.9 13.4
29.4 100.2 157.6 142.6 145.7 94.3 54.6 29.9 17.5 8.6 21.5 64.3 93.3 119.6 111 104 63.7 40.4 29.8 15.2 7.5 2.9
""", dtype="float32", sep=" ")  # fmt: skip


class Forecast(nn.Module):
    """After each year, what the next eleven will be like."""

    def __init__(self, hidden: int) -> None:
        self.lstm = nn.LSTM(1, hidden)
        self.output = nn.Linear(hidden, AHEAD)

    def forward(self, years: tg.Tensor) -> tg.Tensor:
        """Return forecasts (T, B, 11) for years (T, B)."""
        hidden, _ = self.lstm(years[:, :, None])
        return years[:, :, None] + self.output(hidden)


def forecasts_of(model: Forecast) -> np.ndarray:
    """Return what a model says after each year, shape (309, 11)."""
    with nn.evaluating(model):
        return model(tg.asarray(SUNSPOTS[:, None] / 100))[:, 0].numpy() * 100


def stretches(draw: np.random.Generator, length: int, count: int) -> tuple[tg.Tensor, tg.Tensor]:
    """Return stretches of the years to learn from (T, B), and what followed each of their years (T, B, 11).

    Each is scaled, by a half to two: cycles differ in height, and later ones are higher than any before.
    """
    series = SUNSPOTS[: TRAINED - FIRST + 1] / 100
    starts = draw.integers(0, len(series) - length - AHEAD + 1, count)
    years = starts + np.arange(length)[:, None]
    scale = 2 ** draw.uniform(-1, 1, count).astype("float32")
    wanted = series[years[:, :, None] + np.arange(1, AHEAD + 1)]
    return tg.asarray(series[years] * scale), tg.asarray(wanted * scale[:, None])


def trained(seed: int, updates: int, title: str) -> Forecast:
    """Return a model as it was when its forecasts of the years to choose by were best."""
    tg.manual_seed(seed)
    draw = np.random.default_rng(seed)
    model = Forecast(hidden=16)
    optimizer = optim.AdamW(model.parameters(), lr=0.005, weight_decay=0.01)
    best, chosen = float("inf"), model.state_dict()
    bar = data.Progress(range(updates), title, unit="updates")
    for update in bar:
        years, wanted = stretches(draw, length=66, count=16)
        loss = tg.mse_loss(model(years)[11:], wanted[11:])  # after a cycle to get its bearings
        optimizer.zero_grad()
        loss.backward()
        optim.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if update % 10 == 9:
            error = errors(forecasts_of(model), TRAINED, CHOSEN).mean()
            if error < best:
                best, chosen = error, copy.deepcopy(model.state_dict())
            bar.show(error=float(error), best=float(best))
    model.load_state_dict(chosen)
    return model


def persistence() -> np.ndarray:
    """Forecast every year to be like the last one that is known, shape (309, 11)."""
    return np.repeat(SUNSPOTS[:, None], AHEAD, axis=1)


def seasonal() -> np.ndarray:
    """Forecast every year to be as it was eleven years before, shape (309, 11); NaN where that is not known."""
    known = np.concatenate([np.full(AHEAD - 1, np.nan, dtype="float32"), SUNSPOTS])
    return np.lib.stride_tricks.sliding_window_view(known, AHEAD)


def autoregression(order: int = 9) -> np.ndarray:
    """Forecast each year as a weighted sum of the nine before it, fitted by least squares to the years to learn from.

    That is Yule's idea, who made it for the sunspots ("On a method of investigating periodicities in disturbed series",
    1927). Forecasts further ahead take the nearer ones for known.
    """
    windows = np.lib.stride_tricks.sliding_window_view(SUNSPOTS, order)
    known, followed = windows[: TRAINED - FIRST + 1 - order], SUNSPOTS[order : TRAINED - FIRST + 1]
    weights = np.linalg.lstsq(np.c_[known, np.ones(len(known))], followed, rcond=None)[0]
    forecasts = np.full((len(SUNSPOTS), AHEAD), np.nan)
    for year in range(order - 1, len(SUNSPOTS)):
        last = [*SUNSPOTS[year - order + 1 : year + 1]]
        for ahead in range(AHEAD):
            last.append(np.dot(weights, [*last[-order:], 1]))
            forecasts[year, ahead] = last[-1]
    return forecasts


def errors(forecasts: np.ndarray, after: int, until: int) -> np.ndarray:
    """Return the root mean square error of forecasts 1 to 11 years ahead, over the years after one and until one."""
    by_ahead = []
    for ahead in range(1, AHEAD + 1):
        years = np.arange(after + 1, until + 1) - FIRST
        wrong = forecasts[years - ahead, ahead - 1] - SUNSPOTS[years]
        by_ahead.append(np.sqrt(np.mean(wrong**2)))
    return np.array(by_ahead)


def plot_forecasts(forecasts: np.ndarray, path: Path) -> None:
    """Plot what was seen, what was forecast a year ahead, and whole cycles forecast from single years."""
    years = np.arange(FIRST, LAST + 1)
    with plots.figure(path, 9, 6) as figure:
        one, cycle = figure.subplots(2, sharex=True, sharey=True)
        for axes in (one, cycle):
            axes.plot(years, SUNSPOTS, color=COLOURS["edge"], linewidth=1.2)
            axes.axvspan(CHOSEN + 0.5, LAST + 0.5, color=COLOURS["step"], zorder=0)
            axes.set(ylabel="Sunspot number", xlim=(1900, LAST + 1), ylim=(0, 215))
        one.plot(
            years[TRAINED - FIRST + 1 :],
            forecasts[TRAINED - FIRST : -1, 0],
            color=COLOURS["h"],
            marker="o",
            markersize=3,
        )
        one.set_title("Forecasts a year ahead (blue) of what was seen (grey); held-out years are shaded")
        for start in range(TRAINED, LAST - AHEAD + 1, AHEAD):
            ahead = np.r_[SUNSPOTS[start - FIRST], forecasts[start - FIRST]]
            cycle.plot(np.arange(start, start + AHEAD + 1), ahead, color=COLOURS["h"], linewidth=1)
            cycle.plot(start, ahead[0], color=COLOURS["h"], marker="o", markersize=4)
        cycle.set_title("Eleven years ahead, told at each dot")
        cycle.set_xlabel("Year")


def plot_errors(by_name: dict[str, np.ndarray], path: Path) -> None:
    """Plot how wrong forecasts are against how far ahead they look, a line a method."""
    with plots.figure(path, 7, 4) as figure:
        axes = figure.subplots()
        ahead = np.arange(1, AHEAD + 1)
        for (name, wrong), kind, mark in zip(by_name.items(), ("h", "layer", "c", "edge"), "os^v", strict=True):
            axes.plot(ahead, wrong, color=COLOURS[kind], marker=mark, markersize=4, label=name)
        axes.legend(frameon=False, labelcolor="linecolor")
        axes.set(title=f"Errors in the held-out years {CHOSEN + 1} to {LAST}", ylim=(0, None))
        axes.set(xlabel="Years ahead", ylabel="Root mean square error, sunspot number")
        axes.set_xticks(ahead)


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Train some models, compare the mean of their forecasts with simpler ones, and draw; return the errors by name."""
    parser = argparse.ArgumentParser(prog="python -m examples.time_series", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer models and less time: seconds, for a try")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("time_series-pictures"), help="where pictures go")
    options = parser.parse_args(arguments)

    members, updates = (2, 250) if options.quick else (6, 600)
    models = [
        trained(options.seed * members + member, updates, f"Model {member + 1} of {members}")
        for member in range(members)
    ]
    lstm = np.mean([forecasts_of(model) for model in models], axis=0)
    forecasts = {
        "LSTM": lstm,
        "linear": autoregression(),
        "eleven years ago": seasonal(),
        "last year": persistence(),
    }
    by_name = {name: errors(forecast, CHOSEN, LAST) for name, forecast in forecasts.items()}
    print(f"Root mean square errors of {CHOSEN + 1} to {LAST}: 1, 5 and 11 years ahead, and the mean of 1 to 11")
    figures = {}
    for name, wrong in by_name.items():
        key = name.lower().replace(" ", "_")
        figures[f"{key}_1"], figures[f"{key}_11"], figures[f"{key}_mean"] = map(
            float, (wrong[0], wrong[-1], wrong.mean())
        )
        print(f"  {wrong[0]:5.1f}  {wrong[4]:5.1f}  {wrong[-1]:5.1f}  {wrong.mean():5.1f}  {name}")

    with plots.pictures(options.out):
        plot_forecasts(lstm, options.out / "forecasts.svg")
        plot_errors(by_name, options.out / "errors.svg")
    return figures


if __name__ == "__main__":
    main()
