"""Answers to horizon questions as sentences and tables."""

from __future__ import annotations

from planner.report.tables import TextTable, Translate
from planner.schema.horizon import HorizonResult
from planner.units import usd


def rule_words(_: Translate) -> dict[str, str]:
    """Names of the ways through the years."""
    return {
        "best": _("the best of all orders and rents"),
        "rent throughout": _("rent throughout"),
        "buy today for the last month": _("buy today what the last month needs"),
        "buy once a year": _("buy once a year what is cheaper to own"),
        "wait for what comes later": _("rent, and buy only what comes later"),
        "today's only, at any time": _("today's accelerator only, bought at any time"),
    }


def sentence(answer: HorizonResult, _: Translate) -> str:
    """What to do, in one sentence."""
    best = answer.policies[0]
    servers: dict[str, int] = {}
    for order in answer.orders:
        servers[order.accelerator] = servers.get(order.accelerator, 0) + order.servers
    bought = ", ".join(f"{n} × {id}" for id, n in servers.items()) or _("nothing")
    told = _(
        "Over {years:g} years: order {bought} servers in {orders} orders, rent the rest, for {cost} of present value."
    )
    return told.format(
        years=answer.outlook.years, bought=bought, orders=len(answer.orders), cost=usd(best.npv_usd or 0.0)
    )


def fleet_finding(answer: HorizonResult, _: Translate) -> str:
    """How the fleet grows, and how much of it is owned in the end."""
    counts = [(sum(state.owned.values()), sum(state.rented.values())) for state in answer.states]
    if not counts:
        return _("Servers in service at the end of each year")
    (owned, rented), last = counts[-1], answer.states[-1].year
    text = _("{first:,} servers at the end of year {begin}, {n:,} at the end of year {end}, {owned:,} of them owned")
    return text.format(first=sum(counts[0]), begin=answer.states[0].year, n=owned + rented, end=last, owned=owned)


def order_table(answer: HorizonResult, _: Translate) -> TextTable:
    """Orders of the best way."""
    rows = tuple(
        (str(o.month), str(o.arrives), o.accelerator, str(o.servers), f"{o.usd:,.0f}") for o in answer.orders
    ) or (("–", "–", _("nothing is bought"), "0", "0"),)
    headings = (_("Ordered, month"), _("In service, month"), _("Accelerator"), _("Servers"), _("Price, $"))
    return TextTable(_("Orders"), headings, rows, 3)


def year_table(answer: HorizonResult, _: Translate) -> TextTable:
    """What serves at the end of each year."""
    rows = tuple((str(s.year), f"{s.load_factor:.2f}", _counted(s.owned), _counted(s.rented)) for s in answer.states)
    headings = (_("Year"), _("Load"), _("Owned servers in service"), _("Rented servers"))
    return TextTable(_("At the end of each year"), headings, rows, 9)


def _counted(servers: dict[str, int]) -> str:
    return ", ".join(f"{n} × {id}" for id, n in servers.items()) or "–"


def policy_table(answer: HorizonResult, _: Translate) -> TextTable:
    """Ways through the years, side by side."""
    words = rule_words(_)
    rows = tuple(
        (
            words[p.name],
            "–" if p.npv_usd is None else f"{p.npv_usd:,.0f}",
            "–" if p.more_than_best is None else f"{p.more_than_best * 100:+.1f} %",
        )
        for p in answer.policies
    )
    return TextTable(_("Ways through the years"), (_("Way"), _("Present value, $"), _("Over the best")), rows)


def remarks(answer: HorizonResult, _: Translate) -> list[str]:
    """What the figures rest on, and what has no price."""
    told = [
        _(
            "A purchase is paid in equal parts over the horizon of the workload; parts due after the last month, and "
            "what the servers are worth then, are left out. Rents are on-demand prices."
        ),
        _(
            "NOT INCLUDED in these years: switches, racks, people and transit of what is owned, egress and volumes of "
            "what is rented. `planner cost` and `planner mix` count them where they are priced."
        ),
    ]
    if answer.not_bought:
        told.append(_("No sourced purchase price: {names}.").format(names=", ".join(answer.not_bought)))
    if answer.not_rented:
        told.append(_("No sourced on-demand price: {names}.").format(names=", ".join(answer.not_rented)))
    return told
