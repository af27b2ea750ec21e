"""Which curves hold a headline score back from its goal, and what is known of them.

A curve's part is the sum of its rows' absolute errors over that of all rows that count. Rows stay in every
score whatever is remarked of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from planner.calibration.accuracy import Headline, Judged, headline_rows, score
from planner.catalog import Catalog
from planner.schema import AccuracyGoal, CurveRemark, GroupScore
from planner.tabular import read_csv

SHOWN = 6  # curves of each score


@dataclass(frozen=True)
class Holding:
    """A curve, one software version, with its part of a score's error and what is known of it."""

    curve: str
    version: str
    score: GroupScore
    part: float
    remark: str


@dataclass(frozen=True)
class Shortfall:
    """A headline score that misses its goal.

    Attributes
    ----------
    mape, median_ape : the goal [-]
    holding : curves with the largest parts of the error, largest first
    rest : score of all other curves
    """

    headline: Headline
    mape: float
    median_ape: float
    holding: tuple[Holding, ...]
    rest: GroupScore


def goals(catalog: Catalog) -> dict[str, AccuracyGoal]:
    """Errors that headline scores should not exceed, by key."""
    return {goal.headline: goal for goal in read_csv(catalog.folder / "measured" / "goals.csv", AccuracyGoal)}


def shortfalls(
    catalog: Catalog, rows: Sequence[Judged], headlines: Iterable[Headline], r1: frozenset[str]
) -> tuple[Shortfall, ...]:
    """Every headline score that misses its goal, with the curves that hold it back."""
    remarks = read_csv(catalog.folder / "measured" / "remarks.csv", CurveRemark)
    known, counted = goals(catalog), headline_rows(rows, r1)
    return tuple(
        _shortfall(one, known[one.key], counted[one.key], remarks)
        for one in headlines
        if one.key in known and _misses(one.score, known[one.key])
    )


def _misses(found: GroupScore, goal: AccuracyGoal) -> bool:
    if found.mape is None or found.median_ape is None:
        return False  # nothing was scored
    return found.mape > goal.mape or found.median_ape > goal.median_ape


def _shortfall(one: Headline, goal: AccuracyGoal, rows: Sequence[Judged], remarks: Iterable[CurveRemark]) -> Shortfall:
    answered = [row for row in rows if row.answered and not row.excluded]
    groups: dict[tuple[str, str], list[Judged]] = {}
    for row in answered:
        groups.setdefault((row.point.curve, row.point.version), []).append(row)
    total = _error(answered)
    worst = sorted(groups.items(), key=lambda item: -_error(item[1]))[:SHOWN]
    holding = tuple(
        Holding(curve, version, score(curve, members), _error(members) / total, _remark(remarks, members[0]))
        for (curve, version), members in worst
    )
    named: Mapping[tuple[str, str], list[Judged]] = dict(worst)
    rest = [row for row in answered if (row.point.curve, row.point.version) not in named]
    return Shortfall(one, goal.mape, goal.median_ape, holding, score("rest", rest))


def _error(rows: Iterable[Judged]) -> float:
    return sum(abs(row.predicted / row.point.value - 1) for row in rows)


def _remark(remarks: Iterable[CurveRemark], row: Judged) -> str:
    """What is known of a curve and metric; of several remarks the last one."""
    point = row.point
    found = [
        remark.text
        for remark in remarks
        if remark.curve == point.curve
        and point.version.startswith(remark.version)
        and remark.metric in ("", point.metric)
    ]
    return found[-1] if found else ""
