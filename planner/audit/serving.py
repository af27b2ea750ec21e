"""Stated latencies, rates and power of a set-up against the planner's own estimates."""

from __future__ import annotations

from dataclasses import replace

from planner.audit.bounds import answer, at_the_roofline, first_that_fits, precisions
from planner.audit.finding import Context, Finding, evidence, formula
from planner.audit.quantity import close, measures, stated_in, to_si, written
from planner.errors import Message, MissingFact, WorkloadError
from planner.schema import Estimate, LatencyClaim, PowerClaim, SetUp, ThroughputClaim, Verdict
from planner.search.question import Question
from planner.units import si

TIMES = ("ttft", "tpot", "e2e")
EFFICIENCIES = ("token/s/W", "J/token")
MOST_USERS = 4096  # of a replica whose memory would hold more: engines limit what runs at once


def setup(claim: SetUp, weights: str, users: int) -> Question:
    """The layout that a set-up leaves open: tensor-parallel over all accelerators."""
    return Question(
        llm=claim.llm, accelerator=claim.accelerator, gpus=claim.gpus, weights=weights, kv=claim.kv,
        input_tokens=claim.input_tokens, output_tokens=claim.output_tokens, concurrency=users,
    )  # fmt: skip


def latency(claim: LatencyClaim, context: Context) -> Finding:
    """What one user alone gets is the least that any percentile can be."""
    _ = context._
    low, high = (stated_in(value, claim.unit, "s") for value in (claim.stated_low, claim.stated_high))
    if low > high:
        raise WorkloadError(
            "stated_low {stated_low:g} is above stated_high {stated_high:g}",
            stated_low=claim.stated_low,
            stated_high=claim.stated_high,
        )
    found = alone(claim, context)
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


def alone(claim: LatencyClaim, context: Context) -> Estimate:
    """One user, in the stated precision or else the narrowest that fits."""
    return first_that_fits([setup(claim, w, 1) for w in precisions(claim.llm, claim.weights, context)], context)[1]


def throughput(claim: ThroughputClaim, context: Context) -> Finding:
    """The stated rate against the prediction, its band, and what the hardware can do at all."""
    _ = context._
    stated = stated_in(claim.stated, claim.unit, "token/s")
    asked, found = _loaded(claim, context)
    share = _share(claim, asked)
    value, most = (share * one.serving.output_tokens_per_s for one in (found, at_the_roofline(asked, context)))
    high = share * found.band.output_tokens_per_s[1]
    said, right = written(stated, claim.unit, 3), written(value, claim.unit, 3)
    bounds = {"high": written(high, claim.unit, 3), "most": written(most, claim.unit, 3)}
    told = _("{right} at {users} users with {weights} weights.").format(
        right=right, users=f"{asked.concurrency:,}", weights=(asked.weights or "").upper()
    )
    verdict: Verdict = "holds"
    if stated > most * (1 + claim.tolerance):
        verdict = "refuted"
        told += " " + _("Bandwidth, arithmetic and links alone bound it to {most}.").format(**bounds)
    elif stated > high:
        verdict = "conditional"
        told += " " + _("Nine of ten measurements stay below {high}; the hardware's bound is {most}: it takes faster "
                        "kernels and a faster engine than were measured.").format(**bounds)  # fmt: skip
    elif stated > value * (1 + claim.tolerance):
        verdict = "conditional"
        told += " " + _("It is inside the band of the prediction, up to {high}.").format(**bounds)
    if claim.concurrency is None and verdict == "holds":
        verdict = "conditional"
        told += " " + _("The text names no number of users; so many fit in memory.")
    card = context.catalog.accelerator_id(claim.accelerator)
    seen = (evidence(context, card, "bandwidth_bytes_per_s", ""),
            formula(f"planner estimate, concurrency {asked.concurrency}", right),
            formula("the same at the peak of kernels and links, without a host", bounds["most"]))  # fmt: skip
    return Finding(verdict, told, said, right, claim.unit, seen)


def _loaded(claim: ThroughputClaim, context: Context) -> tuple[Question, Estimate]:
    """The set-up at the stated load, or as full as its memory allows."""
    widths = precisions(claim.llm, claim.weights, context)
    asked, found = first_that_fits([setup(claim, w, claim.concurrency or 1) for w in widths], context)
    if claim.concurrency is None:
        asked = replace(asked, concurrency=max(min(int(found.memory.max_sequences), MOST_USERS), 1))
        found = answer(asked, context)
    return asked, found


def _share(claim: ThroughputClaim, asked: Question) -> float:
    """What the text's figure is of, over the output of the replica. [-]"""
    of = {"replica": 1, "accelerator": claim.gpus, "user": asked.concurrency}[claim.per]
    tokens = (claim.input_tokens + claim.output_tokens) / claim.output_tokens if claim.counts == "all" else 1.0
    return tokens / of


def power(claim: PowerClaim, context: Context) -> Finding:
    """Watts at a load against the prediction and the board's limit; efficiency from both."""
    what = measures(claim.unit)
    if what not in EFFICIENCIES and what != "W":
        stated_in(claim.stated, claim.unit, "W")
    widths = precisions(claim.llm, claim.weights, context)
    found = first_that_fits([setup(claim, w, claim.concurrency) for w in widths], context)[1]
    watts = {"accelerator": found.power.gpu_w, "server": found.power.node_w, "facility": found.power.facility_w}
    drawn, card = watts[claim.of], context.catalog.accelerator_id(claim.accelerator)
    if drawn is None or found.power.gpu_w is None or found.band.gpu_w is None:
        raise MissingFact(
            card, "tdp_w", Message("power"), Message("Add it with its source to catalogs/accelerators.toml.")
        )
    pieces = claim.gpus if claim.of == "accelerator" else 1
    rate = found.serving.output_tokens_per_s
    spread = [edge / found.power.gpu_w for edge in found.band.gpu_w]
    value, low, high = drawn, drawn * spread[0], drawn * spread[1]
    if what in EFFICIENCIES:
        per_w = [rate / (pieces * w) for w in (value, high, low)]
        value, low, high = per_w if what == "token/s/W" else (1 / per_w[0], 1 / per_w[2], 1 / per_w[1])
    return _drawn(claim, (value, low, high), card, context)


def _drawn(claim: PowerClaim, predicted: tuple[float, float, float], card: str, context: Context) -> Finding:
    """The verdict on a stated power or efficiency, with the board's limit where it is one accelerator's."""
    _, (value, low, high) = context._, predicted
    stated = to_si(claim.stated, claim.unit)
    said, right = written(stated, claim.unit, 3), written(value, claim.unit, 3)
    told = _("{right} at {users} users; measurements spread from {low} to {high}.").format(
        right=right, users=f"{claim.concurrency:,}", low=written(low, claim.unit, 3), high=written(high, claim.unit, 3)
    )
    verdict: Verdict = "holds" if close(stated, value, claim.tolerance) else "conditional"
    verdict = verdict if low <= stated <= high else "refuted"
    limit = context.catalog.accelerators[card].tdp_w
    if claim.of == "accelerator" and measures(claim.unit) == "W" and limit and stated > limit:
        verdict = "refuted"
        told += " " + _("{said} is above the limit of {right} of {name}.").format(
            said=said, right=written(limit, claim.unit), name=context.catalog.accelerators[card].name
        )
    seen = (evidence(context, card, "tdp_w", written(limit, "W") if limit else ""),
            formula(f"planner estimate, concurrency {claim.concurrency}", right))  # fmt: skip
    return Finding(verdict, told, said, right, claim.unit, seen)
