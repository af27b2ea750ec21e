"""Units at the edges of the program: inside, everything is SI."""

from __future__ import annotations

import math
from typing import Any

GB = 1e9
GIB = 2**30
MIB = 2**20
GBIT = 1e9 / 8
HOURS_PER_YEAR = 8766.0  # 365.25 days
HOURS_PER_MONTH = HOURS_PER_YEAR / 12
SECONDS_PER_HOUR = 3600.0
SECONDS_PER_MONTH = HOURS_PER_MONTH * SECONDS_PER_HOUR

_PREFIXES = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))


def si(value: float, unit: str, digits: int = 3) -> str:
    """Spell a quantity with an SI prefix and sensible digits.

    Examples
    --------
    >>> si(4.8e12, "B/s"), si(0.0312, "s"), si(671e9, "B")
    ('4.8 TB/s', '31.2 ms', '671 GB')
    """
    if value == 0:
        return f"0 {unit}"
    if unit == "s" and abs(value) < 1:
        return f"{_digits(value * 1e3, digits)} ms"
    for scale, prefix in _PREFIXES:
        if abs(value) >= scale:
            return f"{_digits(value / scale, digits)} {prefix}{unit}"
    return f"{_digits(value, digits)} {unit}"


def usd(value: float) -> str:
    """Spell an amount of money: cents below 100 USD, whole dollars with thousands above.

    Examples
    --------
    >>> usd(2.345), usd(48210.4)
    ('$2.35', '$48,210')
    """
    return f"${value:,.2f}" if abs(value) < 100 else f"${value:,.0f}"


def percent(fraction: float, digits: int = 1) -> str:
    """Spell a fraction as a percentage.

    Examples
    --------
    >>> percent(0.9991, 2)
    '99.91 %'
    """
    return f"{fraction * 100:.{digits}f} %"


def _digits(value: float, digits: int) -> str:
    text = f"{value:.{digits}g}"
    return f"{float(text):,.0f}" if "e" in text else text


def floored(share: float, digits: int = 2) -> str:
    """Share in percent with every nine that it has, never rounded up: only a machine that cannot fail shows 100 %.

    Examples
    --------
    >>> floored(0.99984), floored(0.999984), floored(0.9999995)
    ('99.98 %', '99.99 %', '99.9999 %')
    """
    digits = max(digits, _nines(share) - 2)
    scale = 10**digits
    return f"{math.floor(share * 100 * scale + 1e-6) / scale:.{digits}f} %"


def promised(share: float) -> str:
    """Promised share in percent, with every digit that was asked for.

    Examples
    --------
    >>> promised(0.999), promised(0.99995), promised(0.999999)
    ('99.90 %', '99.995 %', '99.9999 %')
    """
    return f"{share * 100:.{places(share)}f} %"


def places(share: float) -> int:
    """Digits after the point that a share in percent needs, two at least."""
    return max(2, len(f"{share * 100:.8f}".rstrip("0").partition(".")[2]))


def _nines(share: float) -> int:
    return math.floor(-math.log10(max(1 - share, 1e-9)) + 1e-6) if share < 1 else 0


def value_text(value: Any) -> str:
    """A catalog's value as a table shows it: numbers in six digits, the parts of a table or list with commas.

    Examples
    --------
    >>> value_text(3.35e12), value_text({"fp8": 1979e12}), value_text(("a", "b")), value_text(True)
    ('3.35e+12', 'fp8 1.979e+15', 'a, b', 'True')
    """
    if isinstance(value, float | int) and not isinstance(value, bool):
        return f"{value:,.6g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {value_text(one)}" for key, one in value.items())
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
