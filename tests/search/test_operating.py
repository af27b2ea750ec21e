"""A plan over all loads: its own point lies on the curve, and no step passes the roof."""

from __future__ import annotations

import altair
import numpy as np
import pytest

from planner.catalog import Catalog
from planner.report import holding as held_told
from planner.report import operating as told
from planner.report.charts import LIGHT
from planner.schema import PlanResult
from planner.search.holding import held, kept
from planner.search.operating import operating, steps_under_roof
from planner.search.plan import plan
from planner.workloads import load_workload


@pytest.fixture(scope="module", params=["default", "article"])
def result(request: pytest.FixtureRequest, catalog: Catalog) -> PlanResult:
    return plan(load_workload(request.param), catalog, 6, 0)


def test_the_plan_lies_on_its_curve(result: PlanResult, catalog: Catalog) -> None:
    for one in result.plans[:3]:
        found = operating(result.workload, catalog, one)
        assert found.tokens_per_s_per_gpu[found.chosen] == pytest.approx(
            one.serving.output_tokens_per_s_per_gpu, rel=1e-6
        )
        assert found.tpot_s[found.chosen] == pytest.approx(one.serving.tpot_s, rel=1e-6)
        assert found.ttft_s[found.chosen] == pytest.approx(one.serving.ttft_s, rel=1e-6)
        assert (np.diff(found.tpot_s) >= -1e-12).all() and (found.tpot_p99_s >= found.tpot_s).all()
        assert found.kept[found.chosen]


def test_no_step_passes_the_roof(result: PlanResult, catalog: Catalog) -> None:
    for one in result.plans:
        found = steps_under_roof(result.workload, catalog, one)
        assert all(0 < point.achieved <= point.attainable for point in found.points), one.title
        sizes = [point.size for point in found.of("decode")]
        assert sizes == sorted(sizes) and sum(point.chosen for point in found.of("decode")) == 1
        assert found.of("prefill")[0].intensity > found.of("decode")[0].intensity


def test_the_promise_allows_no_more_than_memory_holds(result: PlanResult, catalog: Catalog) -> None:
    one, contexts = result.plans[0], [512.0, 4096.0, 16384.0]
    most, allowed = held(one, catalog, contexts), kept(result.workload, catalog, one, contexts)
    assert (allowed <= most).all()
    if result.workload.traffic.output_tokens >= 512:
        assert allowed[0] == 0  # no room for a prompt


def test_charts_and_findings(result: PlanResult, catalog: Catalog) -> None:
    one, workload = result.plans[0], result.workload
    curve, roof = operating(workload, catalog, one), steps_under_roof(workload, catalog, one)
    fits = held_told.rows(one, workload, catalog)
    for spec in (
        told.curve_chart(curve, "tpot", workload.slo.tpot_p99_s, LIGHT, str),
        told.curve_chart(curve, "ttft", workload.slo.ttft_p99_s, LIGHT, str),
        told.roof_chart(roof, LIGHT, str),
        held_told.chart(fits, 3000.0, 100.0, LIGHT, str),
    ):
        altair.Chart.from_dict(spec, validate=True)
    for text in (told.curve_finding(curve, str), told.roof_finding(roof, str)):
        assert "{" not in text and "nan" not in text
    side = "below" if roof.of("decode")[0].intensity < roof.ridge else "above"
    assert f"× {side} the ridge" in told.roof_finding(roof, str)
