"""Where the replicas of a fleet stand: on demand, or in spot zones that vanish with everything in them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.errors import WorkloadError

FIRM = 0  # the first place is on demand; the others are zones


@dataclass(frozen=True)
class SpotZones:
    """Spot capacity under a fleet.

    Attributes
    ----------
    up : zones with capacity over time, shape (samples, zones)
    sample_s : time between samples [s]
    base : replicas always on demand; those beyond it go to zones with capacity, on demand where there is none [-]
    caught : share of a lost replica's requests that begin anew; the others end within its notice [-]
    """

    up: NDArray[np.bool_]
    sample_s: float
    base: int = 0
    caught: float = 1.0

    def __post_init__(self) -> None:
        if self.up.ndim != 2 or not self.up.size or not self.sample_s > 0:
            raise WorkloadError("spot zones: give one zone and one sample at least, a positive time apart.")
        if self.base < 0 or not 0 <= self.caught <= 1:
            raise WorkloadError(
                "spot zones: base {base}, caught {caught:g}: give 0 or more, and a share.",
                base=self.base,
                caught=self.caught,
            )

    def open(self, at_s: float) -> list[bool]:
        """Which zones have capacity at a time; after the last sample as in it."""
        found: list[bool] = self.up[min(int(at_s / self.sample_s + 1e-9), len(self.up) - 1)].tolist()
        return found


class Places:
    """Ready and starting replicas of a fleet, by place.

    Parameters
    ----------
    first : replicas that are ready at the beginning [-]
    start_s : from the wish for a replica until it serves, wherever [s]
    zones : spot capacity; None: all on demand

    Examples
    --------
    Four wanted, one always on demand; of two zones the first is gone in the second minute:

    >>> zones = SpotZones(np.array([[True, True], [False, True]]), sample_s=60.0, base=1)
    >>> places = Places(4, 30.0, zones)
    >>> places.ready
    [1, 2, 1]
    >>> places.lose(60.0), places.resize(4, 60.0), places.ready, places.starting
    (2, 0, [1, 0, 1], 2)
    """

    def __init__(self, first: int, start_s: float, zones: SpotZones | None = None) -> None:
        self._start_s, self._zones = 0.0, zones
        count = 1 + (zones.up.shape[1] if zones else 0)
        self.ready = [0] * count
        self._coming: list[deque[float]] = [deque() for _ in range(count)]
        self._open = [True] * (count - 1)
        self.lose(0.0)
        self.resize(first, 0.0)
        self.arrive(0.0)
        self._start_s = start_s

    @property
    def up(self) -> int:
        """Replicas that are ready. [-]"""
        return sum(self.ready)

    @property
    def starting(self) -> int:
        """Replicas that will be. [-]"""
        return sum(map(len, self._coming))

    @property
    def on_spot(self) -> int:
        """Replicas in zones, ready or starting. [-]"""
        return sum(self.ready[1:]) + sum(map(len, self._coming[1:]))

    def arrive(self, now: float) -> None:
        """What was to be ready by now is ready."""
        for place, coming in enumerate(self._coming):
            while coming and coming[0] <= now + 1e-9:
                coming.popleft()
                self.ready[place] += 1

    def lose(self, now: float) -> int:
        """Empty the zones without capacity; returns how many ready replicas that were."""
        if self._zones is None:
            return 0
        self._open = self._zones.open(now)
        lost = 0
        for place, there in enumerate(self._open, 1):
            if not there:
                lost += self.ready[place]
                self.ready[place] = 0
                self._coming[place].clear()
        return lost

    def fail(self, count: int) -> None:
        """So many ready replicas stop, where most are."""
        for _ in range(count):
            self.ready[self.ready.index(max(self.ready))] -= 1

    def resize(self, wish: int, now: float) -> int:
        """Start or take away replicas until so many are ready or starting; returns how many ready ones go.

        What a zone shall take over from a replica on demand is started there first: only when it is ready does
        the other one go.
        """
        if self._zones is None:
            return self._fit(FIRM, wish, wish, now)
        base = min(self._zones.base, wish)
        wanted = wish - base
        retired = self._spread(wanted, now)
        least = max(wanted - self.on_spot, 0)
        return retired + self._fit(FIRM, base + least, base + max(wanted - sum(self.ready[1:]), 0), now)

    def _spread(self, wanted: int, now: float) -> int:
        """Spot replicas over the zones with capacity, the emptiest first; those too many leave the fullest."""
        zones = [place for place, there in enumerate(self._open, 1) if there]
        retired = 0
        for _ in range(self.on_spot - wanted):
            fullest = max(zones, key=self._held)
            retired += self._fit(fullest, 0, self._held(fullest) - 1, now)
        for _ in range(wanted - self.on_spot if zones else 0):
            emptiest = min(zones, key=self._held)
            self._fit(emptiest, self._held(emptiest) + 1, self._held(emptiest) + 1, now)
        return retired

    def _held(self, place: int) -> int:
        return self.ready[place] + len(self._coming[place])

    def _fit(self, place: int, least: int, most: int, now: float) -> int:
        """Between so many in one place; of those that go, the newest has cost least."""
        retired = 0
        while self._held(place) < least:
            self._coming[place].append(now + self._start_s)
        while self._held(place) > most:
            if self._coming[place]:
                self._coming[place].pop()
            else:
                self.ready[place] -= 1
                retired += 1
        return retired
