"""How pages are looked at: two languages, two themes, three widths; pictures of them."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Literal, NamedTuple

from playwright.sync_api import Page

from planner.workloads import load_workload
from tests.shells.browsing import drawn_for, settled

LANGUAGES = ("en", "zh")
WIDTHS = {1366: 768, 1920: 1080, 390: 844}
MOST_HEIGHT = 6000  # pixels of a page that a picture holds


class Look(NamedTuple):
    """How a page is seen."""

    language: str
    scheme: Literal["light", "dark"]
    width: int


ALL = tuple(Look(*one) for one in product(LANGUAGES, ("light", "dark"), WIDTHS))
# Each language, theme and width once, as CI takes them.
SOME = (Look("en", "light", 1366), Look("en", "dark", 1920), Look("zh", "light", 390), Look("zh", "dark", 1366))


def query(language: str) -> str:
    """What an address says of the language."""
    return "?lang=zh" if language == "zh" else ""


def wear(page: Page, look: Look) -> None:
    """Give an open page the theme and the width of a look, and wait until it has them."""
    page.emulate_media(color_scheme=look.scheme)
    page.set_viewport_size({"width": look.width, "height": WIDTHS[look.width]})
    drawn_for(page, look.scheme)
    page.wait_for_timeout(300)
    settled(page)


def picture(page: Page, name: str, look: Look, folder: Path) -> list[str]:
    """One picture of the whole page; says where it scrolls sideways, and whether it failed."""
    folder.mkdir(parents=True, exist_ok=True)
    inside = page.evaluate("document.querySelector('[data-testid=stMainBlockContainer]').scrollHeight")
    page.set_viewport_size({"width": look.width, "height": min(max(WIDTHS[look.width], int(inside) + 60), MOST_HEIGHT)})
    page.wait_for_timeout(500)
    page.screenshot(path=folder / f"{name}-{look.language}-{look.scheme}-{look.width}.png")
    wide = page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
    failed = page.get_by_test_id("stException").count()
    said = [f"{name} {look}: scrolls sideways, {wide} px"] if wide > look.width else []
    return said + ([f"{name} {look}: an exception"] if failed else [])


def save_two(state: Path) -> None:
    """Two questions, so that the page Compare has something to show."""
    from sqlalchemy import create_engine

    from planner.ui.database import migrate
    from planner.ui.store import Store

    engine = create_engine(f"sqlite:///{state / 'scenarios.sqlite'}")
    migrate(engine)
    for name, preset in (("chat", "chat"), ("retrieval", "rag")):
        Store(engine).save(name, load_workload(preset))
    engine.dispose()
