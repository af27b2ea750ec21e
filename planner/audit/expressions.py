"""Arithmetic over named figures, from text: numbers, names, + - * / and brackets, nothing else."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping

from planner.errors import WorkloadError

MAX_LENGTH = 200
_TWO: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def evaluate(expression: str, figures: Mapping[str, float]) -> float:
    """Value of an arithmetic expression.

    Raises
    ------
    WorkloadError
        For anything but arithmetic over the given names, or a division by zero.

    Examples
    --------
    >>> evaluate("(new - old) / old", {"old": 180, "new": 270})
    0.5
    """
    try:
        return float(_value(parsed(expression), figures))
    except ZeroDivisionError:
        raise WorkloadError("expression {expression!r} divides by zero.", expression=expression) from None
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        known = ", ".join(figures)
        raise WorkloadError(
            "expression {expression!r} cannot be computed ({error}).\n"
            "  Allowed: numbers, + - * / and brackets over {known}.",
            expression=expression[:60],
            error=error,
            known=known,
        ) from None


def parsed(expression: str) -> ast.expr:
    """The tree of a short expression; raises ValueError or SyntaxError."""
    if len(expression) > MAX_LENGTH:
        raise ValueError("too long")
    return ast.parse(expression, mode="eval").body


def _value(node: ast.expr, figures: Mapping[str, float]) -> float:
    if isinstance(node, ast.BinOp) and type(node.op) in _TWO:
        return _TWO[type(node.op)](_value(node.left, figures), _value(node.right, figures))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, figures)
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return float(node.value)
    if isinstance(node, ast.Name) and node.id in figures:
        return float(figures[node.id])
    raise ValueError(f"{ast.unparse(node)[:40]} is not a number or a known name")
