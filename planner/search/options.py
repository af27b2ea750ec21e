"""Options of serving as the user writes them, made into what the models take."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np

from planner.catalog import Catalog
from planner.errors import Message, WorkloadError
from planner.models import memory, sparsity
from planner.models.offload import resident_shape
from planner.models.operators import Placement
from planner.models.precision import BITS, compute_dtype
from planner.models.shape import LlmShape
from planner.models.speculation import Speculation, mtp_shape
from planner.schema import Accelerator, OffloadAnswer
from planner.search.columns import Candidates, part_widths
from planner.search.fit import Change
from planner.search.host import place_in_host
from planner.search.question import Question, Resolved
from planner.shapes import llm_shape

MOST_DRAFTS = 16
SPARSE_WEIGHTS = ("bf16", "fp8", "int8")

NO_SPARSE_ENGINE = (
    "no pinned engine runs 2:4 checkpoints: vLLM removed its kernels in 2026-03 (pull request 36799); a what-if. "
    "Pruned weights change answers: measure quality before buying on this"
)


@dataclass(frozen=True)
class Options:
    """What a question asks for beside plain serving.

    Attributes
    ----------
    shape : the LLM as the accelerators hold it
    place : layout with its options
    change : what they do to memory
    host : offload in figures for people, None without offload
    parameters : calibrated parameters that they rest on
    """

    shape: LlmShape
    place: Placement
    change: Change
    host: OffloadAnswer | None
    parameters: tuple[tuple[str, str], ...]


def asked(q: Question) -> bool:
    """Does a question use any option of a single pool?"""
    return q.speculation is not None or q.sparsity is not None or q.offload is not None


def apply(
    catalog: Catalog, q: Question, found: Resolved, shape: LlmShape, place: Placement, candidates: Candidates
) -> Options:
    """Options of one layout.

    Raises
    ------
    UnknownName, WorkloadError, MissingFact
        For an option that this LLM, accelerator or host cannot have.
    """
    options = Options(shape, place, Change(), None, ())
    if q.sparsity is not None:
        options = _sparse(catalog, q, found, options)
    if q.offload is not None:
        options = _offloaded(catalog, q, found, options, candidates)
    if q.speculation is not None:
        options = _speculative(catalog, q, found, options, candidates)
    return options


def _sparse(catalog: Catalog, q: Question, found: Resolved, before: Options) -> Options:
    row = catalog.accelerators[found.accelerator]
    dtype = _sparse_dtype(q, found, row, before.shape)
    share = float(sparsity.stored_share(BITS[found.weights]))
    peak = catalog.parameter("sparse_peak_share").value
    place, sparse = before.place, row.peak_sparse_flops_per_s[dtype]  # type: ignore[index]
    place = replace(
        place,
        attention_width=place.attention_width * share,
        ffn_width=place.ffn_width * share,
        attention_flops_per_s=sparsity.reached_flops_per_s(place.attention_flops_per_s, sparse, peak),
        ffn_flops_per_s=sparsity.reached_flops_per_s(place.ffn_flops_per_s, sparse, peak),
    )
    change = replace(before.change, dense_factor=share)
    return replace(before, place=place, change=change, parameters=(*before.parameters, ("sparse_peak_share", "")))


def _sparse_dtype(q: Question, found: Resolved, row: Accelerator, shape: LlmShape) -> str:
    """Data type that computes the sparse weights."""
    if q.sparsity != "2:4":
        raise WorkloadError(
            "--sparsity {sparsity}: give 2:4, the one pattern that tensor cores skip.", sparsity=q.sparsity
        )
    if shape.experts:
        raise WorkloadError(
            "--sparsity 2:4: kernels exist for dense matrix products; {llm} has routed experts.\n"
            "  Choose a dense LLM, or narrower --weights.",
            llm=found.llm,
        )
    if found.weights not in SPARSE_WEIGHTS:
        raise WorkloadError(
            "--sparsity 2:4: there are no kernels for {weights}.\n  Choose --weights from {allowed}.",
            weights=found.weights,
            allowed=", ".join(SPARSE_WEIGHTS),
        )
    dtype = compute_dtype(found.weights, frozenset(row.peak_flops_per_s))
    if dtype not in row.peak_sparse_flops_per_s or dtype != found.weights:
        known = ", ".join(t for t in row.peak_sparse_flops_per_s if t in SPARSE_WEIGHTS) or Message(
            "no weight precision"
        )
        raise WorkloadError(
            "--sparsity 2:4: {accelerator} has sparse units for {known}, not for {weights}.\n"
            "  Choose other --weights or another --accelerator.",
            accelerator=found.accelerator,
            known=known,
            weights=found.weights,
        )
    return dtype


def _offloaded(catalog: Catalog, q: Question, found: Resolved, before: Options, candidates: Candidates) -> Options:
    width = part_widths(before.shape, catalog.llms[found.llm], candidates.weights)["routed_experts"]
    away, host = place_in_host(catalog, q, found, before.shape, float(width[0]))
    scope = catalog.cpus[host.host].architecture.split()[0]
    by_what = ("host_flops_per_s_per_core", scope) if away.by == "cpu" else ("pcie_copy_efficiency", "")
    # What is fetched needs room on the accelerators: one layer's worth, spread over them.
    layers = before.shape.moe_layers or before.shape.layers
    buffer = host.weights_bytes / layers / q.gpus if away.by == "pcie" else 0.0
    return replace(
        before,
        shape=resident_shape(before.shape, away),
        place=replace(before.place, offload=away),
        change=replace(before.change, weights_bytes=before.change.weights_bytes + buffer),
        host=host,
        parameters=(*before.parameters, ("host_memory_efficiency", ""), by_what, ("host_bytes_per_channel", "")),
    )


def _speculative(catalog: Catalog, q: Question, found: Resolved, before: Options, candidates: Candidates) -> Options:
    words = str(q.speculation).split(":")
    method, k = words[0], words[-1]
    if method not in ("mtp", "ngram", "draft") or len(words) != (3 if method == "draft" else 2):
        raise WorkloadError(
            "--speculation {speculation}: give mtp:K, ngram:K or draft:LLM:K, with K drafts per step, such as mtp:3.",
            speculation=q.speculation,
        )
    if not re.fullmatch(r"[0-9]{1,2}", k) or not 1 <= int(k) <= MOST_DRAFTS:
        raise WorkloadError(
            "--speculation {speculation}: give 1 to {most_drafts} drafts per step.",
            speculation=q.speculation,
            most_drafts=MOST_DRAFTS,
        )
    drafts = int(k)
    drafter, added = _drafter(catalog, q, found, before, candidates, method, words[1])
    parameters = () if q.acceptance is not None else (("speculation_acceptance", _depth(catalog, drafts)),)
    if drafter is not None:
        parameters = (*parameters, ("host_draft_s", ""))
    pass_s = catalog.parameter("host_draft_s").value
    speculation = Speculation(drafts, _acceptance(catalog, q, method, drafts), drafter, pass_s)
    change = replace(
        before.change,
        weights_bytes=before.change.weights_bytes + added[0],
        sequence_bytes=before.change.sequence_bytes + added[1],
    )
    place = replace(before.place, speculation=speculation)
    return replace(before, place=place, change=change, parameters=(*before.parameters, *parameters))


def _depth(catalog: Catalog, drafts: int) -> str:
    """Scope of the acceptance that was measured at so many drafts; blank beyond the measured depths."""
    return str(drafts) if ("speculation_acceptance", str(drafts)) in catalog.calibration else ""


def _acceptance(catalog: Catalog, q: Question, method: str, drafts: int) -> float:
    if q.acceptance is None:
        if method == "mtp":
            return catalog.parameter("speculation_acceptance", _depth(catalog, drafts)).value
        raise WorkloadError(
            "--speculation {speculation}: the acceptance of {method} drafts depends on the text, and "
            "none is in the catalogs.\n"
            "  Give --acceptance, the share of drafts that hold.",
            speculation=q.speculation,
            method=method,
        )
    if not 0 <= q.acceptance <= 1:
        raise WorkloadError("--acceptance {acceptance:g}: give a share from 0 to 1.", acceptance=q.acceptance)
    return q.acceptance


def _drafter(
    catalog: Catalog,
    q: Question,
    found: Resolved,
    before: Options,
    candidates: Candidates,
    method: str,
    name: str,
) -> tuple[LlmShape | None, tuple[float, float]]:
    """What computes a draft, with its weights per accelerator and its cache per sequence. [B]"""
    if method == "ngram":
        return None, (0.0, 0.0)
    llm_id = found.llm if method == "mtp" else catalog.llm_id(name, "--speculation")
    llm = catalog.llms[llm_id]
    if method == "mtp" and not llm.mtp_layers:
        known = ", ".join(id for id, other in catalog.llms.items() if other.mtp_layers)
        raise WorkloadError(
            "--speculation {speculation}: {llm} has no multi-token-prediction module.\n"
            "  Those that have: {known}. Or use ngram:K or draft:LLM:K.",
            speculation=q.speculation,
            llm=found.llm,
            known=known,
        )
    if method == "draft" and llm.heads % found.tp:
        raise WorkloadError(
            "--speculation {speculation}: --tp {tp} does not divide {heads} heads.",
            speculation=q.speculation,
            tp=found.tp,
            heads=llm.heads,
        )
    whole = llm_shape(llm_id, llm)
    if method == "draft" and whole.total_params >= before.shape.total_params:
        raise WorkloadError(
            "--speculation {speculation}: {llm_id} is no smaller than {llm}.",
            speculation=q.speculation,
            llm_id=llm_id,
            llm=found.llm,
        )
    shape = mtp_shape(whole) if method == "mtp" else whole
    widths = part_widths(shape, llm, candidates.weights)
    held = replace(shape, embedding_params=0.0, extra_params=0.0) if method == "mtp" else shape
    weights = memory.weight_bytes_per_gpu(held, dict(widths), found.tp, q.dp, 1)
    context = float(q.input_tokens + q.output_tokens)
    cache = memory.kv_bytes_per_sequence(shape, before.place.kv_width, context)
    return shape, (float(np.max(weights)), float(np.max(cache)))
