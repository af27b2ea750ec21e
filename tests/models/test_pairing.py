"""Lengths that go together: marginals stay, rank correlation is what was asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from planner.models.pairing import lognormal, paired, rank_correlation


@settings(max_examples=40, deadline=None)
@given(st.floats(-1, 1), st.integers(0, 2**32))
def test_any_rank_correlation_is_reached_and_lengths_stay(wanted: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    inputs, outputs = random.geometric(1e-3, 4000), random.geometric(1e-2, 4000)
    found = paired(inputs, outputs, wanted, random)
    assert sorted(found) == sorted(outputs)
    assert rank_correlation(inputs, found) == pytest.approx(wanted, abs=0.06)


def test_the_correlation_is_spearmans() -> None:
    random = np.random.default_rng(1)
    inputs, outputs = random.integers(1, 50, 500), random.integers(1, 50, 500)  # many equals
    assert rank_correlation(inputs, outputs) == pytest.approx(spearmanr(inputs, outputs).statistic)
    assert rank_correlation([5, 5, 5], [1, 2, 3]) == 0.0


@pytest.mark.parametrize(("mean", "cv"), [(1000.0, 1.0), (200.0, 0.3), (50.0, 0.0)])
def test_lognormal_lengths_have_their_mean_and_spread(mean: float, cv: float) -> None:
    found = lognormal(mean, cv, 20_000, np.random.default_rng(0))
    assert found.mean() == pytest.approx(mean, rel=0.01) and found.min() >= 1
    assert found.std() / found.mean() == pytest.approx(cv, rel=0.05, abs=0.01)
    median = mean / np.sqrt(1 + cv**2)  # of a lognormal
    assert np.median(found) == pytest.approx(median, rel=0.01)


def test_seeds_reproduce() -> None:
    lengths = np.arange(1, 100)
    one, again, other = (paired(lengths, lengths, 0.5, np.random.default_rng(s)) for s in (4, 4, 5))
    assert (one == again).all() and (one != other).any()
