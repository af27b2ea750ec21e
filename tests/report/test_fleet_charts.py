"""Charts of a fleet's day and of a surge are valid and show what they are given."""

from __future__ import annotations

import altair as alt

from planner.report.charts import DARK, LIGHT
from planner.report.fleet import day_table
from planner.report.fleet_charts import latency_chart, rates_chart, surge_chart
from planner.schema import FleetSeries, Surge, SurgeCase

SERIES = FleetSeries(
    rule="hpa",
    time_s=tuple(600.0 * i for i in range(24)),
    rate_per_s=(5.0,) * 24,
    capacity_per_s=(8.0,) * 24,
    ready=(2.0,) * 24,
    starting=(0.0,) * 24,
    spot=(1.0,) * 24,
    lost=(0.0,) * 20 + (1.0,) * 4,
    ttft_p99_s=(*(0.5,) * 23, None),
    attained=(*(1.0,) * 23, 0.25),
)


def a_case(protection: str) -> SurgeCase:
    return SurgeCase.model_validate(
        {
            "protection": protection,
            "attained": 1.0,
            "late": 0.0,
            "degraded": 0.0,
            "failed": 0.0,
            "attempts_per_request": 1.0,
            "wasted_share": 0.0,
            "recovered_s": None,
            "attained_by_time": (1.0, None, 0.5),
            "attempts_per_s": (1.0, 0.0, 2.0),
        }
    )


def test_a_fleets_day() -> None:
    for palette in (LIGHT, DARK):
        rates, latency = rates_chart(SERIES, palette, str), latency_chart(SERIES, 2.0, palette, str)
        for spec in (rates, latency):
            alt.LayerChart.from_dict(spec).to_dict(validate=True)
    assert [row["capacity"] for row in rates["data"]["values"]] == [8.0] * 24
    assert latency["layer"][0]["data"]["values"][-1]["ttft"] is None


def test_a_surge() -> None:
    found = Surge(
        rate_per_s=5.0,
        surge_rate_per_s=15.0,
        holds_per_s=8.0,
        takes_per_s=20.0,
        begin_s=120.0,
        end_s=240.0,
        part_s=10.0,
        timeout_s=10.0,
        cases=(a_case("none"), a_case("breaker")),
        assumptions=(),
    )
    spec = surge_chart(found, LIGHT, str)
    alt.LayerChart.from_dict(spec).to_dict(validate=True)
    assert [row["second"] for row in spec["layer"][1]["data"]["values"]] == [0.0, 20.0, 0.0, 20.0]


def test_a_dozen_rows_with_the_worst_of_each() -> None:
    table = day_table(SERIES, str)
    assert len(table.rows) == 12
    assert table.rows[0][-2:] == ("500 ms", "100.0 %")
    assert table.rows[-1][-2:] == ("–", "25.0 %")
