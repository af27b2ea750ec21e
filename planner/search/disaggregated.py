"""Two pools at one concurrency: prefill and decode on accelerators of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from planner.catalog import Catalog
from planner.errors import Message, WorkloadError
from planner.models import disaggregation, memory, power
from planner.models.disaggregation import Pool, State
from planner.models.roofline import token_flops_per_gpu
from planner.models.serving import Point
from planner.schema import DisaggregationAnswer, Estimate, Power
from planner.search import metrics, options
from planner.search.columns import Array, pool_link
from planner.search.estimate import SOURCES, Layout, fitting_memory, inputs, lay_out, with_options
from planner.search.question import Question, Resolved, resolve

AT_LIMIT = 0.95  # of a pool's limit: from here on the pool decides


def estimate(catalog: Catalog, q: Question) -> Estimate:
    """Memory of the decode pool, and latency, throughput and power of both pools in a closed loop.

    Raises
    ------
    UnknownName, WorkloadError, MissingFact
        For names, sizes or facts that give no answer.
    """
    prefill_q, decode_q, replicas = _pools(q)
    found, sending = resolve(catalog, decode_q), resolve(catalog, prefill_q)
    layout, prompts = lay_out(catalog, decode_q, found), lay_out(catalog, prefill_q, sending)
    fitting_memory(catalog, prefill_q, prompts)
    more: tuple[tuple[str, str], ...] = (("kv_transfer_efficiency", ""),)
    if options.asked(q):
        chosen = options.apply(catalog, decode_q, found, layout.shape, layout.place, layout.candidates)
        layout, more = with_options(catalog, decode_q, found, layout, chosen), (*more, *chosen.parameters)
    answer = fitting_memory(catalog, decode_q, layout)
    state, sent_bytes = _run(catalog, q, layout, prompts, replicas)
    gpus = prefill_q.gpus * replicas[0] + decode_q.gpus * replicas[1]
    load = _load(catalog, layout, state)
    most = answer.max_sequences * replicas[1]
    served = metrics.serving_answer(layout.lengths, load, gpus, 0, min(1.0, q.concurrency / most))
    watts = _power(catalog, q, layout, prompts, state, load, (prefill_q.gpus, decode_q.gpus), replicas)
    return Estimate(
        inputs=_inputs(q, inputs(decode_q, found), gpus),
        memory=answer,
        serving=served,
        power=watts,
        basis="roofline",
        band=metrics.band_answer(catalog, found.accelerator, found.engine, "roofline", served, watts.gpu_w),
        assumptions=metrics.assumptions(catalog, (*SOURCES, *more)),
        mode="disaggregated",
        disaggregation=_parts(layout, prefill_q, decode_q, sending, replicas, state, sent_bytes),
    )


def _pools(q: Question) -> tuple[Question, Question, tuple[int, int]]:
    """One prefill replica, one decode replica, and how many of each."""
    if q.mode != "disaggregated":
        raise WorkloadError("--mode {mode}: give aggregated or disaggregated.", mode=q.mode)
    if q.sparsity is not None or q.offload is not None:
        raise WorkloadError("--mode disaggregated is not modelled with --sparsity or --offload; leave one of them out.")
    for name, size in (("prefill", q.prefill_gpus), ("decode", q.decode_gpus)):
        if size is None or not 1 <= size <= 1_000_000:
            raise WorkloadError(
                "--mode disaggregated{given} needs both pools.\n"
                "  Give --prefill-gpus and --decode-gpus, each a whole number from 1 to 1,000,000.",
                given="" if size is None else Message(" with --{name}-gpus {size}", name=name, size=size),
            )
    assert q.prefill_gpus is not None and q.decode_gpus is not None
    prefill, p = _replica(q, "prefill", q.prefill_gpus, q.prefill_tp, q.prefill_dp, 1, q.prefill_ep)
    decode, d = _replica(q, "decode", q.decode_gpus, q.tp, q.dp, q.pp, q.ep)
    # A prompt leaves the prefill pool as soon as it is computed.
    return replace(prefill, output_tokens=1, speculation=None, acceptance=None), decode, (p, d)


def _replica(q: Question, pool: str, gpus: int, tp: int | None, dp: int, pp: int, ep: int) -> tuple[Question, int]:
    flag = "--prefill-" if pool == "prefill" else "--"
    size = gpus if tp is None else tp * dp * pp
    if size < 1 or gpus % size:
        raise WorkloadError(
            "{sizes} does not divide --{pool}-gpus {gpus}.\n"
            "  Choose sizes whose product divides {gpus}: each such group is one {pool} replica.",
            sizes=f"{flag}tp {tp} x {flag}dp {dp}" + (f" x --pp {pp}" if pp > 1 else ""),
            pool=pool,
            gpus=gpus,
        )
    alone = replace(q, mode="aggregated", prefill_gpus=None, decode_gpus=None, prefill_tp=None)
    alone = replace(alone, prefill_dp=1, prefill_ep=1)
    return replace(alone, gpus=size, tp=tp, dp=dp, pp=pp, ep=ep), gpus // size


def _run(
    catalog: Catalog, q: Question, layout: Layout, prompts: Layout, replicas: tuple[int, int]
) -> tuple[State, float]:
    """Both pools at work, and the cache that one prompt sends. [B]"""
    one = np.ones(1)
    row = catalog.accelerators[layout.candidates.accelerator_ids[0]]
    assert q.prefill_gpus is not None and q.decode_gpus is not None
    rate, latency_s = pool_link(catalog, row, q.prefill_gpus + q.decode_gpus)
    rate *= catalog.parameter("kv_transfer_efficiency").value
    cache = memory.kv_bytes_per_sequence(layout.shape, layout.place.kv_width, float(q.input_tokens))
    sent_s = disaggregation.transfer_s(cache, prompts.fit.shards, layout.fit.shards, rate, latency_s)
    state = disaggregation.closed_loop(
        layout.shape,
        Pool(prompts.place, one * replicas[0]),
        Pool(layout.place, one * replicas[1]),
        layout.eff,
        layout.lengths,
        one * float(q.concurrency),
        layout.fit.max_sequences,
        layout.fit.budget_tokens,
        sent_s,
        catalog.parameter("first_token_steps", layout.candidates.engine_ids[0]).value,
    )
    return state, float(cache[0])


def _load(catalog: Catalog, layout: Layout, state: State) -> metrics.Load:
    """The decode pool as the load of one replica; rate and latency are those of both pools."""
    none = np.zeros(1)
    point = Point(state.sequences, state.decode_s, none, none, state.tpot_s, state.rate_per_s)
    ttft_s = state.ttft_s(layout.eff)
    return metrics.observe(
        catalog, layout.shape, layout.candidates, layout.place, layout.eff, layout.lengths, point, ttft_s
    )


def _power(
    catalog: Catalog,
    q: Question,
    layout: Layout,
    prompts: Layout,
    state: State,
    load: metrics.Load,
    gpus: tuple[int, int],
    replicas: tuple[int, int],
) -> Power:
    """Mean accelerator of both pools: decoders at their step, the others at their arithmetic."""
    rates = state.rate_per_s / replicas[1]
    alone = replace(load.point, rate_per_s=rates, sequences=state.sequences)
    # Decoders compute no prompts: all but a token of each comes with its cache.
    lengths = replace(layout.lengths, prefix_hit_rate=1 - 1 / max(float(q.input_tokens), 1.0))
    decoding = metrics.observe(
        catalog, layout.shape, layout.candidates, layout.place, layout.eff, lengths, alone, load.ttft_s
    ).gpu_w
    prefilling = _prefill_power(catalog, prompts, state, state.rate_per_s / replicas[0])
    counts = gpus[0] * replicas[0], gpus[1] * replicas[1]
    mean = (prefilling * counts[0] + decoding * counts[1]) / sum(counts)
    site = catalog.site(q.site, "--site")
    return metrics.power_answer(catalog, site, layout.lengths, replace(load, gpu_w=mean), sum(counts), 0)


def _prefill_power(catalog: Catalog, prompts: Layout, state: State, rate_per_s: Array) -> Array:
    """Prompts one after the other, at the arithmetic that they take."""
    place, share = prompts.place, np.clip(rate_per_s * state.prefill_s, 1e-9, 1.0)
    flops = token_flops_per_gpu(prompts.shape, place, prompts.lengths.new_tokens / 2)
    used = flops * rate_per_s * prompts.lengths.new_tokens / place.ffn_flops_per_s
    none = np.zeros_like(share)
    does = power.Activity(share, none + 1, none, np.minimum(used / share, 1.0), none, place.tp * place.dp)
    idle, board = metrics.boards(catalog, prompts.candidates)
    return power.gpu_power_w(idle, board, does, metrics.draw(catalog, prompts.candidates))


def _parts(
    layout: Layout,
    prefill_q: Question,
    decode_q: Question,
    sending: Resolved,
    replicas: tuple[int, int],
    state: State,
    sent_bytes: float,
) -> DisaggregationAnswer:
    sizes = (("TP", sending.tp), ("DP", prefill_q.dp), ("EP", prefill_q.ep))
    return DisaggregationAnswer(
        prefill_gpus=prefill_q.gpus * replicas[0],
        prefill_replicas=replicas[0],
        prefill_layout=" ".join(f"{name}{n}" for name, n in sizes if n > 1 or name == "TP"),
        decode_gpus=decode_q.gpus * replicas[1],
        decode_replicas=replicas[1],
        admission_s=float(state.admission_s[0]),
        ingest_s=layout.eff.ingest_s,
        prefill_queue_s=float(state.queue_s[0]),
        prefill_s=float(state.prefill_s[0]),
        transfer_bytes=sent_bytes,
        transfer_s=float(state.transfer_s[0]),
        first_decode_s=float(state.first_s[0]),
        prefill_limit_per_s=float(state.prefill_limit_per_s[0]),
        decode_limit_per_s=float(state.decode_limit_per_s[0]),
        limited_by=_limited(state),
    )


def _limited(state: State) -> Literal["prefill", "decode", "users"]:
    rate = state.rate_per_s[0]
    if rate >= AT_LIMIT * state.prefill_limit_per_s[0]:
        return "prefill"
    return "decode" if rate >= AT_LIMIT * state.decode_limit_per_s[0] else "users"


def _inputs(q: Question, decode: dict[str, str | float | int | None], gpus: int) -> dict[str, str | float | int | None]:
    pools = {"mode": q.mode, "prefill_gpus": q.prefill_gpus, "decode_gpus": q.decode_gpus}
    layout = {"prefill_tp": q.prefill_tp, "prefill_dp": q.prefill_dp, "prefill_ep": q.prefill_ep}
    return {**decode, "gpus": gpus, **pools, **layout}
