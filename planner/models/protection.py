"""What meets in a surge: a fleet, its clients, and what protects it; `planner.models.surge` lets them run."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from planner.errors import WorkloadError

Array = NDArray[np.float64]
Outcome = Literal["served", "degraded", "failed"]
OUTCOMES: tuple[Outcome, ...] = ("served", "degraded", "failed")


@dataclass(frozen=True)
class Pool:
    """What serves requests: they share it, and the more are inside, the longer each one takes.

    Attributes
    ----------
    inside : requests in service, increasing from 0 [-]
    each_s : time of a request in service at a steady number of them [s]
    first_share : of its work, what comes before its first token [-]
    places : requests in service at once, at most [-]
    """

    inside: tuple[float, ...]
    each_s: tuple[float, ...]
    first_share: float
    places: int

    def __post_init__(self) -> None:
        rising = len(self.inside) == len(self.each_s) > 0 and (np.diff(self.inside) > 0).all()
        if not rising or min(self.each_s) <= 0 or self.places < 1 or not 0 <= self.first_share <= 1:
            raise WorkloadError(
                "a pool of {places} places: give 1 at least, times above 0 for increasing numbers "
                "inside, and a share of 0 to 1 before the first token.",
                places=self.places,
            )

    @classmethod
    def plain(cls, places: int, service_s: float, first_s: float) -> Pool:
        """Places that do not slow one another."""
        return cls((0.0,), (service_s,), first_s / service_s if service_s else 1.0, places)

    def speeds(self) -> list[float]:
        """Share of its work that each of 0, 1, …, `places` requests does in a second. [1/s]"""
        each_s = np.interp(np.arange(self.places + 1), self.inside, self.each_s)
        return [1 / seconds for seconds in each_s.tolist()]


@dataclass(frozen=True)
class Clients:
    """Who sends.

    Attributes
    ----------
    timeout_s : without a first token for so long, a client gives an attempt up [s]
    retries : attempts after the first [-]
    backoff_s : mean pause before the first retry; doubles with each, and is drawn from 0.5 to 1.5 of it [s]
    """

    timeout_s: float
    retries: int = 0
    backoff_s: float = 1.0


@dataclass(frozen=True)
class Breaker:
    """A circuit breaker with a degraded backup, such as a smaller model; what the limits refuse goes there, too.

    Attributes
    ----------
    slow_s : a first token later than this is slow [s]
    slow_rest_s : more time than this from there to the last token is slow, too [s]
    after : slow responses in a row, attempts given up included, that open it [-]
    open_s : all goes to the backup for so long, then one request tries the fleet [s]
    backup : what answers meanwhile
    """

    slow_s: float
    backup: Pool
    slow_rest_s: float = inf
    after: int = 5
    open_s: float = 30.0


@dataclass(frozen=True)
class Protection:
    """What the service does about a surge.

    Attributes
    ----------
    inside_limit : requests in service at once; None: as many as there are places [-]
    line_limit : requests that may wait; more are refused at once; None: no limit [-]
    cancels : work on an attempt stops when its client gives it up
    breaker : None: none
    """

    inside_limit: int | None = None
    line_limit: int | None = None
    cancels: bool = False
    breaker: Breaker | None = None


@dataclass(frozen=True)
class Surged:
    """What became of the requests.

    Attributes
    ----------
    outcome : index into `OUTCOMES`, shape (requests,)
    ttft_s : from the first attempt to the first token that was read; infinity where there was none [s]
    rest_s : from there to the last token; infinity where there was none [s]
    attempts : of each request, shape (requests,) [-]
    attempts_s : when attempts were sent, in order [s]
    wasted_share : of the work, what nobody read [-]
    """

    outcome: NDArray[np.int64]
    ttft_s: Array
    rest_s: Array
    attempts: NDArray[np.int64]
    attempts_s: Array
    wasted_share: float

    def share(self, outcome: Outcome) -> float:
        """Of the requests that ended so. [-]"""
        return float((self.outcome == OUTCOMES.index(outcome)).mean())

    def attained(self, ttft_s: float, rest_s: float = inf) -> Array:
        """Whether each request was served by the fleet, both its times as promised. Shape (requests,)."""
        kept = (self.outcome == 0) & (self.ttft_s <= ttft_s) & (self.rest_s <= rest_s)
        return np.asarray(kept, float)
