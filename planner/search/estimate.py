"""One layout at one concurrency: the smallest complete answer."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from planner.catalog import Catalog
from planner.errors import MissingFact, WorkloadError
from planner.models import serving
from planner.models.loop import closed_loop
from planner.models.precision import compute_dtype
from planner.schema import Estimate, Memory
from planner.search import metrics
from planner.search.columns import KV, WEIGHTS, Candidates, efficiency, place
from planner.search.fit import fit_memory
from planner.search.learned import own_names, tune
from planner.search.loops import loop
from planner.search.space import FACTS, possible_weights
from planner.shapes import llm_shape

SOURCES = (
    ("gemm_memory_efficiency", "bf16"),
    ("moe_memory_efficiency", ""),
    ("kv_memory_efficiency", ""),
    ("host_layer_s", ""),
    ("interference_share", ""),
    ("prompt_overhead", ""),
    ("first_token_steps", ""),
    ("driver_reserve_bytes", ""),
    ("host_power_w_per_gpu", ""),
)


@dataclass(frozen=True)
class Question:
    """What `planner estimate` asks: names as the user wrote them, sizes of the layout and the load."""

    llm: str
    accelerator: str
    gpus: int = 8
    tp: int | None = None
    dp: int = 1
    pp: int = 1
    ep: int = 1
    weights: str | None = None
    kv: str = "bf16"
    engine: str = "vllm"
    input_tokens: int = 1024
    output_tokens: int = 1024
    concurrency: int = 64
    utilisation: float | None = None
    prefix_hit_rate: float = 0.0
    site: str = "us-average"


def estimate(catalog: Catalog, question: Question) -> Estimate:
    """Memory, latency, throughput and power of one replica in a closed loop.

    Raises
    ------
    UnknownName, WorkloadError, MissingFact
        For names, sizes or facts that give no answer.
    """
    llm_id, accelerator_id, engine_id, tp, weights = resolve(catalog, question)
    llm = catalog.llms[llm_id]
    shape = llm_shape(llm_id, llm)
    one = np.ones(1, np.int64)
    candidates = Candidates(
        (accelerator_id,),
        (engine_id,),
        one - 1,
        one - 1,
        one * WEIGHTS.index(weights),
        one * KV.index(question.kv),
        one * tp,
        one * question.dp,
        one * question.pp,
        one * question.ep,
    )
    placed, eff = tune(catalog, llm_id, candidates, place(catalog, shape, llm, candidates), efficiency(catalog))
    lengths = serving.Lengths(
        float(question.input_tokens), float(question.output_tokens), 0.0, 1.0, question.prefix_hit_rate
    )
    fit = fit_memory(
        catalog, llm, shape, candidates, placed.kv_width, lengths.final_context_tokens, question.utilisation
    )
    memory = metrics.memory_answer(shape, candidates, fit, 0)
    if not memory.fits:
        raise WorkloadError(_too_small(catalog, question, candidates, fit.usable_bytes[0], memory))
    users = np.array([float(question.concurrency)])
    driven = loop(catalog, [engine_id], catalog.harnesses["plain"].requests_per_user)
    point, ttft_s = closed_loop(shape, placed, eff, lengths, users, fit.max_sequences, fit.budget_tokens, driven)
    load = metrics.observe(catalog, shape, candidates, placed, eff, lengths, point, ttft_s)
    served = metrics.serving_answer(
        lengths, load, question.gpus, 0, min(1.0, question.concurrency / memory.max_sequences)
    )
    basis = metrics.basis_of(catalog, accelerator_id, weights, llm_id, engine_id)
    return Estimate(
        inputs={
            "llm": llm_id,
            "accelerator": accelerator_id,
            "engine": engine_id,
            "gpus": question.gpus,
            "tp": tp,
            "dp": question.dp,
            "pp": question.pp,
            "ep": question.ep,
            "weights": weights,
            "kv": question.kv,
            "input_tokens": question.input_tokens,
            "output_tokens": question.output_tokens,
            "concurrency": question.concurrency,
            "prefix_hit_rate": question.prefix_hit_rate,
            "site": question.site,
        },
        memory=memory,
        serving=served,
        power=metrics.power_answer(catalog, catalog.site(question.site, "--site"), lengths, load, question.gpus, 0),
        basis=basis,
        band=metrics.band_answer(catalog, basis, served),
        assumptions=metrics.assumptions(catalog, SOURCES + own_names(catalog, [(accelerator_id, llm_id, engine_id)])),
    )


def resolve(catalog: Catalog, q: Question) -> tuple[str, str, str, int, str]:
    """Ids of LLM, accelerator and engine, tensor-parallel size and weight precision of a layout that can exist.

    Raises
    ------
    UnknownName, WorkloadError, MissingFact
        For names, sizes or facts that give no answer.
    """
    llm_id = catalog.llm_id(q.llm, "--llm")
    accelerator_id = catalog.accelerator_id(q.accelerator, "--accelerator")
    engine_id = catalog.engine_id(q.engine, "--engine")
    catalog.site(q.site, "--site")
    llm, row = catalog.llms[llm_id], catalog.accelerators[accelerator_id]
    for field in FACTS:
        if getattr(row, field) is None:
            raise MissingFact(
                accelerator_id, field, "an estimate", "Add it with its source to catalogs/accelerators.toml."
            )
    weights = q.weights or llm.weights
    tp = max(q.gpus // max(q.dp * q.pp, 1), 1) if q.tp is None else q.tp
    _check_sizes(q, tp)
    _check_shape(llm.heads, llm.layers, llm.moe.experts if llm.moe else 0, q, tp)
    if weights not in possible_weights(llm):
        raise WorkloadError(
            f"{llm_id} is published in {llm.weights}; {weights} cannot be made from it.\n"
            f"  Possible: {', '.join(possible_weights(llm))}."
        )
    if compute_dtype(weights, frozenset(row.peak_flops_per_s)) is None:
        raise WorkloadError(
            f"{accelerator_id} cannot compute in {weights}: it has units for {', '.join(row.peak_flops_per_s)}.\n"
            "  Choose other --weights, such as int4 or bf16, or another --accelerator."
        )
    context = q.input_tokens + q.output_tokens
    if llm.max_context_tokens and context > llm.max_context_tokens:
        raise WorkloadError(
            f"{q.input_tokens} tokens in and {q.output_tokens} out exceed the {llm.max_context_tokens}-token context "
            f"of {llm_id}."
        )
    return llm_id, accelerator_id, engine_id, tp, weights


def _check_sizes(q: Question, tp: int) -> None:
    sizes = {
        "gpus": q.gpus,
        "tp": tp,
        "dp": q.dp,
        "pp": q.pp,
        "ep": q.ep,
        "input": q.input_tokens,
        "output": q.output_tokens,
        "concurrency": q.concurrency,
    }
    for name, size in sizes.items():
        if not 1 <= size <= 10_000_000:
            raise WorkloadError(f"--{name} {size}: give a whole number from 1 to 10,000,000.")
    if tp * q.dp * q.pp != q.gpus:
        raise WorkloadError(
            f"--tp {tp} x --dp {q.dp} x --pp {q.pp} = {tp * q.dp * q.pp} accelerators, but --gpus says {q.gpus}.\n"
            "  Make the product equal --gpus."
        )
    if q.ep not in (1, tp * q.dp):
        raise WorkloadError(f"--ep {q.ep}: give 1, or tp x dp = {tp * q.dp} to place whole experts on ranks.")
    if q.kv not in KV:
        raise WorkloadError(f"--kv {q.kv}: give one of {', '.join(KV)}.")
    if q.weights is not None and q.weights not in WEIGHTS:
        raise WorkloadError(f"--weights {q.weights}: give one of {', '.join(WEIGHTS)}.")
    if q.utilisation is not None and not 0 < q.utilisation <= 1:
        raise WorkloadError(f"--utilisation {q.utilisation}: give a share above 0 and up to 1.")
    if not 0 <= q.prefix_hit_rate < 1:
        raise WorkloadError(f"--prefix-hit-rate {q.prefix_hit_rate}: give a share from 0 and below 1.")


def _check_shape(heads: int, layers: int, experts: int, q: Question, tp: int) -> None:
    if heads % tp:
        raise WorkloadError(f"--tp {tp} does not divide {heads} attention heads.\n  Choose a divisor of {heads}.")
    if q.pp > layers:
        raise WorkloadError(f"--pp {q.pp} exceeds {layers} layers.")
    if (q.ep > 1 or q.dp > 1) and not experts:
        raise WorkloadError("--ep and --dp need a mixture of experts; run more replicas instead.")
    if q.ep > 1 and experts % q.ep:
        raise WorkloadError(f"--ep {q.ep} does not divide {experts} experts.")


def _too_small(catalog: Catalog, q: Question, candidates: Candidates, usable: float, memory: Memory) -> str:
    row = catalog.accelerators[candidates.accelerator_ids[0]]
    weights = memory.weights_bytes_per_gpu
    other = memory.activation_bytes_per_gpu + memory.reserve_bytes_per_gpu
    more = math.ceil((weights * q.gpus) / max(usable - other, 1.0))
    return (
        f"{q.llm} in {WEIGHTS[candidates.weights[0]]} needs {weights / 1e9:.1f} GB of weights per accelerator, "
        f"{other / 1e9:.1f} GB of reserve and {memory.kv_bytes_per_sequence / 1e9:.2f} GB for one sequence; "
        f"{q.gpus} x {candidates.accelerator_ids[0]} leaves {usable / 1e9:.1f} GB usable each.\n"
        f"  Use at least {max(more, q.gpus + 1)} of them (a {row.form_factor} server holds {row.server_accelerators}), "
        "or narrower --weights."
    )
