"""Uncertain inputs of a question: what the user states, and what the catalogs themselves know to be uncertain."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from planner.errors import Message, WorkloadError
from planner.models.uncertainty import SHAPES, Shape, Uncertain, check
from planner.schema import Plan
from planner.search import metrics
from planner.search.change import Change, Question, apply

SHARES = ("cloud", "purchases")  # drawn as factors on what the catalogs say
CHOICES = ("slo", "limits", "supply", "layout")
STEP, FIRST_TOKEN = "prediction.step_time", "prediction.ttft"
SPEC = re.compile(r"^(?P<field>[^=]+)=(?P<values>[^@:]+)(?::(?P<shape>[a-z]+))?(?:@(?P<group>[\w.-]+))?$")
FORM = Message(
    "FIELD=LOW,MID,HIGH or FIELD=LOW,HIGH, then perhaps :pert, :triangular, :uniform or :lognormal, and perhaps @GROUP"
)


@dataclass(frozen=True)
class Stated:
    """An uncertain field, with the texts of its three values."""

    uncertain: Uncertain
    texts: tuple[str, str, str]

    def change(self, end: int) -> Change:
        """The field at low (0), mid (1) or high (2)."""
        return Change(self.uncertain.name, self.texts[end])


def parse(question: Question, text: str) -> Stated:
    """FIELD=LOW,MID,HIGH; shares such as -20% count from what holds now, which is the middle where none is given.

    Raises
    ------
    PlannerError
        For a field that nothing has, values that it cannot hold, or a range that is none.
    """
    found = SPEC.match(text.strip())
    if found is None:
        raise WorkloadError("--uncertain {text}: give {form}.", text=text, form=FORM)
    field, shape = found["field"].strip(), found["shape"] or "pert"
    values = [part.strip() for part in found["values"].split(",")]
    if len(values) not in (2, 3) or not all(values) or shape not in SHAPES:
        raise WorkloadError("--uncertain {text}: give {form}.", text=text, form=FORM)
    if field.split(".")[0] in CHOICES:
        raise WorkloadError(
            "--uncertain {field}: is a choice, not an uncertainty.\n  Try values: planner whatif --sweep", field=field
        )
    low, high = (_number(question, Change(field, one)) for one in (values[0], values[-1]))
    middle = _number(question, Change(field, values[1])) if len(values) == 3 else _now(question, field, low, high)
    one = Uncertain(field, low, middle, high, cast(Shape, shape), found["group"] or "")
    check(one)
    form = "x{:.12g}" if is_share(field) else "{:.12g}"
    return Stated(one, (form.format(low), form.format(middle), form.format(high)))


def is_share(field: str) -> bool:
    """Is it drawn as a factor on what the catalogs say?"""
    return field.split(".")[0] in SHARES


def at_middle(question: Question, stated: Sequence[Stated]) -> Question:
    """The question with every stated field at its middle: for this the plans are made."""
    return apply(question, [one.change(1) for one in stated if not is_share(one.uncertain.name)])[0]


def _now(question: Question, field: str, low: float, high: float) -> float:
    """What holds now; between the ends where nothing does.

    Raises
    ------
    WorkloadError
        If it lies outside the range: the middle has to be said.
    """
    if is_share(field):
        now = 1.0
    else:
        _, (told,) = apply(question, [Change(field, f"{low:.12g}")])
        known = isinstance(told.before, float | int) and not isinstance(told.before, bool)
        now = float(told.before) if known else (low + high) / 2  # type: ignore[arg-type]
    if not low <= now <= high:
        raise WorkloadError(
            "--uncertain {field}: it is {now:g} now, which lies outside {low:g} to {high:g}.\n  Give LOW,MID,HIGH.",
            field=field,
            now=now,
            low=low,
            high=high,
        )
    return now


def _number(question: Question, change: Change) -> float:
    """What a field becomes, as the change itself would make it; a factor for prices of many rows."""
    _, (told,) = apply(question, [change])
    if is_share(change.field):
        if change.factor is None:
            raise WorkloadError("--uncertain {field}: give shares, such as -10%,+30%.", field=change.field)
        return change.factor
    if isinstance(told.after, bool) or not isinstance(told.after, float | int):
        raise WorkloadError(
            "--uncertain {field}={asked}: {field} is no number.", field=change.field, asked=change.asked
        )
    return float(told.after)


def predictions(question: Question, plan: Plan) -> list[Uncertain]:
    """The predictions' own bands: 80 % of measurements lie between low and high.

    The time to first token has the error of the step time in it; what its own band is wider by enters
    as a further factor, so that together they are as wide as the band.
    """
    step = metrics.band_row(question.catalog, "tpot", plan.basis, plan.engine)
    first = metrics.band_row(question.catalog, "ttft", plan.basis, plan.engine)
    assert step.low is not None and step.high is not None and first.low is not None and first.high is not None
    return [
        Uncertain(STEP, step.low, 1.0, step.high, "lognormal"),
        Uncertain(FIRST_TOKEN, 1 / _rest(1 / first.low, 1 / step.low), 1.0, _rest(first.high, step.high), "lognormal"),
    ]


def _rest(whole: float, part: float) -> float:
    """Factor that, with `part` independent of it, is as wide as `whole`."""
    return math.exp(math.sqrt(max(math.log(whole) ** 2 - math.log(part) ** 2, 0.0)))


def purchase_range(question: Question, plan: Plan) -> list[Uncertain]:
    """Lowest and highest purchase price that was seen, over the middle that is planned with."""
    if plan.supply[0].option != "own":
        return []
    rows = [p for p in question.catalog.purchases if p.item == plan.accelerator and p.kind == "accelerator"]
    if not rows or rows[0].price_usd_low == rows[0].price_usd_high:
        return []
    middle = (rows[0].price_usd_low + rows[0].price_usd_high) / 2
    ends = (rows[0].price_usd_low / middle, rows[0].price_usd_high / middle)
    return [Uncertain(f"purchases.{plan.accelerator}", ends[0], 1.0, ends[1])]


def sourced(question: Question, plans: Sequence[Plan], stated: Sequence[Stated]) -> dict[str, tuple[Uncertain, str]]:
    """What the catalogs know to be uncertain and the user does not state, with the source."""
    names = {s.uncertain.name for s in stated}
    found: dict[str, tuple[Uncertain, str]] = {}
    for plan in plans:
        for one in purchase_range(question, plan):
            if one.name not in names and "purchases.all" not in names:
                found.setdefault(one.name, (one, "lowest and highest price seen, catalogs/purchase_prices.csv"))
    return found
