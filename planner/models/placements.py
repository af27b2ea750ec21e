"""Placements of many layouts at once: some of them, or with an axis more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.models.collectives import Links
from planner.models.operators import COLUMNS, Placement

Array = NDArray[np.float64]


def as_columns(place: Placement) -> Placement:
    """The placement with a trailing axis, to broadcast against batches."""
    return _map(place, lambda column: column[:, None])


def take(place: Placement, rows: NDArray[Any]) -> Placement:
    """The placement of some candidates."""
    return _map(place, lambda column: column[rows])


def _map(place: Placement, change: Callable[[Array], Array]) -> Placement:
    links = Links(**{f.name: change(getattr(place.links, f.name)) for f in fields(Links)})
    columns = {name: change(getattr(place, name)) for name in COLUMNS}
    return replace(place, links=links, **columns)  # type: ignore[arg-type]
