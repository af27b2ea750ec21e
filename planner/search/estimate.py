"""One layout at one concurrency: the smallest complete answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from planner.catalog import Catalog
from planner.errors import Message, PlannerError, Told, TooSmall
from planner.models.loop import closed_loop
from planner.models.operators import Efficiency, Placement
from planner.models.serving import Lengths
from planner.models.shape import LlmShape
from planner.models.step import draft_s, host_s, step_s
from planner.schema import Accelerator, Assumption, Basis, Estimate, Memory, SparsityAnswer, SpeculationAnswer
from planner.search import metrics, options
from planner.search.columns import KV, WEIGHTS, Array, Candidates, efficiency, place
from planner.search.fit import PLAIN, Change, Fit, fit_memory
from planner.search.learned import own_names, tune
from planner.search.loops import loop
from planner.search.options import Options
from planner.search.question import PROFILES, Question, Resolved, resolve
from planner.shapes import llm_shape

__all__ = ["Question", "estimate"]

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
LOAD = ("kv", "input_tokens", "output_tokens", "concurrency", "prefix_hit_rate", "site")
OPTIONS = ("speculation", "acceptance", "sparsity", "offload")


@dataclass(frozen=True)
class Layout:
    """One layout ready for the models: columns of length one."""

    shape: LlmShape
    candidates: Candidates
    place: Placement
    eff: Efficiency
    lengths: Lengths
    fit: Fit


def estimate(catalog: Catalog, question: Question) -> Estimate:
    """Memory, latency, throughput and power of one replica in a closed loop, or of two pools.

    Raises
    ------
    UnknownName, WorkloadError, MissingFact
        For names, sizes or facts that give no answer.
    """
    if question.mode != "aggregated":
        from planner.search.disaggregated import estimate as two_pools

        return two_pools(catalog, question)
    found = resolve(catalog, question)
    plain = lay_out(catalog, question, found)
    if not options.asked(question):
        return _answer(catalog, question, found, plain, plain.shape)
    chosen = options.apply(catalog, question, found, plain.shape, plain.place, plain.candidates)
    layout = with_options(catalog, question, found, plain, chosen)
    answer = _answer(catalog, question, found, layout, chosen.shape)
    return _optional(catalog, question, plain, layout, chosen, answer)


def lay_out(catalog: Catalog, q: Question, found: Resolved) -> Layout:
    """Shape, placement and memory of a question without options."""
    llm = catalog.llms[found.llm]
    shape = llm_shape(found.llm, llm)
    one = np.ones(1, np.int64)
    candidates = Candidates(
        (found.accelerator,),
        (found.engine,),
        one - 1,
        one - 1,
        one * WEIGHTS.index(found.weights),
        one * KV.index(q.kv),
        one * found.tp,
        one * q.dp,
        one * q.pp,
        one * q.ep,
    )
    placed = place(catalog, shape, llm, candidates, (PROFILES[q.profile],))
    placed, eff = tune(catalog, found.llm, candidates, placed, efficiency(catalog))
    lengths = Lengths(float(q.input_tokens), float(q.output_tokens), 0.0, 1.0, q.prefix_hit_rate)
    fit = _fit(catalog, q, found, shape, candidates, placed, lengths, PLAIN)
    return Layout(shape, candidates, placed, eff, lengths, fit)


def with_options(catalog: Catalog, q: Question, found: Resolved, plain: Layout, chosen: Options) -> Layout:
    """The layout with its options; the shape stays that of the whole LLM."""
    speculation = chosen.place.speculation
    steps = 1.0 if speculation is None else speculation.tokens_per_step
    lengths = replace(plain.lengths, tokens_per_step=steps)
    fit = _fit(catalog, q, found, chosen.shape, plain.candidates, chosen.place, lengths, chosen.change)
    return replace(plain, place=chosen.place, lengths=lengths, fit=fit)


def _fit(
    catalog: Catalog,
    q: Question,
    found: Resolved,
    shape: LlmShape,
    candidates: Candidates,
    placed: Placement,
    lengths: Lengths,
    change: Change,
) -> Fit:
    llm, context = catalog.llms[found.llm], lengths.final_context_tokens
    longest = float(np.max(context))
    return fit_memory(
        catalog, llm, shape, candidates, placed.kv_width, context, q.utilisation, change=change, longest_tokens=longest
    )


def fitting_memory(catalog: Catalog, q: Question, layout: Layout) -> Memory:
    """Memory of a layout; raises TooSmall where it is."""
    memory = metrics.memory_answer(layout.shape, layout.candidates, layout.fit, 0)
    if not memory.fits:
        raise TooSmall(_too_small(catalog, q, layout.candidates, layout.fit.usable_bytes[0], memory))
    return memory


def _answer(catalog: Catalog, q: Question, found: Resolved, layout: Layout, resident: LlmShape) -> Estimate:
    memory = fitting_memory(catalog, q, layout)
    shape, placed, eff, lengths, fit = layout.shape, layout.place, layout.eff, layout.lengths, layout.fit
    users = np.array([float(q.concurrency)])
    driven = loop(catalog, [found.engine], catalog.harnesses["plain"].requests_per_user)
    point, ttft_s = closed_loop(shape, placed, eff, lengths, users, fit.max_sequences, fit.budget_tokens, driven)
    load = metrics.observe(catalog, resident, layout.candidates, placed, eff, lengths, point, ttft_s)
    served = metrics.serving_answer(lengths, load, q.gpus, 0, min(1.0, q.concurrency / memory.max_sequences))
    basis: Basis = "roofline" if options.asked(q) else _basis(catalog, found)
    watts = metrics.power_answer(catalog, catalog.site(q.site, "--site"), lengths, load, q.gpus, 0)
    own = own_names(catalog, [(found.accelerator, found.llm, found.engine)])
    return Estimate(
        inputs=inputs(q, found),
        memory=memory,
        serving=served,
        power=watts,
        basis=basis,
        band=metrics.band_answer(catalog, found.accelerator, found.engine, basis, served, watts.gpu_w),
        assumptions=metrics.assumptions(catalog, SOURCES + own),
    )


def _basis(catalog: Catalog, found: Resolved) -> Basis:
    return metrics.basis_of(catalog, found.accelerator, found.weights, found.llm, found.engine)


def inputs(q: Question, found: Resolved) -> dict[str, str | float | int | None]:
    """The question with its names resolved; options only where they were used."""
    names = {"llm": found.llm, "accelerator": found.accelerator, "engine": found.engine, "gpus": q.gpus}
    layout = {"tp": found.tp, "dp": q.dp, "pp": q.pp, "ep": q.ep, "weights": found.weights}
    load = {name: getattr(q, name) for name in LOAD}
    used = {name: getattr(q, name) for name in OPTIONS if getattr(q, name) is not None}
    if q.offload is not None:
        used |= {"host": q.host, "sockets": q.sockets}
    return {**names, **layout, **load, **used}


def _optional(
    catalog: Catalog, q: Question, plain: Layout, layout: Layout, chosen: Options, answer: Estimate
) -> Estimate:
    """The answer with what each option did to it."""
    running = np.array([max(answer.serving.running_sequences, 1.0)])
    context = layout.lengths.mean_context_tokens
    whole_s = float(step_s(layout.shape, layout.place, layout.eff, running, running, context)[0])
    changed: dict[str, object] = {}
    if chosen.host is not None:
        speculation = layout.place.speculation
        rows = running * (1.0 if speculation is None else speculation.queries)
        away_s = float(host_s(layout.shape, layout.place, rows)[0])
        changed["offload"] = chosen.host.model_copy(update={"step_s": whole_s, "host_s": away_s})
        if away_s > whole_s / 2:
            changed["serving"] = answer.serving.model_copy(update={"bound": "host"})
    if q.speculation is not None:
        changed["speculation"] = _drafted(catalog, q, layout, answer, running, whole_s)
    if q.sparsity is not None:
        other = estimate(catalog, replace(q, sparsity=None)) if plain.fit.max_sequences[0] >= 1 else None
        changed["sparsity"] = SparsityAnswer(
            stored_share=chosen.change.dense_factor,
            dense_weights_bytes_per_gpu=float(plain.fit.weights_bytes[0]),
            plain_tpot_s=other.serving.tpot_s if other else None,
            gain=_gain(answer, other) if other else None,
        )
    more = metrics.assumptions(catalog, chosen.parameters)
    if q.sparsity is not None:
        more = (*more, Assumption(name="sparsity", value=q.sparsity, unit="-", source=options.NO_SPARSE_ENGINE))
    return answer.model_copy(update={**changed, "assumptions": (*answer.assumptions, *more)})


def _drafted(
    catalog: Catalog, q: Question, layout: Layout, answer: Estimate, running: Array, whole_s: float
) -> SpeculationAnswer:
    speculation = layout.place.speculation
    assert speculation is not None and q.speculation is not None
    other = estimate(catalog, replace(q, speculation=None, acceptance=None))
    context = layout.lengths.mean_context_tokens
    return SpeculationAnswer(
        method=q.speculation.split(":")[0],
        draft_tokens=speculation.draft_tokens,
        acceptance=speculation.acceptance,
        tokens_per_step=speculation.tokens_per_step,
        step_s=whole_s,
        draft_s=float(draft_s(layout.place, layout.eff, running, context)[0]),
        plain_tpot_s=other.serving.tpot_s,
        gain=_gain(answer, other),
    )


def _gain(answer: Estimate, other: Estimate) -> float:
    return answer.serving.output_tokens_per_s / other.serving.output_tokens_per_s


def _too_small(catalog: Catalog, q: Question, candidates: Candidates, usable: float, memory: Memory) -> Told:
    row = catalog.accelerators[candidates.accelerator_ids[0]]
    weights = memory.weights_bytes_per_gpu
    other = memory.activation_bytes_per_gpu + memory.reserve_bytes_per_gpu
    if usable <= other:
        return Message(
            "{usable:.1f} GB usable of each {accelerator} are less than {other:.1f} GB of activations and reserve; "
            "no number of accelerators helps.\n  Raise --utilisation.",
            usable=usable / 1e9,
            accelerator=candidates.accelerator_ids[0],
            other=other / 1e9,
        )
    return Message(
        "{llm} in {precision} needs {weights:.1f} GB of weights per accelerator, {other:.1f} GB of activations and "
        "reserve and {sequence:.2f} GB for one sequence; {gpus} x {accelerator} leaves {usable:.1f} GB usable each.\n"
        "  {next_step}",
        llm=q.llm,
        precision=WEIGHTS[candidates.weights[0]],
        weights=weights / 1e9,
        other=other / 1e9,
        sequence=memory.kv_bytes_per_sequence / 1e9,
        gpus=q.gpus,
        accelerator=candidates.accelerator_ids[0],
        usable=usable / 1e9,
        next_step=_more_of_them(catalog, q, row),
    )


def _more_of_them(catalog: Catalog, q: Question, row: Accelerator) -> Told:
    enough = next((asked for asked in _larger(catalog, q) if _holds(catalog, asked)), None)
    if enough is None:
        return Message("No layout of more of them is enough: use narrower --weights, or shorter requests.")
    return Message(
        "Use at least {least} of them as {layout} (a {form_factor} server holds {held}), or narrower --weights.",
        least=enough.gpus,
        layout=metrics.layout_words(enough.tp or 1, enough.dp, enough.pp, enough.ep),
        form_factor=row.form_factor,
        held=row.server_accelerators,
    )


def _larger(catalog: Catalog, q: Question) -> Iterator[Question]:
    """The question on ever more accelerators, in sizes that divide the heads; with more stages where no TP is left."""
    heads = catalog.llms[catalog.llm_id(q.llm, "--llm")].heads
    for pp in (q.pp, 2 * q.pp, 4 * q.pp, 8 * q.pp):
        for tp in (n for n in range(1, heads + 1) if heads % n == 0 and n * q.dp * pp > q.gpus):
            yield replace(q, gpus=tp * q.dp * pp, tp=tp, pp=pp, ep=1 if q.ep == 1 else tp * q.dp)


def _holds(catalog: Catalog, q: Question) -> bool:
    try:
        found = resolve(catalog, q)
        layout = lay_out(catalog, q, found)
        if options.asked(q):
            chosen = options.apply(catalog, q, found, layout.shape, layout.place, layout.candidates)
            layout = with_options(catalog, q, found, layout, chosen)
    except PlannerError:  # experts that do not divide, more stages than layers, nothing known between servers
        return False
    return metrics.memory_answer(layout.shape, layout.candidates, layout.fit, 0).fits
