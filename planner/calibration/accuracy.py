"""How far predictions lie from what was measured: headline scores, groups, exclusions.

Pure functions of the measured points and their cross-validated predictions. Which rows a headline
counts is a rule on `source`, `llm` and `metric`, so that anybody can count them again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from planner.calibration.held_out import HeldOut, points_file, read_held_out
from planner.calibration.points import Point, read_points
from planner.calibration.score import errors
from planner.catalog import Catalog
from planner.schema import GroupScore, Llm, PublishedScore
from planner.tabular import read_csv

METRICS = ("tpot", "ttft", "output", "power")
LEAST_ROWS = 8  # a group of fewer rows says little
COVERAGE = (0.75, 0.85)  # what an 80 % interval must hold under cross-validation

# Continuous-batching runs with logged set-ups: the points on which the nearest other tool was scored.
SILICON = ("InferenceX runs", "aiconfigurator silicon gap-analysis")
OFFLINE = "TensorRT-LLM"
_NO_ARCHITECTURE = {
    "name", "hf_id", "aliases", "license", "max_context_tokens", "weights", "params_total", "params_active",
    "source", "source_date", "confidence", "unverified", "notes",
}  # fmt: skip
_NONE = HeldOut(np.nan, np.nan, np.nan)


@dataclass(frozen=True)
class Judged:
    """A measured point beside its cross-validated prediction.

    Attributes
    ----------
    predicted, low, high : SI as `point.value`; NaN where there is no answer, or no interval
    excluded : why the fit leaves the row out, empty if it does not; such rows are scored all the same
    """

    point: Point
    predicted: float
    low: float
    high: float
    excluded: str

    @property
    def answered(self) -> bool:
        return self.predicted == self.predicted


@dataclass(frozen=True)
class Headline:
    """A headline score of the rows that count, the same with excluded ones, and what another tool reaches."""

    key: str
    metric: str
    score: GroupScore
    whole: GroupScore
    peer: PublishedScore | None


@dataclass(frozen=True)
class Group:
    """A score with what its rows have in common; `llm` is empty where all LLMs are taken together."""

    metric: str
    engine: str
    accelerator: str
    llm: str
    score: GroupScore
    excluded: str


@dataclass(frozen=True)
class Accuracy:
    """Everything that the report and the page tell."""

    rows: tuple[Judged, ...]
    refused: int
    headlines: tuple[Headline, ...]
    groups: tuple[Group, ...]
    by_accelerator: tuple[Group, ...]
    exclusions: tuple[tuple[str, str, int], ...]


def accuracy(catalog: Catalog) -> Accuracy:
    """Score the measured points that ship by their cross-validated predictions.

    Raises
    ------
    MissingFact, CatalogError
        If the predictions are not there or cannot be read.
    """
    points, refused = read_points(points_file(catalog), catalog)
    peers = read_csv(catalog.folder / "measured" / "peers.csv", PublishedScore)
    rows = judge(points, read_held_out(catalog))
    return Accuracy(
        rows,
        len(refused),
        headlines(rows, len(refused), family(catalog.llms, "deepseek-r1"), peers),
        groups(rows),
        groups(rows, by_llm=False),
        exclusions(rows),
    )


def judge(points: Iterable[Point], predictions: Mapping[str, HeldOut]) -> tuple[Judged, ...]:
    """Points with their predictions; one without stays, unanswered."""
    from planner.calibration.fit import excluded  # loads the optimiser, which opening the dashboard need not wait for

    found = ((point, predictions.get(point.id, _NONE)) for point in points)
    return tuple(Judged(point, one.predicted, one.low, one.high, excluded(point)) for point, one in found)


def family(llms: Mapping[str, Llm], id: str) -> frozenset[str]:
    """LLMs whose every dimension equals those of one: fine-tunes and earlier versions."""

    def dimensions(llm: Llm) -> object:
        return llm.model_dump(exclude=_NO_ARCHITECTURE)

    return frozenset(other for other, llm in llms.items() if dimensions(llm) == dimensions(llms[id]))


def headlines(
    rows: Sequence[Judged], refused: int, r1: frozenset[str], peers: Iterable[PublishedScore] = ()
) -> tuple[Headline, ...]:
    """The scores to quote, in the order to quote them; `everything` counts refused rows as unanswered."""
    published = {peer.headline: peer for peer in peers}
    found = []
    for key, chosen in headline_rows(rows, r1).items():
        counted = score(key, (row for row in chosen if not row.excluded))
        found.append(Headline(key, key.split("_")[0], counted, score(key, chosen), published.get(key)))
    return (*found, _everything(rows, refused))


def headline_rows(rows: Sequence[Judged], r1: frozenset[str]) -> dict[str, list[Judged]]:
    """Rows of each headline score, excluded ones among them."""
    rules: dict[str, tuple[str, Callable[[Point], bool]]] = {
        "tpot_silicon": ("tpot", lambda p: p.source.startswith(SILICON)),
        "tpot_r1": ("tpot", lambda p: p.llm in r1),
        "tpot_core": ("tpot", lambda p: True),
        "ttft_silicon": ("ttft", lambda p: p.source.startswith(SILICON)),
        "output_saturated": ("output", lambda p: p.kind == "saturated" or p.source.startswith(OFFLINE)),
        "power_core": ("power", lambda p: True),
    }
    return {
        key: [row for row in rows if row.point.metric == metric and rule(row.point)]
        for key, (metric, rule) in rules.items()
    }


def _everything(rows: Sequence[Judged], refused: int) -> Headline:
    """Share answered and coverage of all rows; errors of different metrics do not add up, so there is none."""

    def shares(found: GroupScore, also: int) -> GroupScore:
        n = found.n + also
        share = found.predicted_share * found.n / n if n else 0.0
        blank = {"mape": None, "median_ape": None, "bias": None, "within_20": None}
        return found.model_copy(update={"n": n, "predicted_share": share, **blank})

    whole = shares(score("everything", rows), refused)
    return Headline("everything", "", whole, whole, None)


def score(name: str, rows: Iterable[Judged]) -> GroupScore:
    """Errors and coverage of some rows."""
    table = np.array([(row.point.value, row.predicted, row.low, row.high) for row in rows]).reshape(-1, 4)
    return errors(name, *table.T)


def groups(rows: Iterable[Judged], by_llm: bool = True) -> tuple[Group, ...]:
    """Scores by metric, engine, accelerator and LLM, the worst mean error first.

    Groups with fewer than `LEAST_ROWS` answered rows are left out.
    """
    found: dict[tuple[str, str, str, str], list[Judged]] = {}
    for row in rows:
        if row.answered:
            p = row.point
            found.setdefault((p.metric, p.engine, p.accelerator, p.llm if by_llm else ""), []).append(row)
    scored = [_group(key, members) for key, members in found.items() if len(members) >= LEAST_ROWS]
    return tuple(sorted(scored, key=lambda group: -(group.score.mape or 0.0)))


def _group(key: tuple[str, str, str, str], rows: list[Judged]) -> Group:
    reasons = Counter(row.excluded for row in rows if row.excluded)
    return Group(
        *key,
        score(" · ".join(filter(None, key)), rows),
        "; ".join(f"{n} × {reason}" for reason, n in reasons.most_common()),
    )


def exclusions(rows: Iterable[Judged]) -> tuple[tuple[str, str, int], ...]:
    """Reason, metric and number of rows that the fit leaves out, most first."""
    counts = Counter((row.excluded, row.point.metric) for row in rows if row.excluded)
    return tuple((reason, metric, n) for (reason, metric), n in counts.most_common())


def unanswered(rows: Iterable[Judged]) -> int:
    """Rows that were read but have no prediction."""
    return sum(not row.answered for row in rows)


def in_promise(scores: Iterable[GroupScore], least: int = 50) -> tuple[int, int]:
    """How many groups of at least `least` rows have a coverage within `COVERAGE`, and of how many."""
    large = [s.band_coverage for s in scores if s.n >= least and s.band_coverage is not None]
    return sum(COVERAGE[0] <= c <= COVERAGE[1] for c in large), len(large)
