"""What an option is said to gain: pruned or narrower weights, batching, faster kernels, settings of the host."""

from __future__ import annotations

from dataclasses import replace

from planner.audit.bounds import answer, with_perfect_kernels
from planner.audit.finding import Context, Finding, evidence, formula
from planner.audit.quantity import close, measures, stated_in, to_si
from planner.audit.serving import alone
from planner.errors import PlannerError, WorkloadError
from planner.models.memory import weight_bytes
from planner.schema import LatencyClaim, SpeedUpClaim, Verdict
from planner.search.question import Question
from planner.shapes import llm_shape
from planner.units import percent, si


def speed_up(claim: SpeedUpClaim, context: Context) -> Finding:
    """What an option does to bytes, arithmetic and waiting."""
    return _OPTIONS[claim.option](claim, context)


def _factor(claim: SpeedUpClaim) -> float:
    """The stated factor of speed; a saving of time is one, too. [-]"""
    if measures(claim.unit) != "count" or not claim.unit:
        stated_in(claim.stated, claim.unit, "count")
    if claim.unit != "%":
        return claim.stated
    if claim.stated >= 100:
        raise WorkloadError(
            "stated {stated:g} %: in % it is the share of time saved, below 100; or give x", stated=claim.stated
        )
    return 1 / (1 - claim.stated / 100)


def _said(claim: SpeedUpClaim) -> str:
    return f"{claim.stated:g} %" if claim.unit == "%" else f"{claim.stated:g}×"


def _asked(claim: SpeedUpClaim, users: int | None = None) -> Question:
    """The set-up of the claim."""
    return Question(
        llm=claim.llm, accelerator=claim.accelerator, gpus=claim.gpus, weights=claim.weights or None,
        input_tokens=claim.input_tokens, output_tokens=claim.output_tokens, concurrency=users or claim.concurrency,
    )  # fmt: skip


def _sparsity(claim: SpeedUpClaim, context: Context) -> Finding:
    catalog, _ = context.catalog, context._
    card = catalog.accelerator_id(claim.accelerator)
    row = catalog.accelerators[card]
    dtype = next(iter(row.peak_sparse_flops_per_s), None)
    if dtype is None:
        reason = _("{name} has no sourced sparse peak.").format(name=row.name)
        return Finding("uncheckable", reason, _said(claim))
    peak = row.peak_sparse_flops_per_s[dtype] / row.peak_flops_per_s[dtype]
    asked = _asked(claim)
    dense = answer(asked, context).serving.tpot_s
    gain = dense / answer(replace(asked, sparsity="2:4"), context).serving.tpot_s
    right = _("peak {peak:.3g}×, decode {gain:.2f}×").format(peak=peak, gain=gain)
    text = _("2:4 sparsity multiplies the peak FLOP/s by {peak:.3g}; decoding reads weights, and gains {gain:.2f}× by "
             "the bytes that it saves, at {users} users. The weights must be pruned for it.")  # fmt: skip
    reason = text.format(peak=peak, gain=gain, users=claim.concurrency)
    stated = _factor(claim)
    whole = close(stated, gain, claim.tolerance)
    verdict: Verdict = "holds" if whole else "conditional" if close(stated, peak, claim.tolerance) else "refuted"
    sparse = si(row.peak_sparse_flops_per_s[dtype], "FLOP/s")
    seen = (evidence(context, card, f"peak_sparse_flops_per_s.{dtype}", sparse),
            formula("planner estimate --sparsity 2:4", f"{gain:.2f}×"))  # fmt: skip
    return Finding(verdict, reason, _said(claim), right, "x", seen)


def _quantisation(claim: SpeedUpClaim, context: Context) -> Finding:
    """Memory saved where the claim is a share, decode speed gained where it is a factor."""
    if claim.unit != "%":
        return _narrower(claim, context)
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


def _narrower(claim: SpeedUpClaim, context: Context) -> Finding:
    """Output rates of the same set-up in both precisions."""
    _, stated = context._, _factor(claim)
    before, after = claim.weights or "bf16", claim.to_weights or "int4"
    asked = _asked(claim)
    rates = [answer(replace(asked, weights=w), context).serving.output_tokens_per_s for w in (before, after)]
    gain = rates[1] / rates[0]
    reason = _("{before} gives {old} token/s at {users} users, {after} {new}: {gain:.2f}×.").format(
        before=before.upper(), after=after.upper(), old=f"{rates[0]:,.0f}", new=f"{rates[1]:,.0f}", gain=gain,
        users=f"{claim.concurrency:,}",
    )  # fmt: skip
    sought = {users: _gain(asked, (before, after), users, context) for users in (1, 8, 64, 256)}
    best = max(sought, key=lambda users: sought[users] or 0.0)
    verdict: Verdict = "holds" if stated <= gain * (1 + claim.tolerance) else "refuted"
    if verdict == "refuted" and (sought[best] or 0.0) * (1 + claim.tolerance) >= stated:
        verdict = "conditional"
        reason += " " + _("At {users} users it is {gain:.2f}×.").format(users=best, gain=sought[best])
    seen = (formula(f"planner estimate --weights {before} / --weights {after}", f"{gain:.2f}×"),)
    return Finding(verdict, reason, _said(claim), f"{gain:.2f}×", "x", seen)


def _gain(asked: Question, weights: tuple[str, str], users: int, context: Context) -> float | None:
    """Output rate of the second precision over that of the first; None where one does not fit."""
    try:
        old, new = (
            answer(replace(asked, weights=w, concurrency=users), context).serving.output_tokens_per_s for w in weights
        )
    except PlannerError:
        return None
    return new / old


def _kernels(claim: SpeedUpClaim, context: Context) -> Finding:
    """Faster kernels gain what kernels take beyond the hardware's peak, and nothing of host and links."""
    _, stated, asked = context._, _factor(claim), _asked(claim)
    now, perfect = (
        found.serving.output_tokens_per_s for found in (answer(asked, context), with_perfect_kernels(asked, context))
    )
    most = perfect / now
    older = now / answer(replace(asked, profile="old"), context).serving.output_tokens_per_s
    reason = _("At {users} users, kernels at the peak of bandwidth and arithmetic would give {most:.2f}× of today's "
               "{rate} token/s; host and links stay. Today's software is {older:.2f}× as fast as vLLM before 0.13 "
               "was.").format(users=f"{claim.concurrency:,}", most=most, rate=f"{now:,.0f}", older=older)  # fmt: skip
    verdict: Verdict = "conditional"
    if stated > max(most, older, most * older) * (1 + claim.tolerance):
        verdict = "refuted"
    elif stated <= older * (1 + claim.tolerance):
        reason += " " + _("It holds over that older software.")
    elif stated <= most * (1 + claim.tolerance):
        reason += " " + _("It takes kernels that reach more than any that were measured.")
    else:
        reason += " " + _("It takes such kernels and that older software to compare with.")
    right = _("{most:.2f}× at most").format(most=most)
    seen = (formula("planner estimate with all kernels at their peak", f"{most:.2f}×"),
            formula("planner estimate --profile old", f"{older:.2f}×"))  # fmt: skip
    return Finding(verdict, reason, _said(claim), right, "x", seen)


def _batching(claim: SpeedUpClaim, context: Context) -> Finding:
    """A speed-up without what it is compared with cannot be computed; the tail it keeps can."""
    if claim.baseline_concurrency is not None:
        return _batched(claim, claim.baseline_concurrency, context)
    _ = context._
    told = []
    if not claim.baseline:
        told.append(_("No baseline is given: LLM engines batch in flight anyway, so {factor}× over what?").format(
            factor=f"{claim.stated:g}"))  # fmt: skip
    else:
        told.append(_("The baseline has no number of users: give baseline_concurrency and concurrency."))
    right = ""
    if claim.stated_p99_ms is not None:
        asked = LatencyClaim(
            id=claim.id, text=claim.text, kind="latency", llm=claim.llm, accelerator=claim.accelerator, gpus=claim.gpus,
            weights=claim.weights, input_tokens=claim.input_tokens, stated_low=claim.stated_p99_ms,
            stated_high=claim.stated_p99_ms, unit="ms",
        )  # fmt: skip
        first = alone(asked, context).serving.ttft_s
        right = f"TTFT {si(first, 's')}"
        limit = si(claim.stated_p99_ms / 1e3, "s")
        text = _("P99 of what is not said. Up to {limit} it cannot be time to first token: a prompt of {tokens} tokens "
                 "alone takes {time}.")  # fmt: skip
        if first > claim.stated_p99_ms / 1e3:
            told.append(text.format(limit=limit, tokens=f"{claim.input_tokens:,}", time=si(first, "s")))
    seen = (formula("planner estimate, concurrency 1", right),) if right else ()
    return Finding("uncheckable", " ".join(told), _said(claim), right, "x", seen)


def _batched(claim: SpeedUpClaim, before: int, context: Context) -> Finding:
    """Output of one replica with more users at once, over that with fewer."""
    _, stated = context._, _factor(claim)
    asked = _asked(claim)
    old, new = (answer(replace(asked, concurrency=users), context) for users in (before, claim.concurrency))
    gain = new.serving.output_tokens_per_s / old.serving.output_tokens_per_s
    high = new.band.output_tokens_per_s[1] / old.serving.output_tokens_per_s
    text = _("From {before} to {after} users the replica's output grows {gain:.2f}×, and each user's tokens take "
             "{old} and {new}.")  # fmt: skip
    reason = text.format(
        before=before,
        after=claim.concurrency,
        gain=gain,
        old=si(old.serving.tpot_s, "s"),
        new=si(new.serving.tpot_s, "s"),
    )
    verdict: Verdict = "holds" if stated <= gain * (1 + claim.tolerance) else "conditional"
    verdict = "refuted" if stated > high else verdict
    if claim.stated_p99_ms is not None and new.serving.tpot_s > claim.stated_p99_ms / 1e3:
        verdict = "refuted"
        reason += " " + _("Even the mean time per token is above {limit}.").format(
            limit=si(claim.stated_p99_ms / 1e3, "s")
        )
    seen = (formula(f"planner estimate, concurrency {claim.concurrency} over {before}", f"{gain:.2f}×"),)
    return Finding(verdict, reason, _said(claim), f"{gain:.2f}×", "x", seen)


def _host_network(claim: SpeedUpClaim, context: Context) -> Finding:
    """Settings of the kernel's network stack, for traffic that may not pass through it."""
    _, said = context._, _said(claim)
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
    "kernels": _kernels,
    "host_network": _host_network,
}
