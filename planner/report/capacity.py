"""Largest rates of plans as a table."""

from __future__ import annotations

from planner.report.tables import TextTable, Translate
from planner.schema import Capacity, PlanCapacity


def capacity_table(found: Capacity, _: Translate) -> TextTable:
    """One row per plan and trace."""
    headings = (
        "#",
        _("Plan"),
        _("Trace"),
        _("1/s per replica"),
        _("lowest"),
        _("highest"),
        _("Poisson"),
        _("breaks first"),
        _("Replicas"),
        _("planned"),
    )
    title = _("Largest rate of one replica within the promise, over {n} draws of each trace").format(n=found.seeds)
    return TextTable(title, headings, tuple(_row(one) for one in found.plans), 3)


def _row(one: PlanCapacity) -> tuple[str, ...]:
    rate = one.rate_per_s
    return (
        str(one.rank),
        one.title,
        one.trace,
        f"{rate.median:.3g}",
        f"{rate.low:.3g}",
        f"{rate.high:.3g}",
        "–" if one.poisson_ratio is None else f"×{one.poisson_ratio:.2f}",
        one.limit.upper(),
        "–" if one.replicas is None else str(one.replicas),
        str(one.replicas_planned),
    )
