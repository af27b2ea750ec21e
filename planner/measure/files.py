"""The document as text: one measurement a line. Written beside, then renamed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from planner.errors import OutputError


def text(document: dict[str, Any]) -> str:
    """JSON with each row of a table on its own line.

    Examples
    --------
    >>> print(text({"schema": "x/1", "reads": [{"moved_bytes": 1}, {"moved_bytes": 2}]}), end="")
    {
    "schema": "x/1",
    "reads": [
    {"moved_bytes": 1},
    {"moved_bytes": 2}
    ]
    }
    """
    return "{\n" + ",\n".join(f"{json.dumps(key)}: {_value(value)}" for key, value in document.items()) + "\n}\n"


def _value(value: Any) -> str:
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(json.dumps(row) for row in value) + "\n]"
    return json.dumps(value)


def check(out: Path, replace: bool) -> None:
    """Refuse a place that cannot take the result, before a minute of measuring is lost.

    Raises
    ------
    OutputError
    """
    if out.is_dir():
        raise OutputError("{out} is a folder.\n  Name a file with --out.", out=out)
    if out.exists() and not replace:
        raise OutputError("{out} exists.\n  Name another file with --out, or give --force.", out=out)
    if not out.absolute().parent.is_dir():
        raise OutputError("cannot write {out}: {parent} is not a folder.", out=out, parent=out.parent)


def write(document: dict[str, Any], out: Path) -> None:
    """Write the document, whole or not at all.

    Raises
    ------
    OutputError
    """
    beside = out.with_name(f".{out.name}.new")
    try:
        beside.write_text(text(document), encoding="utf-8")
        beside.replace(out)
    except OSError as error:
        raise OutputError("cannot write {path}: {reason}.", path=out, reason=error) from None
    finally:
        beside.unlink(missing_ok=True)
