"""Every page against axe-core's rules for WCAG 2.1 A and AA, and a picture of it, in four looks."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.shells.browsing import PAGES, arrive, settled
from tests.shells.looks import LANGUAGES, SOME, picture, query, wear

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
# What Streamlit's own widgets do and a page cannot change: rule, part of the element, reason.
STREAMLITS_OWN = (
    ("scrollable-region-focusable", "<pre", "st.code of a given height; Chromium gives it the focus by itself"),
    ("svg-img-alt", 'role="graphics-symbol"', "marks that Vega draws; the chart around them has its name"),
    ("color-contrast", 'class="token', "syntax colours of st.code, which no theme option sets"),
)


def axe() -> str:
    """Source of axe-core."""
    found = importlib.util.find_spec("axe_playwright_python")
    assert found is not None and found.origin is not None
    return (Path(found.origin).parent / "axe.min.js").read_text(encoding="utf-8")


def broken(page: Page) -> list[str]:
    """One line for each element that breaks a rule."""
    options = json.dumps({"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"]})
    found: dict[str, Any] = page.evaluate(f"axe.run(document, {options})")
    return [
        f"{rule['id']}: {node['html'][:300]} ({(node.get('failureSummary') or '')[:200]!r})"
        for rule in found["violations"]
        for node in rule["nodes"]
        if not any(id == rule["id"] and part in node["html"] for id, part, _ in STREAMLITS_OWN)
    ]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures of pages are kept: in CI for whoever looks at them afterwards."""
    kept = os.environ.get("PLANNER_SCREENSHOTS")
    return Path(kept) if kept else tmp_path_factory.mktemp("pictures")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", PAGES, ids=lambda name: name or "plan")
def test_a_page_can_be_read_by_everybody(
    browser: Browser, address: str, pictures: Path, name: str, language: str
) -> None:
    """In both languages and both themes, on a laptop, a large screen and a phone."""
    page, complaints = arrive(browser, f"{address}/{name}{query(language)}")
    settled(page)
    page.add_script_tag(content=axe())
    for look in (one for one in SOME if one.language == language):
        wear(page, look)
        assert not (found := broken(page)), f"{look}:\n" + "\n".join(found)
        assert not (wrong := picture(page, name or "plan", look, pictures)), "\n".join(wrong)
    assert not complaints, "\n".join(complaints)
    page.context.close()
