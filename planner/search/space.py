"""Which layouts can exist: enumerated as columns, ruled out by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.catalog import Catalog
from planner.errors import WorkloadError
from planner.models.precision import compute_dtype, made_from
from planner.models.shape import LlmShape
from planner.schema import Accelerator, Engine, Limits, Llm
from planner.search.columns import KV, WEIGHTS, Candidates, Index, reach
from planner.search.fit import whole_prompts

Mask = NDArray[np.bool_]

FACTS = ("memory_visible_bytes", "bandwidth_bytes_per_s")
BLOCK = 128  # quantised matrices are cut in blocks of 128 columns


@dataclass(frozen=True)
class Space:
    """Every combination, and the first rule that each breaks (-1: none)."""

    candidates: Candidates
    rules: tuple[str, ...]
    broken: Index

    @property
    def possible(self) -> Candidates:
        """Candidates that break no rule."""
        return self.candidates.take(self.broken < 0)


def enumerate_space(catalog: Catalog, limits: Limits, llm: Llm, shape: LlmShape, prefixes: bool = False) -> Space:
    """All combinations of accelerator, engine, precisions and parallel sizes within the limits.

    Parameters
    ----------
    prefixes : parts of prompts are to be found in the cache

    Raises
    ------
    UnknownName, WorkloadError
        For names that no catalog has, or precisions that the LLM cannot have.
    """
    accelerators = _chosen(
        limits.accelerators, list(catalog.accelerators), catalog.accelerator_id, "limits.accelerators"
    )
    engines = _chosen(limits.engines, list(catalog.engines), catalog.engine_id, "limits.engines")
    weights = [WEIGHTS.index(w) for w in weight_choices(llm, tuple(limits.weights))]
    kv = [KV.index(k) for k in (limits.kv or KV)]
    layouts = np.array(_wanted(_layouts(limits.max_gpus_per_replica, shape.experts), limits), np.int64)
    grid = np.meshgrid(
        np.arange(len(accelerators)),
        np.arange(len(engines)),
        weights,
        kv,
        np.arange(len(layouts)),
        indexing="ij",
    )
    at, engine, w, k, layout = (axis.ravel() for axis in grid)
    tp, dp, pp, ep = (layouts[layout, column] for column in range(4))
    candidates = Candidates(tuple(accelerators), tuple(engines), at, engine, w, k, tp, dp, pp, ep)
    rules = _rules(catalog, shape, candidates)
    rules["prefix"] = ~(whole_prompts(catalog, llm, candidates) & prefixes)
    broken = np.full(len(candidates), -1, np.int64)
    for number, holds in reversed(list(enumerate(rules.values()))):
        broken = np.where(holds, broken, number)
    return Space(candidates, tuple(rules), broken)


def weight_choices(llm: Llm, asked: tuple[str, ...]) -> tuple[str, ...]:
    """Precisions to consider: those asked for, else the published one.

    Raises
    ------
    WorkloadError
        For a precision that cannot be made from the published weights.
    """
    possible = possible_weights(llm)
    wrong = [w for w in asked if w not in possible]
    if wrong:
        raise WorkloadError(
            "limits.weights: {llm} cannot be served in {wrong}: it is published in {weights}.\n  Possible: {possible}.",
            llm=llm.name,
            wrong=", ".join(wrong),
            weights=llm.weights,
            possible=", ".join(possible),
        )
    return asked or (llm.weights,)


def possible_weights(llm: Llm) -> tuple[str, ...]:
    """Precisions that can be made from the published one."""
    return made_from(llm.weights)


def _chosen(asked: tuple[str, ...], every: list[str], resolve: Callable[[str, str], str], where: str) -> list[str]:
    return list(dict.fromkeys(resolve(name, where) for name in asked)) if asked else every


def _layouts(max_gpus: int, experts: int) -> list[tuple[int, int, int, int]]:
    """(tp, dp, pp, ep) in powers of two; attention data-parallelism only where experts are shared."""
    powers = [2**i for i in range(int(math.log2(max_gpus)) + 1)]
    found = []
    for pp in (p for p in powers if p <= 8):
        for dp in powers if experts else [1]:
            for tp in powers:
                if tp * dp * pp <= max_gpus:
                    found.append((tp, dp, pp, 1))
                    if experts and tp * dp > 1:
                        found.append((tp, dp, pp, tp * dp))
    return found


def _wanted(layouts: list[tuple[int, int, int, int]], limits: Limits) -> list[tuple[int, int, int, int]]:
    """Layouts of the sizes that the limits name."""
    asked = {name: getattr(limits, name) for name in ("tp", "dp", "pp", "ep")}
    found = [sizes for sizes in layouts if all(not a or n in a for a, n in zip(asked.values(), sizes, strict=True))]
    if not found:
        told = ", ".join(f"{name} {'/'.join(map(str, sizes))}" for name, sizes in asked.items() if sizes)
        raise WorkloadError(
            "limits: no layout has {told} within {max_gpus_per_replica} accelerators per replica.\n"
            "  Give powers of two; dp above 1 needs experts; ep is 1 or tp x dp; see "
            "limits.max_gpus_per_replica.",
            told=told,
            max_gpus_per_replica=limits.max_gpus_per_replica,
        )
    return found


def _rules(catalog: Catalog, shape: LlmShape, c: Candidates) -> dict[str, Mask]:
    """Named conditions, the most fundamental first; true where it holds."""
    rows = [catalog.accelerators[id] for id in c.accelerator_ids]
    at = c.accelerator
    joined = np.array([reach(r) for r in rows])[at]
    return {
        "precision": _computes(catalog, rows, c),
        "engine": _engine_supports(catalog, rows, c),
        "facts": np.array([all(getattr(r, f) is not None for f in FACTS) for r in rows])[at],
        "shape": _divides(shape, c),
        "link": (c.tp <= joined) & ((c.gpus <= joined) | (c.gpus % joined == 0)),
    }


def _computes(catalog: Catalog, rows: list[Accelerator], c: Candidates) -> Mask:
    table = [[compute_dtype(w, frozenset(r.peak_flops_per_s)) is not None for w in WEIGHTS] for r in rows]
    return np.array(table)[c.accelerator, c.weights]


def _engine_supports(catalog: Catalog, rows: list[Accelerator], c: Candidates) -> Mask:
    engines = [catalog.engines[id] for id in c.engine_ids]
    runs = np.zeros((len(engines), len(rows), len(WEIGHTS)), bool)
    for e, engine in enumerate(engines):
        for a, row in enumerate(rows):
            for w, precision in enumerate(WEIGHTS):
                runs[e, a, w] = runs_on(engine, row, precision)
    stores = np.array([[k in e.kv for k in KV] for e in engines])
    # An fp8 cache needs fp8 conversion in hardware to be worth its name.
    converts = np.array([[k == "bf16" or "fp8" in r.peak_flops_per_s for k in KV] for r in rows])
    dp = np.array([e.attention_data_parallel for e in engines])
    ep = np.array([e.expert_parallel for e in engines])
    pp = np.array([e.pipeline_parallel for e in engines])
    at = c.engine
    spread = (c.dp == 1) | (dp[at] == "any") | ((dp[at] == "all") & (c.tp == 1))
    parallel = spread & (ep[at] | (c.ep == 1)) & (pp[at] | (c.pp == 1))
    cached = stores[at, c.kv] & converts[c.accelerator, c.kv]
    return np.asarray(runs[at, c.accelerator, c.weights] & cached & parallel)


def runs_on(engine: Engine, accelerator: Accelerator, weights: str) -> bool:
    """Has the engine kernels for these weights on this architecture?"""
    families = dict(engine.weights).get(weights, ())  # type: ignore[call-overload]
    known = any(f == "*" or accelerator.architecture.startswith(f) for f in families)
    return accelerator.vendor in engine.vendors and known


def _divides(shape: LlmShape, c: Candidates) -> Mask:
    """Heads, experts, layers and matrix widths divide over the ranks."""
    block = np.where(c.weights == WEIGHTS.index("bf16"), 1, BLOCK)
    kv_heads = (c.tp <= shape.kv_heads) & (shape.kv_heads % c.tp == 0) | (c.tp % shape.kv_heads == 0)
    fits = (shape.heads % c.tp == 0) & (kv_heads | shape.latent_attention) & (shape.layers >= c.pp)
    if shape.dense_ffn_params:
        fits &= shape.ffn_size % (c.tp * block) == 0
    if shape.experts:
        ranks = np.where(c.ep > 1, 1, c.tp * c.dp)
        fits &= (shape.expert_ffn_size % (ranks * block) == 0) | (ranks == 1)
        fits &= shape.experts % c.ep == 0
    return np.asarray(fits)
