"""What fits, as a table, a chart and sentences."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from planner.catalog import Catalog
from planner.report.charts import SCHEMA, Palette, Spec
from planner.schema import Plan
from planner.search.holding import held, longest_context

Translate = Callable[[str], str]
CHART_PX = 320


def contexts(plan: Plan, catalog: Catalog) -> list[int]:
    """Context lengths to look at: powers of two up to what the LLM reads."""
    most = catalog.llms[plan.llm].max_context_tokens or 131_072
    return [2**n for n in range(9, 24) if 2**n <= most] or [most]


def rows(plan: Plan, catalog: Catalog) -> list[dict[str, float]]:
    """Requests at once by context length."""
    lengths = contexts(plan, catalog)
    return [{"context": c, "users": float(u)} for c, u in zip(lengths, held(plan, catalog, lengths), strict=True)]


def finding(plan: Plan, catalog: Catalog, users: float, _: Translate) -> str:
    """The longest context for the load at hand, in a sentence."""
    longest = longest_context(plan, catalog, users)
    if not longest:
        return _("{users} requests at once do not fit at any context.").format(users=f"{users:,.0f}")
    text = _("With {users} requests at once, contexts up to {tokens} tokens fit.")
    return text.format(users=f"{users:,.0f}", tokens=f"{longest:,.0f}")


def chart(found: Sequence[dict[str, float]], users: float, palette: Palette, _: Translate) -> Spec:
    """Requests at once over context length; what lies below the line fits."""
    area = [row for row in found if row["users"] >= 1]
    x = {"field": "context", "type": "quantitative", "scale": {"type": "log", "base": 2}, "title": _("context [token]"),
         "axis": {"format": "~s", "grid": False}}  # fmt: skip
    y = {"field": "users", "type": "quantitative", "scale": {"type": "log"}, "title": _("requests at once"),
         "axis": {"format": "~s"}}  # fmt: skip
    tip = [{"field": "context", "type": "quantitative", "format": ",", "title": _("context [token]")},
           {"field": "users", "type": "quantitative", "format": ",.0f", "title": _("requests at once")}]  # fmt: skip
    line = {"data": {"values": area}, "mark": {"type": "line", "point": True, "color": palette.answer},
            "encoding": {"x": x, "y": y, "tooltip": tip}}  # fmt: skip
    now = {"data": {"values": [{"users": max(users, 1.0), "text": _("load of this plan")}]}}
    rule = {**now, "mark": {"type": "rule", "strokeDash": [4, 4], "color": palette.refused}, "encoding": {"y": y}}
    words = {**now, "mark": {"type": "text", "align": "left", "baseline": "bottom", "x": 4, "color": palette.refused},
             "encoding": {"y": y, "text": {"field": "text"}}}  # fmt: skip
    return {"$schema": SCHEMA, "height": CHART_PX, "layer": [line, rule, words]}
