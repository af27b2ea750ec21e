"""Candidates as equal-length columns, and the placement columns that the models take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.catalog import Catalog
from planner.models.collectives import Links
from planner.models.memory import bytes_per_part
from planner.models.operators import Efficiency, Placement
from planner.models.precision import BYTES_PER_KV, compute_dtype
from planner.models.shape import LlmShape
from planner.schema import Accelerator, Llm

Array = NDArray[np.float64]
Index = NDArray[np.int64]

WEIGHTS = ("bf16", "fp8", "int8", "int4", "nvfp4", "mxfp4")
KV = ("bf16", "fp8")


@dataclass(frozen=True)
class Candidates:
    """Layouts as columns of length n.

    Attributes
    ----------
    accelerator, engine : positions in `accelerator_ids` and `engine_ids`
    weights, kv : positions in WEIGHTS and KV
    tp, dp, pp, ep : parallel sizes; gpus = tp x dp x pp [-]
    """

    accelerator_ids: tuple[str, ...]
    engine_ids: tuple[str, ...]
    accelerator: Index
    engine: Index
    weights: Index
    kv: Index
    tp: Index
    dp: Index
    pp: Index
    ep: Index

    def __len__(self) -> int:
        return len(self.accelerator)

    @property
    def gpus(self) -> Index:
        """Accelerators of one replica."""
        return self.tp * self.dp * self.pp

    def take(self, rows: NDArray[Any]) -> Candidates:
        """The candidates at some positions, or where a mask is true."""
        columns = {f.name: getattr(self, f.name)[rows] for f in fields(self)[2:]}
        return Candidates(self.accelerator_ids, self.engine_ids, **columns)


def reach(accelerator: Accelerator) -> int:
    """Accelerators that a replica may take before it needs the network: a server, or the scale-up domain."""
    return max(accelerator.server_accelerators, accelerator.scaleup_domain_gpus)


def efficiency(catalog: Catalog) -> Efficiency:
    """Fitted scalars of the step-time model, from calibration.csv."""
    return Efficiency(**{f.name: catalog.parameter(f.name).value for f in fields(Efficiency)})


def place(
    catalog: Catalog, shape: LlmShape, llm: Llm, candidates: Candidates, profiles: Sequence[str] = ("",)
) -> Placement:
    """Look up peaks, widths, efficiencies and links of every candidate.

    `profiles` names, for each candidate or for all, software with figures of its own: `default` for an
    engine's default flags, `old` for vLLM before 0.13, `earlier` for vLLM before 0.17, `preview` for
    TensorRT-LLM before 1.2; empty is the pinned version, tuned.

    A blank fact becomes NaN; `space.missing_facts` names it before it gets here.
    """
    rows = [catalog.accelerators[id] for id in candidates.accelerator_ids]
    at, w = candidates.accelerator, candidates.weights
    attention_weights = np.where(_attention_wide(llm, shape)[w], WEIGHTS.index("bf16"), w)
    peaks = _peak_table(rows)
    memory, compute = _efficiency_tables(catalog, candidates.accelerator_ids)
    widths = np.array([[bytes_per_part(shape, p, False)[part] for p in WEIGHTS] for part in ("dense", "router")])
    return Placement(
        tp=candidates.tp.astype(float),
        dp=candidates.dp.astype(float),
        pp=candidates.pp.astype(float),
        ep=candidates.ep.astype(float),
        bandwidth_bytes_per_s=_column(rows, "bandwidth_bytes_per_s")[at],
        bf16_flops_per_s=peaks[at, WEIGHTS.index("bf16")],
        attention_flops_per_s=peaks[at, attention_weights],
        attention_width=widths[0][attention_weights],
        attention_memory_efficiency=memory[at, attention_weights],
        attention_compute_efficiency=compute[at, attention_weights],
        ffn_flops_per_s=peaks[at, w],
        ffn_width=widths[0][w],
        ffn_memory_efficiency=memory[at, w],
        ffn_compute_efficiency=compute[at, w],
        moe_memory_efficiency=_experts(catalog, llm, candidates.accelerator_ids, "moe_memory_efficiency")[at, w],
        moe_compute_efficiency=_experts(catalog, llm, candidates.accelerator_ids, "moe_compute_efficiency")[at, w],
        prompt_attention_factor=np.array(
            [catalog.kernel_ratio("prefill_attention_efficiency", "", id) for id in candidates.accelerator_ids]
        )[at],
        kv_width=np.array([BYTES_PER_KV[k] for k in KV])[candidates.kv],
        kv_factor=_kv_factor(catalog, shape, candidates.accelerator_ids)[at, candidates.kv],
        time_factor=_architecture(catalog, "time_factor", rows)[at]
        * _profile(catalog, "generation_time_factor", profiles, len(candidates)),
        host_factor=_host_factor(catalog, candidates, profiles),
        stream_sequence_s=_profile(catalog, "stream_sequence_s", profiles, len(candidates)),
        links=_links(catalog, rows, candidates),
    )


def part_widths(shape: LlmShape, llm: Llm, weights: Index) -> dict[str, Array]:
    """Bytes per parameter by part of the model, per candidate."""
    wide = _attention_wide(llm, shape)
    tables = [bytes_per_part(shape, p, bool(wide[i])) for i, p in enumerate(WEIGHTS)]
    return {part: np.array([t[part] for t in tables])[weights] for part in tables[0]}


def _attention_wide(llm: Llm, shape: LlmShape) -> NDArray[np.bool_]:
    """Per weight precision: does attention stay in 16 bit?"""
    published = [p == llm.weights and "attention" in llm.unquantised for p in WEIGHTS]
    wide, narrow = bytes_per_part(shape, "bf16")["attention"], [bytes_per_part(shape, p) for p in WEIGHTS]
    return np.asarray(np.array(published) | np.array([n["attention"] == wide for n in narrow]))


def _column(rows: list[Accelerator], field: str) -> Array:
    return np.array([np.nan if getattr(r, field) is None else getattr(r, field) for r in rows], float)


def _peak_table(rows: list[Accelerator]) -> Array:
    """Peak of the data type that each weight precision computes in, NaN where there is none. [FLOP/s]"""
    table = np.full((len(rows), len(WEIGHTS)), np.nan)
    for i, row in enumerate(rows):
        for j, precision in enumerate(WEIGHTS):
            dtype = compute_dtype(precision, frozenset(row.peak_flops_per_s))
            if dtype is not None:
                table[i, j] = row.peak_flops_per_s[dtype]  # type: ignore[index]
    return table


def _efficiency_tables(catalog: Catalog, ids: Sequence[str]) -> tuple[Array, Array]:
    """Reached shares of bandwidth (by storage) and of the peak (by the type that computes)."""
    memory = np.array([[_reached(catalog, "gemm_memory_efficiency", p, id) for p in WEIGHTS] for id in ids])
    compute = np.full((len(ids), len(WEIGHTS)), np.nan)
    for i, id in enumerate(ids):
        for j, precision in enumerate(WEIGHTS):
            dtype = compute_dtype(precision, frozenset(catalog.accelerators[id].peak_flops_per_s))
            if dtype is not None:
                compute[i, j] = _reached(catalog, "gemm_compute_efficiency", dtype, id)
    return memory, compute


def _kv_factor(catalog: Catalog, shape: LlmShape, ids: Sequence[str]) -> Array:
    """Reached bandwidth of an fp8 latent cache against a 16-bit one; plain heads lose nothing."""
    ratios = [catalog.kernel_ratio("kv_memory_efficiency", "", id) for id in ids]
    table = np.repeat(np.array(ratios)[:, None], len(KV), axis=1)
    if shape.latent_attention:
        families = [catalog.accelerators[id].architecture.split()[0] for id in ids]
        table[:] = 1.0  # latent kernels have figures of their own
        table[:, KV.index("fp8")] = [catalog.parameter("latent_fp8_kv_factor", f).value for f in families]
    return table


def _architecture(catalog: Catalog, name: str, rows: list[Accelerator]) -> Array:
    """A parameter by the first word of each accelerator's architecture."""
    return np.array([catalog.parameter(name, row.architecture.split()[0]).value for row in rows])


def _experts(catalog: Catalog, llm: Llm, ids: Sequence[str], name: str) -> Array:
    """Reached share of expert kernels by accelerator and weight precision.

    LLMs published in fp8 scale blocks, others whole matrices.
    """
    scopes = ["fp8-block" if p == llm.weights == "fp8" else p for p in WEIGHTS]
    return np.array([[_reached(catalog, name, scope, id) for scope in scopes] for id in ids])


def _reached(catalog: Catalog, name: str, scope: str, id: str) -> float:
    """A fitted share times what kernels of the architecture reach over those of Hopper; a share stays below one."""
    return min(catalog.parameter(name, scope).value * catalog.kernel_ratio(name, scope, id), 0.99)


def _profile(catalog: Catalog, name: str, profiles: Sequence[str], n: int) -> Array:
    """A parameter by software profile, of length n."""
    values = {g: catalog.parameter(name, g).value for g in set(profiles)}
    return np.broadcast_to(np.array([values[g] for g in profiles]), (n,))


def _host_factor(catalog: Catalog, candidates: Candidates, profiles: Sequence[str]) -> Array:
    """Host time per layer by weight precision, and by engine where its pinned version serves."""
    by_weights = np.array([catalog.parameter("host_weights_factor", p).value for p in WEIGHTS])
    by_engine = np.array([catalog.parameter("host_engine_factor", id).value for id in candidates.engine_ids])
    pinned = np.broadcast_to(np.array([p == "" for p in profiles]), (len(candidates),))
    return by_weights[candidates.weights] * np.where(pinned, by_engine[candidates.engine], 1.0)


def pool_link(catalog: Catalog, accelerator: Accelerator, gpus: int) -> tuple[float, float]:
    """One-way rate of one accelerator towards another of `gpus` joined ones, before efficiency, and its latency."""
    inside = gpus <= accelerator.scaleup_domain_gpus and accelerator.scaleup_bytes_per_s is not None
    if inside:
        kind, rate = "scale-up", accelerator.scaleup_bytes_per_s
    elif gpus <= reach(accelerator):
        kind, rate = "pcie", accelerator.pcie_bytes_per_s
    else:
        kind, rate = "internode", catalog.parameter("internode_bytes_per_s").value
    assert rate is not None
    return rate, catalog.parameter("collective_latency_s", kind).value


def _links(catalog: Catalog, rows: list[Accelerator], candidates: Candidates) -> Links:
    at, tp = candidates.accelerator, candidates.tp
    domain = np.array([r.scaleup_domain_gpus for r in rows])[at]
    node = np.array([reach(r) for r in rows])[at]
    mesh = np.array([r.scaleup_mesh for r in rows])[at]
    scaleup, pcie = _column(rows, "scaleup_bytes_per_s")[at], _column(rows, "pcie_bytes_per_s")[at]
    modern = np.array([r.pcie_gen >= 5 for r in rows])[at]
    inside = np.array([catalog.engines[id].stages_in_ranks for id in candidates.engine_ids])[candidates.engine]
    apart = inside & (candidates.dp > 1)  # from the first of them to the last, what lies between included
    group = np.where(apart, candidates.gpus, candidates.tp * candidates.dp)
    stages = np.where(apart, candidates.tp * candidates.pp, candidates.gpus)
    tensor = _link(catalog, tp, domain, node, mesh, scaleup, pcie, modern)
    everyone = _link(catalog, group, domain, node, mesh, scaleup, pcie, modern)
    stage = _link(catalog, stages, domain, node, mesh, scaleup, pcie, modern)
    return Links(*tensor, *everyone, *stage)


def _link(
    catalog: Catalog,
    ranks: Index,
    domain: Index,
    node: Index,
    mesh: NDArray[np.bool_],
    scaleup: Array,
    pcie: Array,
    modern: NDArray[np.bool_],
) -> tuple[Array, Array]:
    """Usable one-way bandwidth and latency of the slowest link inside a group of ranks."""
    share = np.where(mesh, np.minimum(ranks - 1, domain - 1) / np.maximum(domain - 1, 1), 1.0)
    inside, in_node = (ranks <= domain) & ~np.isnan(scaleup), ranks <= node

    def by_kind(on_scaleup: Array | float, on_pcie: Array | float, between: float) -> Array:
        return np.where(inside, on_scaleup, np.where(in_node, on_pcie, between))

    def parameter(name: str, kind: str) -> float:
        return catalog.parameter(name, kind).value

    def reached(kind: str) -> float:
        return parameter("collective_efficiency", kind)

    on_pcie = np.where(modern, reached("pcie5"), reached("pcie"))
    efficiency = by_kind(reached("scale-up"), on_pcie, reached("internode"))
    latency_s = by_kind(*(parameter("collective_latency_s", kind) for kind in ("scale-up", "pcie", "internode")))
    between = catalog.parameter("internode_bytes_per_s").value
    bandwidth = by_kind(scaleup * np.maximum(share, 1e-9), pcie, between)
    return bandwidth * efficiency, latency_s
