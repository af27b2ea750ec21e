"""What the size of a plan rests on, in words."""

from __future__ import annotations

from planner.report.numbers import span
from planner.report.simulated import router_words
from planner.report.tables import Translate
from planner.schema import Plan, Sizing
from planner.schema.sizing import MOST_MARGIN
from planner.units import si


def sizing_sentence(plan: Plan, _: Translate) -> str:
    """Trace, requests, spread and margin; or that nobody simulated this plan."""
    sizing = plan.sizing
    if sizing is None:
        return _("Sized by closed forms, not confirmed by simulation: bursts may break its promise.")
    text = _(
        "Sized on {source}: {n:,} requests simulated, whose P99 TTFT over parts of the time is {ttft} and P99 TPOT "
        "{tpot}. It holds {margin} the asked load; a plan must hold {least:.3g} ×."
    )
    parts = [
        text.format(
            source=_source(sizing, _),
            n=sizing.requests,
            ttft=_span(sizing.spread.ttft_p99_s),
            tpot=_span(sizing.spread.tpot_p99_s),
            margin=_margin(sizing, _),
            least=1 / sizing.headroom,
        )
    ]
    if sizing.router != "round-robin":
        parts.append(_("Router: {router}.").format(router=router_words(_)[sizing.router]))
    if sizing.replicas != sizing.replicas_screened:
        more = _("Closed forms had said {n}.")
        parts.append(more.format(n=sizing.replicas_screened))
    if sizing.left_out:
        parts.append(_("{share} of the requests exceed the context and were left out.").format(share=_share(sizing)))
    return " ".join(parts)


def _source(sizing: Sizing, _: Translate) -> str:
    texts = {
        "trace": _("the trace {name} at the asked rate, with lengths {lengths}"),
        "mmpp": _("arrivals as bursty as the trace {name}, with lengths {lengths}"),
        "poisson": _("Poisson arrivals, which recorded traffic exceeds, with lengths {lengths}"),
        "users": _("users who send when answered, with lengths of the trace {name} {lengths}"),
    }
    words = {"recorded": _("as recorded"), "scaled": _("scaled to those asked")}
    lengths = words.get(sizing.lengths) or _("of {source}").format(source=sizing.lengths)
    return texts[sizing.arrivals].format(name=sizing.trace, lengths=lengths)


def _span(range_s: tuple[float, float] | None) -> str:
    return "–" if range_s is None else span(si(range_s[0], "s"), si(range_s[1], "s"))


def _margin(sizing: Sizing, _: Translate) -> str:
    text = _("more than {times:.2g} ×") if sizing.margin >= MOST_MARGIN else _("{times:.3g} ×")
    return text.format(times=sizing.margin)


def _share(sizing: Sizing) -> str:
    return f"{sizing.left_out * 100:.2g} %"  # one in ten thousand is not none
