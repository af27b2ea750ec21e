"""Roots of many rising curves against curves whose root is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.models.roots import rising_root


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=5), st.floats(0.2, 6))
def test_roots_of_curves_that_bend(roots: list[float], bend: float) -> None:
    at = np.array(roots)
    found = rising_root(lambda x, rows: np.expm1(bend * (x - at[rows])), np.full(len(at), -4.0), np.full(len(at), 4.0))
    assert found == pytest.approx(at, abs=1e-8)


def test_a_root_beyond_an_end_is_that_end() -> None:
    found = rising_root(lambda x, rows: x - np.array([-5.0, 0.0, 5.0])[rows], np.full(3, -1.0), np.ones(3))
    assert found.tolist() == [-1.0, 0.0, 1.0]


def test_few_curves_of_a_kind_need_few_looks() -> None:
    looks = 0

    def saturating(x: np.ndarray, rows: np.ndarray) -> np.ndarray:
        nonlocal looks
        looks += 1
        return np.log(1 / (np.exp(-x) + 1e-2)) - 4.0

    found = rising_root(saturating, np.full(1, -12.0), np.full(1, 8.0))
    assert found[0] == pytest.approx(-np.log(np.exp(-4) - 1e-2), abs=1e-8)
    assert looks <= 14


def test_a_curve_whose_root_is_found_is_not_asked_again() -> None:
    asked = []

    def curve(x: np.ndarray, rows: np.ndarray) -> np.ndarray:
        asked.append(rows.tolist())
        return np.where(rows == 1, np.expm1(3 * (x - 0.3)), x)  # a straight line's root is found at the first look

    assert rising_root(curve, np.full(3, -1.0), np.ones(3)) == pytest.approx([0, 0.3, 0], abs=1e-8)
    assert asked[:3] == [[0, 1, 2]] * 3 and set(map(tuple, asked[3:])) == {(1,)}
