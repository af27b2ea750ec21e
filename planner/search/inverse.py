"""The question turned round: the longest prompt, the most load, the fastest answers that a limit allows.

Closed forms find the value and the layout that reaches it; simulations of that layout then say how much of it holds.
More prompt, more load and more speed never take fewer accelerators, so halving finds the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from planner.catalog import Catalog
from planner.errors import Message, NoPlan, Told, WorkloadError
from planner.models.power import facility_power_w, node_power_w
from planner.schema import Plan, Workload
from planner.schema.inverse import Inverse, Limit, Turned
from planner.search.choose import Entry, ranking, screen
from planner.search.columns import KV, WEIGHTS
from planner.search.layout_curves import pinned
from planner.search.plan import plan as run_plan
from planner.search.study import Study, evaluate
from planner.units import si, usd

DIGITS = 3  # of the answer
STEP, STEP_BACK = 1.6, 1.25  # first stride of the search upwards, and of the simulations downwards
HALVINGS, CHECKS = 5, 3  # of a stride: to 1.5 % by closed forms, to 3 % by simulations
CONTENDERS, WORTH = 4, 1.03  # layouts that simulations compare, and by how much one must be better
MOST_TIMES = 1000.0  # how far from the question the search goes, either way

Fits = Callable[[float, str, int], bool]  # USD a month, accelerator, accelerators in all


@dataclass(frozen=True)
class Search:
    """A field that grows until nothing fits any more.

    Attributes
    ----------
    field : of the workload
    begin, least, most : where the search begins, and its ends; in the unit of `grows`
    grows : value of the field at a point of the search: itself, or for speeds their inverse
    fits : what is allowed
    kept : the study of the question also serves other values, as it does for loads
    """

    field: str
    begin: float
    least: float
    most: float
    fits: Fits
    grows: Callable[[float], float] = float
    kept: bool = False


def longest_context(workload: Workload, catalog: Catalog, plan: Plan) -> Inverse:
    """Longest mean prompt that the accelerators of a plan serve within the promise.

    Raises
    ------
    NoPlan
        If they do not even serve the question.
    """
    answer, llm = workload.traffic.output_tokens, catalog.llms[plan.llm]
    most = float((llm.max_context_tokens or 10_000_000) - answer)
    same: Fits = lambda _usd, accelerator, gpus: accelerator == plan.accelerator and gpus <= plan.gpus_total  # noqa: E731
    now = float(workload.traffic.input_tokens)
    search = Search("traffic.input_tokens", now, 1.0, most, same, lambda tokens: max(math.floor(tokens), 1))
    return _found("context", _as_bought(workload, plan), catalog, search, None)


def most_load(workload: Workload, catalog: Catalog, usd_per_month: float) -> Inverse:
    """Most users, or requests a second, whose cheapest plan stays within a monthly budget.

    Raises
    ------
    NoPlan, WorkloadError
    """
    _positive(Message("budget"), usd_per_month, Message("US dollars a month"))
    fits: Fits = lambda usd_, _accelerator, _gpus: usd_ <= usd_per_month  # noqa: E731
    return _found("load", workload, catalog, _load(workload, fits), usd_per_month)


def most_in_power(workload: Workload, catalog: Catalog, watts: float) -> Inverse:
    """Accelerators that serve the most load within a power limit, at the meter with every board at its limit.

    Raises
    ------
    NoPlan, WorkloadError
    """
    _positive(Message("power limit"), watts, Message("watts"))

    def fits(_usd: float, accelerator: str, gpus: int) -> bool:
        needs = provisioned_w(catalog, workload, accelerator, gpus)
        return needs is not None and needs <= watts

    return _found("power", workload, catalog, _load(workload, fits), watts)


def fastest(workload: Workload, catalog: Catalog, usd_per_month: float) -> Inverse:
    """Shortest P99 time per output token whose cheapest plan stays within a monthly budget.

    Raises
    ------
    NoPlan, WorkloadError
    """
    _positive(Message("budget"), usd_per_month, Message("US dollars a month"))
    now = 1 / workload.slo.tpot_p99_s
    fits: Fits = lambda usd_, _accelerator, _gpus: usd_ <= usd_per_month  # noqa: E731
    search = Search("slo.tpot_p99_s", now, 1 / 60, now * MOST_TIMES, fits, lambda speed: 1 / speed)
    return _found("speed", workload, catalog, search, usd_per_month)


def provisioned_w(catalog: Catalog, workload: Workload, accelerator: str, gpus: int) -> float | None:
    """Accelerators at their board limit, with their hosts and cooling; None where a figure is not sourced. [W]"""
    board_w, site = catalog.accelerators[accelerator].tdp_w, catalog.site(workload.site)
    if board_w is None or site.pue is None:
        return None
    it_w = node_power_w(board_w, gpus, catalog.parameter("host_power_w_per_gpu").value)
    return float(facility_power_w(it_w, site.pue))


def _positive(what: Told, value: float, unit: Told) -> None:
    if not 0 < value < 1e15:
        raise WorkloadError("{what} {value:g}: give {unit}, above 0.", what=what, value=value, unit=unit)


def _load(workload: Workload, fits: Fits) -> Search:
    """The load as the question gives it: users or requests a second."""
    users, rate = workload.traffic.concurrency, workload.traffic.rate_per_s
    if users is not None:
        return Search("traffic.concurrency", users, 1.0, 10_000_000.0, fits, lambda n: max(math.floor(n), 1), kept=True)
    assert rate is not None
    return Search("traffic.rate_per_s", rate, rate / MOST_TIMES, min(rate * MOST_TIMES, 1e6), fits, kept=True)


# ---- the search


def _found(asked: Turned, workload: Workload, catalog: Catalog, search: Search, within: float | None) -> Inverse:
    study = evaluate(workload, catalog)

    def allowed(point: float) -> list[Workload]:
        changed = _at(workload, search, point)
        here = replace(study, workload=changed) if search.kept else evaluate(changed, catalog)
        return _layouts(here, workload, search.fits)

    screened = _largest(lambda point: bool(allowed(point)), search)
    found = _best(allowed, catalog, search, screened) if screened else None
    if found is None:
        raise NoPlan(_nothing(asked, study, within))
    point, plan, layout = found
    kept = workload if asked in ("load", "speed") else layout
    return Inverse(
        asked=asked,
        within=within,
        field=search.field,
        before=search.grows(search.begin),
        value=_value(search, point),
        limit=_limit(asked, search, screened, workload, catalog),
        workload=_at(kept, search, point),
        plan=plan,
        provisioned_w=provisioned_w(catalog, workload, plan.accelerator, plan.gpus_total),
    )


def _best(
    allowed: Callable[[float], list[Workload]], catalog: Catalog, search: Search, screened: float
) -> tuple[float, Plan, Workload] | None:
    """The layout that goes furthest in simulation: closed forms err by accelerator, so runners-up get a chance."""
    below = max(screened / STEP, search.least)
    layouts = allowed(screened)[:1]
    layouts += [one for one in allowed(below)[:CONTENDERS] if one not in layouts]
    best: tuple[float, Plan, Workload] | None = None
    for layout in layouts:
        beat = best[0] * WORTH if best else None
        if beat is not None and beat > screened:
            break
        found = _confirmed(layout, catalog, search, screened, beat)
        best = (*found, layout) if found else best
    return best


def _largest(holds: Callable[[float], bool], search: Search) -> float:
    """Largest point that holds, 0 where none does."""
    low = high = min(search.begin, search.most)
    if holds(low):
        while high < search.most:
            high = min(high * STEP, search.most)
            if not holds(high):
                break
            low = high
    else:
        while low > search.least:
            low, high = max(low / STEP, search.least), low
            if holds(low):
                break
        else:
            return 0.0
    for _ in range(HALVINGS if high > low else 0):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _confirmed(
    layout: Workload, catalog: Catalog, search: Search, screened: float, beat: float | None
) -> tuple[float, Plan] | None:
    """Largest point up to `screened` at which the layout holds in simulation, too, and its plan there.

    Parameters
    ----------
    beat : None where it does not hold this much, since another layout nearly does.
    """
    if beat is not None and _simulated(layout, catalog, search, beat) is None:
        return None
    low, high, plan = screened, screened, _simulated(layout, catalog, search, screened)
    while plan is None and low > (beat or search.least):
        low, high = max(low / STEP_BACK, beat or search.least), low
        plan = _simulated(layout, catalog, search, low)
    for _ in range(CHECKS if high > low else 0):
        middle = math.sqrt(low * high)
        better = _simulated(layout, catalog, search, middle)
        low, high, plan = (low, middle, plan) if better is None else (middle, high, better)
    return None if plan is None else (low, plan)


def _simulated(layout: Workload, catalog: Catalog, search: Search, point: float) -> Plan | None:
    try:
        plan = run_plan(_at(layout, search, point), catalog, 1, 1).plans[0]
    except NoPlan:
        return None
    return plan if search.fits(plan.cost.usd_per_month, plan.accelerator, plan.gpus_total) else None


def _layouts(study: Study, workload: Workload, fits: Fits) -> list[Workload]:
    """The workload with one layout and supply each: the cheapest allowed of every accelerator and precision."""
    market, c = screen(study), study.candidates
    found: dict[tuple[int, int], Workload] = {}
    for entry in ranking(study, [market]) if market else []:
        kind = int(c.accelerator[entry.row]), int(c.weights[entry.row])
        gpus = int(c.gpus[entry.row]) * (entry.replicas + int(entry.priced.spares[entry.i]))
        usd_per_month = float(entry.priced.usd_per_month[entry.i])
        if kind not in found and fits(usd_per_month, c.accelerator_ids[kind[0]], gpus):
            found[kind] = _layout_of(workload, study, entry)
    return list(found.values())


def _limit(asked: Turned, search: Search, screened: float, workload: Workload, catalog: Catalog) -> Limit:
    """What ends just beyond the point: the allowance, or the promise whatever one spends."""
    if screened >= search.most:
        return "llm" if asked == "context" else "search"
    beyond = _at(workload, search, min(screened * STEP ** (2 / 2**HALVINGS), search.most))
    return "promise" if screen(evaluate(beyond, catalog)) is None else "spend"


# ---- questions with another value


def _at(workload: Workload, search: Search, point: float) -> Workload:
    """The workload with the field at a point of the search."""
    section, name = search.field.split(".")
    part = getattr(workload, section)
    value = _value(search, point)
    whole = name in ("input_tokens", "concurrency")
    changed = part.model_copy(update={name: int(value) if whole else value})
    return workload.model_copy(update={section: changed})


def _value(search: Search, point: float) -> float:
    """Value of the field, rounded to the side that is easier to serve; the question's own stays as it is."""
    value = search.grows(point)
    if point in (search.begin, search.most):
        return value
    scale = 10.0 ** (DIGITS - 1 - math.floor(math.log10(value)))
    slower = search.grows(2.0) < search.grows(1.0)
    return (math.ceil(value * scale - 1e-9) if slower else math.floor(value * scale + 1e-9)) / scale


def _as_bought(workload: Workload, plan: Plan) -> Workload:
    """The workload with a plan's layout and supply alone."""
    supply = workload.supply.model_copy(update={"options": (plan.supply[0].option,)})
    return pinned(workload, plan).model_copy(update={"supply": supply})


def _layout_of(workload: Workload, study: Study, entry: Entry) -> Workload:
    """The workload with the layout and supply of a candidate alone."""
    c, i = study.candidates, entry.row
    limits = {
        "accelerators": (c.accelerator_ids[c.accelerator[i]],),
        "engines": (c.engine_ids[c.engine[i]],),
        "weights": (WEIGHTS[c.weights[i]],),
        "kv": (KV[c.kv[i]],),
        **{size: (int(getattr(c, size)[i]),) for size in ("tp", "dp", "pp", "ep")},
    }
    supply = workload.supply.model_copy(update={"options": (entry.priced.offer.option,)})
    return workload.model_copy(update={"limits": workload.limits.model_copy(update=limits), "supply": supply})


def _nothing(asked: Turned, study: Study, within: float | None) -> Told:
    if asked == "context":
        return Message(
            "{llm} does not keep the promise on these accelerators.\n  Choose a plan that does.", llm=study.llm_id
        )
    limit = si(within or 0.0, "W") if asked == "power" else Message("{usd} a month", usd=usd(within or 0.0))
    return Message(
        "nothing serves {llm} within {limit}, however little is asked.\n  Raise the limit, or relax [slo].",
        llm=study.llm_id,
        limit=limit,
    )
