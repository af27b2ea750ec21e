"""Unit costs of a plan, its break-even against APIs and clouds, and what each step of the promise costs."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from planner.catalog import Catalog
from planner.errors import PlannerError, UnknownName
from planner.models import cash, unit_cost
from planner.models.unit_cost import Tokens
from planner.schema import ApiPrice, Plan, Workload
from planner.schema.costs import ApiBreakEven, CloudBreakEven, SloStep, UnitCost, WayCost
from planner.search.choose import Choice, choose
from planner.search.columns import KV
from planner.search.offers import STALE_AFTER
from planner.search.single import Single, load_factors, step_starts_h
from planner.search.study import Study, evaluate
from planner.units import HOURS_PER_MONTH, SECONDS_PER_HOUR

SECONDS_PER_DAY = 86_400.0
TTFT_STEP_S = 0.1
STEPS = (0.5, 0.75, 1.0, 1.5, 2.0)  # of the promise


def tokens_of(one: Single) -> Tokens:
    """Lengths, and the share of a full replica's time that prompts take."""
    study, rows = one.study, one.rows
    point = study.server(rows).at(study.capacity.sequences[rows])
    share = float(np.clip(point.prefill_utilisation[0], 0.0, 1.0))
    return Tokens(float(study.lengths.input_tokens), float(study.lengths.output_tokens), share)


def unit_cost_of(usd_per_month: float, rate_per_s: float, most_per_s: float, tokens: Tokens) -> UnitCost:
    """Unit costs at a rate of the whole fleet."""
    request, output, input_split, output_split = unit_cost.unit_costs_usd(usd_per_month, rate_per_s, tokens)
    return UnitCost(
        requests_per_s=rate_per_s,
        utilisation=rate_per_s / most_per_s,
        usd_per_million_output_tokens=output,
        usd_per_million_input_tokens_split=input_split,
        usd_per_million_output_tokens_split=output_split,
        usd_per_request=request,
    )


def apis_of(one: Single, way: WayCost, tokens: Tokens) -> tuple[ApiBreakEven, ...]:
    """Hosted APIs of the same LLM, or those that the workload names, cheapest first.

    Raises
    ------
    UnknownName
        If the workload names an API that the catalogs do not have.
    """
    found = [_api(one, way, tokens, rows) for rows in _tariffs(one.study.catalog, one.study.workload, one.plan)]
    return tuple(sorted(found, key=lambda a: (a.usd_per_request, a.provider, a.model)))


def _tariffs(catalog: Catalog, workload: Workload, plan: Plan) -> list[list[ApiPrice]]:
    """Rows of each API: the newest price that holds all day, and the windows of the same source."""
    grouped: dict[tuple[str, str], list[ApiPrice]] = {}
    for row in catalog.api_prices:
        grouped.setdefault((row.provider, row.model_key), []).append(row)
    asked = [name.partition("/") for name in workload.ownership.apis]
    wanted = [(provider, model) for provider, _, model in asked]
    for key in wanted:
        if key not in grouped:
            known = ["/".join(k) for k in grouped]
            raise UnknownName("API", "/".join(key), known, "planner catalog ls api-prices", "ownership.apis")
    keys = wanted or [k for k, rows in grouped.items() if any(r.llm == plan.llm for r in rows)]
    return [_current(grouped[k], catalog) for k in keys]


def _current(rows: list[ApiPrice], catalog: Catalog) -> list[ApiPrice]:
    """Windows first, then the price of all other hours."""
    today = catalog.as_of.isoformat()
    windows = [r for r in rows if r.utc_from_h is not None]
    of_windows = {r.source for r in windows}
    plain = [r for r in rows if r.utc_from_h is None and r.effective_from <= today]
    plain = [r for r in plain if r.source in of_windows] or plain
    return [*windows, max(plain, key=lambda r: (r.effective_from, r.dated, r.confidence == "high"))]


def _api(one: Single, way: WayCost, tokens: Tokens, rows: list[ApiPrice]) -> ApiBreakEven:
    study, traffic = one.study, one.study.workload.traffic
    factors, hours = load_factors(study.workload, study.catalog), step_starts_h(study.workload, study.catalog)
    if len(factors) == 1:  # a constant load meets every hour of the day
        factors, hours = np.ones(96), np.arange(96) / 4
    base = rows[-1]

    def over_day(field: str) -> float:
        prices = np.full(len(hours), float(getattr(base, field)))
        for window in rows[:-1]:
            inside = unit_cost.in_window(hours, window.utc_from_h or 0.0, window.utc_until_h or 24.0)
            prices[inside] = float(getattr(window, field))
        return unit_cost.load_weighted(prices, factors)

    has_cached = all(r.cached_input_usd_per_million_tokens is not None for r in rows)
    cached = over_day("cached_input_usd_per_million_tokens") if has_cached else None
    input_usd, output_usd = over_day("input_usd_per_million_tokens"), over_day("output_usd_per_million_tokens")
    request = unit_cost.api_request_usd(tokens, traffic.prefix_hit_rate, input_usd, output_usd, cached)
    most = one.held_per_s
    at = unit_cost.break_even_per_s(way.usd_per_month, request, 0.0, most)
    return ApiBreakEven(
        provider=base.provider,
        model=base.model_key,
        input_usd_per_million_tokens=input_usd,
        output_usd_per_million_tokens=output_usd,
        time_of_day=len(rows) > 1,
        usd_per_request=request,
        usd_per_month=request * one.rate_per_s * HOURS_PER_MONTH * SECONDS_PER_HOUR,
        requests_per_day=None if at is None else at * SECONDS_PER_DAY,
        output_tokens_per_day=None if at is None else at * SECONDS_PER_DAY * tokens.output,
        load_factor=None if at is None else at / most,
        source=base.source,
        source_date=base.source_date,
        stale=study.catalog.as_of - base.dated > STALE_AFTER,
    )


def clouds_of(one: Single, ways: Iterable[WayCost]) -> tuple[CloudBreakEven, ...]:
    """Owning against the cheapest price of each term, by month and by load factor."""
    rows = list(ways)
    own = next((w for w in rows if w.option == "own"), None)
    if own is None:
        return ()
    best: dict[str, WayCost] = {}
    for way in rows:
        if way.option != "own" and way.meets_availability and way.term not in best:
            best[way.term] = way
    years = one.study.workload.horizon_years
    paid = cash.payments_usd(own.capital_usd, own.residual_usd, own.running_usd_per_month, years)
    return tuple(
        CloudBreakEven(
            provider=way.provider,
            term=way.term,
            region=way.region,
            month=cash.crossover_month(paid, cash.payments_usd(0.0, 0.0, way.usd_per_month, years)),
            load_factor=unit_cost.break_even_load(own.usd_per_month, way.usd_per_month)
            if way.option == "on_demand"
            else None,
            stale=way.stale,
        )
        for way in best.values()
    )


def slo_steps(one: Single, workload: Workload) -> tuple[SloStep, ...]:
    """The same accelerator, obtained as the plan is, under promises from half to double, and 100 ms of TTFT aside.

    Availability goes by nines: ten times and a tenth of the time without the promise.
    """
    slo = workload.slo
    ttft = sorted({slo.ttft_p99_s * s for s in STEPS} | {slo.ttft_p99_s - TTFT_STEP_S, slo.ttft_p99_s + TTFT_STEP_S})
    asked = [("ttft_p99_s", limit) for limit in ttft if limit > 0]
    asked += [("tpot_p99_s", slo.tpot_p99_s * s) for s in STEPS]
    whole = (slo.e2e_p99_s or 0.0, slo.ttft_p99_s)
    asked += [("e2e_p99_s", whole[0] * s) for s in STEPS if whole[0] * s > whole[1]]
    out = 1 - slo.availability
    asked += [("availability", 1 - out * times) for times in (10.0, 1.0, 0.1) if out * times < 1]
    return tuple(_step(one, workload, metric, limit) for metric, limit in asked)


def _step(one: Single, workload: Workload, metric: str, limit: float) -> SloStep:
    """Cheapest layout of the accelerator under one promise."""
    plan, catalog = one.plan, one.study.catalog
    slo = workload.slo.model_copy(update={metric: limit})
    if slo.e2e_p99_s is not None and slo.e2e_p99_s <= slo.ttft_p99_s:
        slo = slo.model_copy(update={"e2e_p99_s": None})
    limits = workload.limits.model_copy(update={"accelerators": (plan.accelerator,), "weights": (plan.layout.weights,)})
    unit = plan.supply[0]
    supply = workload.supply.model_copy(update={"options": (unit.option,)})
    question = workload.model_copy(update={"slo": slo, "limits": limits, "supply": supply})
    blank = SloStep(
        metric=metric,
        limit_s=None if metric == "availability" else limit,
        availability=limit if metric == "availability" else None,
        replicas=None,
        accelerators=None,
        usd_per_month=None,
        usd_per_request=None,
        usd_per_request_full=None,
    )
    try:
        study = evaluate(question, catalog)
    except PlannerError:
        return blank
    choices = choose(study)
    if not choices:
        return blank
    best = choices[0]
    gpus = int(study.candidates.gpus[best.row])
    month = HOURS_PER_MONTH * SECONDS_PER_HOUR
    replicas = best.replicas + best.spares
    served = float(best.load.point.rate_per_s[best.at]) * best.replicas
    return blank.model_copy(
        update={
            "replicas": best.replicas,
            "accelerators": gpus * replicas,
            "usd_per_month": best.usd_per_month,
            "usd_per_request": best.usd_per_month / (served * month),
            "usd_per_request_full": _full(study, choices, plan),
        }
    )


def _full(study: Study, choices: list[Choice], plan: Plan) -> float | None:
    """A request of the plan's own layout, as full as the promise allows; None where it cannot keep it. [USD]"""
    for one in choices:
        if _same_layout(study, one.row, plan):
            rate = float(study.capacity.rate_per_s[one.row])
            return one.usd_per_month / (one.replicas + one.spares) / (rate * HOURS_PER_MONTH * SECONDS_PER_HOUR)
    return None


def _same_layout(study: Study, row: int, plan: Plan) -> bool:
    c, layout = study.candidates, plan.layout
    sizes = (c.tp[row], c.dp[row], c.pp[row], c.ep[row]) == (layout.tp, layout.dp, layout.pp, layout.ep)
    return bool(sizes) and KV[c.kv[row]] == layout.kv and c.engine_ids[c.engine[row]] == plan.engine
