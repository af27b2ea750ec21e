"""Stated figures with their units, in SI and back."""

from __future__ import annotations

from planner.errors import Message, WorkloadError
from planner.units import GBIT, GIB

# Unit as texts write it: factor to SI, and what it measures.
UNITS: dict[str, tuple[float, str]] = {
    "": (1.0, "count"),
    "x": (1.0, "count"),
    "%": (0.01, "count"),
    "B": (1.0, "B"), "MB": (1e6, "B"), "GB": (1e9, "B"), "TB": (1e12, "B"), "GiB": (GIB, "B"), "TiB": (1024 * GIB, "B"),
    "MB/s": (1e6, "B/s"), "GB/s": (1e9, "B/s"), "TB/s": (1e12, "B/s"),
    "Gbit/s": (GBIT, "B/s"), "Tbit/s": (1e3 * GBIT, "B/s"),
    "TFLOPS": (1e12, "FLOP/s"), "PFLOPS": (1e15, "FLOP/s"), "TFLOP/s": (1e12, "FLOP/s"), "TOPS": (1e12, "FLOP/s"),
    "W": (1.0, "W"), "kW": (1e3, "W"), "MW": (1e6, "W"),
    "ms": (1e-3, "s"), "s": (1.0, "s"), "min": (60.0, "s"), "h": (3600.0, "s"),
    "token/s": (1.0, "token/s"), "tokens/s": (1.0, "token/s"),
    "token/s/W": (1.0, "token/s/W"), "token/J": (1.0, "token/s/W"),
    "J/token": (1.0, "J/token"), "Wh/token": (3600.0, "J/token"), "kWh": (3.6e6, "J"), "J": (1.0, "J"),
    "token": (1.0, "token"), "MT/s": (1e6, "1/s"), "1/s": (1.0, "1/s"), "USD": (1.0, "USD"),
}  # fmt: skip

# What a catalog field measures, by how its name ends.
_FIELDS = (
    ("flops_per_s", "FLOP/s"), ("bytes_per_s", "B/s"), ("transfers_per_s", "1/s"), ("_per_s", "1/s"),
    ("_bytes", "B"), ("_w", "W"), ("_s", "s"), ("_usd", "USD"),
)  # fmt: skip


def to_si(value: float, unit: str) -> float:
    """A figure in SI.

    Raises
    ------
    WorkloadError
        For a unit that is not known.

    Examples
    --------
    >>> to_si(1.5, "TB/s"), to_si(400, "Gbit/s"), to_si(44, "%")
    (1500000000000.0, 50000000000.0, 0.44)
    """
    if unit not in UNITS:
        raise WorkloadError(
            "unit {unit!r} is not known. Known: {known}.", unit=unit[:20], known=", ".join(filter(None, UNITS))
        )
    return value * UNITS[unit][0]


def stated_in(value: float, unit: str, what: str) -> float:
    """A stated figure in SI, if its unit measures what the claim is about.

    Raises
    ------
    WorkloadError
        For a unit that is not known, or measures something else.

    Examples
    --------
    >>> stated_in(500, "ms", "s")
    0.5
    """
    if measures(unit) != what:
        fitting = ", ".join(name for name, (_factor, of) in UNITS.items() if name and of == what)
        raise WorkloadError(
            "unit {unit} does not measure this. Give one of: {fitting}.",
            unit=repr(unit) if unit else Message("of a count"),
            fitting=fitting,
        )
    return to_si(value, unit)


def measures(unit: str) -> str:
    """What a unit measures: `B/s`, `W`, `count`, ..."""
    to_si(1.0, unit)
    return UNITS[unit][1]


def of_field(field: str) -> str:
    """What a catalog field measures, from its name.

    Examples
    --------
    >>> of_field("bandwidth_bytes_per_s"), of_field("peak_flops_per_s.tf32"), of_field("cores")
    ('B/s', 'FLOP/s', 'count')
    """
    name = field.partition(".")[0]
    return next((what for ending, what in _FIELDS if name.endswith(ending)), "count")


def written(value: float, unit: str, digits: int = 4) -> str:
    """An SI figure in the unit of the text.

    Examples
    --------
    >>> written(1.935e12, "TB/s"), written(0.444, "%", 2), written(64.0, ""), written(2.5, "x")
    ('1.935 TB/s', '44 %', '64', '2.5 ×')
    """
    number = value / UNITS[unit][0]
    text = f"{number:,.0f}" if abs(number) >= 10**digits or number == int(number) else f"{number:.{digits}g}"
    return f"{text} {'×' if unit == 'x' else unit}".strip()


def close(a: float, b: float, tolerance: float) -> bool:
    """Do two figures agree within a relative difference of the second?"""
    return abs(a - b) <= tolerance * abs(b) + 1e-12
