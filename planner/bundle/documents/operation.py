"""Figures that the gateway, the probe, the alerts and the runbook share: each follows from the plan by one rule."""

from __future__ import annotations

import math
from dataclasses import dataclass

from planner.bundle.documents import naming
from planner.bundle.documents.subject import MODEL_VARIABLE, Subject

BREAKER_ERRORS = 5  # slow or failed answers in a row that take a replica out
CHECK_EVERY_S = 30
CHECK_SHARE = 0.9  # of the promised time to first token; a check that outlives the promise tells nothing new
CHECK_PROMPT = "1, 2, 3,"  # every base and chat model continues it
CHECK_TOKENS = 4  # a tokenizer may spend a token of its own on the space
CHECK_ANSWER = "4"


@dataclass(frozen=True)
class Operation:
    """What holds while the fleet serves.

    Attributes
    ----------
    served_name : name of the model in requests
    ttft_limit_s, tpot_limit_s : the promise of the workload, 99th percentiles. [s]
    check_timeout_s : limit of a correctness check, below the promised time to first token. [s]
    answer_limit_s : longest time that an answer takes within the promise, the context filled to its end. [s]
    most_in_service : requests per replica beyond which the promise cannot hold. [-]
    most_waiting : requests per replica whose wait alone uses up the promised time to first token. [-]
    hosts : address of each replica, spares included; of two pools their routers' one address
    backup_host : address of the degraded backup
    """

    served_name: str
    ttft_limit_s: float
    tpot_limit_s: float
    check_timeout_s: float
    answer_limit_s: int
    most_in_service: int
    most_waiting: int
    hosts: tuple[str, ...]
    backup_host: str


def operate(subject: Subject) -> Operation:
    """Operating figures of a plan."""
    slo, layout = subject.result.workload.slo, subject.plan.layout
    return Operation(
        served_name=served_name(subject),
        ttft_limit_s=slo.ttft_p99_s,
        tpot_limit_s=slo.tpot_p99_s,
        check_timeout_s=CHECK_SHARE * slo.ttft_p99_s,
        answer_limit_s=math.ceil(slo.ttft_p99_s + layout.max_context_tokens * slo.tpot_p99_s),
        most_in_service=most_in_service(subject),
        most_waiting=most_waiting(subject),
        hosts=naming.answering_hosts(subject),
        backup_host=f"{subject.name}-backup",
    )


def served_name(subject: Subject) -> str:
    """Name of the model in requests; TensorRT-LLM 1.2 answers to the name of the weights."""
    if subject.plan.engine != "tensorrt-llm":
        return subject.plan.llm
    return subject.llm.hf_id if subject.published else f"${{{MODEL_VARIABLE}}}"


def most_in_service(subject: Subject) -> int:
    """Requests at one address, at the largest load that keeps the promise, each as slow as the promise allows. [-]

    Little's law: arrivals per second at that load times the longest time that an answer of mean length may take.
    """
    slo, traffic = subject.result.workload.slo, subject.result.workload.traffic
    longest_s = slo.ttft_p99_s + traffic.output_tokens * slo.tpot_p99_s
    each = min(math.ceil(largest_rate_per_s(subject) * longest_s), subject.plan.layout.max_sequences)
    return max(1, each) * (subject.pods if subject.apart else 1)


def most_waiting(subject: Subject) -> int:
    """Requests that wait in a replica when the last of them can only just begin in time; at least one. [-]

    Little's law again: at the largest rate that keeps the promise, a queue of n takes n / rate to drain, and what the
    promise leaves for it is the promised time less the mean time to first token.
    """
    spare_s = subject.result.workload.slo.ttft_p99_s - subject.plan.serving.ttft_s
    return max(1, math.floor(largest_rate_per_s(subject) * spare_s))


def largest_rate_per_s(subject: Subject) -> float:
    """Requests per second of a replica at the largest load that keeps the promise. [1/s]"""
    return subject.plan.serving.requests_per_s / max(subject.plan.serving.utilisation, 1e-9)
