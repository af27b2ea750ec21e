"""Accuracy as tables and sentences: what the page shows, and the report in docs/ spells out."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from planner.calibration.accuracy import Accuracy, Group, Headline, Judged, score
from planner.calibration.points import Point
from planner.catalog import Catalog
from planner.report.tables import Translate
from planner.schema import GroupScore, Validation
from planner.units import percent

WORST_SHOWN = 10
PLOT_UNITS = {"ttft": ("s", 1.0), "tpot": ("ms", 1e3), "output": ("token/s", 1.0), "power": ("W", 1.0)}
SHARES = ("mape", "median_ape", "bias", "within_20", "band_coverage")


def metric_words(_: Translate) -> dict[str, str]:
    """What is measured, in words."""
    return {
        "tpot": _("time per output token"),
        "ttft": _("time to first token"),
        "output": _("output throughput"),
        "power": _("GPU power"),
    }


def headline_words(_: Translate) -> dict[str, str]:
    """Names of the headline scores."""
    return {
        "tpot_silicon": _("TPOT, InferenceX and gap-analysis runs"),
        "tpot_r1": _("TPOT, DeepSeek-R1 and its siblings"),
        "tpot_core": _("TPOT, all points"),
        "ttft_silicon": _("TTFT, InferenceX and gap-analysis runs"),
        "output_saturated": _("Throughput, saturated"),
        "power_core": _("GPU power"),
        "everything": _("All points"),
    }


# ---- sentences


def headline(found: Accuracy, _: Translate) -> str:
    """The result in one sentence."""
    best = by_key(found)["tpot_silicon"].score
    return _("Half of {n} measured token times lie within {median} of their prediction").format(
        n=f"{best.n:,}", median=share(best.median_ape)
    )


def how_scored(found: Accuracy, _: Translate) -> str:
    """What kind of test it was, and how much of the data it covers."""
    everything = by_key(found)["everything"].score
    return _(
        "Every prediction comes from a fit that never saw its curve: that accelerator, LLM family and engine together. "
        "{share} of {n} public measurements can be predicted; the 80 % intervals hold {coverage} of them."
    ).format(
        share=percent(everything.predicted_share, 0), n=f"{everything.n:,}", coverage=share(everything.band_coverage)
    )


def means(one: Headline, _: Translate) -> str:
    """What a headline score means."""
    if one.score.median_ape is None:
        return _("of {n} rows are answered; the 80 % intervals hold {coverage} of those").format(
            n=f"{one.score.n:,}", coverage=share(one.score.band_coverage)
        )
    return _("half of {n} rows are closer; mean error {mape}, with excluded rows {whole}").format(
        n=f"{one.score.n:,}", mape=share(one.score.mape), whole=share(one.whole.mape)
    )


def peer_line(one: Headline, _: Translate) -> str:
    """What another tool reaches; empty if none published."""
    if one.peer is None:
        return ""
    return _("{tool}: {median}, mean {mape}").format(
        tool=one.peer.tool.split()[-1], median=share(one.peer.median_ape), mape=share(one.peer.mape)
    )


def worst_finding(groups: Sequence[Group], _: Translate) -> str:
    """Which group is the worst, and by how much."""
    worst = groups[0]
    return _("Worst of {n} groups: {metric} of {llm}, {engine} on {accelerator}, mean error {mape}").format(
        n=len(groups), metric=metric_words(_)[worst.metric], llm=worst.llm, engine=worst.engine,
        accelerator=worst.accelerator, mape=share(worst.score.mape),
    )  # fmt: skip


def scatter_finding(metric: str, found: GroupScore, _: Translate) -> str:
    """What the scatter shows."""
    words = _("{metric}: {within} of {n} points are predicted within 20 %")
    text = words.format(metric=metric_words(_)[metric], within=share(found.within_20), n=f"{found.n:,}")
    return text[0].upper() + text[1:]


def validation_finding(found: Validation, _: Translate) -> str:
    """How much of a reader's file could be scored."""
    scored = sum(not point.reason for point in found.points)
    return _("{n} of {all} rows are scored, {refused} are refused").format(
        n=scored, all=len(found.points), refused=len(found.points) - scored
    )


def share(value: float | None) -> str:
    """A fraction in percent; a dash where there is none."""
    return "–" if value is None else percent(value, 1)


# ---- tables


def by_key(found: Accuracy) -> dict[str, Headline]:
    """Headline scores by key."""
    return {one.key: one for one in found.headlines}


def points(rows: Sequence[Judged], catalog: Catalog) -> pd.DataFrame:
    """Every answered point, a row each, in the units of the charts."""
    return pd.DataFrame([_point(row, catalog) for row in rows if row.answered])


def _point(row: Judged, catalog: Catalog) -> dict[str, object]:
    point = row.point
    unit, scale = PLOT_UNITS[point.metric]
    return {
        "id": point.id,
        "metric": point.metric,
        "engine": point.engine,
        "accelerator": point.accelerator,
        "generation": generation(point, catalog),
        "llm": point.llm,
        "source": point.source,
        "setup": setup(point),
        "measured": point.value * scale,
        "predicted": row.predicted * scale,
        "low": row.low * scale,
        "high": row.high * scale,
        "unit": unit,
        "error": row.predicted / point.value - 1,
        "excluded": row.excluded,
    }


def generations(table: pd.DataFrame) -> list[str]:
    """Generations of accelerators, those with most points first, so that filters do not change their colours."""
    return [str(name) for name in table["generation"].value_counts().index]


def generation(point: Point, catalog: Catalog) -> str:
    """Generation of the accelerator, such as Hopper."""
    return catalog.accelerators[point.accelerator].architecture.split()[0]


def setup(point: Point) -> str:
    """How a point was run, in one line."""
    sizes = " ".join(f"{name.upper()}{getattr(point, name)}" for name in ("tp", "dp", "pp", "ep"))
    load = {"open": f"{point.load:g}/s", "saturated": "saturated", "burst": f"burst {point.load:g}"}.get(
        point.kind, f"{point.load:g} users"
    )
    lengths = f"{point.input_tokens:.0f}/{point.output_tokens:.0f}"
    return f"{point.gpus} GPU {sizes} {point.weights}/{point.kv} {lengths} {load} {point.version}".strip()


def group_table(groups: Sequence[Group]) -> pd.DataFrame:
    """Groups with their errors, in the order given."""
    return pd.DataFrame(
        [
            {
                "metric": one.metric,
                "engine": one.engine,
                "accelerator": one.accelerator,
                "llm": one.llm,
                "n": one.score.n,
                **{name: getattr(one.score, name) for name in SHARES},
                "excluded": one.excluded,
            }
            for one in groups
        ]
    )


def headline_table(found: Accuracy, _: Translate) -> pd.DataFrame:
    """Headline scores beside those with excluded rows and another tool's."""
    words = headline_words(_)
    return pd.DataFrame(
        [
            {
                "score": words[one.key],
                "n": one.score.n,
                "answered": one.score.predicted_share,
                **{name: getattr(one.score, name) for name in SHARES},
                "whole_n": one.whole.n,
                "whole_mape": one.whole.mape,
                "peer_mape": one.peer.mape if one.peer else None,
                "peer_median": one.peer.median_ape if one.peer else None,
            }
            for one in found.headlines
        ]
    )


def own_points(found: Validation) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A reader's own rows: those scored, and those refused with their reason."""
    scored = [one for one in found.points if not one.reason]
    refused = [one for one in found.points if one.reason]
    table = pd.DataFrame([one.model_dump(exclude={"reason"}) for one in scored])
    if scored:
        table["error"] = table["predicted"] / table["measured"] - 1
    return table, pd.DataFrame([one.model_dump(include={"row", "id", "metric", "reason"}) for one in refused])


def rows_score(rows: Sequence[Judged]) -> GroupScore:
    """Errors of the answered rows among some."""
    return score("shown", [row for row in rows if row.answered])
