"""Where the names of lines go in a chart, so that they cross neither lines nor each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Line = NDArray[np.float64]  # shape (n, 2): points from left to right, both axes scaled to 0..1

# Left edge from the line's end in widths of the text, middle in heights of it.
_PLACES = (
    (0.06, 0.0),
    (0.06, 0.6),
    (-0.7, 1.0),
    (0.06, -1.0),
    (-1.05, 0.7),
    (-0.5, 1.4),
    (-0.9, 1.6),
    (0.1, -2.0),
    (0.1, -3.0),
    (0.2, -4.0),
)


class Box(NamedTuple):
    """A text's box in the same scale: left edge, middle height, width, height."""

    left: float
    middle: float
    width: float
    height: float


def place(
    lines: Mapping[str, Line], character: float, height: float, right: float, taken: Sequence[Box] = ()
) -> dict[str, Box]:
    """A box for the name of each line near its right end.

    Parameters
    ----------
    lines : points of each line by its name; x and y scaled to 0..1.
    character, height : size of a character in that scale.
    right : where the space for names ends.
    taken : boxes of other texts.

    Returns
    -------
    dict
        The place in `_PLACES` that is least crowded and near.
    """
    placed: dict[str, Box] = {}
    for name, line in sorted(lines.items(), key=lambda item: -item[1][-1, 1]):
        boxes = [_box(line[-1], place, len(name) * character, height) for place in _PLACES]
        far = [0.8 * abs(up) for _, up in _PLACES]  # a line of text away is almost as bad as covering a point
        crowds = [_crowd(box, list(lines.values()), [*taken, *placed.values()], right) for box in boxes]
        placed[name] = boxes[int(np.argmin(np.add(crowds, far)))]
    return placed


def _box(end: Line, place: tuple[float, float], width: float, height: float) -> Box:
    return Box(float(end[0] + place[0] * width), float(end[1] + place[1] * height), width, height)


def _crowd(box: Box, lines: Sequence[Line], taken: Sequence[Box], right: float) -> float:
    """How many points of lines and names a box covers; outside the chart counts most."""
    outside = box.left < 0 or box.left + box.width > right or not 0 <= box.middle <= 1.03
    names = sum(_overlap(box, other) for other in taken)
    xs = np.linspace(box.left, box.left + box.width, 12)
    points = sum(int((_near(line, xs, box)).sum()) for line in lines)
    return 1000.0 * outside + 100.0 * names + points


def _overlap(one: Box, other: Box) -> bool:
    apart_x = one.left > other.left + other.width or other.left > one.left + one.width
    return not apart_x and abs(one.middle - other.middle) < (one.height + other.height) / 2


def _near(line: Line, xs: Line, box: Box) -> NDArray[np.bool_]:
    """Where a line, present at these x, runs through a box."""
    heights = np.interp(xs, line[:, 0], line[:, 1], left=np.inf, right=np.inf)
    return np.asarray(np.abs(heights - box.middle) < box.height * 0.55)
