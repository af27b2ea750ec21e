"""Capacity of layouts and their state at a rate, against the curves themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.catalog import Catalog
from planner.models.layouts import take
from planner.search.evaluate import BATCHES, curve, running_sequences
from planner.search.study import Study, evaluate
from planner.workloads import load_workload


@pytest.fixture(scope="module")
def study(catalog: Catalog) -> Study:
    return evaluate(load_workload(), catalog)


@given(share=st.floats(1e-6, 3.0))
@settings(max_examples=20)
def test_as_many_run_as_the_rate_needs(study: Study, share: float) -> None:
    rows = np.flatnonzero(study.capacity.rate_per_s > 0)[::37]
    server, most, held = study.server(rows), study.capacity.sequences[rows], study.capacity.rate_per_s[rows]
    running = running_sequences(server, share * held, most)
    assert server.at(running).rate_per_s == pytest.approx(min(share, 1.0) * held, rel=1e-7)
    assert (running <= most * (1 + 1e-12)).all()


def test_the_promise_is_kept_at_the_capacity_and_broken_right_above(study: Study) -> None:
    rows = np.flatnonzero(study.capacity.rate_per_s > 0)
    server, eff, room = study.server(rows), take(study.eff, rows), study.fit.max_sequences[rows]
    at = study.capacity.sequences[rows]
    point, promise = curve(server, eff, study.workload.slo, at, room, False)
    above = curve(server, eff, study.workload.slo, 1.03 * at, room, False)[1]
    found_to_2_percent = (at >= 1) & (at < BATCHES[-1])
    assert promise.kept.all() and not above.kept[found_to_2_percent].any()
    assert point.rate_per_s == pytest.approx(study.capacity.rate_per_s[rows])
