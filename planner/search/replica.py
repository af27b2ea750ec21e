"""What a fleet of replicas shows its users under a trace, told from a few of its ranks; and how much more it holds.

Requests go to the ranks of all replicas in turn, so all ranks see traffic of one kind, and a few stand for the
rest; a router that looks at the ranks chooses among some that get their share of all requests, fewer than it has,
so that it evens out a little less. The number of requests is bounded, whatever the rate of the fleet.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from planner.models.engine import Policy
from planner.models.layouts import take
from planner.models.simulate import Result, simulate_closed, simulate_open
from planner.models.tables import step_times
from planner.models.traffic import Tokens, Trace
from planner.schema import RouterName, Slo
from planner.schema.sizing import MOST_MARGIN
from planner.search.columns import Array
from planner.search.demand import Demand
from planner.search.margins import largest
from planner.search.observed import Tail, worst_tail
from planner.search.replay import Server, known_tokens, routed
from planner.search.study import Study

REQUESTS = 3000  # simulated per run: thirty beyond the 99th percentile
SPAN_ANSWERS = 30  # a trace that is over in fewer mean answers is replayed again and again
ROUNDS = (3, 8)  # fewest and most requests of each user in a closed loop, the first of which is not counted
ROUTED_RANKS, ROUTED_REQUESTS = (
    4,
    2,
)  # a router chooses from so many ranks, more where they fit into so many times REQUESTS
BRACKET, HALVINGS = 1.3, 3  # the margin is exact to 1.3 ** (1 / 2 ** 3): 3 %


@dataclass(frozen=True)
class Fleet:
    """Replicas of one kind and what arrives at them.

    Attributes
    ----------
    server : one attention rank of a replica
    replicas : that serve, without spares [-]
    demand : what arrives at all of them; requests beyond what a rank caches are left out
    answer_s : about how long a mean answer takes, for how long a rank is watched [s]
    router : who gets a request; users who wait are spread evenly
    """

    server: Server
    replicas: int
    demand: Demand
    answer_s: float
    router: RouterName = "round-robin"

    @property
    def ranks(self) -> int:
        """Schedulers that share the traffic. [-]"""
        return self.replicas * self.server.ranks

    def at(self, ratio: float = 1.0, requests: int = REQUESTS) -> Result:
        """What users see when the load is `ratio` times the asked one, in order of sending."""
        trace = fitting(self.demand.trace, self.server.kv_tokens)
        if self.demand.users:
            parts = self._closed(trace, ratio, requests)
        elif self.router == "round-robin":
            parts = self._open(trace, ratio, requests)
        else:
            parts = [self._routed(trace, ratio, requests)]
        columns = [np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS]
        order = np.argsort(columns[0], kind="stable")
        return felt(self.server, Result(*(column[order] for column in columns)))

    def _open(self, trace: Trace, ratio: float, requests: int) -> list[Result]:
        each = self._each(trace, ratio, requests)
        shown = max(min(self.ranks, requests // each), 1)
        first = busiest(trace.arrivals_s, each * self.ranks)
        parts = []
        for number in range(shown):
            at = number * self.ranks // shown + self.ranks * np.arange(each)
            arrivals_s, row = repeated(trace, ratio, first, at)
            inputs, outputs = trace.input_tokens[row], trace.output_tokens[row]
            limits = _limits(self.server, inputs)
            parts.append(simulate_open(self.server.times, arrivals_s, inputs, outputs, *limits))
        return parts

    def _routed(self, trace: Trace, ratio: float, requests: int) -> Result:
        """Some ranks with every so-many-th request, all together; prefixes hit at the server's rate."""
        each = self._each(trace, ratio, requests)
        shown = min(self.ranks, max(ROUTED_RANKS, ROUTED_REQUESTS * requests // each))
        at = np.arange(shown * each) * self.ranks // shown
        arrivals_s, row = repeated(trace, ratio, busiest(trace.arrivals_s, int(at[-1]) + 1), at)
        some = Trace(trace.name, arrivals_s, trace.input_tokens[row], trace.output_tokens[row])
        return routed(self.server, some, shown, self.router)

    def _each(self, trace: Trace, ratio: float, requests: int) -> int:
        """Requests of one rank: of the whole trace, or of many answers if that is longer."""
        span_s = max(trace.duration_s / ratio, SPAN_ANSWERS * self.answer_s)
        return max(min(round(trace.rate_per_s * ratio * span_s / self.ranks), requests), 1)

    def _closed(self, trace: Trace, ratio: float, requests: int) -> list[Result]:
        users = max(math.ceil((self.demand.users or 1) * ratio / self.ranks), 1)
        rounds = min(max(requests // users, ROUNDS[0]), ROUNDS[1])
        shown = max(min(self.ranks, requests // (users * rounds)), 1)
        parts = []
        for number in range(shown):
            row = (number + self.ranks * np.arange(users * rounds)) % len(trace)
            inputs, outputs = trace.input_tokens[row], trace.output_tokens[row]
            run = simulate_closed(self.server.times, inputs, outputs, users, *_limits(self.server, inputs))
            parts.append(Result(*(getattr(run, name)[users:] for name in _COLUMNS)))  # less the burst of the start
        return parts


_COLUMNS = ("start_s", "finish_s", "ttft_s", "tpot_s", "e2e_s")


def server_for(study: Study, row: int) -> Server:
    """One attention rank of a candidate; its step times are exact around the load that closed forms find it to hold."""
    rows = np.array([row])
    eff, fit, c = take(study.eff, rows), study.fit, study.candidates
    engine = study.catalog.engines[c.engine_ids[c.engine[row]]]
    policy: Policy = "prompt_first" if engine.schedule == "prompt_first" else "mixed"
    running = np.maximum(study.capacity.sequences[rows], 1.0)
    ranks = int(c.dp[row])
    return Server(
        times=step_times(study.shape, take(study.place, rows), eff, study.lengths, running)[0],
        ranks=ranks,
        max_sequences=max(math.floor(fit.max_sequences[row] / ranks), 1),
        budget_tokens=int(fit.budget_tokens[row]),
        kv_tokens=float(fit.capacity_tokens[row]) / ranks,
        policy=policy,
        ingest_s=float(np.ravel(eff.ingest_s)[0]),
        first_token_steps=eff.first_token_steps,
        hit_rate=study.workload.traffic.prefix_hit_rate,
    )


def held_ratio(tail_at: Callable[[float], Tail], kept: float) -> tuple[float, str]:
    """Largest load that keeps the promise over the asked one, and the percentile that stands worst there or beyond.

    Parameters
    ----------
    tail_at : worst percentile at a ratio
    kept : a ratio that is known to keep it: the search goes upwards from there, to MOST_MARGIN
    """
    return largest(tail_at, kept, BRACKET, HALVINGS, MOST_MARGIN)


def replica_rate_per_s(server: Server, demand: Demand, slo: Slo, guess_per_s: float, answer_s: float) -> float:
    """Largest rate at which one replica alone keeps the promise under the trace; 0 where none does. [1/s]"""
    alone = Fleet(server, 1, demand, answer_s)
    asked = demand.trace.rate_per_s
    return asked * largest(lambda ratio: worst_tail(alone.at(ratio), slo), begin=guess_per_s / asked)[0]


def _limits(server: Server, inputs: Tokens) -> tuple[int, int, float, Policy, Tokens]:
    """What the scheduler of a rank allows, and the prompt tokens that it knows."""
    return server.max_sequences, server.budget_tokens, server.kv_tokens, server.policy, known_tokens(server, inputs)


def felt(server: Server, run: Result) -> Result:
    """Times of the scheduler as users feel them: ingestion and steps around the first token added."""
    known = run.tpot_s[~np.isnan(run.tpot_s)]
    around_s = server.ingest_s + server.first_token_steps * (float(known.mean()) if len(known) else 0.0)
    return Result(run.start_s, run.finish_s + around_s, run.ttft_s + around_s, run.tpot_s, run.e2e_s + around_s)


def fitting(trace: Trace, most_tokens: float) -> Trace:
    fits = trace.input_tokens + trace.output_tokens <= most_tokens
    return trace if fits.all() else trace.keep(fits)


def repeated(trace: Trace, ratio: float, first: int, at: Tokens) -> tuple[Array, Tokens]:
    """Times and rows of the requests `at` places after the first, the trace again and again, its time compressed."""
    again, row = np.divmod(first + at, len(trace))
    times = again * trace.duration_s + trace.arrivals_s[row] - trace.arrivals_s[first]
    return np.maximum.accumulate(times) / ratio, row  # where a round ends and the next begins, rounding could go back


def busiest(arrivals_s: Array, most: int) -> int:
    """Where the densest `most` requests in a row begin."""
    return int((arrivals_s[most:] - arrivals_s[:-most]).argmin()) if len(arrivals_s) > most else 0
