"""The bundle of a plan: choose parts, read files, see what checked them, take the ZIP."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from planner.errors import PlannerError
from planner.report.findings import plan_name
from planner.schema import PlanResult
from planner.ui import inputs, refused
from planner.ui.session import KEPT, Refusal, Translate, catalog, language, plain, solve, translate

LANGUAGES = {
    ".yaml": "yaml",
    ".json": "json",
    ".sh": "bash",
    ".py": "python",
    ".tf": "hcl",
    ".xml": "xml",
}
SHOWN_BYTES = 60_000


def page() -> None:
    """Ask, choose a plan, show what would be written."""
    _ = translate()
    st.markdown("# " + plain(_("The files that start it")), anchors=False)
    try:
        answer = solve(inputs.ask(catalog(), _))
        if isinstance(answer, Refusal):
            refused.box(answer.error, _)
            return
        _show(answer, _)
    except PlannerError as error:
        refused.box(error, _)


def _show(result: PlanResult, _: Translate) -> None:
    names = {plan.rank: f"{plan.rank}. {plan_name(plan)}" for plan in result.plans}
    rank = inputs.choose_plan(names, _)
    asked = (result.workload.model_dump_json(), rank, catalog().sha256)
    files = _files(*asked)
    if not isinstance(files, PlannerError):
        files = _files(*asked, _left_out(files, _))
    if isinstance(files, PlannerError):
        refused.box(files, _)
        return
    _verdicts(files, _)
    _preview(files, _)
    _download(result, rank, files, _)


@st.cache_resource(max_entries=16, show_spinner=False)
def _files(
    workload_json: str, rank: int, catalog_sha256: str, left_out: tuple[str, ...] = ()
) -> dict[str, bytes] | PlannerError:
    """Files of the bundle less some folders, or why there are none; shared by whoever asks the same."""
    from planner.bundle.write import documents
    from planner.schema import Workload

    answer = solve(Workload.model_validate_json(workload_json))
    assert isinstance(answer, PlanResult)
    try:
        return documents(answer, rank, catalog(), left_out)
    except PlannerError as error:
        return error


def _left_out(files: Mapping[str, bytes], _: Translate) -> tuple[str, ...]:
    """Folders that the reader switched off; the record of the plan always stays."""
    folders = sorted({name.partition("/")[0] for name in files if "/" in name})
    kept = st.pills(_("Parts"), folders, selection_mode="multi", default=folders, key="export-parts", bind=KEPT)
    return tuple(folder for folder in folders if folder not in kept)


def _verdicts(files: Mapping[str, bytes], _: Translate) -> None:
    """What the checks say, failures first; what was not checked here is named, too."""
    from planner.bundle.lint import check

    found = check(files)
    counts = {kind: sum(one.severity == kind for one in found) for kind in ("ok", "error", "not_checked")}
    text = _("{ok} rules hold, {error} are broken, {skipped} were not checked here; planner lint runs the tools, too.")
    line = text.format(ok=counts["ok"], error=counts["error"], skipped=counts["not_checked"])
    (st.error if counts["error"] else st.success)(plain(line))
    with st.expander(_("Verdicts")):
        order = {"error": 0, "not_checked": 1, "ok": 2}
        rows = sorted(((one.severity, one.rule, one.file, one.message) for one in found), key=lambda r: order[r[0]])
        heads = [_("Verdict"), _("Rule"), _("File"), _("In words")]
        st.dataframe(pd.DataFrame(rows, columns=heads), hide_index=True, width="stretch")


def _preview(files: Mapping[str, bytes], _: Translate) -> None:
    first = "README.zh.md" if language() == "zh" else "README.md"
    name = st.selectbox(_("File"), sorted(files, key=lambda one: (one != first, one)), key="export-file", bind=KEPT)
    try:
        text = files[name].decode("utf-8")
    except UnicodeDecodeError:
        st.caption(_("A file of {n} bytes that is not text.").format(n=f"{len(files[name]):,}"))
        return
    ending = "." + name.rpartition(".")[2]
    st.code(text[:SHOWN_BYTES], language=LANGUAGES.get(ending), height=420)
    if len(text) > SHOWN_BYTES:
        st.caption(_("The rest is in the ZIP."))


def _download(result: PlanResult, rank: int, files: Mapping[str, bytes], _: Translate) -> None:
    from planner.bundle.write import bundle_name, zipped

    name = bundle_name(result, rank)
    st.download_button(
        _("Download the ZIP"), lambda: zipped(files, name), f"{name}.zip", "application/zip", on_click="ignore",
        icon=":material/download:",
    )  # fmt: skip
