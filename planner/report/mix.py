"""The supply mix as a sentence, tables, and what its limits are worth."""

from __future__ import annotations

from planner.report.cost_words import unpriced_words
from planner.report.tables import TextTable, Translate
from planner.schema.mix import MixLine, MixResult, Shadow
from planner.units import percent, promised, usd


def way_words(_: Translate) -> dict[str, str]:
    """Names of the ways of supply."""
    return {"own": _("own"), "on_demand": _("on demand"), "commitment": _("committed"), "spot": _("spot")}


def cost_names(_: Translate) -> dict[str, str]:
    """Names of costs beside the units."""
    return {**unpriced_words(_), "network": _("Switches and links")}


def policy_words(_: Translate) -> dict[str, str]:
    """Names of the policies that the mix is compared with."""
    return {
        "on demand by the hour": _("all on demand, following the load"),
        "on demand for the peak": _("all on demand, the peak kept all year"),
        "committed for the peak": _("the peak committed"),
        "owned for the peak": _("the peak owned"),
    }


def sentence(answer: MixResult, _: Translate) -> str:
    """The mix in one sentence."""
    ways, options = way_words(_), [line.option for line in answer.lines]
    parts = [
        _("{n} {way} ({share} of the hours served)").format(
            n=line.accelerators,
            way=ways[line.option] + (f" {line.region}" if options.count(line.option) > 1 else ""),
            share=percent(line.served_share, 0),
        )
        for line in answer.lines
    ]
    told = _(
        "{accelerator} for {cost} a month: {parts}. Load {load}: {mean:.1f} replicas on average, {peak} at the peak."
    )
    return told.format(
        accelerator=answer.accelerator,
        cost=usd(answer.usd_per_month),
        parts=", ".join(parts),
        load=answer.load,
        mean=answer.mean_replicas,
        peak=answer.peak_replicas,
    )


def mix_table(answer: MixResult, _: Translate) -> TextTable:
    """Each way of supply with its part."""
    headings = (
        _("Supply"),
        _("Sold by"),
        _("Priced"),
        _("GPUs"),
        _("Served"),
        _("In use"),
        _("$/unit-hour"),
        _("$/month"),
    )
    rows = tuple(_row(line, way_words(_)) for line in answer.lines)
    names = cost_names(_)
    rows += tuple(
        (names[one.name], one.region, "", "", "", "", "", f"{one.usd_per_year / 12:,.0f}") for one in answer.fleet
    )
    return TextTable(_("Supply mix"), headings, rows, 3)


def _row(line: MixLine, ways: dict[str, str]) -> tuple[str, ...]:
    place = " ".join(filter(None, (line.provider, line.region, line.instance_type)))
    return (
        ways[line.option],
        place,
        line.source_date.split("..")[0] + (" !" if line.stale else ""),
        str(line.accelerators),
        percent(line.served_share, 0),
        percent(line.utilisation, 0),
        f"{line.usd_per_unit_hour:,.2f}",
        f"{(line.fixed_usd_per_year + line.variable_usd_per_year) / 12:,.0f}",
    )


def policy_table(answer: MixResult, _: Translate) -> TextTable:
    """What the mix saves over simple policies."""
    words = policy_words(_)
    rows = [
        (
            words[one.name],
            "–" if one.usd_per_year is None else f"{one.usd_per_year / 12:,.0f}",
            "–" if one.saving is None else percent(one.saving, 0),
        )
        for one in answer.alternatives
    ]
    return TextTable(_("Instead of the mix"), (_("Policy"), _("$/month"), _("The mix saves")), tuple(rows))


def remarks(answer: MixResult, _: Translate) -> list[str]:
    """What each limit is worth, the firm share, and what was left out."""
    told = [shadow_sentence(one, _) for one in answer.shadows]
    rules = {
        "stated": _("{share} of the load must not depend on Spot, as stated."),
        "availability": _("{share} of the load must not depend on Spot, or {target} availability is out of reach."),
        "no spot": _("Spot has no price here or is not allowed."),
    }
    share, target = percent(answer.firm_share, 0), promised(answer.workload.slo.availability)
    told.append(rules[answer.firm_rule].format(share=share, target=target))
    if answer.not_included:
        words = cost_names(_)
        names = ", ".join(words[name] for name in answer.not_included)
        told.append(
            _("NOT INCLUDED, as nobody priced them: {costs}. `planner cost` says where to state each.").format(
                costs=names
            )
        )
    if answer.unpriced:
        ways = way_words(_)
        names = ", ".join(ways[name] for name in answer.unpriced)
        told.append(_("Left out, as no price is sourced: {ways}.").format(ways=names))
    return told


def shadow_sentence(one: Shadow, _: Translate) -> str:
    """What a little more of a limit would be worth, in a sentence."""
    cost = usd(one.usd_per_year)
    if one.limit == "quota":
        return _("One accelerator more of quota for {of} would save {cost} a year.").format(of=one.of, cost=cost)
    if one.limit == "availability":
        more = usd(max(-one.usd_per_year, 0.0) + 0.0)  # plus zero: none is not less than nothing
        return _("A promise of {target} of the time would cost {cost} more a year.").format(
            target=f"{float(one.of) * 100:.9g} %", cost=more
        )
    if one.limit == "peak":
        return _("One replica less in the busiest hours would save {cost} a year.").format(cost=cost)
    return _("One replica of load that need not be firm, all year, would save {cost} a year.").format(cost=cost)
