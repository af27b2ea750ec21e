"""The correctness probe: the program as it is, and what this plan lets it ask and expect."""

from __future__ import annotations

import json
from importlib import resources

from planner.bundle.documents import operation
from planner.bundle.documents.draft import Draft, Files

PROGRAM = "health/probe.py"
SETTINGS = "health/probe.json"
METRICS_PORT = 9401  # 9400 belongs to NVIDIA's DCGM exporter


def write(draft: Draft) -> Files:
    """Program and settings."""
    program = (resources.files("planner.bundle.shipped") / "probe.py").read_text("utf-8")
    return {PROGRAM: program, SETTINGS: json.dumps(settings(draft), indent=2) + "\n"}


def settings(draft: Draft) -> dict[str, str | int | float]:
    """What to ask, and the limits of the promise."""
    op = operation.operate(draft.subject)
    return {
        "model": op.served_name,
        "prompt": operation.CHECK_PROMPT,
        "answer": operation.CHECK_ANSWER,
        "max_tokens": operation.CHECK_TOKENS,
        "first_token_limit_s": op.ttft_limit_s,
        "answer_limit_s": round(op.ttft_limit_s + operation.CHECK_TOKENS * op.tpot_limit_s, 6),
        "interval_s": operation.CHECK_EVERY_S,
    }
