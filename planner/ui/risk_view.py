"""How sure: ranges instead of numbers, chances of promise and budget, what matters most."""

from __future__ import annotations

import streamlit as st

from planner.report import risk as told
from planner.report.charts_whatif import chance_chart, tornado_chart
from planner.report.tables import TextTable
from planner.schema import Workload
from planner.schema.risk import PlanRisk, RiskResult
from planner.search.change import Question
from planner.search.regret import range_text, usual_ranges
from planner.search.risk import METRICS, Setting, risk
from planner.search.uncertain import parse
from planner.ui.figure import figure
from planner.ui.session import KEPT, Translate, catalog, palette, plain
from planner.units import percent, usd

FORMS = {"usd_per_month": "$,.0f", "usd_per_million_output_tokens": "$,.2f", "ttft_p99_s": ".2f", "tpot_p99_s": ".3f"}


def show(workload: Workload, _: Translate) -> None:
    """Ranges, draws, cards, charts, tables."""
    texts, budget, metric = _asked(workload, _)
    answer = _answer(workload.model_dump_json(), texts, budget, metric, catalog().sha256)
    best = answer.plans[0]
    st.markdown(f"# {plain(told.sentence(answer, _))}", anchors=False)
    _cards(best, _)
    _charts(answer, _)
    for found in (told.plan_table(answer, _), told.ranking_table(answer, _)):
        _table(found)
    for remark in told.remarks(answer, _):
        st.caption(plain(remark))


def _asked(workload: Workload, _: Translate) -> tuple[tuple[str, ...], float | None, str]:
    """Ranges of what is most often uncertain, and any other field by name."""
    words = {"output": _("Answer length, %"), "cloud": _("Cloud prices, %"), "purchases": _("Purchase prices, %")}
    texts, ranges = [], usual_ranges(workload)
    for column, (field, start) in zip(st.columns(len(ranges)), ranges.items(), strict=True):
        label = next((text for name, text in words.items() if name in field), _("Load, %"))
        low, high = column.slider(label, -80, 200, start, step=5, key=f"risk-{field}", bind=KEPT)
        if (low, high) != (0, 0):
            texts.append(range_text(field, low, high))
    words = told.metric_words(_)
    left, middle, right = st.columns([3, 1, 2])
    own = left.text_input(
        _("More ranges, FIELD=LOW,MID,HIGH, separated by spaces"),
        placeholder="site.electricity_usd_per_kwh=-20%,+60% discount_rate=0.05,0.08,0.12", key="risk-own", bind=KEPT,
    )  # fmt: skip
    budget = middle.number_input(
        _("Budget, USD a month"), min_value=0.0, step=1000.0, value=0.0, key="risk-budget", bind=KEPT
    )
    metric = right.selectbox(
        _("What the inputs act on"), METRICS, format_func=words.__getitem__, key="risk-metric", bind=KEPT
    )
    return (*texts, *own.split()), budget or None, metric


@st.cache_resource(max_entries=32, show_spinner=False)
def _answer(
    workload_json: str, texts: tuple[str, ...], budget: float | None, metric: str, catalog_sha256: str
) -> RiskResult:
    question = Question(Workload.model_validate_json(workload_json), catalog())
    setting = Setting(budget_usd_per_month=budget, metric=metric)
    return risk(question, [parse(question, text) for text in texts], setting)


def _cards(best: PlanRisk, _: Translate) -> None:
    """Four numbers of the best plan."""
    cost = best.usd_per_month
    cards = [
        (
            _("Cost per month"),
            _money(cost.p50),
            _("P10 to P90: {low} to {high}").format(low=_money(cost.p10), high=_money(cost.p90)),
        ),
        (_("Keeps the promise"), percent(best.meets_slo, 0), _("of the draws, as bought")),
        (_("Out of reach"), percent(best.out_of_reach, 0), _("of the draws, even with four times the replicas")),
    ]
    if best.meets_budget is not None:
        cards.insert(2, (_("Within the budget"), percent(best.meets_budget, 0), _("of the draws, as bought")))
    with st.grid(len(cards), min_column_width=180):
        for label, value, below in cards:
            with st.container(border=True, height="stretch", gap="xxsmall"):
                st.caption(plain(label))
                st.metric(label, plain(value), label_visibility="collapsed")
                st.caption(plain(below))


def _money(value: float | None) -> str:
    return "–" if value is None else usd(value)


def in_short(workload: Workload, _: Translate) -> None:
    """Tornado and chances under the usual ranges, for a page that asks for none."""
    ranges = usual_ranges(workload)
    texts = tuple(range_text(field, *ends) for field, ends in ranges.items())
    answer = _answer(workload.model_dump_json(), texts, None, "usd_per_month", catalog().sha256)
    _charts(answer, _)
    text = _("Drawn: {ranges}, and our own errors of prediction. Other ranges: What if, How sure.")
    told_ranges = ", ".join(
        f"{told.input_name(field, _)} {low:+d} … {high:+d} %" for field, (low, high) in ranges.items()
    )
    st.caption(plain(text.format(ranges=told_ranges)))


def _charts(answer: RiskResult, _: Translate) -> None:
    left, right = st.columns([6, 5])
    with left:
        _tornado(answer, _)
    points = [
        {"plan": _("Plan {rank}").format(rank=plan.rank), "title": plan.title, "chance": chance, "usd": cost}
        for plan in answer.plans
        for chance, cost in plan.cost_curve
    ]
    with right:
        spec = chance_chart(points, answer.budget_usd_per_month, palette(), _)
        figure(told.chance_finding(answer, _), spec, told.chance_table(answer, _), _)


def _tornado(answer: RiskResult, _: Translate) -> None:
    """What each input does alone; where the promise is out of reach at mid, there is nothing to draw."""
    title, axis = told.tornado_finding(answer, _), told.metric_words(_)[answer.metric]
    if answer.at_mid is None:
        st.caption(_("Out of reach with every input at mid."))
        return
    bars = [{"name": told.input_name(bar.input, _), **bar.model_dump()} for bar in answer.tornado]
    spec = tornado_chart(bars, answer.at_mid, axis, FORMS[answer.metric], palette(), _)
    figure(title, spec, told.tornado_table(answer, _), _)


def _table(found: TextTable) -> None:
    from planner.ui.whatif_page import table

    table(found)
