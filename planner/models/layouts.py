"""Many layouts at once, as dataclasses of columns: some of them, or with an axis more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Column = NDArray[Any]
T = TypeVar("T")


def take(layouts: T, rows: NDArray[Any]) -> T:
    """Some of the layouts of a dataclass of columns; what is no column holds for all of them."""
    return _map(layouts, lambda column: column[rows])


def as_columns(layouts: T) -> T:
    """The layouts with a trailing axis, to broadcast against batches."""
    return _map(layouts, lambda column: column[:, None])


def _map(layouts: T, change: Callable[[Column], Column]) -> T:
    changed = dict[str, Any]()
    for field in fields(layouts):  # type: ignore[arg-type]
        value = getattr(layouts, field.name)
        if isinstance(value, np.ndarray) and value.ndim:
            changed[field.name] = change(value)
        elif is_dataclass(value) and (inside := _map(value, change)) is not value:
            changed[field.name] = inside
    return replace(layouts, **changed) if changed else layouts  # type: ignore[type-var]
