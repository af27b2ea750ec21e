"""2:4 weights: what is stored, and what is computed faster."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.models.sparsity import reached_flops_per_s, stored_share


@pytest.mark.parametrize(("bits", "share"), [(16, 36 / 64), (8, 20 / 32), (4, 12 / 16)])
def test_two_of_four_and_where_they_stand(bits: int, share: float) -> None:
    assert float(stored_share(bits)) == share


def test_sparse_units_help_only_where_their_kernels_win() -> None:
    assert float(reached_flops_per_s(1e15, 2e15, 0.75)) == 1.5e15
    assert float(reached_flops_per_s(1e15, 2e15, 0.4)) == 1e15


@given(bits=st.integers(2, 64))
def test_never_less_than_half_never_more_than_all(bits: int) -> None:
    assert 0.5 < float(stored_share(bits)) <= 1
