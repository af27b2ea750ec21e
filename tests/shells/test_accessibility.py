"""Every page against axe-core's rules for WCAG 2.1 A and AA, light and dark."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.shells.browsing import PAGES, arrive, drawn_for, settled

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


@pytest.mark.parametrize("name", PAGES, ids=lambda name: name or "plan")
def test_a_page_can_be_read_by_everybody(browser: Browser, address: str, name: str) -> None:
    page, complaints = arrive(browser, f"{address}/{name}")
    settled(page)
    page.add_script_tag(content=axe())
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        drawn_for(page, scheme)
        settled(page)
        assert not (found := broken(page)), f"{scheme}:\n" + "\n".join(found)
    assert not complaints, "\n".join(complaints)
    page.context.close()
