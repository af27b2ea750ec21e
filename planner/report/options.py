"""What options of serving did to an estimate, as rows for people."""

from __future__ import annotations

from collections.abc import Callable

from planner.schema import DisaggregationAnswer, Estimate, OffloadAnswer, SparsityAnswer, SpeculationAnswer
from planner.units import percent, si

Translate = Callable[[str], str]
Row = tuple[str, str, str]


def option_rows(estimate: Estimate, _: Translate) -> list[Row]:
    """Figure, value and an empty third cell for every option that was asked for."""
    rows: list[tuple[str, str]] = []
    if estimate.speculation is not None:
        rows += _speculation(estimate.speculation, _)
    if estimate.sparsity is not None:
        rows += _sparsity(estimate.sparsity, _)
    if estimate.offload is not None:
        rows += _offload(estimate.offload, _)
    if estimate.disaggregation is not None:
        rows += _disaggregation(estimate.disaggregation, _)
    return [(name, value, "") for name, value in rows]


def _speculation(found: SpeculationAnswer, _: Translate) -> list[tuple[str, str]]:
    return [
        (_("Drafts accepted"), percent(found.acceptance, 1)),
        (_("Tokens per step"), f"{found.tokens_per_step:.2f}"),
        (_("Step with drafts"), si(found.step_s, "s")),
        (_("Drafting in it"), si(found.draft_s, "s")),
        (_("TPOT without drafts"), si(found.plain_tpot_s, "s")),
        (_("Throughput over that without drafts"), f"{found.gain:.2f}"),
    ]


def _sparsity(found: SparsityAnswer, _: Translate) -> list[tuple[str, str]]:
    return [
        (_("Sparse matrix over dense, bytes"), f"{found.stored_share:.4f}"),
        (_("TPOT with dense weights"), "–" if found.plain_tpot_s is None else si(found.plain_tpot_s, "s")),
        (_("Throughput over that with dense weights"), "–" if found.gain is None else f"{found.gain:.2f}"),
    ]


def _offload(found: OffloadAnswer, _: Translate) -> list[tuple[str, str]]:
    return [
        (_("Host"), f"{found.sockets} × {found.host}"),
        (_("Host memory needed"), si(found.needed_bytes, "B")),
        (_("Host memory"), si(found.memory_bytes, "B")),
        (_("Host in a step"), si(found.host_s, "s")),
        (_("Decode step"), si(found.step_s, "s")),
    ]


def _disaggregation(found: DisaggregationAnswer, _: Translate) -> list[tuple[str, str]]:
    pools = (
        ("prefill", found.prefill_replicas, found.prefill_gpus),
        ("decode", found.decode_replicas, found.decode_gpus),
    )
    return [
        *((_("Pool") + f", {name}", f"{replicas} × {gpus // replicas} GPU") for name, replicas, gpus in pools),
        (_("Wait for decode"), si(found.admission_s, "s")),
        (_("Wait for prefill"), si(found.prefill_queue_s, "s")),
        (_("Prefill of a prompt"), si(found.prefill_s, "s")),
        (_("Cache sent"), f"{si(found.transfer_bytes, 'B')}, {si(found.transfer_s, 's')}"),
        (_("Prefill pool, at most"), f"{found.prefill_limit_per_s:.2f}/s"),
        (_("Decode pool, at most"), f"{found.decode_limit_per_s:.2f}/s"),
        (_("Pool that limits"), found.limited_by),
    ]
