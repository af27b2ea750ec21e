"""Text for cells of spreadsheets that others open: nothing in it may run."""

from __future__ import annotations

import re

_STARTS = ("=", "+", "-", "@")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")  # no XML and no terminal wants these


class Formula(str):
    """A formula of our own; the only text that a spreadsheet may evaluate."""

    __slots__ = ()


def plain_text(text: str) -> str:
    """Text that a spreadsheet shows and does not evaluate (OWASP, "CSV Injection").

    Examples
    --------
    >>> plain_text("=HYPERLINK(1)"), plain_text("\\t-2+3"), plain_text("H200 - 8 GPUs")
    ("'=HYPERLINK(1)", "'-2+3", 'H200 - 8 GPUs')
    """
    clean = _CONTROL.sub("", re.sub(r"[\t\r\n]+", " ", text)).strip()
    return f"'{clean}" if clean.startswith(_STARTS) else clean
