"""A plan's layout under a stream of requests: the engine of each rank, the router, what every request sees."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from planner.catalog import Catalog
from planner.models.engine import Policy, StepTimes
from planner.models.simulate import Result, simulate_open
from planner.models.tables import step_times
from planner.models.traffic import Trace
from planner.schema import Plan
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


def replay(server: Server, trace: Trace, replicas: int, most_ranks: int | None = None) -> Result:
    """What each request sees when a fleet serves a trace, round robin over all ranks of all replicas.

    Parameters
    ----------
    most_ranks : ranks to simulate at most; the others get the same kind of traffic. Their requests are left out.
    """
    ranks = replicas * server.ranks
    simulated = range(min(ranks, len(trace), most_ranks or ranks))
    parts = [_rank(server, trace, slice(first, None, ranks)) for first in simulated]
    rows = np.concatenate([np.arange(len(trace))[first::ranks] for first in simulated])
    order = np.argsort(rows, kind="stable")
    columns = (
        np.concatenate([getattr(part, name) for part in parts])[order]
        for name in ("start_s", "finish_s", "ttft_s", "tpot_s", "e2e_s")
    )
    return _with_first_token(server, Result(*columns))


def _rank(server: Server, trace: Trace, share: slice) -> Result:
    inputs = trace.input_tokens[share]
    return simulate_open(
        server.times,
        trace.arrivals_s[share],
        inputs,
        trace.output_tokens[share],
        server.max_sequences,
        server.budget_tokens,
        server.kv_tokens,
        server.policy,
        np.minimum(np.floor(inputs * server.hit_rate), inputs - 1),
    )


def _with_first_token(server: Server, run: Result) -> Result:
    """Time around the scheduler: ingestion, and the steps that an engine works ahead of what it sends."""
    known = run.tpot_s[~np.isnan(run.tpot_s)]
    around_s = server.ingest_s + server.first_token_steps * (float(known.mean()) if len(known) else 0.0)
    return Result(run.start_s, run.finish_s + around_s, run.ttft_s + around_s, run.tpot_s, run.e2e_s + around_s)


def percentile(values: Array, at: float) -> float:
    """Percentile of the values that are known; NaN where none is."""
    known = values[~np.isnan(values)]
    return float(np.percentile(known, at)) if len(known) else float("nan")
