"""What `planner calibrate` found, as tables."""

from __future__ import annotations

from planner.report.tables import TextTable, Translate
from planner.schema import Calibrated, Doubt, LearnedPoint
from planner.units import percent, si

UNITS = {"tpot": "s", "ttft": "s", "output": "token/s"}
LABELS = {"tpot": "TPOT", "ttft": "TTFT"}


def point_table(result: Calibrated, _: Translate) -> TextTable:
    """Each measured figure beside its prediction before and after."""
    headings = (_("File"), _("Load"), _("Figure"), _("Measured"), _("Before"), _("After"), _("Error after"))
    rows = tuple(_point_row(point, _) for point in result.points)
    return TextTable(_("Measured and predicted"), headings, rows, numeric_from=3)


def _point_row(point: LearnedPoint, _: Translate) -> tuple[str, ...]:
    unit = UNITS[point.metric]
    guesses = (point.before, point.after)
    error = "–" if point.after is None else percent(point.after / point.measured - 1)
    return (
        point.file,
        _load(point, _),
        _label(point.metric, _),
        si(point.measured, unit),
        *("–" if guess is None else si(guess, unit) for guess in guesses),
        error,
    )


def _load(point: LearnedPoint, _: Translate) -> str:
    words = {
        "closed": _("{n:g} users"),
        "burst": _("{n:g} at once"),
        "open": _("{n:g} requests/s"),
        "saturated": _("all that fit"),
    }
    lengths = f"{point.input_tokens:,.0f} → {point.output_tokens:,.0f}"
    return f"{words[point.kind].format(n=point.load or 0)}, {lengths}"


def _label(metric: str, _: Translate) -> str:
    return LABELS.get(metric) or _("Output throughput")


def scalar_table(result: Calibrated, _: Translate) -> TextTable:
    """Each fitted scalar, the catalog's value and the new one."""
    headings = (_("Scalar"), _("Meaning"), _("Before"), _("After"), _("Points"))
    rows = tuple((s.name, _(s.meaning), f"{s.before:.4g}", f"{s.after:.4g}", str(s.n)) for s in result.scalars)
    setup = result.setup
    served = _("Fitted for {llm} on {accelerator} with {engine}")
    alone = _("Kernels of {accelerator} over those of Hopper")
    title = (served if "llm" in setup else alone).format(**setup)
    return TextTable(title, headings, rows, numeric_from=2)


def score_table(result: Calibrated, _: Translate) -> TextTable:
    """Mean errors by figure."""
    headings = (_("Mean error"), _("Points"), _("Before"), _("After"), _("Each load left out"))
    rows = tuple(
        (
            _label(score.metric, _),
            str(score.n),
            percent(score.before),
            percent(score.after),
            "–" if score.left_out is None else percent(score.left_out),
        )
        for score in result.scores
    )
    return TextTable(_("How well it fits"), headings, rows)


def _doubt(doubt: Doubt, _: Translate) -> str:
    """Why a run is hard to believe, and what to look at."""
    words = {
        "bandwidth": _(
            "{file}, {n:g} users: so fast an answer reads {needed} on each accelerator, which has {available}. "
            "Check precision, number of GPUs, speculation and units."
        ),
        "arithmetic": _(
            "{file}, {n:g} users: so many tokens take {needed} on each accelerator, which has {available}. "
            "Check prefix caching, precision, number of GPUs and units."
        ),
        "throughput": _(
            "{file}, {n:g} users: a throughput of {needed} contradicts the latencies, from which {available} follow. "
            "Check whether all figures are of the same run."
        ),
    }
    unit = {"bandwidth": "B/s", "arithmetic": "FLOP/s", "throughput": "token/s"}[doubt.what]
    told = {"needed": si(doubt.needed, unit), "available": si(doubt.available, unit)}
    return words[doubt.what].format(file=doubt.file, n=doubt.load, **told)


def remarks(result: Calibrated, _: Translate) -> list[str]:
    """What a reader should know besides: points that did not count, and a fit that does not generalise."""
    found = list(dict.fromkeys(f"{point.file}: {point.reason}." for point in result.points if point.reason))
    found += [_doubt(doubt, _) for doubt in result.doubts]
    for score in result.scores:
        if score.left_out is not None and score.left_out > score.before:
            found.append(
                _(
                    "{label}: a load that the fit has not seen is predicted worse than by the catalog; use with care."
                ).format(label=_label(score.metric, _))
            )
    return found
