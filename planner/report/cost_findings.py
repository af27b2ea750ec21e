"""What the charts of costs show, in a sentence each."""

from __future__ import annotations

from planner.report.cost_frames import crossings, name, shown_ways
from planner.report.costs import own_way
from planner.report.tables import Translate
from planner.schema.costs import CostAnswer
from planner.units import percent, usd


def months_finding(answer: CostAnswer, _: Translate) -> str:
    """Cheapest against dearest, and what most of owning is."""
    ways, own = shown_ways(answer), own_way(answer)
    text = _("{cheap} costs {least} a month, {dear} {most}").format(
        cheap=name(answer, ways[0], _),
        least=usd(ways[0].usd_per_month),
        dear=name(answer, ways[-1], _),
        most=usd(ways[-1].usd_per_month),
    )
    if own is None:
        return text
    capital = next(line.usd_per_month for line in own.lines if line.name == "capital")
    return text + _("; {share} of owning is capital").format(share=percent(capital / own.usd_per_month, 0))


def cash_finding(answer: CostAnswer, _: Translate) -> str:
    """Which clouds owning overtakes, and when."""
    if own_way(answer) is None:
        return _("Owning has no price, so nothing is overtaken")
    found = crossings(answer, _)
    if not found:
        return _("Owning has paid more than every cloud at the end of {years:g} years").format(
            years=answer.horizon_years
        )
    parts = [
        _("{way} in month {month:.0f}").format(way=r["way"], month=r["month"])
        for r in sorted(found, key=lambda r: r["month"])
    ]
    return _("Owning has paid less than {ways}").format(ways=", ".join(parts))


def load_finding(answer: CostAnswer, _: Translate) -> str:
    """At which load the plan undercuts an API."""
    with_price = [a for a in answer.apis if a.load_factor is not None]
    now = percent(answer.unit.utilisation, 0)
    if not answer.apis:
        return _("The fleet runs at {now} of what it holds; no hosted API of this LLM is sourced").format(now=now)
    if not with_price:
        return _("No load makes this fleet cheaper than the cheapest hosted API; it runs at {now}").format(now=now)
    below = sum(1 for a in with_price if (a.load_factor or 0.0) <= answer.unit.utilisation)
    return _("At today's load of {now} the plan is cheaper than {below} of {all} hosted APIs").format(
        now=now, below=below, all=len(answer.apis)
    )
