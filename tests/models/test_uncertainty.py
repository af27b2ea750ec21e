"""Draws against their distributions, and rankings and indices against closed results."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.errors import WorkloadError
from planner.models.uncertainty import (
    SHAPES,
    Array,
    Shape,
    Uncertain,
    beats,
    draws,
    percentiles,
    quantile,
    regret,
    sobol_indices,
    tornado,
)

MANY = 2**13


def test_pert_has_the_mean_of_its_definition() -> None:
    """(low + 4 mid + high) / 6; Sobol points integrate it to five digits."""
    one = Uncertain("x", 2, 3, 10)
    assert draws([one], MANY, 7)["x"].mean() == pytest.approx((2 + 12 + 10) / 6, rel=1e-5)


def test_triangular_and_uniform_by_hand() -> None:
    """A triangle 0, 1, 4: half of its area lies below 4 - sqrt(6)."""
    assert float(quantile(Uncertain("x", 0, 1, 4, "triangular"), 0.5)) == pytest.approx(4 - np.sqrt(6))
    assert float(quantile(Uncertain("x", 0, 1, 4, "uniform"), 0.25)) == 1.0


@settings(max_examples=40)
@given(st.sampled_from(SHAPES), st.lists(st.floats(0.1, 1e4), min_size=3, max_size=3), st.integers(0, 99))
def test_draws_stay_within_their_range(shape: Shape, ends: list[float], seed: int) -> None:
    low, mid, high = sorted(ends)
    values = draws([Uncertain("x", low, mid, high, shape)], 64, seed)["x"]
    assert np.isfinite(values).all()
    if shape != "lognormal":
        assert values.min() >= low * (1 - 1e-9) and values.max() <= high * (1 + 1e-9)


def test_a_lognormal_meets_its_percentiles() -> None:
    values = draws([Uncertain("x", 0.5, 1.0, 3.0, "lognormal")], MANY, 1)["x"]
    assert percentiles(values) == pytest.approx((0.5, 1.0, 3.0), rel=2e-3)


def test_a_group_shares_its_draw_and_others_do_not() -> None:
    found = draws(
        [Uncertain("a", 0, 1, 2, group="g"), Uncertain("b", 10, 20, 30, group="g"), Uncertain("c", 0, 1, 2)], 512, 3
    )
    assert np.corrcoef(found["a"], found["b"])[0, 1] == pytest.approx(1)
    assert abs(np.corrcoef(found["a"], found["c"])[0, 1]) < 0.05


def test_the_seed_repeats_and_another_does_not() -> None:
    one = [Uncertain("x", 0, 1, 2)]
    assert (draws(one, 64, 1)["x"] == draws(one, 64, 1)["x"]).all()
    assert (draws(one, 64, 1)["x"] != draws(one, 64, 2)["x"]).any()


def test_regret_and_beats_by_hand() -> None:
    costs = [[10.0, 10.0, 10.0, 10.0], [12.0, 9.0, 10.0, 8.0]]
    assert regret(costs).mean(axis=1).tolist() == [0.75, 0.5]
    assert beats(costs)[0].tolist() == [0.5, 0.375]
    assert pytest.approx(1 - beats(costs)) == beats(costs).T


def linear(columns: Mapping[str, Array]) -> Array:
    return np.asarray(3 * columns["a"] + columns["b"])


def test_tornado_puts_the_widest_first() -> None:
    bars = tornado([Uncertain("b", 0, 1, 2), Uncertain("a", 0, 1, 2)], linear)
    assert [(bar[0].name, bar[1], bar[2]) for bar in bars] == [("a", 1, 7), ("b", 3, 5)]
    assert tornado([], linear) == []


def test_sobol_indices_of_a_sum_are_the_shares_of_variance() -> None:
    """3a + b of equal uniforms: variances 9 to 1, no interaction."""
    uniform = [Uncertain("a", 0, 1, 2, "uniform"), Uncertain("b", 0, 1, 2, "uniform")]
    found = sobol_indices(uniform, linear, 1024, 1)
    assert found["a"] == pytest.approx((0.9, 0.9), abs=0.01)
    assert found["b"] == pytest.approx((0.1, 0.1), abs=0.01)


def test_sobol_indices_see_interaction() -> None:
    """A product of centred inputs varies only together."""
    centred = [Uncertain("a", -1, 0, 1, "uniform"), Uncertain("b", -1, 0, 1, "uniform")]
    found = sobol_indices(centred, lambda c: np.asarray(c["a"] * c["b"]), 1024, 1)
    assert found["a"][0] == pytest.approx(0, abs=0.02) and found["a"][1] == pytest.approx(1, abs=0.02)


def test_an_outcome_that_does_not_vary_has_no_indices() -> None:
    assert sobol_indices([Uncertain("a", 0, 1, 2)], lambda c: 0 * c["a"] + 5, 64, 1) == {}


@pytest.mark.parametrize(
    "one",
    [
        Uncertain("x", 3, 2, 1),
        Uncertain("x", 0, 5, 4),
        Uncertain("x", float("nan"), 1, 2),
        Uncertain("x", 0, 1, float("inf")),
        Uncertain("x", 0, 1, 2, "lognormal"),
        Uncertain("x", 0, 1, 2, "normal"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_range_is_refused(one: Uncertain) -> None:
    with pytest.raises(WorkloadError, match="x:"):
        draws([one], 64, 1)


@pytest.mark.parametrize("count", [0, 1, 1000, 2**21, -8])
def test_draws_come_in_powers_of_two(count: int) -> None:
    with pytest.raises(WorkloadError, match="power of two"):
        draws([Uncertain("x", 0, 1, 2)], count, 1)
