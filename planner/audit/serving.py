"""Stated latencies and speed-ups against the planner's own estimates."""

from __future__ import annotations

from dataclasses import replace

from planner.audit.finding import Context, Finding, evidence, formula
from planner.audit.fits import answer
from planner.audit.quantity import close, to_si, written
from planner.errors import PlannerError
from planner.models.memory import weight_bytes
from planner.schema import Estimate, LatencyClaim, SpeedUpClaim, Verdict
from planner.search.question import Question
from planner.search.space import possible_weights
from planner.shapes import llm_shape
from planner.units import percent, si

TIMES = ("ttft", "tpot", "e2e")


def latency(claim: LatencyClaim, context: Context) -> Finding:
    """What one user alone gets is the least that any percentile can be."""
    _ = context._
    low, high = to_si(claim.stated_low, claim.unit), to_si(claim.stated_high, claim.unit)
    found = _alone(claim, context)
    least = {"ttft": found.serving.ttft_s, "tpot": found.serving.tpot_s, "e2e": found.serving.e2e_s}
    of = (claim.of,) if claim.of else TIMES
    possible = [name for name in of if _band_low(found, name) <= high]
    words = {"ttft": _("time to first token"), "tpot": _("time per token"), "e2e": _("time of the whole answer")}
    told = [
        _("As {name} it {can}: one user alone waits {time}.").format(
            name=words[name], can=_("is possible") if name in possible else _("cannot be"), time=si(least[name], "s")
        )
        for name in of
    ]
    # A text that does not name its latency means what a user waits for: the first token, or the answer.
    meant = set(possible) & ({claim.of} if claim.of else {"ttft", "e2e"})
    said = f"{written(low, claim.unit)} – {written(high, claim.unit)}"
    right = "; ".join(f"{name.upper()} {si(least[name], 's')}" for name in of)
    seen = (
        evidence(context, context.catalog.accelerator_id(claim.accelerator), "peak_flops_per_s", ""),
        formula("planner estimate, concurrency 1", right),
    )
    return Finding("conditional" if meant else "refuted", " ".join(told), said, right, claim.unit, seen)


def _band_low(found: Estimate, name: str) -> float:
    """The best that a measurement is likely to show."""
    band = {"ttft": found.band.ttft_s, "tpot": found.band.tpot_s}.get(name)
    return band[0] if band else found.serving.e2e_s


def _alone(claim: LatencyClaim, context: Context) -> Estimate:
    """One user, in the stated precision or else the narrowest that fits."""
    llm = context.catalog.llms[context.catalog.llm_id(claim.llm)]
    widths = (claim.weights,) if claim.weights else (llm.weights, *reversed(possible_weights(llm)))
    refusal: PlannerError | None = None
    for weights in widths:
        asked = Question(
            llm=claim.llm, accelerator=claim.accelerator, gpus=claim.gpus, weights=weights, kv=claim.kv,
            input_tokens=claim.input_tokens, output_tokens=claim.output_tokens, concurrency=1,
        )  # fmt: skip
        try:
            return answer(asked, context)
        except PlannerError as error:
            refusal = error
    assert refusal is not None
    raise refusal


def speed_up(claim: SpeedUpClaim, context: Context) -> Finding:
    """What an option does to bytes, arithmetic and waiting."""
    return _OPTIONS[claim.option](claim, context)


def _sparsity(claim: SpeedUpClaim, context: Context) -> Finding:
    catalog, _ = context.catalog, context._
    card = catalog.accelerator_id(claim.accelerator)
    row = catalog.accelerators[card]
    dtype = next(iter(row.peak_sparse_flops_per_s), None)
    if dtype is None:
        reason = _("{name} has no sourced sparse peak.").format(name=row.name)
        return Finding("uncheckable", reason, f"{claim.stated:g}×")
    peak = row.peak_sparse_flops_per_s[dtype] / row.peak_flops_per_s[dtype]
    asked = Question(llm=claim.llm, accelerator=card, gpus=claim.gpus, weights=claim.weights or None,
                     concurrency=claim.concurrency)  # fmt: skip
    dense = answer(asked, context).serving.tpot_s
    gain = dense / answer(replace(asked, sparsity="2:4"), context).serving.tpot_s
    right = _("peak {peak:.3g}×, decode {gain:.2f}×").format(peak=peak, gain=gain)
    text = _("2:4 sparsity multiplies the peak FLOP/s by {peak:.3g}; decoding reads weights, and gains {gain:.2f}× by "
             "the bytes that it saves, at {users} users. The weights must be pruned for it.")  # fmt: skip
    reason = text.format(peak=peak, gain=gain, users=claim.concurrency)
    whole = close(gain, claim.stated, claim.tolerance)
    verdict: Verdict = "holds" if whole else "conditional" if close(peak, claim.stated, claim.tolerance) else "refuted"
    sparse = si(row.peak_sparse_flops_per_s[dtype], "FLOP/s")
    seen = (evidence(context, card, f"peak_sparse_flops_per_s.{dtype}", sparse),
            formula("planner estimate --sparsity 2:4", f"{gain:.2f}×"))  # fmt: skip
    return Finding(verdict, reason, f"{claim.stated:g}×", right, "x", seen)


def _quantisation(claim: SpeedUpClaim, context: Context) -> Finding:
    catalog, _ = context.catalog, context._
    llm = catalog.llm_id(claim.llm)
    shape = llm_shape(llm, catalog.llms[llm])
    sizes = [weight_bytes(shape, weights) for weights in (claim.weights or "bf16", claim.to_weights or "int4")]
    saved, stated = 1 - sizes[1] / sizes[0], to_si(claim.stated, "%")
    text = _(
        "{before} become {after}: {saved} less, scales and the layers left in 16 bit included. The KV cache is not "
        "smaller, and speed depends on kernels."
    )
    reason = text.format(before=si(sizes[0], "B"), after=si(sizes[1], "B"), saved=percent(saved))
    near = close(stated, saved, max(claim.tolerance, 0.05))
    seen = (evidence(context, llm, "layers", f"{si(sizes[0], 'B')} → {si(sizes[1], 'B')}"),)
    return Finding("conditional" if near else "refuted", reason, f"{claim.stated:g} %", percent(saved), "%", seen)


def _batching(claim: SpeedUpClaim, context: Context) -> Finding:
    """A speed-up without what it is compared with cannot be computed; the tail it keeps can."""
    _ = context._
    told = []
    if not claim.baseline:
        told.append(_("No baseline is given: LLM engines batch in flight anyway, so {factor}× over what?").format(
            factor=f"{claim.stated:g}"))  # fmt: skip
    right = ""
    if claim.stated_p99_ms is not None:
        asked = LatencyClaim(
            id=claim.id, text=claim.text, kind="latency", llm=claim.llm, accelerator=claim.accelerator, gpus=claim.gpus,
            weights=claim.weights, input_tokens=claim.input_tokens, stated_low=claim.stated_p99_ms,
            stated_high=claim.stated_p99_ms, unit="ms",
        )  # fmt: skip
        first = _alone(asked, context).serving.ttft_s
        right = f"TTFT {si(first, 's')}"
        limit = si(claim.stated_p99_ms / 1e3, "s")
        text = _("P99 of what is not said. Up to {limit} it cannot be time to first token: a prompt of {tokens} tokens "
                 "alone takes {time}.")  # fmt: skip
        if first > claim.stated_p99_ms / 1e3:
            told.append(text.format(limit=limit, tokens=f"{claim.input_tokens:,}", time=si(first, "s")))
    seen = (formula("planner estimate, concurrency 1", right),) if right else ()
    return Finding("uncheckable", " ".join(told), f"{claim.stated:g}×", right, "x", seen)


def _host_network(claim: SpeedUpClaim, context: Context) -> Finding:
    """Settings of the kernel's network stack, for traffic that may not pass through it."""
    _, said = context._, f"{claim.stated:g} %"
    row = context.catalog.accelerators[context.catalog.accelerator_id(claim.accelerator)]
    if claim.path == "network":
        return Finding("uncheckable", _("Between servers it depends on whether the transport is TCP or RDMA, which the "
                       "text does not say; RDMA passes the kernel by."), said)  # fmt: skip
    links = {"nvlink": row.scaleup_link, "pcie": f"PCIe {row.pcie_gen}.0"}
    reason = _("Inside a server the cards talk over {link}; no byte of it passes the kernel's network stack, so its "
               "settings change nothing. Between servers the claim cannot be checked as stated.")  # fmt: skip
    seen = (evidence(context, context.catalog.accelerator_id(claim.accelerator), "scaleup_link", row.scaleup_link),)
    return Finding("refuted", reason.format(link=links[claim.path]), said, "0 %", "%", seen)


_OPTIONS = {
    "sparsity": _sparsity,
    "quantisation": _quantisation,
    "batching": _batching,
    "host_network": _host_network,
}
