"""Choices as answers: plans and the curves behind them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from planner.models.layouts import as_columns
from planner.schema import Cost, CurvePoint, Layout, Plan, Sizing, SloResult, SupplyUnit
from planner.search import metrics
from planner.search.choose import Choice
from planner.search.columns import KV, WEIGHTS, Array
from planner.search.fit import started_for_tokens
from planner.search.loading import Storage, start_of
from planner.search.offers import Offer
from planner.search.study import Study
from planner.units import HOURS_PER_MONTH

CURVE_BATCHES = np.array(
    [0.01, 0.03, 0.1, 0.3, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024], float
)
SOURCES = (
    ("burst_factor", ""),
    ("headroom", ""),
    ("input_cv", ""),
    ("input_p99_ratio", ""),
    ("gemm_memory_efficiency", "fp8"),
    ("gemm_compute_efficiency", "fp8"),
    ("moe_memory_efficiency", ""),
    ("moe_compute_efficiency", ""),
    ("kv_memory_efficiency", ""),
    ("latent_kv_factor", ""),
    ("host_layer_s", ""),
    ("host_moe_layer_s", ""),
    ("interference_share", ""),
    ("prompt_overhead", ""),
    ("ingest_s", ""),
    ("collective_latency_s", "scale-up"),
    ("collective_efficiency", "scale-up"),
    ("internode_bytes_per_s", ""),
    ("driver_reserve_bytes", ""),
    ("runtime_reserve_bytes", ""),
    ("interruption_gpu_hours", ""),
    ("repair_hours", "own"),
    ("repair_hours", "cloud"),
    ("spot_correlation", ""),
    ("maintenance_share_per_year", ""),
    ("host_power_w_per_gpu", ""),
    ("drive_read_bytes_per_s", ""),
    ("engine_start_s", ""),
)


def plans(study: Study, choices: list[Choice], sizings: Mapping[tuple[int, int], Sizing]) -> tuple[Plan, ...]:
    """Spell out ranked choices, with what a simulation found of them by (row, replicas)."""
    return tuple(
        _plan(study, choice, rank, sizings.get((choice.row, choice.replicas))) for rank, choice in enumerate(choices, 1)
    )


def _plan(study: Study, choice: Choice, rank: int, sizing: Sizing | None) -> Plan:
    c, i, catalog = study.candidates, choice.row, study.catalog
    accelerator_id = c.accelerator_ids[c.accelerator[i]]
    accelerator = catalog.accelerators[accelerator_id]
    gpus = int(c.gpus[i])
    needed = choice.replicas
    sizes = (int(c.tp[i]), int(c.dp[i]), int(c.pp[i]), int(c.ep[i]))
    served = metrics.serving_answer(study.lengths, choice.load, gpus, choice.at, _utilisation(study, choice))
    engine_id = c.engine_ids[c.engine[i]]
    basis = metrics.basis_of(catalog, accelerator_id, WEIGHTS[c.weights[i]], study.llm_id, engine_id)
    site = catalog.site(study.workload.site)
    watts = metrics.power_answer(catalog, site, study.lengths, choice.load, gpus, choice.at)
    return Plan(
        rank=rank,
        title=metrics.describe(accelerator, gpus, WEIGHTS[c.weights[i]], *sizes),
        llm=study.llm_id,
        accelerator=accelerator_id,
        engine=engine_id,
        layout=_layout(study, i, sizes),
        gpus_per_replica=gpus,
        nodes_per_replica=math.ceil(gpus / accelerator.server_accelerators),
        replicas=needed,
        spares=choice.spares,
        gpus_total=gpus * (needed + choice.spares),
        supply=(_supply(study, choice.offer, choice.units),),
        memory=metrics.memory_answer(study.shape, c, study.fit, i),
        serving=served,
        slo=_promise(study, choice) if sizing is None else _simulated(study, choice, sizing),
        sizing=sizing,
        power=watts,
        cost=_cost(study, choice, served.output_tokens_per_s * needed),
        availability=choice.availability,
        load_time_s=_load_time_s(study, i, gpus, accelerator_id, accelerator.server_accelerators),
        pareto=choice.pareto,
        basis=basis,
        band=metrics.band_answer(catalog, accelerator_id, engine_id, basis, served, watts.gpu_w),
    )


def _layout(study: Study, i: int, sizes: tuple[int, int, int, int]) -> Layout:
    """Layout for the engine; context covers the longest prompt that the promise assumes."""
    c, tp, dp, pp, ep = study.candidates, *sizes
    return Layout(
        weights=WEIGHTS[c.weights[i]],
        kv=KV[c.kv[i]],
        tp=tp,
        pp=pp,
        dp=dp,
        ep=ep,
        mode="aggregated",
        max_sequences=max(math.floor(float(study.fit.max_sequences[i])), 1),
        max_batched_tokens=int(study.fit.budget_tokens[i]),
        max_context_tokens=int(started_for_tokens(study.lengths, study.llm)),
    )


def _utilisation(study: Study, choice: Choice) -> float:
    """Load over the largest load that keeps the promise, as far as it is known."""
    if study.workload.traffic.concurrency is not None:
        most = float(study.capacity.sequences[choice.row])
        return choice.factor * float(choice.load.point.sequences[choice.at]) / most
    return choice.factor * float(choice.load.point.rate_per_s[choice.at]) / float(study.capacity.rate_per_s[choice.row])


def _promise(study: Study, choice: Choice) -> SloResult:
    """Percentiles at the busy rate of each replica."""
    slo, ttft, tpot = study.workload.slo, choice.busy_ttft_p99_s, choice.busy_tpot_p99_s
    whole = ttft + float(study.lengths.output_tokens) * tpot
    steady = tpot <= slo.tpot_p99_s or study.lengths.output_tokens <= 1
    kept = ttft <= slo.ttft_p99_s and steady and whole <= (slo.e2e_p99_s or math.inf)
    return SloResult(ttft_p99_s=ttft, tpot_p99_s=tpot, met=kept)


def _simulated(study: Study, choice: Choice, sizing: Sizing) -> SloResult:
    """Percentiles at the asked load, as simulated."""
    tpot_s = sizing.tpot_s.p99 if sizing.tpot_s else choice.busy_tpot_p99_s
    return SloResult(ttft_p99_s=sizing.ttft_s.p99, tpot_p99_s=tpot_s, met=True)


def _supply(study: Study, offer: Offer, units: int) -> SupplyUnit:
    return SupplyUnit(
        option=offer.option,
        term=offer.term,
        provider=offer.provider,
        instance_type=offer.instance_type,
        region=offer.region,
        units=units,
        usd_per_hour=offer.usd_per_hour,
        source=offer.source,
        source_date=offer.row.source_date,
        confidence=offer.row.confidence,
        stale=offer.stale(study.catalog.as_of),
    )


def _cost(study: Study, choice: Choice, fleet_tokens_per_s: float) -> Cost:
    monthly = choice.usd_per_month
    per_token = monthly / (fleet_tokens_per_s * HOURS_PER_MONTH * 3600)
    return Cost(
        usd_per_month=monthly,
        usd_per_million_output_tokens=per_token * 1e6,
        npv_usd=choice.npv_usd,
        horizon_years=study.workload.horizon_years,
        parts_usd_per_month=choice.parts_usd_per_month,
    )


def _load_time_s(study: Study, i: int, gpus: int, accelerator: str, node: int) -> float:
    """Weights of one node from its drive, then the engine's own start. [s]"""
    inside = min(gpus, node)
    node_bytes = float(study.fit.weights_bytes[i]) * inside
    return start_of(study.catalog, accelerator, node_bytes, inside, Storage(), warm_node=True).start.seconds


def curves(study: Study, choices: list[Choice], most: int = 5) -> tuple[CurvePoint, ...]:
    """Cost against speed of the chosen layout of the first few accelerators, over the batch."""
    kinds = dict[tuple[int, int], Choice]()
    for choice in choices:
        kind = int(study.candidates.accelerator[choice.row]), int(study.candidates.weights[choice.row])
        kinds.setdefault(kind, choice)
    first = list(kinds.values())[:most]
    rows = np.array([choice.row for choice in first], np.int64)
    point = as_columns(study.server(rows)).at(CURVE_BATCHES[None, :])
    drawn = zip(first, point.tpot_s, point.rate_per_s, strict=True)
    return tuple(one for choice, tpot_s, rate in drawn for one in _curve(study, choice, tpot_s, rate, choices[0]))


def _curve(study: Study, choice: Choice, tpot_s: Array, rate_per_s: Array, chosen: Choice) -> list[CurvePoint]:
    fit, c = max(study.fit.max_sequences[choice.row], 1) >= CURVE_BATCHES, study.candidates
    usd_per_s = choice.usd_per_month / HOURS_PER_MONTH / 3600 / (choice.replicas + choice.spares)
    usd_per_million = usd_per_s / (rate_per_s * study.lengths.output_tokens) * 1e6
    return [
        CurvePoint(
            accelerator=c.accelerator_ids[c.accelerator[choice.row]],
            weights=WEIGHTS[c.weights[choice.row]],
            tokens_per_s_per_user=speed,
            usd_per_million_output_tokens=usd,
            chosen=choice is chosen,
        )
        for speed, usd in zip((1 / tpot_s[fit]).tolist(), usd_per_million[fit].tolist(), strict=True)
    ]
