"""Every claim computed again by the checker of its kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from planner.audit.arithmetic import arithmetic
from planner.audit.claims import Claims
from planner.audit.finding import Context, Finding, Translate, evidence
from planner.audit.fits import concurrency, fit, host_memory
from planner.audit.operation import manifest, practice
from planner.audit.readiness import availability, load_time
from planner.audit.savings import saving
from planner.audit.serving import latency, power, throughput
from planner.audit.specs import ratio, spec
from planner.audit.speedups import speed_up
from planner.audit.storage import storage
from planner.catalog import Catalog
from planner.errors import PlannerError, Told, TooSmall
from planner.schema import Audited, AuditResult, Claim, RefusedClaim, SetUp

CHECKERS: dict[str, Callable[[Any, Context], Finding]] = {
    "spec": spec,
    "ratio": ratio,
    "arithmetic": arithmetic,
    "fit": fit,
    "latency": latency,
    "throughput": throughput,
    "power": power,
    "load_time": load_time,
    "availability": availability,
    "concurrency": concurrency,
    "host_memory": host_memory,
    "storage": storage,
    "speed_up": speed_up,
    "saving": saving,
    "manifest": manifest,
    "practice": practice,
}


def audit(claims: Claims, catalog: Catalog, translate: Translate = str, language: str = "en") -> AuditResult:
    """Verdicts of all claims; those that cannot be computed are refused one by one, the others stand.

    Parameters
    ----------
    translate, language : of what is said, and of the claims' own words where the file has them in Chinese.
    """
    context = Context(catalog, translate, claims.folder)
    found: list[Audited] = []
    refused: list[tuple[str, Told]] = list(claims.refused)
    for claim in claims.claims:
        try:
            found.append(_audited(claim, _checked(claim, context), language))
        except PlannerError as error:
            refused.append((claim.id, error))
    return AuditResult(
        title=_in(language, claims.title, claims.title_zh), source=_in(language, claims.source, claims.source_zh),
        catalog_sha256=catalog.sha256, claims=tuple(found),
        refused=tuple(RefusedClaim(id=id, reason=why.told(translate)) for id, why in refused),
    )  # fmt: skip


def _checked(claim: Claim, context: Context) -> Finding:
    """The checker's finding; what a set-up cannot even hold, it does not do."""
    try:
        return CHECKERS[claim.kind](claim, context)
    except TooSmall as error:
        if not isinstance(claim, SetUp):
            raise
        reason = context._("It does not fit: {reason}").format(reason=" ".join(error.told(context._).split()))
        card = context.catalog.accelerator_id(claim.accelerator)
        seen = (evidence(context, card, "memory_visible_bytes", ""), evidence(context, claim.llm, "layers", ""))
        stated = f"{claim.gpus} × {card}"
        return Finding("refuted", reason, stated, context._("does not fit"), "", seen)


def _in(language: str, text: str, chinese: str) -> str:
    return chinese if language == "zh" and chinese else text


def _audited(claim: Claim, found: Finding, language: str) -> Audited:
    return Audited(
        id=claim.id, text=_in(language, claim.text, claim.text_zh), kind=claim.kind, stated=found.stated,
        unit=found.unit, computed=found.computed, verdict=found.verdict, reason=found.reason, evidence=found.evidence,
    )  # fmt: skip
