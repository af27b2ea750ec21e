"""Manifests by the bundle's own rules, and operating practices against what the bundle does."""

from __future__ import annotations

from pathlib import Path

from planner.audit.finding import Context, Finding, formula
from planner.bundle.documents.operation import BREAKER_ERRORS, CHECK_EVERY_S
from planner.bundle.finding import Bundle
from planner.bundle.rules import RULES
from planner.bundle.tools import TOOLS
from planner.errors import WorkloadError
from planner.schema import Evidence, ManifestClaim, PracticeClaim, Verdict

MAX_BYTES = 1_000_000
SCHEMA = "kubernetes-schema"
# Rules that look at the whole folder or at its plan say nothing about a single manifest.
OF_A_FOLDER = {
    "record",
    "kustomization",
    "engine-arguments",
    "parallel-sizes",
    "batch-limits",
    "gpu-total",
    "as-planned",
}


def manifest(claim: ManifestClaim, context: Context) -> Finding:
    """Every rule of `planner lint` that a manifest alone can break, and the published schemas where they are there."""
    bundle, _ = Bundle({"k8s/claim.yaml": _content(claim, context)}), context._
    problems = [found for name, rule in RULES.items() if name not in OF_A_FOLDER for found in rule(bundle)]
    problems += TOOLS[SCHEMA].check(bundle, Path())
    errors = [found for found in problems if found.severity == "error"]
    skipped = [_("Not checked: {what}.").format(what=one.message) for one in problems if one.severity == "not_checked"]
    reason = " ".join([*(f"{found.rule}: {found.message}." for found in errors), *skipped])
    computed = _("{n} rules broken").format(n=len({found.rule for found in errors}))
    seen = tuple(Evidence(row=f"planner lint, {found.rule}", value=found.message) for found in errors)
    verdict: Verdict = "refuted" if errors else "conditional" if skipped else "holds"
    return Finding(verdict, reason, claim.file, computed, "", seen)


def _content(claim: ManifestClaim, context: Context) -> bytes:
    name = Path(claim.file)
    if context.folder is None or name.name != claim.file:
        raise WorkloadError(
            "file {file!r}: give the name of a YAML file that lies beside the claims", file=claim.file[:60]
        )
    path = context.folder / name.name
    try:
        if path.stat().st_size > MAX_BYTES:
            raise WorkloadError("file {file}: larger than {max_bytes:,} bytes", file=claim.file, max_bytes=MAX_BYTES)
        return path.read_bytes()
    except OSError as error:
        raise WorkloadError("file {file}: {reason}", file=claim.file, reason=error) from None


def practice(claim: PracticeClaim, context: Context) -> Finding:
    """What serving needs, and what `planner export` writes."""
    return _PRACTICES[claim.practice](claim, context)


def _checkpoint(claim: PracticeClaim, context: Context) -> Finding:
    _ = context._
    reason = _(
        "Serving has no training steps and changes no weights: there is no state to save. What recovers it: "
        "weights that load again from local drives, requests sent again by the gateway, and a spare replica."
    )
    return Finding("refuted", reason, seen_text(claim), _("no steps to count"))


def _health_check(claim: PracticeClaim, context: Context) -> Finding:
    if claim.every_s is None or claim.errors is None:
        raise WorkloadError("every_s and errors missing: the interval, and how many slow answers open the breaker")
    _ = context._
    same = (claim.every_s, claim.errors) == (CHECK_EVERY_S, BREAKER_ERRORS)
    right = _("every {every} s, {errors} in a row").format(every=CHECK_EVERY_S, errors=BREAKER_ERRORS)
    reason = (
        _("As the gateway of an exported bundle does.") if same else _("The bundle checks {right}.").format(right=right)
    )
    seen = (formula("gateway/haproxy.cfg", right),)
    return Finding("holds" if same else "conditional", reason, seen_text(claim), right, "", seen)


def seen_text(claim: PracticeClaim) -> str:
    """The practice as stated."""
    every = f"{claim.every_s:g} s" if claim.every_s else ""
    errors = f"{claim.errors}" if claim.errors else ""
    return ", ".join(filter(None, (every, errors))) or claim.practice.replace("_", " ")


_PRACTICES = {"checkpoint_by_steps": _checkpoint, "health_check": _health_check}
