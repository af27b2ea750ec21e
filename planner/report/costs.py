"""Costs as headings and rows of text: ways, lines, bill of materials, unit costs, break-even, steps of the promise."""

from __future__ import annotations

from collections.abc import Iterable

from planner.report.cost_words import item_name, line_words, reason, role_words, unpriced_words, way_words
from planner.report.tables import TextTable, Translate, fleet_title
from planner.report.words import supply_words
from planner.schema.costs import ApiBreakEven, BillItem, CostAnswer, SloStep, WayCost
from planner.units import floored, percent, si, usd

DASH, OLD = "–", " !"
APIS_SHOWN = 8
INCLUDES = "colocation_includes_energy"


def headline(answer: CostAnswer, _: Translate) -> str:
    """The answer in two or three sentences: the cheapest way, and owning beside it."""
    return f"{cheapest_sentence(answer, _)} {owning_sentence(answer, _)}"


def cheapest_sentence(answer: CostAnswer, _: Translate) -> str:
    """The cheapest way."""
    best = answer.ways[0]
    return _("{plan}: cheapest {way}, {month} a month, {million} per million output tokens.").format(
        plan=fleet_title(answer.plan, best.replicas + best.spares),
        way=way_name(best, _),
        month=usd(best.usd_per_month),
        million=usd(_million(answer, best)),
    )


def owning_sentence(answer: CostAnswer, _: Translate) -> str:
    """What owning costs at least, and when on-demand costs more."""
    own = own_way(answer)
    if own is None:
        return _("Owning cannot be priced: see what is not priced.")
    months = [c.month for c in answer.clouds if c.term == "on_demand" and c.month is not None]
    text = _(
        "Owned, {gpus}: {month} a month, {npv} today over {years:g} years, at least: {n} items are not priced."
    ).format(
        gpus=(_("{n} GPUs, spares included") if own.spares else _("{n} GPUs")).format(n=own.accelerators),
        month=usd(own.usd_per_month),
        npv=usd(own.npv_usd),
        years=answer.horizon_years,
        n=len(answer.unpriced),
    )
    crossing = _(" On demand costs more in all from month {month:.0f} on.").format(month=months[0]) if months else ""
    return text + crossing


def own_way(answer: CostAnswer) -> WayCost | None:
    """The owned one of the ways."""
    return next((w for w in answer.ways if w.option == "own"), None)


def way_name(way: WayCost, _: Translate) -> str:
    """Who sells it and how, such as `on demand, nebius`."""
    if way.option == "own":
        return supply_words(_)["own"]
    term = way_words(_).get(way.term, way.term)
    return _("{way} ({term}), {provider}").format(way=supply_words(_)[way.option], term=term, provider=way.provider)


def _million(answer: CostAnswer, way: WayCost) -> float:
    unit = answer.ways[max(answer.planned, 0)].usd_per_month
    return answer.unit.usd_per_million_output_tokens * way.usd_per_month / unit


def ways_table(answer: CostAnswer, _: Translate) -> TextTable:
    """The cheapest region of each seller and term, in the answer's order."""
    headings = (
        _("Supply"), _("Term"), _("Provider"), _("Region"), _("Priced"), _("Units"), _("$/h"), _("$/month"),
        _("In all"), _("Today"), _("$/M out"), _("$/GPU/h"), _("Ready"),
    )  # fmt: skip
    rows = tuple(_way_row(answer, w, _) for w in cheapest_regions(answer.ways))
    title = _("Ways to obtain it, cheapest first; {years:g} years").format(years=answer.horizon_years)
    return TextTable(title, headings, rows, numeric_from=5)


def cheapest_regions(ways: Iterable[WayCost]) -> list[WayCost]:
    """The first way of each seller and term."""
    first: dict[tuple[str, str, bool], WayCost] = {}
    for way in ways:
        first.setdefault((way.provider, way.term, way.meets_availability), way)
    return list(first.values())


def _way_row(answer: CostAnswer, way: WayCost, _: Translate) -> tuple[str, ...]:
    ready = DASH if way.availability is None else floored(way.availability)
    return (
        supply_words(_)[way.option],
        way_words(_).get(way.term, way.term),
        way.provider,
        way.region or DASH,
        way.source_date[:10].split("..")[0] + (OLD if way.stale else ""),
        str(way.units),
        DASH if way.usd_per_hour is None else f"{way.usd_per_hour:,.2f}",
        f"{way.usd_per_month:,.0f}",
        f"{way.total_usd:,.0f}",
        f"{way.npv_usd:,.0f}",
        f"{_million(answer, way):,.2f}",
        f"{way.usd_per_gpu_hour:,.2f}",
        ready if way.meets_availability else ready + " ✕",
    )


def lines_table(answer: CostAnswer, _: Translate) -> TextTable:
    """What a month consists of: owned, and the way that the plan was ranked with."""
    ways = [w for w in (own_way(answer), answer.ways[max(answer.planned, 0)]) if w is not None]
    unique, words = list({w.option + w.term: w for w in ways}.values()), line_words(_)
    rows = [
        (way_name(way, _), words[line.name], f"{line.usd_per_month:,.0f}{OLD if line.stale else ''}", line.source)
        for way in unique
        for line in way.lines
    ]
    return TextTable(_("What a month consists of"), (_("Way"), _("Line"), _("$/month"), _("Source")), tuple(rows), 9)


def bill_table(answer: CostAnswer, _: Translate) -> TextTable:
    """The bill of materials."""
    headings = (_("Item"), _("What"), _("Pieces"), _("Each"), _("Together"), _("Priced"), _("Why"))
    rows = tuple(_bill_row(item, _) for item in answer.bill.items)
    total = answer.bill.capital_usd
    if total is not None:
        low, high = answer.bill.capital_usd_low or total, answer.bill.capital_usd_high or total
        span = _("{low} – {high} as prices were seen").format(low=usd(low), high=usd(high))
        rows += ((_("Priced so far"), "", "", "", usd(total), "", span),)
    return TextTable(_("Bill of materials, if owned"), headings, rows, 9)


def _bill_row(item: BillItem, _: Translate) -> tuple[str, ...]:
    inside, blank = _("in the server"), _("not priced")
    unit = usd(item.unit_usd) if item.unit_usd is not None else inside if item.included else blank
    priced = DASH if item.unit_usd is None else item.source_date[:10].split("..")[0] + (OLD if item.stale else "")
    total = DASH if item.total_usd is None else usd(item.total_usd)
    return (role_words(_)[item.role], item_name(item, _), str(item.quantity), unit, total, priced, reason(item, _))


def unit_table(answer: CostAnswer, _: Translate) -> TextTable:
    """Unit costs at the real load and when full."""
    both = answer.unit, answer.unit_full
    rows = (
        (_("utilisation"), *(percent(u.utilisation, 0) for u in both)),
        (_("request"), *(f"${u.usd_per_request:.5f}" for u in both)),
        (_("million output tokens, all costs"), *(usd(u.usd_per_million_output_tokens) for u in both)),
        (_("million input tokens, shared"), *(usd(u.usd_per_million_input_tokens_split) for u in both)),
        (_("million output tokens, shared"), *(usd(u.usd_per_million_output_tokens_split) for u in both)),
    )
    return TextTable(_("Unit costs as planned"), (_("Per"), _("At the real load"), _("When full")), rows)


def split_note(answer: CostAnswer, _: Translate) -> str:
    """How input and output share the cost."""
    return _(
        "Shared: prompts take {share} of a full replica's time and carry as much of the cost; answers carry the rest."
    ).format(share=percent(answer.prompt_share, 0))


def api_table(answer: CostAnswer, _: Translate, most: int = APIS_SHOWN) -> TextTable:
    """Hosted APIs, cheapest first."""
    headings = (
        _("API"), _("Priced"), _("$/M in"), _("$/M out"), _("$/request"), _("$/month"),
        _("Even at output tokens a day"), _("Load then"),
    )  # fmt: skip
    rows = tuple(_api_row(api, _) for api in answer.apis[:most])
    title = _("Hosted APIs against the plan")
    if len(answer.apis) > most:
        title += _(" (+{n}, --json)").format(n=len(answer.apis) - most)
    return TextTable(title, headings, rows, numeric_from=2)


def _api_row(api: ApiBreakEven, _: Translate) -> tuple[str, ...]:
    even = (
        _("never: it is cheaper") if api.output_tokens_per_day is None else f"{api.output_tokens_per_day / 1e6:,.0f} M"
    )
    day = _(" (mean of the day)") if api.time_of_day else ""
    name = api.model if api.model.startswith(f"{api.provider}/") else f"{api.provider}/{api.model}"
    return (
        name + day,
        api.source_date[:10] + (OLD if api.stale else ""),
        f"{api.input_usd_per_million_tokens:.2f}",
        f"{api.output_usd_per_million_tokens:.2f}",
        f"{api.usd_per_request:.5f}",
        f"{api.usd_per_month:,.0f}",
        even,
        DASH if api.load_factor is None else percent(api.load_factor, 0),
    )


def slo_table(answer: CostAnswer, _: Translate) -> TextTable:
    """What each promise costs."""
    headings = (_("Promise"), _("GPUs"), _("$/month"), _("$/request"), _("$/request, this layout full"))
    rows = tuple(_slo_row(step, _) for step in answer.slo_steps)
    return TextTable(_("What the promise costs by closed forms, same accelerator and supply"), headings, rows)


def _slo_row(step: SloStep, _: Translate) -> tuple[str, ...]:
    name = {"ttft_p99_s": "P99 TTFT", "tpot_p99_s": "P99 TPOT", "e2e_p99_s": "P99 E2E"}.get(step.metric, "")
    first = f"{name} {si(step.limit_s, 's')}" if step.limit_s is not None else ""
    if step.availability is not None:
        first = _("available {share}").format(share=f"{step.availability * 100:.9g} %")
    if step.usd_per_month is None or step.usd_per_request is None:
        return first, DASH, _("nothing keeps it"), DASH, DASH
    return (
        first,
        str(step.accelerators),
        f"{step.usd_per_month:,.0f}",
        f"{step.usd_per_request:.5f}",
        DASH if step.usd_per_request_full is None else f"{step.usd_per_request_full:.5f}",
    )


def slo_sentences(answer: CostAnswer, limit_s: float, _: Translate) -> list[str]:
    """What the last 100 ms of P99 TTFT cost, and the next, per request of a full replica."""
    steps = {
        round(s.limit_s, 6): s.usd_per_request_full
        for s in answer.slo_steps
        if s.metric == "ttft_p99_s" and s.limit_s is not None
    }
    loose, now, tight = (steps.get(round(limit_s + d, 6)) for d in (0.1, 0.0, -0.1))
    found = []
    if now and loose:
        text = _("The last 100 ms of P99 TTFT cost ${usd:.6f} per request of a full replica, {share}.")
        free = _("The last 100 ms of P99 TTFT cost nothing: another limit holds first.")
        found.append(_more(now, loose, text) if now > loose * 1.0005 else free)
    if now and tight:
        text = _("The next 100 ms would cost ${usd:.6f}, {share}.")
        free = _("The next 100 ms would cost nothing.")
        found.append(_more(tight, now, text) if tight > now * 1.0005 else free)
    return found


def _more(dear: float, cheap: float, text: str) -> str:
    return text.format(usd=dear - cheap, share=percent(dear / cheap - 1, 1))


def unpriced_lines(answer: CostAnswer, _: Translate) -> list[str]:
    """What is in no total, what may be paid twice, and where to state it."""
    words = unpriced_words(_)
    blank = _("NOT PRICED, in no total of owning: {what}. State it: {field}")
    doubt = _("UNKNOWN whether the colocation price includes energy, so both are charged. State it: {field}")
    lines = [
        (doubt if one.field.endswith(INCLUDES) else blank).format(what=words.get(one.what, one.what), field=one.field)
        for one in answer.unpriced
    ]
    rent = _("NOT PRICED, in no total of renting: {what}. State it: {field}")
    lines += [rent.format(what=words.get(one.what, one.what), field=one.field) for one in answer.unpriced_rent]
    lines += [
        _("ASKED: no discount of a {years} commitment is sourced. State yours: {field}").format(
            years={"1y": _("1-year"), "3y": _("3-year")}[years], field=f"ownership.commitment_discounts.{years}"
        )
        for years in answer.commitments_asked
    ]
    return lines


def currency_line(answer: CostAnswer, _: Translate) -> str:
    """Totals in the buyer's currency; empty for US dollars."""
    if answer.currency == "USD":
        return ""
    best, own = answer.ways[0], own_way(answer)
    rate = answer.usd_per_currency_unit
    text = _("In {currency} at {rate:g} USD: cheapest {month:,.0f} a month").format(
        currency=answer.currency, rate=rate, month=best.usd_per_month / rate
    )
    return text + (_("; owned {month:,.0f} a month.").format(month=own.usd_per_month / rate) if own else ".")
