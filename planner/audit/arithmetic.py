"""Figures of one text against each other."""

from __future__ import annotations

from planner.audit.expressions import evaluate
from planner.audit.finding import Context, Finding, formula, together
from planner.audit.quantity import close, to_si, written
from planner.schema import ArithmeticClaim, Check


def arithmetic(claim: ArithmeticClaim, context: Context) -> Finding:
    """Every derived figure computed again, every pair that the text calls the same compared."""
    checks = [_check(check, claim, context) for check in claim.checks]
    pairs = [_pair(left, right, claim, context) for left, right in claim.equal]
    return together([*checks, *pairs])


def _check(check: Check, claim: ArithmeticClaim, context: Context) -> Finding:
    found, stated = evaluate(check.expression, claim.figures), to_si(check.stated, check.unit)
    said, right = (f"{check.name} {written(value, check.unit, 3)}" for value in (stated, found))
    holds = close(stated, found, claim.tolerance)
    reason = "" if holds else context._("{right}, by {expression}.").format(right=right, expression=check.expression)
    shown = _filled(check.expression, claim)
    return Finding("holds" if holds else "refuted", reason, said, right, check.unit, (formula(shown, right),))


def _pair(left: str, right: str, claim: ArithmeticClaim, context: Context) -> Finding:
    a, b = (evaluate(side, claim.figures) for side in (left, right))
    said = f"{left} = {right}"
    if close(a, b, claim.tolerance):
        return Finding("holds", "", said, f"{a:,.6g} = {b:,.6g}")
    reason = context._("{left} is {a}, {right} is {b}: not the same.").format(
        left=left, a=f"{a:,.6g}", right=right, b=f"{b:,.6g}"
    )
    return Finding("refuted", reason, said, f"{a:,.6g} ≠ {b:,.6g}", evidence=(formula(_filled(said, claim)),))


def _filled(expression: str, claim: ArithmeticClaim) -> str:
    """The expression with what its names stand for."""
    used = [f"{name} = {value:,.6g}" for name, value in claim.figures.items() if name in expression]
    return f"{expression}; {', '.join(used)}"
