"""How far to trust the numbers: scores, the worst groups, predicted against measured, and the reader's own points."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from planner.calibration.accuracy import METRICS, Accuracy, Group, Judged, accuracy, groups
from planner.calibration.held_out import held_out_file
from planner.calibration.points import NEEDED
from planner.errors import PlannerError
from planner.i18n import translator
from planner.report import accuracy as told
from planner.report.scatter import domain, scatter_chart
from planner.schema import Validation
from planner.ui import refused, uploads
from planner.ui.session import KEPT, Translate, catalog, language, palette, plain, translate

FILTERS = ("engine", "accelerator", "llm", "source")
SHOWN_ROWS = 2000
POINTS_MB = 5  # .streamlit/config.toml has the server's own limit


def page() -> None:
    """Scores, worst groups, scatter, exclusions, upload."""
    _ = translate()
    try:
        found = _accuracy(_stamp())
    except PlannerError as error:
        refused.page(error, _)
        _own_points(_)
        return
    st.markdown(f"# {plain(told.headline(found, _))}", anchors=False)
    st.markdown(f":gray[{plain(told.how_scored(found, _))}]")
    _scores(found, _)
    rows = _chosen(found, _)
    if rows:
        _worst(groups(rows), _)
        _scatter(rows, _)
    else:
        st.info(_("No measured point fits these filters."))
    _exclusions(found, _)
    _own_points(_)


def _stamp() -> tuple[str, float]:
    """What the scores depend on: the catalogs and the time of the predictions."""
    file = held_out_file(catalog())
    return catalog().sha256, file.stat().st_mtime if file.is_file() else 0.0


@st.cache_resource(max_entries=2, show_spinner=False)
def _accuracy(stamp: tuple[str, float]) -> Accuracy:
    return accuracy(catalog())


@st.cache_resource(max_entries=2, show_spinner=False)
def _points(stamp: tuple[str, float]) -> pd.DataFrame:
    return told.points(_accuracy(stamp).rows, catalog())


# ---- headline scores


def _scores(found: Accuracy, _: Translate) -> None:
    """A card for each score to quote; all of them with every figure in a table below."""
    words = told.headline_words(_)
    with st.grid(6, min_column_width=165):
        for one in (one for one in found.headlines if one.key != "tpot_core"):
            with st.container(border=True, height="stretch", gap="xxsmall"):
                st.caption(plain(words[one.key]))
                middle = one.score.predicted_share if one.score.median_ape is None else one.score.median_ape
                sign = "± " if one.score.median_ape is not None else ""
                st.metric(words[one.key], f"{sign}{told.share(middle)}", label_visibility="collapsed")
                for line in filter(None, (told.means(one, _), told.peer_line(one, _))):
                    st.caption(plain(line.replace(" %", "\N{NO-BREAK SPACE}%")))
    with st.expander(_("All scores")):
        st.dataframe(_in_percent(told.headline_table(found, _)), hide_index=True, column_config=_columns(_))


def _columns(_: Translate) -> dict[str, Any]:
    """Headings and formats of every table of this page; shares are percent here."""
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    shares = {
        "answered": _("answered"),
        "mape": _("mean error"),
        "median_ape": _("median error"),
        "bias": _("bias"),
        "within_20": _("within 20 %"),
        "band_coverage": _("in 80 % interval"),
        "whole_mape": _("mean error, with excluded rows"),
        "peer_mape": _("AIConfigurator, mean"),
        "peer_median": _("AIConfigurator, median"),
        "error": _("error"),
    }
    return {
        **{name: number(_heading(title), format="%.1f %%", width=98) for name, title in shares.items()},
        **{name: number(_heading(title), format="%d") for name, title in _counts(_).items()},
        **{name: number(_heading(title), format="%.4g") for name, title in _values(_).items()},
        "metric": text(_("Metric")),
        "engine": text(_("Engine")),
        "accelerator": text(_("Accelerator")),
        "llm": text(_("LLM")),
        "source": text(_("Source")),
        "setup": text(_heading(_("set-up"))),
        "basis": text(_("Basis")),
        "group": text(_heading(_("group"))),
        "unit": text(_heading(_("unit"))),
        "score": text(_heading(_("score")), width=260),
        "excluded": text(_heading(_("left out of the fit")), width=236),
        "reason": text(_heading(_("reason")), width=560),
    }


def _heading(title: str) -> str:
    return title[:1].upper() + title[1:]


def _counts(_: Translate) -> dict[str, str]:
    return {"n": _("rows"), "whole_n": _("rows with excluded"), "row": _("line")}


def _values(_: Translate) -> dict[str, str]:
    return {"measured": _("measured"), "predicted": _("predicted"), "low": _("from"), "high": _("to")}


def _in_percent(table: pd.DataFrame) -> pd.DataFrame:
    """Shares times 100; the columns keep their names."""
    names = {*told.SHARES, "answered", "whole_mape", "peer_mape", "peer_median", "error"} & set(table.columns)
    percents = {name: table[name].astype(float) * 100 for name in sorted(names)}
    return table.assign(**{name: one.mask(one.abs() < 0.05, 0.0) for name, one in percents.items()})  # never -0.0


# ---- what the reader looks at


def _chosen(found: Accuracy, _: Translate) -> list[Judged]:
    """Answered rows that pass the filters; an empty filter passes everything."""
    words = told.metric_words(_)
    titles = {"engine": _("Engine"), "accelerator": _("Accelerator"), "llm": _("LLM"), "source": _("Source")}
    rows = [row for row in found.rows if row.answered]
    metrics = [metric for metric in METRICS if any(row.point.metric == metric for row in rows)]
    st.segmented_control(
        _("Metric"), ["all", *metrics], key="accuracy-metric", bind=KEPT, default="all", required=True,
        format_func=lambda name: words.get(name, _("all metrics")),
    )  # fmt: skip
    asked: dict[str, list[str]] = {}
    with st.grid(4, min_column_width=150):
        for name in FILTERS:
            options = sorted({getattr(row.point, name) for row in rows})
            asked[name] = st.multiselect(
                titles[name], options, key=f"accuracy-{name}", bind=KEPT, placeholder=_("empty: all")
            )
    metric = st.session_state["accuracy-metric"]
    return [
        row
        for row in rows
        if metric in ("all", row.point.metric)
        and all(not asked[name] or getattr(row.point, name) in asked[name] for name in FILTERS)
    ]


def _worst(found: Sequence[Group], _: Translate) -> None:
    """The worst ten groups; every other one behind a click."""
    if not found:
        st.caption(_("No group has enough rows for a score of its own."))
        return
    st.markdown(f"**{plain(told.worst_finding(found, _))}**")
    table = _in_percent(told.group_table(found))
    st.dataframe(table[: told.WORST_SHOWN], hide_index=True, height="content", column_config=_columns(_))
    if len(found) > told.WORST_SHOWN:
        with st.expander(_("The other {n} groups").format(n=len(found) - told.WORST_SHOWN)):
            st.dataframe(table[told.WORST_SHOWN :], hide_index=True, column_config=_columns(_))


def _scatter(rows: list[Judged], _: Translate) -> None:
    """A panel for each engine; where all metrics are looked at, that of the time per token."""
    metric = next(metric for metric in METRICS if any(row.point.metric == metric for row in rows))
    rows = [row for row in rows if row.point.metric == metric]
    title = told.scatter_finding(metric, told.rows_score(rows), _)
    everything = _points(_stamp())
    ids = {row.point.id for row in rows}
    table = everything[everything["id"].isin(ids)]
    generations = told.generations(everything)
    records = table.drop(columns=["metric", "low", "high", "excluded"]).round({"error": 4})
    ends = domain([{str(k): v for k, v in row.items()} for row in records.to_dict("records")])
    st.markdown(f"**{plain(title)}**")
    st.caption(_("Lines: as measured; dashed, 20 % off; dotted, off by a factor of 2. Each point names its source."))
    with st.grid(3, min_column_width=290):
        for engine, part in records.groupby("engine"):
            with st.container(border=True):
                st.markdown(f"**{plain(str(engine))}** · {len(part):,}")
                shown = [{str(k): v for k, v in row.items()} for row in part.to_dict("records")]
                colours = palette()
                spec = scatter_chart(shown, generations, ends, str(part["unit"].iloc[0]), colours, _)
                st.vega_lite_chart(spec, alt=f"{title}, {engine}")
    with st.expander(_("The tables behind these charts")):
        shown_table = table.drop(columns="generation")[:SHOWN_ROWS]
        st.dataframe(_in_percent(shown_table), hide_index=True, height=320, column_config=_columns(_))


def _exclusions(found: Accuracy, _: Translate) -> None:
    with st.expander(_("What the fit leaves out, and why")):
        st.caption(_("These rows are scored all the same. Rows that have no prediction count as unanswered."))
        table = pd.DataFrame(found.exclusions, columns=["reason", "metric", "n"])
        st.dataframe(table, hide_index=True, height="content", column_config=_columns(_))


# ---- the reader's own measurements


def _own_points(_: Translate) -> None:
    """A file of measurements, scored as `planner validate` scores it."""
    st.subheader(_("Your own measurements"), anchor=False)
    st.caption(
        plain(
            _("A CSV file with at least the columns {columns}. It is scored here.").format(
                columns=", ".join((*NEEDED, "isl", "osl"))
            )
        )
    )
    upload = uploads.ask("POINTS.csv", ["csv"], "accuracy-points", POINTS_MB, _, hide=True)
    if upload is None:
        return
    try:
        found = _validated(upload.content, language(), catalog().sha256)
    except PlannerError as error:
        refused.box(error, _)
        return
    scored, unscored = told.own_points(found)
    st.markdown(f"**{plain(told.validation_finding(found, _))}**")
    if len(scored):
        summary = pd.DataFrame([one.model_dump(exclude={"predicted_share"}) for one in found.summary if one.mape])
        st.dataframe(_in_percent(summary), hide_index=True, column_config=_columns(_))
        st.dataframe(_in_percent(scored), hide_index=True, column_config=_columns(_))
    if len(unscored):
        st.dataframe(unscored, hide_index=True, column_config=_columns(_))


@st.cache_data(max_entries=8, show_spinner=False)
def _validated(content: bytes, tongue: str, catalog_sha256: str) -> Validation:
    from planner.calibration.score import validate

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "POINTS.csv"
        file.write_bytes(content)
        return validate(file, catalog(), translator(tongue))
