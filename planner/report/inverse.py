"""What a turned question found, in sentences."""

from __future__ import annotations

from planner.catalog import Catalog
from planner.report.findings import plan_name, ranks_text
from planner.report.tables import Translate
from planner.schema.inverse import Inverse, Turned
from planner.search.holding import longest_context
from planner.units import si, usd


def question_words(_: Translate) -> dict[Turned, str]:
    """The four questions, as their buttons say them."""
    return {
        "context": _("Longest prompt that fits"),
        "load": _("Most users in a budget"),
        "power": _("GPUs in a power limit"),
        "speed": _("Fastest in a budget"),
    }


def sentence(found: Inverse, catalog: Catalog, _: Translate) -> str:
    """The answer: what is possible, with what, beside what was asked."""
    told = {"context": _context, "load": _load, "power": _power, "speed": _speed}[found.asked]
    return told(found, catalog, _)


def ends(found: Inverse, _: Translate) -> str:
    """Why not more."""
    words = {
        "spend": {
            "context": _("Longer prompts take more accelerators."),
            "load": _("More load costs more than the budget."),
            "power": _("More load takes accelerators that draw more."),
            "speed": _("Faster answers cost more than the budget."),
        }[found.asked],
        "promise": _("Beyond it nothing keeps the promise, whatever one spends."),
        "llm": _("The LLM reads no more."),
        "search": _("The search looks no further than this: more may be possible."),
    }
    plan = found.plan
    sizing = plan.sizing
    text = _("{why} Confirmed by simulation of {n:,} requests: P99 TTFT {ttft}, P99 TPOT {tpot}.")
    told = text.format(
        why=words[found.limit],
        n=sizing.requests if sizing else 0,
        ttft=si(plan.slo.ttft_p99_s, "s"),
        tpot=si(plan.slo.tpot_p99_s, "s"),
    )
    if sizing is None:
        return told
    margin = _("As every plan it must hold {least:.3g} × its load, so that at the edge some stays in hand.")
    return f"{told} {margin.format(least=1 / sizing.headroom)}"


def _context(found: Inverse, catalog: Catalog, _: Translate) -> str:
    users = found.plan.serving.running_sequences * found.plan.replicas
    text = _(
        "{plan} keep the promise with prompts of up to {n:,.0f} tokens on average (asked: {before:,.0f}); for as many "
        "requests at once, memory alone would hold contexts of {room:,.0f}."
    )
    return text.format(
        plan=plan_name(found.plan),
        n=found.value,
        before=found.before,
        room=longest_context(found.plan, catalog, users),
    )


def _load(found: Inverse, catalog: Catalog, _: Translate) -> str:
    text = _("{budget} a month serve up to {load} (asked: {before}), with {plan}, {layout}, for {cost}.")
    return text.format(budget=usd(found.within or 0.0), cost=usd(found.plan.cost.usd_per_month), **_parts(found, _))


def _power(found: Inverse, catalog: Catalog, _: Translate) -> str:
    text = _(
        "{watts} feed {gpus} GPUs: {plan}, {layout}, take {needs} with every board at its limit and serve up to {load} "
        "(asked: {before}), for {cost} a month."
    )
    return text.format(
        watts=si(found.within or 0.0, "W"),
        gpus=found.plan.gpus_total,
        needs=si(found.provisioned_w or 0.0, "W"),
        cost=usd(found.plan.cost.usd_per_month),
        **_parts(found, _),
    )


def _speed(found: Inverse, catalog: Catalog, _: Translate) -> str:
    text = _(
        "{budget} a month buy a promise of {tpot} per token at the 99th percentile (asked: {before}), with {plan}, "
        "{layout}, for {cost}."
    )
    return text.format(
        budget=usd(found.within or 0.0),
        tpot=si(found.value, "s"),
        before=si(found.before, "s"),
        plan=plan_name(found.plan),
        layout=ranks_text(found.plan),
        cost=usd(found.plan.cost.usd_per_month),
    )


def _parts(found: Inverse, _: Translate) -> dict[str, str]:
    return {
        "plan": plan_name(found.plan),
        "layout": ranks_text(found.plan),
        "load": _loaded(found, found.value, _),
        "before": _load_text(found, found.before, _),
    }


def _load_text(found: Inverse, value: float, _: Translate) -> str:
    if found.field == "traffic.concurrency":
        return _("{n:,.0f} users at once").format(n=value)
    return _("{n} requests/s").format(n=f"{value:,.0f}" if value >= 100 else f"{value:.3g}")


def _loaded(found: Inverse, value: float, _: Translate) -> str:
    """The load, and where it is a rate, how many requests are then in service at once."""
    told = _load_text(found, value, _)
    if found.field == "traffic.concurrency":
        return told
    users = found.plan.serving.running_sequences * found.plan.replicas
    return _("{load}, about {n:,.0f} users waiting at once").format(load=told, n=users)
