"""Side by side: values of one or two fields tried, and saved scenarios compared."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from planner.errors import WorkloadError
from planner.report import whatif as told
from planner.report.charts_whatif import sweep_chart
from planner.schema import Workload
from planner.schema.whatif import Case, Comparison
from planner.search.change import Question, apply
from planner.search.scenarios import uploaded_scenario
from planner.search.whatif import compare, sweep
from planner.ui import uploads
from planner.ui.session import KEPT, Translate, catalog, palette, plain
from planner.ui.shelf import File

MOST_CASES, MOST_FILES, FILE_MB = 25, 6, 1


def show(workload: Workload, _: Translate) -> None:
    """Scenario files where there are some, else the sweep."""
    left, right = st.columns(2)
    load = "traffic.concurrency" if workload.traffic.concurrency is not None else "traffic.rate_per_s"
    first = left.text_input(_("Values to try, FIELD=A,B,C"), f"{load}=x0.5,x1,x2,x4", key="cases-first", bind=KEPT)
    second = right.text_input(
        _("Values of a second field"), placeholder="slo.tpot_p99_s=0.025,0.05,0.1", key="cases-second", bind=KEPT
    )
    with st.expander(_("Compare scenario files instead")):
        label = _("Scenarios of `planner whatif --save`, or workloads")
        files = uploads.ask_several(label, ["toml"], "cases-files", FILE_MB, _)
    if files:
        _show(_compared(workload, files), _)
        return
    answer = _swept(workload.model_dump_json(), (first.strip(), second.strip()), catalog().sha256)
    _show(answer, _, chart=True)


@st.cache_resource(max_entries=32, show_spinner="…")
def _swept(workload_json: str, texts: tuple[str, ...], catalog_sha256: str) -> Comparison:
    fields: dict[str, list[str]] = {}
    for text in filter(None, texts):
        field, _, values = text.partition("=")
        found = [part.strip() for part in values.split(",") if part.strip()]
        if not field.strip() or not found or field.strip() in fields:
            raise WorkloadError(
                "{text}: give FIELD=A,B,C, such as traffic.rate_per_s=5,10,20, each field once.", text=text[:80]
            )
        fields[field.strip()] = found
    count = 1
    for found in fields.values():
        count *= len(found)
    if count > MOST_CASES:
        raise WorkloadError(
            "{count} combinations: at most {most_cases} on this page.\n  More: planner whatif --sweep FIELD=A,B,C",
            count=count,
            most_cases=MOST_CASES,
        )
    return sweep(Question(Workload.model_validate_json(workload_json), catalog()), fields)


def _compared(workload: Workload, files: Sequence[File]) -> Comparison:
    """The question at hand and the scenarios that a visitor sent."""
    if len(files) > MOST_FILES:
        raise WorkloadError("{count} files: at most {most_files}.", count=len(files), most_files=MOST_FILES)
    base = Question(workload, catalog())
    cases = {workload.name or workload.llm: apply(base, ())}
    for file in files:
        name, start, changes = uploaded_scenario(file.content, file.name, base)
        if name in cases:
            raise WorkloadError(
                "{file}: a scenario named {name!r} is there already.\n  Give it another name.",
                file=file.name,
                name=name,
            )
        cases[name] = apply(start, changes)
    return compare(cases)


def _show(answer: Comparison, _: Translate, chart: bool = False) -> None:
    from planner.ui.whatif_page import table

    st.markdown(f"# {plain(told.cases_sentence(answer, _))}", anchors=False)
    rows = _rows(answer)
    if chart and rows:
        title = told.sweep_finding(answer, _)
        with st.container(border=True):
            st.markdown(f"**{plain(title)}**")
            second = answer.fields[1] if len(answer.fields) > 1 else ""
            st.vega_lite_chart(sweep_chart(rows, answer.fields[0], second, palette(), _), alt=title)
    table(told.comparison_table(answer, _))
    for case in answer.cases:
        if case.refusal:
            st.warning(plain(f"{case.name}: {told.reason(case, _)}"), icon=":material/block:")


def _rows(answer: Comparison) -> list[dict[str, object]]:
    def value(case: Case, n: int) -> object:
        return case.values.get(answer.fields[n]) if n < len(answer.fields) else ""

    return [
        {
            "x": value(case, 0),
            "series": str(value(case, 1)),
            "plan": f"{case.outcome.gpus_total:,} × {case.outcome.accelerator} {case.outcome.layout}",
            "usd": case.outcome.usd_per_month,
        }
        for case in answer.cases
        if case.outcome is not None
    ]
