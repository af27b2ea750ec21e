"""The planner's estimate of a set-up, and what it would be if nothing but the hardware set a limit."""

from __future__ import annotations

from collections.abc import Sequence

from planner.audit.finding import Context
from planner.catalog import Catalog
from planner.errors import PlannerError, TooSmall
from planner.schema import Estimate
from planner.search.estimate import estimate
from planner.search.question import Question
from planner.search.space import possible_weights

# Fitted parameters and their values for kernels that reach the peak of bandwidth and arithmetic.
KERNELS = {
    "gemm_memory_efficiency": 1.0, "gemm_compute_efficiency": 1.0, "gemm_extra_rows": 0.0,
    "moe_memory_efficiency": 1.0, "moe_compute_efficiency": 1.0, "moe_extra_rows": 0.0, "moe_imbalance": 0.0,
    "kv_memory_efficiency": 1.0, "latent_kv_factor": 1.0, "latent_fp8_kv_factor": 1.0,
    "decode_attention_compute_efficiency": 1.0, "prefill_attention_efficiency": 1.0,
    "prefill_attention_half_tokens": 0.0, "elementwise_passes": 0.0, "time_factor": 1.0,
}  # fmt: skip
# The same for an engine without a host, and links without latency.
REST = {
    "host_layer_s": 0.0, "host_moe_layer_s": 0.0, "host_step_s": 0.0, "host_sequence_s": 0.0,
    "prompt_layer_s": 0.0, "prompt_moe_layer_s": 0.0, "prompt_latent_layer_s": 0.0, "stream_sequence_s": 0.0,
    "ingest_s": 0.0, "prompt_overhead": 1.0, "interference_share": 0.0, "collective_latency_s": 0.0,
    "collective_efficiency": 1.0, "generation_time_factor": 1.0,
}  # fmt: skip


def answer(asked: Question, context: Context) -> Estimate:
    """The planner's own estimate."""
    return estimate(context.catalog, asked)


def with_perfect_kernels(asked: Question, context: Context) -> Estimate:
    """The estimate if every kernel reached the peak of its hardware; host and links as they are."""
    return estimate(_ideal(context.catalog, KERNELS), asked)


def at_the_roofline(asked: Question, context: Context) -> Estimate:
    """The estimate if nothing but datasheet bandwidth, arithmetic and links took time: a bound, not a prediction."""
    return estimate(_ideal(context.catalog, KERNELS | REST), asked)


def _ideal(catalog: Catalog, values: dict[str, float]) -> Catalog:
    """The same facts with some fitted parameters at their ideal, in every scope."""
    rows = {key: values[key[0]] for key in catalog.calibration if key[0] in values}
    return catalog.calibrated(rows).with_facts("ideal kernels", kernel_ratios={})


def precisions(llm: str, stated: str, context: Context) -> Sequence[str]:
    """The stated precision, else that of the checkpoint and then every other one, the narrowest first."""
    row = context.catalog.llms[context.catalog.llm_id(llm)]
    return (stated,) if stated else (row.weights, *reversed(possible_weights(row)))


def first_that_fits(questions: Sequence[Question], context: Context) -> tuple[Question, Estimate]:
    """The first question with an answer; raises where none has one: that it does not fit, if that is why."""
    refusal: PlannerError | None = None
    for asked in questions:
        try:
            return asked, answer(asked, context)
        except PlannerError as error:
            if refusal is None or (isinstance(error, TooSmall) and not isinstance(refusal, TooSmall)):
                refusal = error
    assert refusal is not None
    raise refusal
