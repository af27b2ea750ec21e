"""What-if answers as sentences and tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from planner.report.findings import short_name
from planner.report.tables import TextTable, Translate, accelerator_name
from planner.report.words import bought_text
from planner.schema.whatif import Case, Comparison, Driver, Outcome, WhatIf
from planner.search import misses
from planner.units import floored, si, usd

UNITS = {"ttft_p99_s": "s", "tpot_p99_s": "s", "facility_w": "W", "output_tokens_per_s": "token/s"}


def figure_words(_: Translate) -> dict[str, str]:
    """Names of the figures of an outcome."""
    return {
        "usd_per_month": _("Cost per month"),
        "usd_per_million_output_tokens": _("Cost per million output tokens"),
        "npv_usd": _("Present value of all payments"),
        "gpus_total": _("Accelerators"),
        "output_tokens_per_s": _("Output tokens per second served"),
        "ttft_p99_s": "P99 TTFT",
        "tpot_p99_s": "P99 TPOT",
        "availability": _("Available"),
        "facility_w": _("Power at the meter"),
    }


def driver_words(_: Translate) -> dict[str, str]:
    """Names of the factors of monthly cost."""
    return {
        "load": _("load: output tokens served"),
        "accelerators per load": _("accelerators that serve a token per second"),
        "spares": _("spares"),
        "price per accelerator": _("price of an accelerator and month"),
    }


def drivers_finding(parts: Sequence[Driver], by: str, _: Translate) -> str:
    """The part of a difference in monthly cost that weighs most; `by` says how it was split."""
    total, most = sum(part.usd_per_month for part in parts), max(parts, key=lambda part: abs(part.usd_per_month))
    if not most.usd_per_month:
        return _("{by}: nothing changes the cost").format(by=by)
    text = _("{by}: mostly {name}, {usd} of {total} a month")
    name = driver_words(_).get(most.name, most.name).split(":")[0]
    return text.format(by=by, name=name, usd=_usd_signed(most.usd_per_month), total=_usd_signed(total))


def _usd_signed(value: float) -> str:
    return f"{'+' if value >= 0 else '−'}{usd(abs(value))}"


def sentence(answer: WhatIf, _: Translate, asked: str = "") -> str:
    """The difference in one sentence; `asked` says in words what changes, else the fields do."""
    asked = asked or ", ".join(f"{c.field} = {c.asked}" for c in answer.changes)
    before, after = answer.before, answer.after
    if after is None:
        told = _("With {changes} nothing keeps the promise; before, it was {plan} for {cost} a month.")
        return told.format(changes=asked, plan=_named(before), cost=usd(before.usd_per_month))
    more = after.usd_per_month - before.usd_per_month
    if not more and _named(after) == _named(before):
        told = _("With {changes}: still {after}, for the same {cost} a month.")
        return told.format(changes=asked, after=_named(after), cost=usd(after.usd_per_month))
    told = (
        _("With {changes}: {after} for {cost} a month, {more} ({share}) than {before} for {was}.")
        if _named(after) != _named(before)
        else _("With {changes}: still {after}, for {cost} a month, {more} ({share}) than {was}.")
    )
    direction = _("{usd} more") if more >= 0 else _("{usd} less")
    return told.format(
        changes=asked,
        after=_named(after),
        before=_named(before),
        cost=usd(after.usd_per_month),
        was=usd(before.usd_per_month),
        more=direction.format(usd=usd(abs(more))),
        share=_signed_percent(more / before.usd_per_month),
    )


def _named(one: Outcome) -> str:
    return f"{_accelerators(one)} {one.layout}"


def _accelerators(one: Outcome) -> str:
    return f"{one.gpus_total:,} × {short_name(accelerator_name(one.title))}"


def _signed_percent(share: float) -> str:
    digits = 1 if abs(share) < 10 else 0
    return f"{share * 100:+,.{digits}f} %".replace("-", "−")


def difference_table(answer: WhatIf, _: Translate) -> TextTable:
    """Figures before and after."""
    words = figure_words(_)
    parts: dict[str, Callable[[Outcome], str]] = {
        _("Plan"): _accelerators,
        _("Layout"): lambda one: one.layout,
        _("Supply"): lambda one: bought_text(one.option, one.provider, _),
    }
    rows = [
        (name, of(answer.before), "–" if answer.after is None else of(answer.after), "", "")
        for name, of in parts.items()
    ]
    for one in answer.differences:
        rows.append(
            (
                words[one.figure],
                spelled(one.figure, one.before),
                spelled(one.figure, one.after),
                _signed(one.figure, one.change),
                _signed_percent(one.relative) if one.relative and one.figure != "availability" else "",
            )
        )
    return TextTable(_("Before and after"), (_("Figure"), _("Before"), _("After"), _("Difference"), "%"), tuple(rows))


def spelled(figure: str, value: float | None) -> str:
    """A figure of an outcome for people."""
    if value is None:
        return "–"
    if "usd" in figure:
        return usd(value)
    if figure == "availability":
        return floored(value)
    if figure == "gpus_total":
        return f"{value:,.0f}"
    return si(value, UNITS[figure])


def _signed(figure: str, value: float | None) -> str:
    if not value:
        return ""
    if figure == "availability":
        return f"{value * 100:+.3f} %".replace("-", "−")
    return ("+" if value >= 0 else "−") + spelled(figure, abs(value))


def driver_tables(answer: WhatIf, _: Translate) -> tuple[TextTable, ...]:
    """What the difference in monthly cost consists of: by change, then by factor; each adds up."""
    words = driver_words(_)
    tables = []
    if len(answer.by_change) > 1:
        tables.append(_driver_table(_("By change, USD a month"), answer.by_change, {}, _))
    if answer.drivers:
        tables.append(_driver_table(_("By factor, USD a month"), answer.drivers, words, _))
    return tuple(tables)


def _driver_table(title: str, drivers: tuple[Driver, ...], words: dict[str, str], _: Translate) -> TextTable:
    whole = sum(d.usd_per_month for d in drivers)
    rows = [(words.get(d.name, d.name), f"{d.usd_per_month:+,.0f}") for d in drivers]
    return TextTable(title, (_("Part"), "$"), (*rows, (_("Together"), f"{whole:+,.0f}")))


def cases_sentence(answer: Comparison, _: Translate) -> str:
    """The span of costs over the cases, and how many have no plan."""
    known = [case for case in answer.cases if case.outcome is not None]
    if not known:
        return _("None of {n} cases has a plan.").format(n=len(answer.cases))
    low, high = (end(known, key=lambda case: case.outcome.usd_per_month if case.outcome else 0.0) for end in (min, max))
    assert low.outcome is not None and high.outcome is not None
    text = _("{n} cases: from {low} a month ({first}) to {high} ({last}).").format(
        n=len(answer.cases), low=usd(low.outcome.usd_per_month), first=low.name, high=usd(high.outcome.usd_per_month),
        last=high.name,
    )  # fmt: skip
    missing = len(answer.cases) - len(known)
    return text + (" " + _("{n} have no plan.").format(n=missing) if missing else "")


def sweep_finding(answer: Comparison, _: Translate) -> str:
    """Title of the chart of a sweep: how cost follows the field, else where it is least and most."""
    field = answer.fields[0]
    costs = [(case, case.outcome.usd_per_month) for case in answer.cases if case.outcome is not None]
    (low, least), (high, most) = (end(costs, key=lambda one: one[1]) for end in (min, max))
    if least == most:
        return _("{field} does not change the cost of the best plan: {usd} a month").format(field=field, usd=usd(most))
    ends = [one for one in (costs[0], costs[-1]) if _positive(one[0].values.get(field))]
    if len(answer.fields) == 1 and len(ends) == 2:
        (first, before), (last, after) = ends
        text = _("{times:.3g} times the {field} costs {more:.3g} times as much: {first} to {last} a month")
        times = float(str(last.values[field])) / float(str(first.values[field]))
        return text.format(times=times, field=field, more=after / before, first=usd(before), last=usd(after))
    text = _("Least at {low}: {least} a month; most at {high}: {most}")
    return text.format(low=low.name, least=usd(least), high=high.name, most=usd(most))


def _positive(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def comparison_table(answer: Comparison, _: Translate) -> TextTable:
    """Cases side by side."""
    headings = (
        _("Case"),
        *answer.fields,
        _("Accelerator"),
        _("Layout"),
        _("Supply"),
        _("GPUs"),
        "P99 TTFT",
        "P99 TPOT",
        _("$/month"),
        _("$/M out"),
    )
    rows = tuple(_case_row(answer.fields, case, _) for case in answer.cases)
    return TextTable(answer.workload, headings, rows, 4 + len(answer.fields))


def _case_row(fields: tuple[str, ...], case: Case, _: Translate) -> tuple[str, ...]:
    values = tuple(_value(case.values.get(field, "")) for field in fields)
    one = case.outcome
    if one is None:
        return (case.name, *values, _("no plan"), "", "", "", "", "", "", "")
    return (
        case.name,
        *values,
        one.accelerator,
        one.layout,
        bought_text(one.option, one.provider, _),
        f"{one.gpus_total:,}",
        si(one.ttft_p99_s, "s"),
        si(one.tpot_p99_s, "s"),
        f"{one.usd_per_month:,.0f}",
        f"{one.usd_per_million_output_tokens:.2f}",
    )


def reason(refused: WhatIf | Case, _: Translate) -> str:
    """Why there is no plan: what the nearest candidate lacks."""
    return misses.spelled(refused.rejections[0], _) if refused.rejections else refused.refusal


def _value(value: object) -> str:
    return f"{value:,.6g}" if isinstance(value, float | int) and not isinstance(value, bool) else str(value)
