"""A finding, the chart that shows it, and the table behind it."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from planner.report.tables import TextTable
from planner.ui.session import Translate, plain


def figure(title: str, spec: dict[str, Any], behind: pd.DataFrame | TextTable, _: Translate) -> None:
    """All three in a box as high as its neighbours."""
    with st.container(border=True, height="stretch"):
        st.markdown(f"**{plain(title)}**")
        st.vega_lite_chart(spec, alt=title)
        behind_it(behind, _)


def behind_it(behind: pd.DataFrame | TextTable, _: Translate) -> None:
    """The table behind a chart, one click away."""
    with st.expander(_("The table behind this chart")):
        if isinstance(behind, pd.DataFrame):
            st.dataframe(behind, hide_index=True, height=240)
        else:
            text_table(behind)


def wrapped_table(table: TextTable) -> None:
    """A short table of the report whose words wrap, so that all its columns are seen on a phone."""
    cells = [
        [plain(cell).replace(" %", "\N{NO-BREAK SPACE}%") for cell in row] for row in (table.headings, *table.rows)
    ]
    rule = ["---:" if n >= table.numeric_from else "---" for n in range(len(table.headings))]
    st.markdown("\n".join(f"| {' | '.join(row)} |" for row in (cells[0], rule, *cells[1:])))


def _headings(table: TextTable) -> list[str]:
    """Each of its own, as columns need; a blank one is as many spaces as columns stand before it."""
    return [heading or " " * n for n, heading in enumerate(table.headings, 1)]


def text_table(table: TextTable) -> None:
    """A table of the report without its title: numbers at the right, as in the terminal."""
    names = _headings(table)
    right = {name: st.column_config.Column(alignment="right") for name in names[table.numeric_from :]}
    columns = {name: [row[n] for row in table.rows] for n, name in enumerate(names)}
    st.dataframe(columns, hide_index=True, height="content", column_config=right)
