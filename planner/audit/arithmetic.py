"""Figures of one text against each other."""

from __future__ import annotations

from planner.audit.dimensions import dimension, same
from planner.audit.expressions import evaluate
from planner.audit.finding import Context, Finding, formula, together
from planner.audit.quantity import UNITS, close, measures, to_si, written
from planner.errors import Message, WorkloadError
from planner.schema import ArithmeticClaim, Check


def arithmetic(claim: ArithmeticClaim, context: Context) -> Finding:
    """Every derived figure computed again, every pair that the text calls the same compared.

    Where the text gives figures with units, they count in SI, and what is derived must measure what its unit says.
    """
    checks = [_check(check, claim, context) for check in claim.checks]
    pairs = [_pair(left, right, claim, context) for left, right in claim.equal]
    return together([*checks, *pairs])


def _values(claim: ArithmeticClaim) -> dict[str, float]:
    """Figures as numbers, those with units in SI."""
    return {
        name: figure if isinstance(figure, int | float) else to_si(figure.stated, figure.unit)
        for name, figure in claim.figures.items()
    }


def _measured(claim: ArithmeticClaim) -> dict[str, str]:
    """What figures with units measure; empty where the text's figures are bare numbers."""
    return {name: measures(f.unit) for name, f in claim.figures.items() if not isinstance(f, int | float)}


def _check(check: Check, claim: ArithmeticClaim, context: Context) -> Finding:
    found, stated = evaluate(check.expression, _values(claim)), to_si(check.stated, check.unit)
    if _measured(claim):
        _refuse_other_unit(check, claim)
    said, right = (f"{check.name} {written(value, check.unit, 3)}" for value in (stated, found))
    holds = close(stated, found, claim.tolerance)
    reason = "" if holds else context._("{right}, by {expression}.").format(right=right, expression=check.expression)
    shown = _filled(check.expression, claim)
    return Finding("holds" if holds else "refuted", reason, said, right, check.unit, (formula(shown, right),))


def _refuse_other_unit(check: Check, claim: ArithmeticClaim) -> None:
    what = dimension(check.expression, _measured(claim))
    if not same(what, measures(check.unit)):
        fitting = ", ".join(name for name, (_factor, of) in UNITS.items() if name and same(of, what))
        raise WorkloadError(
            "{name} is stated in {unit}, but {expression} measures {what}{instead}",
            name=check.name,
            unit=check.unit or Message("no unit"),
            expression=check.expression,
            what=what,
            instead=Message(": give one of {units}", units=fitting) if fitting else "",
        )


def _pair(left: str, right: str, claim: ArithmeticClaim, context: Context) -> Finding:
    a, b = (evaluate(side, _values(claim)) for side in (left, right))
    units = _measured(claim)
    if units and not same(one := dimension(left, units), other := dimension(right, units)):
        raise WorkloadError(
            "{left} measures {one}, {right} {other}: they cannot be the same",
            left=left,
            one=one,
            right=right,
            other=other,
        )
    said = f"{left} = {right}"
    if close(a, b, claim.tolerance):
        return Finding("holds", "", said, f"{a:,.6g} = {b:,.6g}")
    reason = context._("{left} is {a}, {right} is {b}: not the same.").format(
        left=left, a=f"{a:,.6g}", right=right, b=f"{b:,.6g}"
    )
    return Finding("refuted", reason, said, f"{a:,.6g} ≠ {b:,.6g}", evidence=(formula(_filled(said, claim)),))


def _filled(expression: str, claim: ArithmeticClaim) -> str:
    """The expression with what its names stand for."""
    used = [
        f"{name} = {f:,.6g}" if isinstance(f, int | float) else f"{name} = {f.stated:,.6g} {f.unit}".strip()
        for name, f in claim.figures.items()
        if name in expression
    ]
    return f"{expression}; {', '.join(used)}"
