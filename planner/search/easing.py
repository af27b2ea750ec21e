"""Where nothing keeps a promise: which one could be kept, and for what money."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pydantic import ValidationError

from planner.catalog import Catalog
from planner.errors import NoPlan
from planner.schema import Plan, Workload
from planner.search.plan import plan, screened

STEP = 1.25
STEPS = 31  # to a thousand times what was asked
FURTHER = (0, 1, 3)  # steps past the first that can be kept: the first is dear, since a replica serves few at once
FIGURES = ("ttft_p99_s", "tpot_p99_s", "e2e_p99_s")


@dataclass(frozen=True)
class Eased:
    """A promise that can be kept: figures of the SLO as they would be, and the plan that keeps them."""

    figures: dict[str, float]  # by name, the changed ones [s]
    workload: Workload
    plan: Plan


def eased(workload: Workload, catalog: Catalog) -> tuple[Eased, ...]:
    """Promises that can be kept in place of one that cannot: one figure eased, or all of them where that is not enough.

    Each figure in steps of a quarter to two digits; up to three promises for each, from the tightest on.

    Parameters
    ----------
    workload : a question without a plan

    Returns
    -------
    tuple
        Empty where no easing helps, for want of memory or of a price perhaps.
    """
    asked = {name: value for name in FIGURES if (value := getattr(workload.slo, name)) is not None}
    alone = [one for name in asked for one in _kept(workload, catalog, {name: asked[name]})]
    return tuple(alone or _kept(workload, catalog, asked))


def _kept(workload: Workload, catalog: Catalog, asked: dict[str, float]) -> list[Eased]:
    """The tightest that can be kept, and looser ones as long as they cost less."""
    first, found = _first(workload, catalog, asked), list[Eased]()
    for further in FURTHER if first is not None else ():
        figures = _at(asked, (first or 0) + further)
        changed = _with(workload, figures)
        try:
            one = changed and Eased(figures, changed, plan(changed, catalog, 1).plans[0])
        except NoPlan:  # simulation says no where closed forms said yes
            continue
        if one and not (found and one.plan.cost.usd_per_month >= found[-1].plan.cost.usd_per_month):
            found.append(one)
    return found


def _first(workload: Workload, catalog: Catalog, asked: dict[str, float]) -> int | None:
    """The fewest steps at which closed forms find a plan."""

    def held(steps: int) -> bool:
        changed = _with(workload, _at(asked, steps))
        return changed is not None and screened(changed, catalog).market is not None

    low, high = 0, max(steps for steps in range(STEPS + 1) if not steps or _with(workload, _at(asked, steps)))
    if not held(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if held(middle) else (middle, high)
    return high


def _at(asked: dict[str, float], steps: int) -> dict[str, float]:
    return {name: two_digits(value * STEP**steps) for name, value in asked.items()}


def _with(workload: Workload, figures: dict[str, float]) -> Workload | None:
    """The question with other figures; None where they contradict each other or exceed what is asked at all."""
    slo = workload.slo.model_dump() | figures
    try:
        return Workload.model_validate(workload.model_dump() | {"slo": slo})
    except ValidationError:
        return None


def two_digits(value: float) -> float:
    """No less than a value, in two digits.

    Examples
    --------
    >>> two_digits(0.00763), two_digits(0.25), two_digits(12.3)
    (0.0077, 0.25, 13.0)
    """
    place = math.floor(math.log10(value)) - 1
    return float(f"{math.ceil(round(value / 10**place, 6)) * 10**place:.2g}")
