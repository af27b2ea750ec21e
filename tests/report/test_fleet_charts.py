"""Charts of a fleet's day and of a surge are valid and show what they are given."""

from __future__ import annotations

import re

import altair as alt

from planner.i18n import translator
from planner.models.autoscale import Fixed, Forecast, Hpa, Keda, Knative
from planner.report import fleet_findings as findings
from planner.report.charts import DARK, LIGHT
from planner.report.fleet import day_table, followed
from planner.report.fleet_charts import latency_chart, rates_chart, surge_chart
from planner.schema import FleetSeries, Surge, SurgeCase
from planner.search.fleet import spell

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
    assert [row["second"] for row in spec["layer"][2]["data"]["values"]] == [0.0, 20.0, 0.0, 20.0]
    assert spec["layer"][2]["encoding"]["tooltip"][-1]["format"] == ".1%"


def test_a_dozen_rows_with_the_worst_of_each() -> None:
    table = day_table(SERIES, str)
    assert len(table.rows) == 12
    assert table.rows[0][-2:] == ("500 ms", "100.0 %")
    assert table.rows[-1][-2:] == ("–", "25.0 %")


def test_titles_say_what_the_charts_show() -> None:
    """A fleet that holds 8 of 5 requests/s; one whose capacity falls to 4 in the last quarter of the day."""
    title = findings.rates_finding(SERIES, str)
    assert "at all times" in title and "62 % full" in title
    less = SERIES.model_copy(update={"capacity_per_s": (8.0,) * 18 + (4.0,) * 6})
    assert "for 25 % of the time more is sent" in findings.rates_finding(less, str)
    assert "3:00:00" in findings.rates_finding(less, str)
    assert "over 2 s for 4.2 % of the time" in findings.latency_finding(SERIES, 2.0, str)  # nobody is served at last
    kept = SERIES.model_copy(update={"ttft_p99_s": (0.5,) * 23 + (1.5,)})
    assert "stays within 2 s; the longest is 1.5 s" in findings.latency_finding(kept, 2.0, str)


def test_the_title_of_a_surge_names_the_best_protection() -> None:
    cases = [a_case("none").model_copy(update={"attained": 0.4}), a_case("limit").model_copy(update={"attained": 0.9})]
    found = Surge.model_construct(cases=tuple(cases))
    assert findings.surge_finding(found, str).endswith("40.0 % of requests keep the promise without protection, "
                                                       "90.0 % with: admission limit")  # fmt: skip
    same = Surge.model_construct(cases=(cases[0], cases[0].model_copy(update={"protection": "limit"})))
    assert findings.surge_finding(same, str).startswith("No protection helps")


def test_what_an_autoscaler_follows_is_in_the_readers_language() -> None:
    """Every spelling of `planner.search.fleet.spell`; English stays what it was."""
    chinese = translator("zh")
    for rule in (
        Hpa(12.0, "concurrency"), Keda(5.0, "waiting"), Knative(20.0), Fixed(7),
        Forecast(2.5, 300.0, "daily", margin=1.0),
    ):  # fmt: skip
        settings = spell(rule)
        assert followed(settings, str).replace("×", "x").replace(" %", "%") == settings
        assert not re.search("[a-z]{2,}", followed(settings, chinese)), settings
