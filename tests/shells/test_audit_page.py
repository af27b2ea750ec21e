"""The page of audits as a program sees it: the article's verdicts, a reader's own claims, refusals."""

from __future__ import annotations

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from planner.audit import template
from planner.errors import WorkloadError
from planner.ui import audit_page


def script() -> None:
    from planner.ui import audit_page

    audit_page.page()


def opened() -> AppTest:
    st.cache_data.clear()
    app = AppTest.from_function(script, default_timeout=120).run()
    assert not app.exception
    return app


def test_the_article_stands_first_with_its_evidence() -> None:
    app = opened()
    words = "\n".join(str(element.value) for element in app.markdown)
    assert "29 claims" in words
    frame = app.dataframe[0].value
    assert len(frame) == 29
    assert frame.iloc[0].tolist()[0] == "A1"
    assert any("1.935" in str(element.value) for element in app.caption)
    assert len(app.expander) == 30  # one for each claim, and the upload


def test_verdicts_are_picked() -> None:
    app = opened()
    app.button_group(key="audit-verdicts").set_value(["refuted"])
    app.run()
    assert not app.exception
    assert len(app.dataframe[0].value) == len(app.expander) - 1 == 15


def test_an_upload_is_data_and_nothing_else() -> None:
    found = audit_page._uploaded(template().encode(), "quote.toml")
    assert not found.refused
    assert found.folder is None  # no file beside it can be named
    for content in (b"\xff\xfe", b"[[claims]", b"x" * (audit_page.MAX_BYTES + 1)):
        with pytest.raises(WorkloadError, match=r"quote\.toml"):
            audit_page._uploaded(content, "quote.toml")
