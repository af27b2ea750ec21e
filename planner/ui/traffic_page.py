"""The plan under real traffic: choose or upload a trace, see arrivals, percentiles by time, kept promises."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from planner.errors import NoSpotPrice, PlannerError
from planner.report import simulated as told
from planner.report import traffic_charts
from planner.report.command import simulate_options
from planner.report.findings import plan_name, ranks_text
from planner.schema import FleetOptions, Plan, PlanResult, Simulated, Workload
from planner.search.offered import DEFAULT_TRACE
from planner.search.remarks import spelled
from planner.search.simulated import simulate
from planner.ui import fleet_panel, inputs, refused, uploads
from planner.ui.explained import reproduce
from planner.ui.own_view import session_command
from planner.ui.session import KEPT, Refusal, Translate, catalog, palette, plain, solve, translate
from planner.units import percent, si

UPLOAD_MB = 5  # .streamlit/config.toml has the server's own limit
MOST_REQUESTS = 200_000  # what a visitor may ask a shared dashboard to simulate at once
FILE_PLANS = 5  # of a file, to choose from
OWN_FILE = ""  # in place of a trace's name


@dataclass(frozen=True)
class Asked:
    """What the page simulates beside the workload: hashable, since answers are cached by it."""

    rank: int
    replicas: int | None
    drop_longer: bool
    busiest_h: float | None
    seed: int
    file: tuple[str, bytes] | None
    planned: str  # question whose plans the reader chooses from; a file has its own
    fleet: str = "{}"


def page() -> None:
    """Ask, simulate, tell."""
    _ = translate()
    try:
        workload = inputs.ask(catalog(), _)
    except PlannerError as error:
        refused.page(error, _)
        return
    asked, workload = _ask(workload, _)
    if asked is None:
        return
    with st.spinner(_("Simulating every request…")):
        found = _simulated(workload.model_dump_json(), asked, catalog().sha256)
        unpriced = found if isinstance(found, NoSpotPrice) else None
        if unpriced:
            fleet = fleet_panel.without_spot(FleetOptions.model_validate_json(asked.fleet))
            asked = replace(asked, fleet=fleet.model_dump_json())
            found = _simulated(workload.model_dump_json(), asked, catalog().sha256)
    if isinstance(found, PlannerError):
        refused.page(found, _)
        return
    _show(found, unpriced, _)
    fleet = FleetOptions.model_validate_json(asked.fleet)
    options = simulate_options(asked.rank, asked.replicas, asked.drop_longer, asked.busiest_h, asked.seed, fleet)
    reproduce(session_command("simulate", found.workload, *options), _)


@st.cache_resource(max_entries=16, show_spinner=False)
def _simulated(workload_json: str, asked: Asked, catalog_sha256: str) -> Simulated | PlannerError:
    """Cached on the whole question; an expected failure is an answer, too."""
    workload = Workload.model_validate_json(workload_json)
    try:
        if asked.file is None:
            answer = _plans(Workload.model_validate_json(asked.planned))
            return answer.error if isinstance(answer, Refusal) else _run(workload, asked, answer.plans)
        name, content = asked.file
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / Path(name).name
            file.write_bytes(content)
            found = _run(_with_traffic(workload, trace=str(file)), asked)
        return found.model_copy(update={"workload": _with_traffic(workload, trace=Path(name).name)})
    except PlannerError as error:
        return error.with_traceback(None)


def _plans(question: Workload) -> PlanResult | Refusal:
    """The plans; where none keeps the promise in simulation, those of closed forms, to see how it breaks."""
    answer = solve(question)
    return solve(question, confirmed=0) if isinstance(answer, Refusal) else answer


def _run(workload: Workload, asked: Asked, plans: Sequence[Plan] | None = None) -> Simulated:
    return simulate(
        workload,
        catalog(),
        rank=asked.rank,
        replicas=asked.replicas,
        drop_longer=asked.drop_longer,
        seed=asked.seed,
        busiest_h=asked.busiest_h,
        most_requests=MOST_REQUESTS,
        fleet=FleetOptions.model_validate_json(asked.fleet),
        plans=plans,
    )


def _with_traffic(workload: Workload, **changes: Any) -> Workload:
    return workload.model_copy(update={"traffic": workload.traffic.model_copy(update=changes)})


# ---- the question


def _ask(workload: Workload, _: Translate) -> tuple[Asked | None, Workload]:
    """The traffic's own rows of widgets; None while a file is still to come."""
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall")
    with row:
        trace = _trace(workload, _)
        kind = _choice(_("Times"), _arrival_words(_), "arrivals", 150)
        profile, busiest = (None, None) if kind == "trace" else _profile(_)
        lengths, statistics = _lengths(trace, _)
        router = _router(workload, _)
    changes: dict[str, Any] = {"trace": trace or None, "arrivals": kind, "profile": profile, "router": router}
    asked = _with_traffic(workload, **changes, lengths=lengths, **statistics)
    with row:
        planned = _planned(workload, asked)
        rank = _plan_rank(None if trace == OWN_FILE else planned, _)
        replicas = st.number_input(
            _("Replicas"), 1, 10_000, None, placeholder=_("as planned"), key="traffic-replicas", bind=KEPT, width=110
        )
        drop = st.checkbox(_("Leave out what is too long"), key="traffic-drop", bind=KEPT)
    file = _upload(_) if trace == OWN_FILE else None
    if trace == OWN_FILE and file is None:
        return None, workload
    fleet = fleet_panel.ask(_)
    return Asked(rank, replicas, drop, busiest, 0, file, planned.model_dump_json(), fleet.model_dump_json()), asked


def _planned(workload: Workload, asked: Workload) -> Workload:
    """The question whose plans are simulated: that of the first page, where this page changes nothing in it."""
    traffic = workload.traffic
    usual = {"trace": DEFAULT_TRACE, "arrivals": "trace", "lengths": "scaled"}
    same = _with_traffic(workload, **{name: getattr(traffic, name) or value for name, value in usual.items()})
    return workload if same == asked else asked


def _trace(workload: Workload, _: Translate) -> str:
    rows = catalog().traces
    names = {id: f"{id}: {row.name.partition(',')[0]}" for id, row in rows.items() if row.kind == "requests"}
    names[OWN_FILE] = _("a file of mine")
    asked = list(names).index(workload.traffic.trace or DEFAULT_TRACE)
    chosen: str = st.selectbox(
        _("Requests"), list(names), asked, format_func=names.__getitem__, key="traffic-trace", bind=KEPT, width=250
    )
    return chosen


def _arrival_words(_: Translate) -> dict[str, str]:
    return {"trace": _("as recorded"), "mmpp": _("drawn, as bursty"), "poisson": _("Poisson")}


def _choice(label: str, words: dict[str, str], name: str, width: int, last: bool = False) -> str:
    first = len(words) - 1 if last else 0
    chosen: str = st.selectbox(
        label, list(words), first, format_func=words.__getitem__, key=f"traffic-{name}", bind=KEPT, width=width
    )
    return chosen


def _profile(_: Translate) -> tuple[str | None, float | None]:
    """A rate profile, and how many of its busiest hours."""
    names = {id: f"{id}: {row.name}" for id, row in catalog().traces.items() if row.kind == "rates"}
    chosen: str | None = st.selectbox(
        _("Rate over time"), list(names), None, format_func=names.__getitem__, key="traffic-profile", bind=KEPT,
        placeholder=_("steady"), width=190,
    )  # fmt: skip
    if chosen is None:
        return None, None
    return chosen, st.number_input(
        _("Busiest hours"), 0.5, 168.0, 1.0, 0.5, key="traffic-busiest", bind=KEPT, width=110
    )


def _lengths(trace: str, _: Translate) -> tuple[str, dict[str, float | None]]:
    """Where lengths come from; of statistics, their spreads and how prompts and answers go together."""
    words = {"scaled": _("scaled to the plan"), "statistics": _("by statistics"), "recorded": _("as recorded")}
    lengths = _choice(_("Lengths"), words, f"lengths-{trace == OWN_FILE}", 160, trace == OWN_FILE)
    if lengths != "statistics":
        return lengths, {}
    fields = {
        "input_cv": (_("CV of prompts"), 0.0, 20.0),
        "output_cv": (_("CV of answers"), 0.0, 20.0),
        "rank_correlation": (_("Rank correlation"), -1.0, 1.0),
    }
    return lengths, {
        name: st.number_input(
            label, low, high, None, 0.1, placeholder=_("as in the trace"), key=f"traffic-{name}", bind=KEPT, width=140
        )
        for name, (label, low, high) in fields.items()
    }


def _router(workload: Workload, _: Translate) -> str:
    words = told.router_words(_)
    asked = list(words).index(workload.traffic.router)
    chosen: str = st.selectbox(
        _("Router"), list(words), asked, format_func=words.__getitem__, key="traffic-router", bind=KEPT, width=150
    )
    return chosen


def _plan_rank(question: Workload | None, _: Translate) -> int:
    """Which plan for this traffic, cheapest first; without a question, for a file, its plans are not known yet."""
    answer = None if question is None else _plans(question)
    if answer is None:
        titles = {rank: _("plan {rank} for this file").format(rank=rank) for rank in range(1, FILE_PLANS + 1)}
    elif isinstance(answer, Refusal):
        return 1
    else:
        titles = {
            plan.rank: f"{plan.rank}. {plan_name(plan)} {plan.layout.weights.upper()} {ranks_text(plan)}"
            for plan in answer.plans
        }
    chosen: int = st.selectbox(
        _("Plan"), list(titles), format_func=titles.__getitem__, key=f"traffic-plan-{len(titles)}", bind=KEPT, width=222
    )
    return chosen


def _upload(_: Translate) -> tuple[str, bytes] | None:
    text = _(
        "CSV with arrival_s, input_tokens, output_tokens; Azure's CSV; or JSONL as Mooncake writes it. Up to {mb} MB."
    )
    st.caption(plain(text.format(mb=UPLOAD_MB)))
    kinds = ["csv", "jsonl", "json", "gz"]
    file = uploads.ask("TRACE", kinds, "traffic-file", UPLOAD_MB, _, hide=True)
    return None if file is None else (file.name, file.content)


# ---- the answer


def _show(found: Simulated, unpriced: NoSpotPrice | None, _: Translate) -> None:
    st.markdown(f"# {plain(told.headline(found, _))}", anchors=False)
    st.markdown(f":gray[{plain(told.margin_sentence(found, _))}]")
    _numbers(found, _)
    for remark in found.remarks:
        if remark.warning:
            st.warning(plain(spelled(remark, _)), icon=":material/warning:")
    _arrivals(found, _)
    _latency(found, _)
    fleet_panel.show(found, palette(), _)
    if unpriced:
        fleet_panel.say_unpriced(unpriced, _)
    with st.expander(_("What was done to the traffic")):
        st.markdown("\n".join(f"- {plain(spelled(one, _))}" for one in found.remarks) or "–")
    with st.expander(_("The table behind these charts")):
        table = pd.DataFrame(traffic_charts.window_rows(found))
        st.dataframe(table, hide_index=True, column_config=_columns(_))
    st.download_button(
        "simulated.json", lambda: found.model_dump_json(indent=2), "simulated.json", "application/json",
        on_click="ignore", icon=":material/download:",
    )  # fmt: skip


def _columns(_: Translate) -> dict[str, Any]:
    """Headings with units, and digits that can be read; the first seconds of a window stand as its time."""
    number, words = st.column_config.NumberColumn, told.metric_words(_)
    levels = {
        f"{metric}_{level}_s": number(f"{level.upper()} {words[metric]}, s", format="%.3g")
        for metric in traffic_charts.METRICS
        for level in traffic_charts.LEVELS
    }
    return {
        "begin_s": None,
        "end_s": None,
        "time": st.column_config.TextColumn(_("From"), pinned=True),
        "requests": number(_("Requests"), format="localized"),
        "rate_per_s": number(_("Requests/s"), format="%.3g"),
        "attainment": number(_("Within the promise"), format="percent"),
        **levels,
    }


def _numbers(found: Simulated, _: Translate) -> None:
    """Five cards: the tails with their spread, kept promises, and the margin."""
    words = told.metric_words(_)
    with st.grid(5, min_column_width=160):
        for metric in ("ttft", "tpot", "e2e"):
            values, spread = getattr(found, f"{metric}_s"), getattr(found.spread, f"{metric}_p99_s")
            if values is not None and spread is not None:
                between = _("{low} – {high} between parts").format(low=si(spread[0], "s"), high=si(spread[1], "s"))
                _card(f"P99 {words[metric]}", si(values.p99, "s"), between)
        _card(_("Within the promise"), percent(found.slo_attainment, 2), _("{n:,} requests").format(n=found.requests))
        needed = found.margin.replicas_needed
        below = _("1 replica holds this rate") if needed == 1 else _("{n} replicas hold this rate").format(n=needed)
        below = _("no number of replicas") if needed is None else below
        _card(_("Holds at most"), f"{found.margin.rate_per_s:.3g}/s", below)


def _card(label: str, value: str, below: str) -> None:
    with st.container(border=True, height="stretch", gap="xxsmall"):
        st.caption(plain(label))
        st.metric(label, plain(value), label_visibility="collapsed")
        st.caption(plain(below))


def _arrivals(found: Simulated, _: Translate) -> None:
    colours = palette()
    left, right = st.columns(2)
    for place, title, spec in (
        (left, traffic_charts.arrivals_finding(found, _), traffic_charts.arrivals_chart(found, colours, _)),
        (right, traffic_charts.attainment_finding(found, _), traffic_charts.attainment_chart(found, colours, _)),
    ):
        with place.container(border=True, height="stretch"):
            st.markdown(f"**{plain(title)}**")
            st.vega_lite_chart(spec, alt=title)


def _latency(found: Simulated, _: Translate) -> None:
    words = told.metric_words(_)
    with st.container(border=True):
        metrics = [metric for metric in words if getattr(found, f"{metric}_s") is not None]
        metric = st.segmented_control(
            _("Metric"), metrics, default="ttft", required=True, key="traffic-metric", bind=KEPT,
            format_func=words.__getitem__, label_visibility="collapsed",
        )  # fmt: skip
        title = traffic_charts.latency_finding(found, metric or "ttft", _)
        st.markdown(f"**{plain(title)}**")
        colours = palette()
        st.vega_lite_chart(traffic_charts.latency_chart(found, metric or "ttft", colours, _), alt=title)
