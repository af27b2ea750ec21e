"""Findings, bands, tables and charts of an answer, without a page."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.catalog import Catalog
from planner.i18n import LANGUAGES, translator
from planner.report import bands, charts, charts_whatif, findings, frames, words
from planner.report.drawing import spread
from planner.report.explain import explain
from planner.report.numbers import numbers
from planner.schema import PlanResult
from planner.search import misses
from planner.search.plan import plan
from planner.search.reject import NEAREST_FIRST
from planner.units import floored
from planner.workloads import load_workload, presets

CONFIG = Path(__file__).resolve().parents[2] / ".streamlit" / "config.toml"


@pytest.fixture(scope="module", params=["default", "article", "2000-concurrent"])
def result(request: pytest.FixtureRequest, catalog: Catalog) -> PlanResult:
    return plan(load_workload(request.param), catalog)


# ---- findings


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_plan_has_its_sentences(result: PlanResult, language: str) -> None:
    _ = translator(language)
    for one in result.plans:
        texts = [
            findings.headline(one, _),
            findings.reasons(result, one, _),
            findings.memory_finding(one, _),
            findings.curve_finding(result, one, _),
        ]
        assert not [text for text in texts if "{" in text or "nan" in text.lower()]
        assert findings.short_name(findings.accelerator_name(one.title)) in texts[0]
    assert all(misses.spelled(rejection, _) for rejection in result.rejections)


@pytest.mark.parametrize("least", [1, 2, 3])
def test_alternatives_lead_in_what_their_heading_says(result: PlanResult, least: int) -> None:
    regrets = {p.rank: 1000.0 * (1 + abs(p.rank - least)) for p in result.plans}
    found = {one.heading: one.plan for one in findings.alternatives(result, str, regrets)}
    ranks = [one.rank for one in found.values()]
    assert len(found) == min(3, len(result.plans)) and len(set(ranks)) == len(ranks)
    assert next(iter(found)).startswith("Cheapest") and ranks[0] == 1
    if "Fastest" in found:
        assert found["Fastest"].serving.tpot_s == min(p.serving.tpot_s for p in result.plans)
    if least <= len(result.plans):
        (named,) = (
            plan for heading, plan in found.items() if "least regret" in heading.lower() and "Next" not in heading
        )
        assert named.rank == least
    assert len(findings.alternatives(result, str)) == min(2, len(result.plans))


def test_every_headline_number_opens_its_explanation(result: PlanResult, catalog: Catalog) -> None:
    known = {one.name for one in explain(result, catalog)}
    assert {one.explained for one in numbers(result, result.plans[0], catalog, str)} <= known


def test_inputs_are_explained_in_the_language_of_the_reader(result: PlanResult, catalog: Catalog) -> None:
    """In English as the answer's JSON has them; in Chinese all but the names of sources."""
    known = {one.name: one.source for one in result.assumptions}
    english, chinese = (
        [given for one in explain(result, catalog, 1, translator(language)) for given in one.inputs]
        for language in ("en", "zh")
    )
    shared = [given for given in english if given.name in known]
    assert len(shared) > 10 and all(given.source == known[given.name] for given in shared)
    assert all(re.search("[\u4e00-\u9fff]", given.source) for given in chinese)
    assert not [given.source for given in chinese if "confidence" in given.source]


def test_what_a_simulation_changed_is_said(result: PlanResult) -> None:
    before = result.plans[0]
    assert findings.changed_sentence(before, before, str).endswith("the answer stands.")
    after = before.model_copy(update={"replicas": before.replicas + 1})
    told = findings.changed_sentence(before, after, str)
    assert findings.plan_name(before) in told and findings.plan_name(after) in told


def test_speed_at_cost_lies_on_the_curve(result: PlanResult) -> None:
    points = [p for p in result.curves if p.chosen]
    slowest = min(points, key=lambda p: p.tokens_per_s_per_user)
    for point in points:
        found = findings.speed_at_cost(points, point.usd_per_million_output_tokens, 0.0)
        assert found is None or found >= slowest.tokens_per_s_per_user
    assert findings.speed_at_cost(points, 1e12, 0.0) is None


def test_availability_is_never_rounded_up() -> None:
    assert floored(0.999984) == "99.99 %"
    assert floored(0.999) == "99.90 %"
    assert floored(0.9999999) == "99.99999 %"
    assert floored(0.9998) == "99.98 %" and floored(1.0) == "100.00 %" and floored(1 - 1e-15) != "100.00 %"


def test_a_promise_of_six_nines_shows_six(result: PlanResult, catalog: Catalog) -> None:
    slo = result.workload.slo.model_copy(update={"availability": 0.999999})
    asked = result.model_copy(update={"workload": result.workload.model_copy(update={"slo": slo})})
    best = result.plans[0].model_copy(update={"availability": 0.9999995})
    card = numbers(asked, best, catalog, str)[4]
    assert card.value == "99.9999 %" and "99.9999 %" in card.meaning


def test_every_word_of_the_results_is_known(result: PlanResult) -> None:
    assert set(NEAREST_FIRST) <= words.limit_words(str).keys()
    assert {p.supply[0].option for p in result.plans} <= words.supply_words(str).keys()
    assert {p.supply[0].term for p in result.plans} <= words.term_words(str).keys()
    assert {p.basis for p in result.plans} <= words.basis_words(str).keys()
    assert presets().keys() == words.preset_words(str).keys()


# ---- bands


def test_bands_hold_their_number(result: PlanResult, catalog: Catalog) -> None:
    for one in result.plans:
        unit = one.cost.usd_per_million_output_tokens
        cost = bands.cost_usd_per_million(one, result.workload, catalog)
        assert cost[0] <= unit * (1 + 1e-9) and unit <= cost[1] * (1 + 1e-9)
        for low_high, value in (
            (bands.ttft_p99_s(one), one.slo.ttft_p99_s),
            (bands.tpot_p99_s(one), one.slo.tpot_p99_s),
            (bands.availability(one, catalog), one.availability),
            (bands.facility_w(one, catalog), (one.power.facility_w or 0) * one.replicas),
        ):
            assert low_high is None or low_high[0] <= value <= low_high[1]


def test_the_facility_band_adds_gpu_and_host_in_quadrature(result: PlanResult, catalog: Catalog) -> None:
    """GPUs of 600 W that may be 300 W off, hosts of 320 W that may be 40 W less: 8 GPUs, a PUE of 1.5, two replicas."""
    one, host = result.plans[0], catalog.parameter("host_power_w_per_gpu")
    assert (host.value, host.low, host.high) == (320, 280, 790)
    watts = one.power.model_copy(update={"gpu_w": 600.0, "facility_w": 920.0 * 8 * 1.5})
    band = one.band.model_copy(update={"gpu_w": (570.0, 900.0)})
    found = bands.facility_w(one.model_copy(update={"power": watts, "band": band, "replicas": 2}), catalog)
    assert found == pytest.approx(((920 - 50) * 24, (920 + math.hypot(300, 470)) * 24))
    unknown = one.model_copy(update={"power": watts.model_copy(update={"gpu_w": None})})
    assert bands.facility_w(unknown, catalog) is None


def test_the_power_band_stays_below_the_board(result: PlanResult, catalog: Catalog) -> None:
    for one in result.plans:
        board = catalog.accelerators[one.accelerator].tdp_w
        if one.band.gpu_w is not None and one.power.gpu_w is not None and board is not None:
            assert one.band.gpu_w[0] < one.power.gpu_w <= one.band.gpu_w[1] <= board


def test_power_is_explained_with_every_parameter_and_its_band(result: PlanResult, catalog: Catalog) -> None:
    (power,) = (e for e in explain(result, catalog) if e.name.startswith("Facility power"))
    names = " ".join(one.name for one in power.inputs)
    rows = {name for name, _ in catalog.calibration if name.startswith("power_") and name != "power_points"}
    assert all(name in names for name in rows | {"host_power_w_per_gpu", "PUE"})
    assert "80 % of measured over predicted GPU power: 0." in power.band and "kW to" in power.band


def test_the_cost_band_starts_from_the_replicas_of_the_plan(result: PlanResult, catalog: Catalog) -> None:
    """With throughput as predicted, the fleet that the band computes is the fleet of the plan."""
    for one in result.plans:
        through = one.serving.output_tokens_per_s
        certain = one.model_copy(
            update={"band": one.band.model_copy(update={"output_tokens_per_s": (through, through)})}
        )
        cost = bands.cost_usd_per_million(certain, result.workload, catalog)
        assert cost == pytest.approx((one.cost.usd_per_million_output_tokens,) * 2)


# ---- tables


def test_the_csv_holds_si_figures_of_every_plan(result: PlanResult) -> None:
    table = frames.plans(result)
    assert list(table["rank"]) == [p.rank for p in result.plans]
    assert table["tpot_p99_s"].max() < 1
    assert table["price_source"].str.len().min() > 0


def test_parts_of_the_memory_add_up_to_the_accelerator(result: PlanResult) -> None:
    for one in result.plans:
        table = frames.memory(one, str)
        assert math.isclose(table["bytes"].sum(), one.memory.memory_bytes_per_gpu, rel_tol=1e-6)
        assert (table["bytes"] >= 0).all()


# ---- charts


def both_charts(result: PlanResult, palette: charts.Palette) -> list[dict[str, Any]]:
    best = result.plans[0]
    parts, refused = frames.memory(best, str), frames.refused_memory(result)
    point = frames.shown_point(best, "chosen")
    return [
        charts.memory_chart(parts.to_dict("records"), refused.to_dict("records"), palette, str),
        charts.curve_chart(frames.curves(result, best).to_dict("records"), point, 20.0, palette, str),
    ]


@pytest.mark.parametrize("palette", [charts.LIGHT, charts.DARK])
def test_charts_are_valid_vega_lite(result: PlanResult, palette: charts.Palette) -> None:
    for spec in both_charts(result, palette):
        alt.Chart.from_dict(spec).to_dict(validate=True)
        json.dumps(spec, allow_nan=False)


def test_axes_carry_units(result: PlanResult) -> None:
    memory, curve = both_charts(result, charts.LIGHT)
    assert "GB" in memory["layer"][0]["encoding"]["x"]["title"]
    assert "second" in curve["encoding"]["x"]["title"]
    assert "$" in json.dumps(curve["layer"][2]["encoding"]["y"]["title"])


def test_chart_paper_is_the_theme(request: pytest.FixtureRequest) -> None:
    theme = tomllib.loads(CONFIG.read_text())["theme"]
    assert charts.LIGHT.paper == theme["light"]["backgroundColor"]
    assert charts.DARK.paper == theme["dark"]["backgroundColor"]


@pytest.mark.parametrize("palette", [charts.LIGHT, charts.DARK])
def test_lines_differ_for_every_colour_vision(palette: charts.Palette) -> None:
    """Any two lines differ visibly in CIE Lab for normal, red-blind and green-blind eyes."""
    for blindness in (np.eye(3), PROTAN, DEUTAN):
        colours = [lab(blindness @ linear_rgb(colour)) for colour in palette.lines]
        nearest = min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(colours, 2))
        assert nearest > 15, f"{nearest:.1f}"


# Machado, Oliveira & Fernandes (2009), severity 1.0; they act on linear RGB.
PROTAN = np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]])
DEUTAN = np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]])
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = TO_XYZ @ np.ones(3)


def linear_rgb(colour: str) -> np.ndarray:
    channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def lab(linear: np.ndarray) -> np.ndarray:
    """CIE 1976 L*a*b* under D65."""
    ratio = np.clip(TO_XYZ @ np.clip(linear, 0, 1) / WHITE, 1e-9, None)
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 200, allow_subnormal=False), min_size=1, max_size=8))
def test_names_keep_off_each_other_and_in_the_chart(heights: list[float]) -> None:
    places = spread(heights, 15, 215)
    assert min(np.diff(np.sort(places)), default=15.0) > 15 - 1e-6
    assert min(places) > -1e-6 and max(places) < 215 + 1e-6
    assert (np.argsort(places) == np.argsort(heights, kind="stable")).all()


def test_names_move_no_further_than_they_must() -> None:
    """Two that want the same place share the move; one with room stays where it is."""
    assert spread([50.0, 50.0, 120.0], 10, 200).tolist() == [45.0, 55.0, 120.0]


def test_names_of_lines_stand_beside_the_plot(result: PlanResult) -> None:
    _memory, curve = both_charts(result, charts.LIGHT)
    (names,) = (one for one in curve["layer"] if one["encoding"].get("text") == {"field": "name", "type": "nominal"})
    assert names["encoding"]["x"] == {"value": {"expr": "width + 9"}}
    assert {row["series"] for row in names["data"]["values"]} == set(frames.curves(result, result.plans[0])["series"])
    heights = np.log([row["place"] for row in names["data"]["values"]])
    low, high = np.log(names["encoding"]["y"].get("scale", curve["layer"][2]["encoding"]["y"]["scale"])["domain"])
    assert min(np.diff(np.sort(heights)), default=np.inf) * charts.PLOT_PX / (high - low) > 14.9


def test_palettes_name_the_same_meanings() -> None:
    for light, dark in zip(dataclasses.astuple(charts.LIGHT), dataclasses.astuple(charts.DARK), strict=True):
        assert type(light) is type(dark) and len(light) == len(dark)


# ---- what every chart keeps to

D3_FORMAT = re.compile(r"(.?[<>=^])?[+\-( ]?[$#]?0?\d*,?(\.\d+)?~?[a-zA-Z%]?")


def formats(part: object) -> Iterator[str]:
    """Every format of numbers in a specification; Vega says nothing of a wrong one until a page draws it."""
    if isinstance(part, dict):
        yield from (value for name, value in part.items() if name == "format")
        yield from itertools.chain.from_iterable(map(formats, part.values()))
    elif isinstance(part, list):
        yield from itertools.chain.from_iterable(map(formats, part))


def test_formats_are_d3(result: PlanResult) -> None:
    parts = charts_whatif.parts_chart([{"name": "load", "usd": 5.0}], charts.LIGHT, str)
    found = [form for spec in (*both_charts(result, charts.LIGHT), parts) for form in formats(spec)]
    assert len(found) > 5 and all(D3_FORMAT.fullmatch(form) for form in found), found
    assert not D3_FORMAT.fullmatch("$+,.0f")
