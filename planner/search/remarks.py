"""What a simulation says beside its figures, by kind, in the reader's language."""

from __future__ import annotations

from collections.abc import Callable

from planner.schema import Remark

Translate = Callable[[str], str]


def texts(_: Translate) -> dict[str, str]:
    """Text of each kind, to be filled with its values."""
    return {
        "scaled_in_rate": _(
            "{trace} was recorded at {recorded_per_s:.3g} requests/s and is replayed at {rate_per_s:.3g} by changing "
            "its time scale: bursts keep their height over the mean, and last {longer:.3g} times as long."
        ),
        "recorded_lengths": _(
            "Lengths are those of {trace}, {input_tokens:,.0f} tokens in and {output_tokens:,.0f} out on average; the "
            "plan is for {planned_input:,.0f} and {planned_output:,.0f}. To scale them: --set traffic.lengths=scaled"
        ),
        "scaled_lengths": _(
            "Lengths of {trace} are scaled from {input_tokens:,.0f} tokens in and {output_tokens:,.0f} out on average "
            "to the {planned_input:,.0f} and {planned_output:,.0f} of the workload; their spread and correlation stay."
        ),
        "statistics": _(
            "Lengths are drawn from statistics: lognormal, {input_tokens:,.0f} tokens in and {output_tokens:,.0f} out "
            "on average, coefficients of variation {input_cv:.3g} and {output_cv:.3g}, rank correlation {ties:.2f}; "
            "those not stated are of {trace}."
        ),
        "paired": _(
            "Answers are paired with prompts anew: rank correlation {after:.2f} in place of {before:.2f}; both sets of "
            "lengths stay as they were."
        ),
        "default_trace": _("No trace was named: {trace} stands in for yours. Name your own: --trace FILE"),
        "synthetic_trace": _("{trace} is no recording: {origin}."),
        "poisson": _(
            "Times are Poisson (seed {seed}), and recorded traffic is burstier: with such times one replica seems to "
            "hold {low:.2f} times ({low_trace}) to {high:.3g} times ({high_trace}) the rate that it holds at recorded "
            "ones. Do not size with them."
        ),
        "mmpp": _(
            "Times are drawn (seed {seed}) as bursty as those of {trace}, by {parts} processes that switch on and off, "
            "the slowest with a memory of {slowest_s:.3g} s. With such times one replica held {low:.2f} to {high:.2f} "
            "times the rate that it held at recorded ones."
        ),
        "profile": _(
            "The rate follows {profile}, {hours:.4g} h, with a mean of {rate_per_s:.3g} requests/s; its busiest step "
            "has {peak:.3g} times the mean."
        ),
        "profile_gaps": _(
            "{profile} has {steps} steps of {step_s:,.0f} s without requests: a quiet time or a hole in the recording."
        ),
        "busiest": _("Of the profile, the busiest {hours:.3g} h are simulated, at {ratio:.3g} times its mean rate."),
        "some_ranks": _(
            "Of {requests:,.0f} requests those of {kept} of {ranks} ranks are simulated, {share:.2%} of all: what a "
            "round robin gives them. The other ranks get the same kind of traffic."
        ),
        "squeezed": _(
            "At this rate {trace} would be over in {span_s:.3g} s, while an answer takes {answer_s:.3g} s: its ranks "
            "would hardly fill. It is replayed to {kept} of {ranks} ranks at their share of the rate; the others get "
            "the same kind of traffic."
        ),
        "gaps": _(
            "{trace} has silences, {count} in all, the longest of {longest_s:,.0f} s from {begin_s:,.0f} s on: a quiet "
            "time or a hole in the recording. Rates are means over the whole time, silences included."
        ),
        "refused": _(
            "{count:,} of {requests:,} requests are longer than {limit:,} tokens, up to {longest:,}: they are refused, "
            "and count as broken promises."
        ),
        "context": _(
            "The longest request has {longest:,} tokens, and the plan starts its engine with a context of {context:,}: "
            "start it with more."
        ),
        "blocks": _(
            "Prefix hits are simulated by the blocks that {trace} names, in each rank's free cache: {share:.1%} of all "
            "prompt tokens. The plan assumes {hit_rate:.0%}."
        ),
        "blocks_unused": _(
            "{trace} names prefix blocks, but not for these lengths or times: the prefix hit rate is the workload's "
            "{hit_rate:.0%}."
        ),
        "router_without_blocks": _(
            "The router sees no prefixes, since {trace} names no blocks for these requests: it sends each one to the "
            "rank with the least work, and every rank has {hit_rate:.0%} of every prompt cached."
        ),
        "half_hits": _(
            "{hit_rate:.0%} of prompt tokens are taken to be cached. With half of that, P99 TTFT is {ttft_s:.3g} s "
            "instead of {before_s:.3g} s, P99 TPOT {tpot_ms:.3g} ms."
        ),
        "unconfirmed": _(
            "No plan for this traffic was confirmed by simulation; these are what closed forms say, which see the mean "
            "lengths of the workload alone."
        ),
        "short": _(
            "{requests:,} requests are few for a 99th percentile: {beyond:.0f} lie beyond it. Give a longer trace."
        ),
    }


def remark(kind: str, warning: bool = False, **values: float | int | str) -> Remark:
    """A remark with its English text."""
    return Remark(kind=kind, text=texts(str)[kind].format(**values), values=values, warning=warning)


def spelled(found: Remark, _: Translate) -> str:
    """A remark in the reader's language."""
    return texts(_)[found.kind].format(**found.values)
