"""A plan's layout under a stream of requests: the engine of each rank, the router, what every request sees."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from planner.catalog import Catalog
from planner.models.engine import Limits, Policy, StepTimes
from planner.models.replica import Replica, Request
from planner.models.routing import ROUTERS, serve
from planner.models.simulate import Result, simulate_open
from planner.models.tables import step_times
from planner.models.traffic import Blocks, Tokens, Trace
from planner.schema import Plan, RouterName
from planner.search.columns import Array
from planner.search.estimate import lay_out
from planner.search.question import Question, resolve


@dataclass(frozen=True)
class Server:
    """One attention rank of a replica: it decodes its own sequences and has a cache of its own.

    Attributes
    ----------
    times : step time of the rank, its neighbours doing the same
    ranks : attention ranks of a replica [-]
    max_sequences, budget_tokens, kv_tokens, policy : see `simulate_open`
    ingest_s : from sending to the scheduler, and back with the first token [s]
    first_token_steps : decode steps around a first token [-]
    hit_rate : share of each prompt in the prefix cache [-]
    """

    times: StepTimes
    ranks: int
    max_sequences: int
    budget_tokens: int
    kv_tokens: float
    policy: Policy
    ingest_s: float
    first_token_steps: float
    hit_rate: float


def server_of(plan: Plan, catalog: Catalog, trace: Trace, hit_rate: float) -> Server:
    """The engine of a plan, its step times exact around the lengths of a trace."""
    layout = plan.layout
    question = Question(
        llm=plan.llm,
        accelerator=plan.accelerator,
        gpus=plan.gpus_per_replica,
        tp=layout.tp,
        dp=layout.dp,
        pp=layout.pp,
        ep=layout.ep,
        weights=layout.weights,
        kv=layout.kv,
        engine=plan.engine,
        input_tokens=max(round(float(trace.input_tokens.mean())), 1),
        output_tokens=max(round(float(trace.output_tokens.mean())), 1),
        prefix_hit_rate=hit_rate,
    )
    built = build_server(question, catalog, plan.serving.running_sequences)
    return replace(
        built,
        max_sequences=max(layout.max_sequences // layout.dp, 1),
        budget_tokens=layout.max_batched_tokens,
        kv_tokens=plan.memory.kv_capacity_tokens / layout.dp,
    )


def build_server(question: Question, catalog: Catalog, running: float | None = None) -> Server:
    """The engine of one layout, exact around the lengths of the question and its running sequences."""
    found = resolve(catalog, question)
    laid = lay_out(catalog, question, found)
    beside = np.array([max(question.concurrency if running is None else running, 1.0)])
    ranks, fit = question.dp, laid.fit
    return Server(
        times=step_times(laid.shape, laid.place, laid.eff, laid.lengths, beside)[0],
        ranks=ranks,
        max_sequences=max(int(fit.max_sequences[0] / ranks), 1),
        budget_tokens=int(fit.budget_tokens[0]),
        kv_tokens=float(fit.capacity_tokens[0]) / ranks,
        policy="prompt_first" if catalog.engines[found.engine].schedule == "prompt_first" else "mixed",
        ingest_s=float(np.ravel(laid.eff.ingest_s)[0]),
        first_token_steps=laid.eff.first_token_steps,
        hit_rate=question.prefix_hit_rate,
    )


@dataclass(frozen=True)
class Served(Result):
    """What each request saw, and how much of its prompt was computed.

    Attributes
    ----------
    input_tokens, computed_tokens : of each prompt, shape (requests,) [token]
    """

    input_tokens: Tokens
    computed_tokens: Tokens

    @property
    def hit_share(self) -> float:
        """Share of all prompt tokens that the prefix cache held. [-]"""
        return float(1 - self.computed_tokens.sum() / self.input_tokens.sum())


def replay(
    server: Server,
    trace: Trace,
    replicas: int,
    most_ranks: int | None = None,
    kept: int | None = None,
    router: RouterName = "round-robin",
) -> Served:
    """What each request sees when a fleet serves a trace, spread over all ranks of all replicas.

    Prefix blocks that the trace names are cached by each rank for itself, the oldest leaving first; without
    them, the server's hit rate holds for every prompt.

    Parameters
    ----------
    most_ranks : ranks to simulate at most; the others get the same kind of traffic. Their requests are left out,
        and a router that looks at ranks chooses among the simulated ones.
    kept : the trace is what so many ranks get, in place of all ranks of the replicas
    router : a name of `planner.models.routing.ROUTERS`
    """
    ranks = kept or replicas * server.ranks
    simulated = range(min(ranks, len(trace), most_ranks or ranks))
    if router != "round-robin":
        some = trace if len(simulated) == ranks else trace.keep(np.arange(len(trace)) % ranks < len(simulated))
        return _with_first_token(server, routed(server, some, len(simulated), router))
    parts = [_rank(server, trace, first, ranks) for first in simulated]
    rows = np.concatenate([np.arange(len(trace))[first::ranks] for first in simulated])
    order = np.argsort(rows, kind="stable")
    columns = (np.concatenate([getattr(part, f.name) for part in parts])[order] for f in fields(Served))
    return _with_first_token(server, Served(*columns))


def _rank(server: Server, trace: Trace, first: int, ranks: int) -> Served:
    """One rank with every so-many-th request."""
    share = slice(first, None, ranks)
    if trace.blocks is not None:
        return _with_blocks(server, trace, trace.blocks, range(len(trace))[share])
    inputs = trace.input_tokens[share]
    cached = known_tokens(server, inputs)
    run = simulate_open(
        server.times,
        trace.arrivals_s[share],
        inputs,
        trace.output_tokens[share],
        server.max_sequences,
        server.budget_tokens,
        server.kv_tokens,
        server.policy,
        cached,
    )
    return Served(run.start_s, run.finish_s, run.ttft_s, run.tpot_s, run.e2e_s, inputs, inputs - cached)


def known_tokens(server: Server, inputs: Tokens) -> Tokens:
    """Prompt tokens that are in the prefix cache by the server's hit rate; one is always computed. [token]"""
    return np.asarray(np.minimum(np.floor(inputs * server.hit_rate), inputs - 1), np.int64)


def routed(server: Server, trace: Trace, ranks: int, router: RouterName) -> Served:
    """What the schedulers of so many ranks do with a trace behind a router that looks at them."""
    fleet = [_scheduler(server, trace.blocks) for _ in range(ranks)]
    cached = None if trace.blocks else known_tokens(server, trace.input_tokens)
    return _seen(serve(fleet, ROUTERS[router](), trace, cached))


def _scheduler(server: Server, blocks: Blocks | None) -> Replica:
    limits = Limits(server.max_sequences, server.budget_tokens, server.kv_tokens, server.policy)
    return Replica(server.times, limits, block_tokens=blocks.block_tokens if blocks else 0)


def _with_blocks(server: Server, trace: Trace, blocks: Blocks, rows: range) -> Served:
    """One rank with a prefix cache in the room that its running requests leave."""
    replica = _scheduler(server, blocks)
    arrivals, inputs, outputs = (c.tolist() for c in (trace.arrivals_s, trace.input_tokens, trace.output_tokens))
    starts, ids = blocks.starts.tolist(), blocks.ids.tolist()
    sent = [replica.offer(arrivals[i], inputs[i], outputs[i], ids[starts[i] : starts[i + 1]]) for i in rows]
    replica.drain()
    return _seen(sent)


def _seen(sent: list[Request]) -> Served:
    """What each request saw, as columns."""
    start_s, ttft_s, finish_s, tpot_s = (
        np.array([getattr(request, name) for request in sent]) for name in ("arrival_s", "ttft_s", "finish_s", "tpot_s")
    )
    tokens = (np.array([getattr(r, name) for r in sent], np.int64) for name in ("input_tokens", "computed_tokens"))
    return Served(start_s, finish_s, ttft_s, tpot_s, finish_s - start_s, *tokens)


def _with_first_token(server: Server, run: Served) -> Served:
    """Time around the scheduler: ingestion, and the steps that an engine works ahead of what it sends."""
    known = run.tpot_s[~np.isnan(run.tpot_s)]
    around_s = server.ingest_s + server.first_token_steps * (float(known.mean()) if len(known) else 0.0)
    return replace(run, finish_s=run.finish_s + around_s, ttft_s=run.ttft_s + around_s, e2e_s=run.e2e_s + around_s)


def percentile(values: Array, at: float) -> float:
    """Percentile of the values that are known; NaN where none is."""
    known = values[~np.isnan(values)]
    return float(np.percentile(known, at)) if len(known) else float("nan")
