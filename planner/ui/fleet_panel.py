"""The fleet over time on the page of traffic: a day under autoscalers, failures, Spot mixes, a surge."""

from __future__ import annotations

from typing import Any, get_args

import streamlit as st

from planner.errors import NoSpotPrice
from planner.models.host import Source
from planner.report import fleet as told
from planner.report import fleet_findings as found_of
from planner.report.charts import Palette
from planner.report.explain import assumption_lines
from planner.report.fleet_charts import latency_chart, rates_chart, surge_chart
from planner.schema import Assumption, Autoscaled, FleetOptions, Simulated, Surge
from planner.ui.figure import behind_it, text_table
from planner.ui.session import KEPT, Translate, plain


def ask(_: Translate) -> FleetOptions:
    """Which sections, and what each needs to know."""
    words = {
        "autoscale": _("a day under autoscalers"),
        "failures": _("failures"),
        "spot": _("Spot capacity"),
        "surge": _("a surge"),
    }
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
        chosen = st.pills(
            _("The fleet over time"),
            list(words),
            selection_mode="multi",
            format_func=words.__getitem__,
            key="fleet-show",
            bind=KEPT,
        )
        table: dict[str, dict[str, Any]] = {name: {} for name in chosen}
        if "autoscale" in table:
            table["autoscale"] = _autoscale(_)
        if "spot" in table or table.get("autoscale", {}).get("spot_base") is not None:
            _spot_price(table, _)
        if "surge" in table:
            factor = st.number_input(
                _("Surge, times the rate"), 1.0, 50.0, 4.0, 1.0, key="fleet-surge", bind=KEPT, width=130
            )
            table["surge"] = {"factor": factor}
    return FleetOptions.model_validate(table)


def _spot_price(table: dict[str, dict[str, Any]], _: Translate) -> None:
    """One price for all of the fleet that is on Spot."""
    label, sourced = _("Spot price over on demand"), _("as sourced")
    ratio = st.number_input(label, 0.01, 0.99, None, 0.05, placeholder=sourced, key="fleet-ratio", bind=KEPT, width=190)
    if "spot" in table:
        table["spot"] = {"price_ratio": ratio}
    if table.get("autoscale", {}).get("spot_base") is not None:
        table["autoscale"]["spot_price_ratio"] = ratio


def without_spot(asked: FleetOptions) -> FleetOptions:
    """What is left to answer where the accelerator has no spot price."""
    day = asked.autoscale and asked.autoscale.model_copy(update={"spot_base": None})
    return asked.model_copy(update={"spot": None, "autoscale": day})


def say_unpriced(error: NoSpotPrice, _: Translate) -> None:
    """In place of what is on Spot."""
    text = _(
        "{accelerator} has no sourced spot price, so nothing is said about Spot. Fill in the field “{field}” above."
    )
    told = text.format(accelerator=error.row, field=_("Spot price over on demand"))
    st.warning(plain(told), icon=":material/block:")


def _autoscale(_: Translate) -> dict[str, Any]:
    """Where weights come from, whether machines wait, how often replicas fail, what is not on Spot."""
    places = {"nvme": "NVMe", "network": _("network"), "object": _("object store")}
    storage: str = st.selectbox(
        _("Weights from"),
        list(get_args(Source)),
        format_func=places.__getitem__,
        key="fleet-storage",
        bind=KEPT,
        width=140,
    )
    warm = st.checkbox(_("Machines stand ready"), key="fleet-warm", bind=KEPT)
    hours = st.number_input(
        _("A replica fails every, h"), 0.5, 1e6, None, placeholder=_("never"), key="fleet-mtbf", bind=KEPT, width=150
    )
    base = st.number_input(
        _("On Spot but for"),
        0,
        10_000,
        None,
        placeholder=_("none on Spot"),
        key="fleet-spot-base",
        bind=KEPT,
        width=190,
    )
    return {"storage": storage, "warm_nodes": warm, "mtbf_hours": hours, "spot_base": base}


def show(found: Simulated, palette: Palette, _: Translate) -> None:
    """The sections that were asked for."""
    if found.autoscale:
        _day(found.autoscale, found.workload.slo.ttft_p99_s, palette, _)
    if found.failures:
        with st.container(border=True):
            st.markdown(f"**{plain(told.failure_sentence(found.failures, _))}**")
            text_table(told.failure_table(found.failures, _))
            _given(found.failures.parts, _)
    if found.spot:
        with st.container(border=True):
            st.markdown(f"**{plain(told.spot_sentence(found.spot, _))}**")
            text_table(told.spot_table(found.spot, _))
            _given(found.spot.assumptions, _)
    if found.surge:
        _surge(found.surge, palette, _)


def _day(found: Autoscaled, ttft_s: float, palette: Palette, _: Translate) -> None:
    with st.container(border=True):
        st.markdown(f"**{plain(told.autoscale_sentence(found, _))}**")
        if found.spot:
            st.markdown(plain(told.spot_day_sentence(found.spot, _)))
        text_table(told.policy_table(found, _))
        rules = [series.rule for series in found.series]
        rule = st.segmented_control(
            _("Autoscaler"),
            rules,
            default=rules[-1],
            required=True,
            key="fleet-rule",
            bind=KEPT,
            label_visibility="collapsed",
        )
        series = next(one for one in found.series if one.rule == rule)
        for title, spec in (
            (found_of.rates_finding(series, _), rates_chart(series, palette, _)),
            (found_of.latency_finding(series, ttft_s, _), latency_chart(series, ttft_s, palette, _)),
        ):
            st.markdown(f"**{plain(title)}**")
            st.vega_lite_chart(spec, alt=title)
        behind_it(told.day_table(series, _), _)
        _given(found.assumptions, _)


def _surge(found: Surge, palette: Palette, _: Translate) -> None:
    with st.container(border=True):
        title = found_of.surge_finding(found, _)
        st.markdown(f"**{plain(title)}**")
        st.markdown(plain(told.surge_sentence(found, _)))
        st.vega_lite_chart(surge_chart(found, palette, _), alt=title)
        behind_it(told.surge_series_table(found, _), _)
        text_table(told.surge_table(found, _))
        _given(found.assumptions, _)


def _given(given: tuple[Assumption, ...], _: Translate) -> None:
    with st.expander(_("What this rests on")):
        st.markdown("\n".join(f"- {plain(line)}" for line in assumption_lines(given)) or "–")
