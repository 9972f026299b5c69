from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from examples import time_series
from examples.time_series import AHEAD, FIRST, LAST, SUNSPOTS, TRAINED


def test_the_quick_models_forecast_better_than_copies_of_the_past(tmp_path: Path) -> None:
    figures = time_series.main(["--quick", "--out", str(tmp_path)])
    assert figures["lstm_1"] < figures["last_year_1"]
    assert figures["lstm_mean"] < figures["eleven_years_ago_mean"] < figures["last_year_mean"]
    assert {path.name for path in tmp_path.iterdir()} == {"forecasts.svg", "errors.svg"}
    for path in tmp_path.iterdir():
        assert ElementTree.parse(path).getroot().tag.endswith("svg")


def test_the_series_is_whole() -> None:
    assert len(SUNSPOTS) == LAST - FIRST + 1
    assert SUNSPOTS.max() == SUNSPOTS[1957 - FIRST] == pytest.approx(190.2)
    assert SUNSPOTS[1712 - FIRST] == SUNSPOTS[1810 - FIRST] == 0


def test_stretches_end_with_the_years_to_learn_from() -> None:
    years, wanted = time_series.stretches(np.random.default_rng(0), length=TRAINED - FIRST + 1 - AHEAD, count=3)
    assert (years.shape, wanted.shape) == ((210, 3), (210, 3, AHEAD))
    scale = wanted.numpy()[-1, :, -1] / (SUNSPOTS[TRAINED - FIRST] / 100)
    assert np.all((scale > 0.5) & (scale < 2))
    np.testing.assert_allclose(years.numpy()[0], SUNSPOTS[0] / 100 * scale, rtol=1e-5)
    np.testing.assert_allclose(wanted.numpy()[:-1, :, 0], years.numpy()[1:], rtol=1e-5)


def test_simple_forecasts_are_what_they_say() -> None:
    year = 1980 - FIRST
    np.testing.assert_array_equal(time_series.seasonal()[year], SUNSPOTS[year - AHEAD + 1 : year + 1])
    np.testing.assert_array_equal(time_series.persistence()[year], [SUNSPOTS[year]] * AHEAD)
    error = time_series.errors(time_series.persistence(), 1955, 2008)[0]
    assert error == pytest.approx(np.sqrt(np.mean(np.diff(SUNSPOTS[1955 - FIRST :]) ** 2)))


def test_forecasts_of_the_linear_model_go_on_with_their_own() -> None:
    forecasts = time_series.autoregression(order=1)
    known = SUNSPOTS[: TRAINED - FIRST]
    slope, level = np.polyfit(known, SUNSPOTS[1 : TRAINED - FIRST + 1], 1)
    np.testing.assert_allclose(forecasts[-1, 0], slope * SUNSPOTS[-1] + level, rtol=1e-3)
    np.testing.assert_allclose(forecasts[-1, 1], slope * forecasts[-1, 0] + level, rtol=1e-3)
