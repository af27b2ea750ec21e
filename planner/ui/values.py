"""Figures of the catalogs as people read them."""

from __future__ import annotations

import re
from typing import Any

from planner.units import si, value_text

PREFIXED = ("B", "B/s", "FLOP/s", "W", "J")  # units that take prefixes


def with_unit(value: Any, meaning: str) -> str:
    """A figure as people write it where its meaning names a unit that takes prefixes: 7.68e11 B/s as 768 GB/s."""
    unit = unit_of(meaning)
    if unit not in PREFIXED or isinstance(value, bool) or not isinstance(value, int | float):
        return value_text(value)
    return si(value, unit, 4)


def as_entered(value: float, unit: str) -> str:
    """A figure in the unit in which a new one is written, and before it, where prefixes help, as people read it.

    Examples
    --------
    >>> as_entered(4.8e10, "B"), as_entered(350, "USD"), as_entered(0.8, "-")
    ('48 GB (4.8e+10 B)', '350 USD', '0.8')
    """
    plain = f"{value:,.6g}" if unit in ("", "-") else f"{value:,.6g} {unit}"
    readable = si(value, unit, 4) if unit in PREFIXED else plain
    return plain if readable == plain else f"{readable} ({plain})"


def unit_of(meaning: str) -> str:
    """The unit that the description of a field names, such as B/s; empty where it names none."""
    found = re.search(r"\[([^\];]+)", meaning)
    return found[1] if found else ""
