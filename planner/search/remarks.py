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
        "default_trace": _("No trace was named: times are those of {trace}. Name your own: --trace FILE"),
        "synthetic_trace": _("{trace} is no recording: {origin}."),
        "gaps": _(
            "{trace} has {count} silences, the longest of {longest_s:,.0f} s from {begin_s:,.0f} s on: a quiet time or "
            "a hole in the recording. Rates are means over the whole time, silences included."
        ),
        "refused": _(
            "{count:,} of {requests:,} requests are longer than {limit:,} tokens, up to {longest:,}: they are refused, "
            "and count as broken promises."
        ),
        "context": _(
            "The longest request has {longest:,} tokens, and the plan starts its engine with a context of {context:,}: "
            "start it with more."
        ),
        "blocks_unused": _(
            "{trace} names prefix blocks, which are not simulated yet: the prefix hit rate is the workload's "
            "{hit_rate:.0%}."
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
