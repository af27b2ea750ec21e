"""docs/ACCURACY.md and its charts, made from the measured points and their cross-validated predictions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from planner.calibration.accuracy import (
    COVERAGE,
    LEAST_ROWS,
    METRICS,
    Accuracy,
    Group,
    Headline,
    accuracy,
    family,
    in_promise,
)
from planner.calibration.shortfall import Shortfall, goals, shortfalls
from planner.calibration.swapped import Swap, swaps
from planner.catalog import Catalog
from planner.report import exported
from planner.report.accuracy import (
    PLOT_UNITS,
    WORST_SHOWN,
    by_key,
    headline_words,
    metric_words,
    rows_score,
    scatter_finding,
    share,
)
from planner.report.svg import Panel, scatter_svg
from planner.schema import GroupScore
from planner.units import percent

_HEAD = """# Accuracy

Generated from catalogs/measured by `make docs`; do not edit. The dashboard's page *Accuracy* shows the same."""
_SCORED = """## How it was scored

{n:,} public measurements, each with its source, are in
[catalogs/measured](../catalogs/measured/README.md). The scalars of the step-time model are fitted to them by
`make calibrate`; a curve is one accelerator, LLM family and engine together. For the scores below the curves are dealt
into folds, and every row is predicted by a fit that has not seen any row of its curve. Intervals are cross-validated in
the same way.

Error is predicted over measured, less one. *Mean* and *median* are of its absolute value; *bias* is its median with the
sign; *in interval* is the share of measurements inside the interval that should hold 80 % of them. Rows that do
not count by a written rule (see the end) are predicted all the same; *with excluded* scores them, too.

Fits are blind to the curve that they predict; the people who chose the model's form were not. On 2026-11-26 about
seventy variants were compared by these same scores, half of them offsets per group, and what helped was kept: the
bounds of the software profiles (vLLM 0.17, TensorRT-LLM release candidates before 1.2), host time by precision,
launches of prompts, smaller error scales, and three set-ups read from the runs themselves or applied to some runs of a
script only (catalogs/harnesses.csv says which). Expect somewhat larger errors on new curves. The coefficient of
expert-parallel imbalance ends at 26, far above the 2.8 to 6.5 of earlier fits; held at 6.5 the scores were 14.1 / 8.9 %
(TPOT, InferenceX and gap-analysis runs), 19.6 / 16.4 % (R1) and 36.8 / 24.4 % (TTFT), and expert-parallel layouts at
high load are predicted up to a fifth faster than here."""
_YOURS = """## Score your own measurements

`planner validate POINTS.csv` predicts every row of a file with the columns of catalogs/measured/points.csv.gz, or
refuses it with a reason; the dashboard's page takes the same file."""


def documents(catalog: Catalog) -> dict[str, str]:
    """Path under the repository and content of every generated file.

    Raises
    ------
    MissingFact, CatalogError
        If the cross-validated predictions are not there or cannot be read.
    """
    found = accuracy(catalog)
    charts = {f"docs/accuracy-{metric}.svg": _chart(found, metric) for metric in METRICS if _answered(found, metric)}
    return {"docs/ACCURACY.md": _page(found, list(charts), catalog), **charts}


def _page(found: Accuracy, charts: Sequence[str], catalog: Catalog) -> str:
    images = [f"![Predicted against measured](./{name.removeprefix('docs/')})" for name in charts]
    parts = [
        _HEAD,
        _headlines(found),
        _reached(found),
        _held_back(found, catalog),
        f"## The worst {min(WORST_SHOWN, len(found.groups))} of {len(found.groups)} groups\n",
        f"A metric, an engine, an accelerator and an LLM with at least {LEAST_ROWS} predicted rows.\n",
        _groups(found.groups[:WORST_SHOWN]),
        _SCORED.format(n=len(found.rows) + found.refused),
        "## Predicted against measured\n",
        *images,
        "## By engine and accelerator\n",
        _by_accelerator(found),
        _excluded(found),
        _swapped(swaps(catalog)),
        exported.section(catalog),
        _YOURS,
    ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _swapped(found: Sequence[Swap]) -> str:
    """Fitted scalars against those that `planner measure` found on single devices."""
    head = """## Scalars measured on one device

`planner measure` times kernels; its files for real devices are in catalogs/measured/ceilings. With their scalars in
place of the fitted ones, all else equal, the errors *in sample* become (mean / median):

| scalars | replaced | TPOT | TTFT | throughput |
| --- | --: | --: | --: | --: |"""
    rows = [
        _row(
            [
                one.name or "as fitted",
                str(one.scalars or ""),
                *(_pair(one.scores[m]) for m in ("tpot", "ttft", "output")),
            ]
        )
        for one in found
    ]
    return "\n".join([head, *rows])


def _pair(score: GroupScore) -> str:
    return f"{share(score.mape)} / {share(score.median_ape)}"


def _headlines(found: Accuracy) -> str:
    head = (
        "| score | rows | answered | mean | median | bias | within 20 % | in interval | mean with excluded (rows) "
        "| AIConfigurator: mean / median |\n| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: |"
    )
    return "\n".join([head, *(_headline(one) for one in found.headlines)])


def _headline(one: Headline) -> str:
    found, peer = one.score, one.peer
    cells = [
        headline_words(str)[one.key],
        f"{found.n:,}",
        percent(found.predicted_share, 1),
        *(share(value) for value in (found.mape, found.median_ape, found.bias, found.within_20, found.band_coverage)),
        f"{share(one.whole.mape)} ({one.whole.n:,})",
        f"{share(peer.mape)} / {share(peer.median_ape)}" if peer else "",
    ]
    return _row(cells)


def _reached(found: Accuracy) -> str:
    """Where the figures fall short, said as plainly as where they do not."""
    lines = [_against_peer(one) for one in found.headlines if one.peer and one.score.mape is not None]
    within, of = in_promise(group.score for group in found.by_accelerator)
    everything = by_key(found)["everything"].score
    held = everything.band_coverage is not None and COVERAGE[0] <= everything.band_coverage <= COVERAGE[1]
    lines.append(
        f"- The 80 % intervals hold {share(everything.band_coverage)} of all answered rows, "
        f"{'within' if held else '**outside**'} the promised {percent(COVERAGE[0], 0)} to {percent(COVERAGE[1], 0)}; "
        f"{within} of {of} groups by engine and accelerator with at least 50 rows keep it on their own."
    )
    if everything.predicted_share < 1:
        lines.append(f"- {share(1 - everything.predicted_share)} of the rows have no prediction; see the end.")
    peers = {one.peer.source: one.peer for one in found.headlines if one.peer}
    lines += [
        f"- Figures of {peer.tool}: {source}, on public points of the same kind ({peer.source_date})."
        for source, peer in peers.items()
    ]
    return "\n".join(lines)


def _held_back(found: Accuracy, catalog: Catalog) -> str:
    """Which figures miss their goals, by which curves, and what is known of these."""
    missed = shortfalls(catalog, found.rows, found.headlines, family(catalog.llms, "deepseek-r1"))
    names, known = headline_words(str), goals(catalog)
    reached = [names[one.key] for one in found.headlines if one.key in known and one.key not in _keys(missed)]
    lines = [
        "## Goals, and what holds a figure back\n",
        "Goals are mean and median errors that the project set before it began "
        f"(catalogs/measured/goals.csv). Reached: {'; '.join(reached) or 'none'}.",
    ]
    return "\n\n".join([*(line.strip("\n") for line in lines), *(_shortfall(one) for one in missed)])


def _keys(missed: Iterable[Shortfall]) -> set[str]:
    return {one.headline.key for one in missed}


def _shortfall(one: Shortfall) -> str:
    name, found = headline_words(str)[one.headline.key], one.headline.score
    lines = [
        f"### {name}: {_pair(found)}, goal {share(one.mape)} / {share(one.median_ape)}\n",
        f"Without the curves below, which count in the figure, it would be {_pair(one.rest)} ({one.rest.n:,} rows).\n",
        _row(["curve", "version", "rows", "part of the error", "mean", "bias", "what is known"]),
        "| --- | --- | --: | --: | --: | --: | --- |",
    ]
    for curve in one.holding:
        cells = [curve.curve.replace("|", " · "), curve.version, str(curve.score.n), share(curve.part)]
        lines.append(_row([*cells, share(curve.score.mape), share(curve.score.bias), curve.remark]))
    return "\n".join(lines)


def _against_peer(one: Headline) -> str:
    assert one.peer is not None
    figures = (("mean", one.score.mape, one.peer.mape), ("median", one.score.median_ape, one.peer.median_ape))
    told = [
        f"{name} {share(ours)} is {'better than' if (ours or 0.0) < theirs else '**not** better than'} {share(theirs)}"
        for name, ours, theirs in figures
    ]
    aside = one.whole.n - one.score.n
    with_them = f" With the {aside} rows that do not count, the mean is {share(one.whole.mape)}." if aside else ""
    return f"- {headline_words(str)[one.key]}: " + ", ".join(told) + f" of {one.peer.tool}.{with_them}"


def _groups(groups: Iterable[Group], llm: bool = True) -> str:
    names = ["metric", "engine", "accelerator", *(["LLM"] if llm else [])]
    names += ["rows", "mean", "median", "bias", "within 20 %", "in interval", "left out of the fit"]
    lines = [_row(names), _row(["---" if name not in _NUMERIC else "--:" for name in names])]
    for one in groups:
        found = one.score
        shares = (found.mape, found.median_ape, found.bias, found.within_20, found.band_coverage)
        keys = [one.metric, one.engine, one.accelerator, *([one.llm] if llm else [])]
        lines.append(_row([*keys, f"{found.n:,}", *(share(value) for value in shares), one.excluded]))
    return "\n".join(lines)


_NUMERIC = {"rows", "mean", "median", "bias", "within 20 %", "in interval"}


def _by_accelerator(found: Accuracy) -> str:
    parts = []
    for metric in METRICS:
        chosen = [group for group in found.by_accelerator if group.metric == metric]
        if chosen:
            parts.append(f"### {metric_words(str)[metric].capitalize()}\n\n{_groups(chosen, llm=False)}")
    return "\n\n".join(parts)


def _excluded(found: Accuracy) -> str:
    lines = [
        "## What the fit leaves out, and what has no prediction\n",
        "The rules are `excluded` in planner/calibration/fit.py. Rows that its `doubtful` names (faster than their\n"
        "prompts can be computed; DeepSeek-R1 with SGLang on B300; Llama-8B with vLLM on H200) stay out of the fit,\n"
        "but count in every score.\n",
        _row(["rule", "metric", "rows"]),
        "| --- | --- | --: |",
        *(_row([reason, metric, str(n)]) for reason, metric, n in found.exclusions),
    ]
    missing = Counter((row.point.source, f"{row.point.kind} load") for row in found.rows if not row.answered)
    if missing or found.refused:
        lines += ["", _row(["without a prediction", "load", "rows"]), "| --- | --- | --: |"]
        lines += [_row([source, kind, str(n)]) for (source, kind), n in missing.most_common()]
    if found.refused:
        lines.append(_row(["refused when read", "", str(found.refused)]))
    return "\n".join(lines)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


# ---- charts


def _answered(found: Accuracy, metric: str) -> bool:
    return any(row.answered and row.point.metric == metric for row in found.rows)


def _chart(found: Accuracy, metric: str) -> str:
    """A panel for each engine and accelerator with enough rows, most rows first; the rest together."""
    members: dict[str, list[tuple[float, float, bool]]] = {}
    scale = PLOT_UNITS[metric][1]
    rows = [row for row in found.rows if row.answered and row.point.metric == metric]
    counts = Counter((row.point.engine, row.point.accelerator) for row in rows)
    for row in rows:
        key = (row.point.engine, row.point.accelerator)
        name = " · ".join(key) if counts[key] >= LEAST_ROWS else "fewer rows each"
        outside = row.point.value < row.low or row.point.value > row.high
        members.setdefault(name, []).append((row.point.value * scale, row.predicted * scale, outside))
    ordered = sorted(members.items(), key=lambda item: (item[0] == "fewer rows each", -len(item[1])))
    panels = [_panel(name, np.array(values, float)) for name, values in ordered]
    return scatter_svg(scatter_finding(metric, rows_score(rows), str), PLOT_UNITS[metric][0], panels)


def _panel(name: str, table: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> Panel:
    measured, predicted, outside = table.T
    error = predicted / measured - 1
    below = f"n = {len(error)}, median {np.median(np.abs(error)):.0%}, bias {np.median(error):+.0%}"
    return Panel(name, below, measured, predicted, outside.astype(bool))
