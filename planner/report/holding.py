"""What fits, as a table, a chart and sentences."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from planner.catalog import Catalog
from planner.report.charts import SCHEMA, TEXT_PX, Palette, Spec, binary_axis
from planner.schema import Plan, Workload
from planner.search.holding import held, kept, longest_context

Translate = Callable[[str], str]
Row = dict[str, float]
CHART_PX = 320


def contexts(plan: Plan, catalog: Catalog) -> list[int]:
    """Context lengths to look at: powers of two up to what the LLM reads."""
    most = catalog.llms[plan.llm].max_context_tokens or 131_072
    return [2**n for n in range(9, 24) if 2**n <= most] or [most]


def rows(plan: Plan, workload: Workload, catalog: Catalog) -> list[Row]:
    """Requests at once by context length: what memory holds, and of that what the promise allows."""
    lengths = contexts(plan, catalog)
    pairs = zip(lengths, held(plan, catalog, lengths), kept(workload, catalog, plan, lengths), strict=True)
    return [{"context": c, "users": float(u), "kept": float(k)} for c, u, k in pairs]


def finding(plan: Plan, catalog: Catalog, users: float, _: Translate) -> str:
    """The longest context for the load at hand, in a sentence."""
    longest = longest_context(plan, catalog, users)
    if not longest:
        return _("{users} requests at once do not fit at any context.").format(users=f"{users:,.0f}")
    text = _("With {users} requests at once, contexts up to {tokens} tokens fit.")
    return text.format(users=f"{users:,.0f}", tokens=f"{longest:,.0f}")


def chart(found: Sequence[Row], context: float, users: float, palette: Palette, _: Translate) -> Spec:
    """Map of contexts and requests at once: what keeps the promise, what only fits, and what does not.

    Parameters
    ----------
    context, users : the load of the plan [token], [-]
    """
    area = [row for row in found if row["users"] >= 1]
    lengths = [row["context"] for row in area]
    most = max([users, *(row["users"] for row in area)]) * 1.6
    x = {"field": "context", "type": "quantitative", "scale": {"type": "log", "base": 2, "nice": False},
         "title": _("context [token]"), "axis": binary_axis(lengths, grid=False)}  # fmt: skip
    y = {"field": "users", "type": "quantitative", "scale": {"type": "log", "domain": [1, most], "nice": False},
         "title": _("requests at once"), "axis": {"format": ",~r", "tickCount": 5, "grid": False}}  # fmt: skip
    fits = [{**row, "zone": _("fits in memory")} for row in area]
    promise = [{**row, "users": row["kept"], "zone": _("keeps the promise")} for row in area if row["kept"] >= 1]
    here = [{"context": context, "users": max(users, 1.0), "text": _("load of this plan")}]
    return {
        "$schema": SCHEMA,
        "height": CHART_PX,
        "layer": [
            _zone(fits, palette.parts[3], x, y, _),
            _zone(promise, palette.parts[2], x, y, _),
            _name(fits, x, y, palette, "right"),
            _name(promise, x, y, palette, "left"),
            {"data": {"values": here}, "encoding": {"x": x, "y": y},
             "layer": [
                 {"mark": {"type": "point", "filled": True, "size": 130, "opacity": 1, "color": palette.answer}},
                 {"mark": {"type": "text", "align": "left", "dx": 9, "dy": 13, "color": palette.answer,
                           "fontWeight": 600, "fontSize": TEXT_PX}, "encoding": {"text": {"field": "text"}}},
             ]},
        ],
    }  # fmt: skip


def _zone(rows: Sequence[dict[str, object]], colour: str, x: Spec, y: Spec, _: Translate) -> Spec:
    tips = [
        {"field": "zone", "title": _("Zone")},
        {"field": "context", "type": "quantitative", "format": ",", "title": _("context [token]")},
        {"field": "users", "type": "quantitative", "format": ",.0f", "title": _("requests at once")},
    ]
    mark = {"type": "area", "color": colour, "opacity": 0.55, "line": {"color": colour}, "point": {"color": colour}}
    return {"data": {"values": rows}, "mark": mark, "encoding": {"x": x, "y": y, "y2": {"datum": 1}, "tooltip": tips}}


def _name(rows: Sequence[dict[str, object]], x: Spec, y: Spec, palette: Palette, side: str) -> Spec:
    """The name of a zone inside it, near its edge: at its right or its left end."""
    at = rows[-2 if side == "right" and len(rows) > 1 else 0 : None][:1]
    ink = {"type": "text", "align": side, "dx": -6 if side == "right" else 8, "dy": 14, "fontSize": TEXT_PX,
           "fontWeight": 600, "color": palette.lines[4]}  # fmt: skip
    return {"data": {"values": list(at)}, "mark": ink, "encoding": {"x": x, "y": y, "text": {"field": "zone"}}}
