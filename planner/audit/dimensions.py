"""What an expression over figures with units measures: watts are not added to tokens."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Mapping

from planner.audit.expressions import parsed
from planner.errors import WorkloadError

COUNT = "count"
UNNAMED: dict[str, tuple[tuple[str, int], ...]] = {"W": (("J", 1), ("s", -1)), "1": (), COUNT: ()}


def dimension(expression: str, of: Mapping[str, str]) -> str:
    """What an expression measures, given what its names do: `token/J`, `count`, ...

    Raises
    ------
    WorkloadError
        If it adds or subtracts figures that measure different things.

    Examples
    --------
    >>> dimension("rate / (cards * w)", {"rate": "token/s", "cards": "count", "w": "W"})
    'token/J'
    >>> dimension("(new - old) / old", {"new": "B", "old": "B"})
    'count'
    """
    return _written(_of(parsed(expression), of, expression))


def same(a: str, b: str) -> bool:
    """Do two spellings measure the same?

    Examples
    --------
    >>> same("token/s/W", "token/J"), same("B/s", "B")
    (True, False)
    """
    return _powers(a) == _powers(b)


def _of(node: ast.expr, of: Mapping[str, str], whole: str) -> Counter[str]:
    if isinstance(node, ast.UnaryOp):
        return _of(node.operand, of, whole)
    if isinstance(node, ast.Name):
        return _powers(of.get(node.id, COUNT))
    if not isinstance(node, ast.BinOp):
        return Counter()
    left, right = _of(node.left, of, whole), _of(node.right, of, whole)
    if isinstance(node.op, ast.Mult):
        return _reduced(left, right, 1)
    if isinstance(node.op, ast.Div):
        return _reduced(left, right, -1)
    if left != right:
        raise WorkloadError(
            "expression {whole!r} adds or subtracts {left} and {right}",
            whole=whole,
            left=_written(left),
            right=_written(right),
        )
    return left


def _reduced(left: Counter[str], right: Counter[str], sign: int) -> Counter[str]:
    powers = Counter(left)
    for name, power in right.items():
        powers[name] += sign * power
    return Counter({name: power for name, power in powers.items() if power})


def _powers(what: str) -> Counter[str]:
    """Exponents of what a unit measures; a watt is a joule a second."""
    powers: Counter[str] = Counter()
    over, *under = what.split("/")
    for name, sign in [*((name, 1) for name in over.split("*")), *((name, -1) for name in under)]:
        for part, power in UNNAMED.get(name, ((name, 1),)):
            powers[part] += sign * power
    return Counter({name: power for name, power in powers.items() if power})


def _written(powers: Counter[str]) -> str:
    left = Counter(powers)
    watts = max(min(left["J"], -left["s"]), 0)
    left.update({"J": -watts, "s": watts, "W": watts})
    over = [name for name, power in left.items() for _ in range(max(power, 0))]
    under = [name for name, power in left.items() for _ in range(max(-power, 0))]
    return "/".join(["*".join(over) or ("1" if under else COUNT), *under])
