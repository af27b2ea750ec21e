"""Closed forms screen, simulation confirms: the first of the ranking must keep the promise under a trace.

What a candidate holds in simulation says how far closed forms are off on its accelerator under this traffic. One that
holds more than closed forms say loses the replicas that it does not need. Where it holds less, its other layouts are
taken to be off alike: they get more replicas, and go where their new cost puts them. Some are not off: those that would
be cheaper than what was found with the replicas of closed forms are asked, too, the cheapest first.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from planner.schema import Sizing
from planner.schema.sizing import MOST_MARGIN
from planner.search.choose import Entry, Market, offered, ranking
from planner.search.columns import WEIGHTS, Index
from planner.search.demand import Demand, demand
from planner.search.margins import largest
from planner.search.metrics import basis_of
from planner.search.observed import Tail, worst_tail
from planner.search.replay import Server
from planner.search.replica import REQUESTS, ROUTED_REQUESTS, Fleet, held_ratio, server_for
from planner.search.sizing import sizing_of
from planner.search.study import Study, held_by_one, replicas_needed

ENOUGH = 100_000  # requests simulated in search of candidates that keep the promise; the rest stays screened
FOR_THE_FIRST = 2  # times as many, until the best plan is confirmed
ROUGH = 1000  # requests that tell how many more replicas a candidate needs, before it is checked again
ROUGH_BRACKET, ROUGH_HALVINGS = 1.7, 2  # their answer is exact to 1.7 ** (1 / 2 ** 2): 14 %
BY_FAR = 2.0  # times a promise; few requests, of the busiest moments, show 1.5 where many keep it in one of twenty
NEARLY = 0.85  # of the replicas: with fewer left, a rough answer says well enough how many go
WORTH = 0.99  # of the best plan's cost: what a candidate that was passed over must undercut to be asked
PASSED_OVER = 12  # of these are asked at most
LEAST_RATIO = 0.1  # a candidate that breaks the promise at a tenth of the load is left out

Sized = tuple[int, int]  # position in the study's candidates, replicas


@dataclass(frozen=True)
class Confirmed:
    """What simulations left of a ranking.

    Attributes
    ----------
    entries : the ranking
    sizings : what was found of its first entries
    broken : candidates that are out, with the percentile that stood worst at the asked load over the headroom
    """

    entries: list[Entry]
    sizings: dict[Sized, Sizing]
    broken: dict[int, Tail]


@dataclass
class Confirmation:
    """The ranking so far, and what was found by simulation.

    Attributes
    ----------
    markets : candidates as screened, and again with more replicas or fewer
    of : for each of the study's candidates the market that counts, -1: none
    kept : candidates with so many replicas that keep the promise
    enough : for candidates that lost replicas again, the factor that was enough
    finely : those of which not a rough answer but a fine one said how many replicas they may lose
    broken : those that break the promise at a tenth of the load, and how
    off : what closed forms said of the last candidate that broke the promise, over what it holds [-]
    """

    study: Study
    markets: list[Market]
    of: Index
    headroom: float
    traffic: Demand
    kept: set[Sized] = field(default_factory=set)
    enough: dict[int, float] = field(default_factory=dict)
    finely: set[int] = field(default_factory=set)
    off: float = 1.0
    broken: dict[int, Tail] = field(default_factory=dict)
    requests: int = 0  # simulated so far
    _servers: dict[int, Server] = field(default_factory=dict)
    _tails: dict[tuple[Sized, float, int], Tail] = field(default_factory=dict)

    def ranking(self) -> list[Entry]:
        """Candidates with the replicas that they are known to need."""
        return ranking(self.study, self.markets, self.of)

    def check(self, sized: Sized) -> bool:
        """Whether a candidate keeps the promise at the asked load over the headroom; if not, it is sized anew."""
        row, _ = sized
        if self._keeps(sized):
            self.kept.add(sized)
            return self._fewest(sized)
        if row in self.enough:
            self._give_back(row)
            return False
        held = self._roughly_held(sized)
        if held <= LEAST_RATIO:
            self.of[self._variants(row)] = -1
            asked = 1 / self.headroom
            self.broken[row] = self._tails.get((sized, asked, REQUESTS)) or self.tail(sized, asked, ROUGH)
        else:
            self.off = self._factor(sized, held)
            self._enlarge(row, self.off)
        return False

    def _keeps(self, sized: Sized) -> bool:
        """Whether it keeps the promise with headroom; where others broke it by far, few requests are asked first."""
        asked, doubtful = 1 / self.headroom, self.off > BY_FAR and sized[0] not in self.enough
        if doubtful and self.tail(sized, asked, ROUGH).ratio > BY_FAR:
            return False
        return self.tail(sized, asked).ratio <= 1

    def _roughly_held(self, sized: Sized) -> float:
        """Load that it holds over the asked one, from where the candidate before would hold it downwards or up. [-]"""
        most = 1 / self.headroom / ROUGH_BRACKET ** (1 / 2**ROUGH_HALVINGS)
        begin = min(max(self._factor(sized, 1.0) / self.off, LEAST_RATIO * ROUGH_BRACKET), most)
        return self._roughly(sized, begin, most)

    def _roughly(self, sized: Sized, begin: float, most: float) -> float:
        """Load that it holds over the asked one, looked for from `begin` to `most` with few requests. [-]"""

        def rough(ratio: float) -> Tail:
            return self.tail(sized, ratio, ROUGH)

        return largest(rough, begin, ROUGH_BRACKET, ROUGH_HALVINGS, most, LEAST_RATIO)[0]

    def _fewest(self, sized: Sized) -> bool:
        """Whether a candidate has no replica too many by the load that it holds; if not, it loses them."""
        row, replicas = sized
        if replicas == 1:
            return True
        held = 0.0
        if row not in self.finely:
            held = self._roughly(sized, 1 / self.headroom, MOST_MARGIN)
        if not held or self._needed(sized, held) > NEARLY * replicas:
            self.finely.add(row)
            held, _ = held_ratio(lambda at: self.tail(sized, at), 1 / self.headroom)
        if self._needed(sized, held) >= replicas:
            return True
        self.enough[row] = self.markets[self.of[row]].factor
        self._size(np.array([row]), self._factor(sized, held))
        return False

    def _needed(self, sized: Sized, held: float) -> int:
        """Replicas of a candidate that holds so many times the asked load as it is. [-]"""
        return int(replicas_needed(self.study, np.array([sized[0]]), self._factor(sized, held))[0])

    def _give_back(self, row: int) -> None:
        """The replicas with which a candidate kept the promise; if a rough answer took too many, a fine one follows."""
        self._size(np.array([row]), self.enough.pop(row))
        if row not in self.finely:
            self.finely.add(row)
            self._fewest(self._now(row))

    def _now(self, row: int) -> Sized:
        market = self.markets[self.of[row]]
        return row, int(market.replicas[market.rows == row][0])

    def settle(self) -> None:
        """Give back replicas that were taken off and never checked."""
        for row, factor in self.enough.items():
            if self._now(row) not in self.kept:
                self._size(np.array([row]), factor)

    def _factor(self, sized: Sized, held: float) -> float:
        """What closed forms say that a candidate holds, over what it does hold. [-]"""
        row, replicas = sized
        return replicas * float(held_by_one(self.study, np.array([row]))[0]) / held

    def tail(self, sized: Sized, ratio: float, requests: int = REQUESTS) -> Tail:
        """The percentile that stands worst at `ratio` times the asked load; simulated once."""
        key = sized, ratio, requests
        if key not in self._tails:
            run = self.fleet(sized).at(ratio, requests)
            self.requests += len(run.start_s)
            self._tails[key] = worst_tail(run, self.study.workload.slo)
        return self._tails[key]

    def fleet(self, sized: Sized) -> Fleet:
        """The replicas of a candidate under the traffic."""
        row, replicas = sized
        if row not in self._servers:
            self._servers[row] = server_for(self.study, row)
        slo, lengths = self.study.workload.slo, self.study.lengths
        answer_s = slo.ttft_p99_s + float(lengths.output_tokens) * slo.tpot_p99_s
        return Fleet(self._servers[row], replicas, self.traffic, answer_s, self.study.workload.traffic.router)

    def _enlarge(self, row: int, factor: float) -> None:
        """More replicas for all candidates of an accelerator and precision that are not confirmed."""
        c = self.study.candidates
        mine = (c.accelerator == c.accelerator[row]) & (c.weights == c.weights[row]) & (self.of >= 0)
        mine[[known for known, _ in self.kept]] = False
        self._size(np.flatnonzero(mine), factor)

    def passed_over(self, best: Entry) -> Sized | None:
        """Enlarged by others' failures alone, and cheaper than the best plan: the cheapest, of the kind least asked."""
        first, c = self.markets[0], self.study.candidates
        costs = np.full(len(c), np.inf)  # as closed forms had it
        for priced in first.priced:
            np.minimum.at(costs, first.rows[priced.at], np.where(priced.reached, priced.usd_per_month, np.inf))
        tried = np.unique([row for (row, _replicas), _ratio, _requests in self._tails])
        costs[(self.of <= 0) | (costs >= WORTH * best.usd_per_month)] = np.inf
        costs[tried] = np.inf
        kind = c.accelerator * len(WEIGHTS) + c.weights
        asked = np.bincount(kind[tried], minlength=kind.max() + 1)[kind]
        row = int(np.lexsort((costs, np.where(np.isfinite(costs), asked, len(c))))[0])
        return (row, int(first.replicas[first.rows == row][0])) if np.isfinite(costs[row]) else None

    def try_again(self, sized: Sized) -> bool:
        """Whether it keeps the promise with the replicas of closed forms; if so, these count again."""
        if not self._keeps(sized):
            return False
        self.of[sized[0]] = 0
        return True

    def _size(self, rows: Index, factor: float) -> None:
        self.markets.append(offered(self.study, rows, factor))
        self.of[rows] = len(self.markets) - 1

    def _variants(self, row: int) -> Index:
        """Candidates of one layout: only engine or cache format tell them apart."""
        c = self.study.candidates
        same = [column == column[row] for column in (c.accelerator, c.weights, c.tp, c.dp, c.pp, c.ep)]
        return np.flatnonzero(np.logical_and.reduce(same))

    def sizing(self, sized: Sized) -> Sizing:
        """What a confirmed candidate shows at the asked load, and how much more it holds."""
        row, replicas = sized
        c = self.study.candidates
        id, engine = c.accelerator_ids[c.accelerator[row]], c.engine_ids[c.engine[row]]
        traffic = self.study.workload.traffic
        return sizing_of(
            self.fleet(sized).at(),
            self.traffic,
            traffic,
            traffic.router,
            replicas,
            int(replicas_needed(self.study, np.array([row]))[0]),
            self.headroom,
            held_ratio(lambda at: self.tail(sized, at), 1 / self.headroom),
            basis_of(self.study.catalog, id, WEIGHTS[c.weights[row]], self.study.llm_id, engine),
        )


def confirm(study: Study, market: Market, most: int) -> Confirmed:
    """The ranking once its first `most` entries keep the promise in simulation, and what they show there.

    Entries further down stay as closed forms have them; so do those that `ENOUGH` requests do not reach.
    """
    if not most:
        return Confirmed(ranking(study, [market]), {}, {})
    of = np.full(len(study.candidates), -1)
    of[market.rows] = 0
    traffic = demand(study.workload, study.catalog, study.llm.max_context_tokens)
    state = Confirmation(study, [market], of, study.catalog.parameter("headroom").value, traffic)
    entries = _confirm_first(state, most)
    for _ in range(PASSED_OVER):
        sized = state.passed_over(entries[0]) if entries else None
        if sized is None:
            break
        if state.try_again(sized):
            entries = _confirm_first(state, most)
    state.settle()
    entries = state.ranking()
    sizings = {s: state.sizing(s) for s in map(_sized, entries[:most]) if s in state.kept}
    return Confirmed(entries, sizings, state.broken)


def _confirm_first(state: Confirmation, most: int) -> list[Entry]:
    """The ranking, its first `most` entries checked as far as the requests go, in whatever order that puts them."""
    enough = ENOUGH * (1 if state.study.workload.traffic.router == "round-robin" else ROUTED_REQUESTS)
    entries = state.ranking()
    while entries:
        unknown = next((n for n, s in enumerate(map(_sized, entries[:most])) if s not in state.kept), None)
        if unknown is None or state.requests >= enough * (1 if unknown else FOR_THE_FIRST):
            break
        if not state.check(_sized(entries[unknown])):
            entries = state.ranking()
    return entries


def _sized(entry: Entry) -> Sized:
    return entry.row, entry.replicas
