"""Risk as sentences and tables."""

from __future__ import annotations

import numpy as np

from planner.report.tables import TextTable, Translate, fleet_title
from planner.report.words import bought_text
from planner.schema.risk import Deciles, PlanRisk, RiskResult
from planner.units import percent, si, usd


def metric_words(_: Translate) -> dict[str, str]:
    """Outcomes that the tornado and the indices look at."""
    return {
        "usd_per_month": _("cost per month of a fleet sized to the draw"),
        "usd_per_million_output_tokens": _("cost per million output tokens of a fleet sized to the draw"),
        "ttft_p99_s": _("P99 TTFT of the plan as bought"),
        "tpot_p99_s": _("P99 TPOT of the plan as bought"),
    }


def input_name(name: str, _: Translate) -> str:
    """Name of an input for people: errors of prediction by what they belong to; a field without words as it is."""
    errors = {
        "prediction.step_time": _("error of the step time, {of}"),
        "prediction.ttft": _("further error of the TTFT, {of}"),
    }
    kind, _space, of = name.partition(" ")
    return errors[kind].format(of=of.split(" ")[0]) if kind in errors else _field_words(_).get(name, name)


def _field_words(_: Translate) -> dict[str, str]:
    """Fields that are often drawn."""
    return {
        "traffic.rate_per_s": _("requests per second"),
        "traffic.concurrency": _("users at once"),
        "traffic.burst_factor": _("height of bursts"),
        "traffic.input_tokens": _("length of prompts"),
        "traffic.output_tokens": _("length of answers"),
        "cloud.all": _("prices of clouds"),
        "purchases.all": _("prices of servers"),
        "site.electricity_usd_per_kwh": _("price of electricity"),
        "site.pue": "PUE",
        "discount_rate": _("discount rate"),
        "horizon_years": _("years of use"),
    }


def sentence(answer: RiskResult, _: Translate) -> str:
    """How sure the best plan is, in one sentence."""
    best = answer.plans[0]
    fleet = best.gpus_total // int(best.title.split(" × ", 1)[0])
    told = _(
        "Plan {rank}, {title}: {cost} a month ({low} to {high} in eight of ten draws); "
        "it keeps the promise in {slo} of the draws"
    )
    parts = told.format(
        rank=best.rank,
        title=fleet_title(best.title, fleet),
        cost=_money(best.usd_per_month.p50),
        low=_money(best.usd_per_month.p10),
        high=_money(best.usd_per_month.p90),
        slo=percent(best.meets_slo, 0),
    )
    if best.meets_budget is not None and best.meets_both is not None:
        more = _(", the budget in {budget}, both in {both}")
        parts += more.format(budget=percent(best.meets_budget, 0), both=percent(best.meets_both, 0))
    return parts + _(".")


def _money(value: float | None) -> str:
    return "–" if value is None else usd(value)


def plan_table(answer: RiskResult, _: Translate) -> TextTable:
    """Plans as bought: 10th, 50th and 90th percentiles, and chances."""
    headings = (
        "#",
        _("Accelerator"),
        _("Supply"),
        _("$1,000/month"),
        _("$/M out"),
        "P99 TTFT, s",
        "P99 TPOT, ms",
        _("Promise"),
        _("Budget"),
    )
    rows = tuple(_plan_row(plan, _) for plan in answer.plans)
    return TextTable(_("Plans as bought: P10 … P50 … P90, and chances"), headings, rows, 3)


def _plan_row(plan: PlanRisk, _: Translate) -> tuple[str, ...]:
    option, provider = plan.supply.split(", ", 1)
    return (
        str(plan.rank),
        f"{plan.gpus_total:,} × {plan.accelerator}",
        bought_text(option, provider, _),
        _three(plan.usd_per_month, 1e-3, ",.1f"),
        _three(plan.usd_per_million_output_tokens, 1, ".2f"),
        _three(plan.ttft_p99_s, 1, ".2f"),
        _three(plan.tpot_p99_s, 1e3, ".0f"),
        percent(plan.meets_slo, 0),
        "" if plan.meets_budget is None else percent(plan.meets_budget, 0),
    )


def _three(spread: Deciles, scale: float, form: str) -> str:
    """Three percentiles; a dash for one that is out of reach."""
    return " … ".join("–" if v is None else f"{v * scale:{form}}" for v in (spread.p10, spread.p50, spread.p90))


def ranking_table(answer: RiskResult, _: Translate) -> TextTable:
    """Plans sized to each draw: expected cost, regret, and which beats which."""
    ranks = [p.rank for p in answer.plans]
    headings = (
        "#",
        _("Replicas P10 … P90"),
        _("Expected $/month"),
        _("Expected regret"),
        _("Regret P90"),
        _("Out of reach"),
        *(_("Beats {rank}").format(rank=rank) for rank in ranks),
    )
    rows = tuple(
        (
            str(plan.rank),
            " … ".join("–" if v is None else f"{v:.0f}" for v in (plan.replicas_needed.p10, plan.replicas_needed.p90)),
            _whole(plan.expected_usd_per_month),
            _whole(plan.expected_regret_usd_per_month),
            _whole(plan.regret_p90_usd_per_month),
            percent(plan.out_of_reach, 0),
            *("" if plan.rank == rank else percent(share, 0) for rank, share in zip(ranks, row, strict=True)),
        )
        for plan, row in zip(answer.plans, answer.beats, strict=True)
    )
    return TextTable(_("Plans sized to each draw"), headings, rows)


def _whole(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def tornado_table(answer: RiskResult, _: Translate) -> TextTable:
    """What each input does alone, and its share of the variance."""
    shares = {one.input: one for one in answer.sensitivities}
    groups = {one.name: one.group or one.name for one in answer.inputs}
    headings = (
        _("Input"),
        _("Low"),
        _("High"),
        _("At low"),
        _("At high"),
        _("Of the variance"),
        _("With interactions"),
    )
    rows = []
    for bar in answer.tornado:
        share = shares.get(groups.get(bar.input, bar.input))
        rows.append(
            (
                input_name(bar.input, _),
                f"{bar.low:,.4g}",
                f"{bar.high:,.4g}",
                spelled(answer.metric, bar.at_low),
                spelled(answer.metric, bar.at_high),
                "" if share is None else percent(max(share.first, 0.0), 0),
                "" if share is None else percent(max(share.total, 0.0), 0),
            )
        )
    title = _("Plan {rank}: {metric}, {value} with every input at mid").format(
        rank=answer.plans[0].rank, metric=metric_words(_)[answer.metric], value=spelled(answer.metric, answer.at_mid)
    )
    return TextTable(title, headings, tuple(rows))


def spelled(metric: str, value: float | None) -> str:
    """An outcome for people; a dash where it is out of reach."""
    if value is None:
        return "–"
    return si(value, "s") if metric.endswith("_s") else usd(value)


def remarks(answer: RiskResult, _: Translate) -> list[str]:
    """How the ranks come out, and how it was drawn."""
    cost, regret = (", ".join(map(str, ranks)) for ranks in (answer.by_expected_cost, answer.by_regret))
    told = [_("By expected cost: {cost}. By expected regret: {regret}.").format(cost=cost, regret=regret)]
    told.append(
        _(
            "{n:,} Sobol draws, seed {seed}, in {s:.2f} s. Out of reach: not even four times the plan's replicas keep "
            "the promise. Costs of plans are compared in draws that all of them can meet; for regret, what was bought "
            "is lost in a draw that it cannot meet, and the best plan comes on top."
        ).format(n=answer.draws, seed=answer.seed, s=answer.draw_s)
    )
    return told


def tornado_finding(answer: RiskResult, _: Translate) -> str:
    """Which input moves the outcome most, and how far."""
    bar = answer.tornado[0]
    named, ends = input_name(bar.input, _), (bar.at_low, bar.at_high)
    name = named[:1].upper() + named[1:]
    if None in ends:
        text = _("{input} matters most: at its {end} end the promise is out of reach")
        return text.format(input=name, end=_("low") if bar.at_low is None else _("high"))
    low, high = (spelled(answer.metric, end) for end in ends)
    if low == high:
        return _("No input alone changes it: {value} at both ends of {input}").format(value=low, input=name)
    return _("{input} matters most: {low} at its low end, {high} at its high end").format(
        input=name, low=low, high=high
    )


def chance_finding(answer: RiskResult, _: Translate) -> str:
    """What a fleet sized to the draw costs, as the chart shows it, and how often the best plan beats the next."""
    best = answer.plans[0]
    reached, most = best.cost_curve[-1] if best.cost_curve else (0.0, None)
    if reached >= 0.9:
        low, high = np.interp([0.1, 0.9], *np.transpose(best.cost_curve)).tolist()
        text = _("Sized to the draw, plan {rank} costs {low} to {high} a month in eight of ten draws")
        text = text.format(rank=best.rank, low=_money(low), high=_money(high))
    else:
        text = _(
            "Sized to the draw, plan {rank} costs up to {most} a month; in {share} of draws it cannot keep the promise"
        )
        text = text.format(rank=best.rank, most=_money(most), share=percent(1 - reached, 0))
    if len(answer.plans) < 2:
        return text
    more = _("; sized to the draw it beats plan {other} in {share}")
    return text + more.format(other=answer.plans[1].rank, share=percent(answer.beats[0][1], 0))


def chance_table(answer: RiskResult, _: Translate) -> TextTable:
    """Costs that are not exceeded, by chance, a column per plan."""
    curves = [dict(plan.cost_curve) for plan in answer.plans]
    chances = sorted({chance for curve in curves for chance in curve})
    headings = (_("chance to cost no more"), *(_("Plan {rank}").format(rank=p.rank) for p in answer.plans))
    rows = tuple(
        (percent(chance, 0), *(_money(curve.get(chance)) for curve in curves)) for chance in chances[::5] or chances
    )
    return TextTable(_("Chance that a fleet sized to the draw costs no more"), headings, rows)
