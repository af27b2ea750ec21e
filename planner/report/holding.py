"""What fits, as a table, a chart and sentences."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from planner.catalog import Catalog
from planner.report.charts import binary_axis
from planner.report.drawing import Palette, Spec, beside, haloed, layer, quantity, tip
from planner.report.drawing import chart as framed
from planner.schema import Plan, Workload
from planner.search.holding import held, kept, longest_context

Translate = Callable[[str], str]
Row = dict[str, float]
CHART_PX = 320
STEPS = 4  # contexts in an octave: where the promise ends, it ends steeply


def contexts(plan: Plan, catalog: Catalog) -> list[int]:
    """Context lengths to look at: quarters of an octave from 512 to what the LLM reads."""
    most = catalog.llms[plan.llm].max_context_tokens or 131_072
    found = [round(2 ** (n / STEPS)) for n in range(9 * STEPS, 24 * STEPS)]
    return [context for context in found if context <= most] or [most]


def rows(plan: Plan, workload: Workload, catalog: Catalog) -> list[Row]:
    """Requests at once by context length: what memory holds, and of that what the promise allows."""
    lengths = contexts(plan, catalog)
    pairs = zip(lengths, held(plan, catalog, lengths), kept(workload, catalog, plan, lengths), strict=True)
    return [{"context": c, "users": float(u), "kept": float(k)} for c, u, k in pairs]


def finding(plan: Plan, catalog: Catalog, users: float, _: Translate) -> str:
    """The longest context for the load at hand, in a sentence."""
    longest = longest_context(plan, catalog, users)
    one = f"{users:,.0f}" == "1"
    if not longest:
        text = (
            _("1 request does not fit at any context.")
            if one
            else _("{users} requests at once do not fit at any context.")
        )
        return text.format(users=f"{users:,.0f}")
    text = _("With {users} requests at once, contexts up to {tokens} tokens fit.")
    if one:
        text = _("With 1 request at once, contexts up to {tokens} tokens fit.")
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
    powers = {"type": "log", "base": 2, "nice": False}
    octaves = [length for length in lengths if math.log2(length).is_integer()]
    x = quantity("context", _("context [token]"), scale=powers, axis=binary_axis(octaves, grid=False))
    counts = {"type": "log", "domain": [1, most], "nice": False}
    axis = {"format": ",~r", "tickCount": 5, "grid": False}
    y = quantity("users", _("requests at once"), scale=counts, axis=axis)
    fits = [{**row, "zone": _("fits in memory")} for row in area]
    promise = [
        {**row, "users": row["kept"], "zone": _("keeps the promise, by closed forms")}
        for row in area
        if row["kept"] >= 1
    ]
    here = [{"context": context, "users": max(users, 1.0), "text": _("load of this plan")}]
    layers = [
        _zone(fits, palette.parts[3], x, y, _),
        _zone(promise, palette.parts[2], x, y, _),
        *_name(promise[:1], x, beside(True, 6, y={"expr": "height - 10"}, color=palette.lines[4]), palette),
        *_name(fits[-1:], x, beside(False, 6, y={"expr": "height - 30"}, color=palette.lines[4]), palette),
        *_load(here, x, y, context < math.sqrt(lengths[0] * lengths[-1]) if area else True, palette),
    ]
    return framed(palette, CHART_PX, layer=layers)


def _zone(rows: Sequence[dict[str, object]], colour: str, x: Spec, y: Spec, _: Translate) -> Spec:
    tips = [
        tip("zone", _("Zone")),
        tip("context", _("context [token]"), ","),
        tip("users", _("requests at once"), ",.0f"),
    ]
    mark = {"type": "area", "color": colour, "opacity": 0.55, "line": {"color": colour},
            "point": {"color": colour, "opacity": 0, "size": 90}}  # fmt: skip
    return layer(rows, mark, {"x": x, "y": y, "y2": {"datum": 1}, "tooltip": tips})


def _name(at: Sequence[dict[str, object]], x: Spec, mark: Spec, palette: Palette) -> list[Spec]:
    """The name of a zone at its foot; on a phone two names want the same width, so each has a line of its own."""
    return haloed(at, {**mark, "fontWeight": 600}, {"x": x, "text": {"field": "zone"}}, palette)


def _load(here: Sequence[dict[str, object]], x: Spec, y: Spec, right: bool, palette: Palette) -> list[Spec]:
    """The point of the plan, named on the side where there is room."""
    dot = {"type": "point", "filled": True, "size": 130, "opacity": 1, "color": palette.answer}
    name = beside(right, 10, fontWeight=600, color=palette.answer)
    words = {"x": x, "y": y, "text": {"field": "text"}}
    return [layer(here, dot, {"x": x, "y": y}), *haloed(here, name, words, palette)]
