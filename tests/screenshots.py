"""Pictures of every page in both languages, both themes and three widths: `make screenshots`.

    python -m tests.screenshots [FOLDER] [--some] [--page NAME]

`--some` takes four of the twelve looks, each language, theme and width among them, as CI does.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from itertools import product
from pathlib import Path
from typing import Literal, NamedTuple

from playwright.sync_api import Browser, Page, sync_playwright

from planner.workloads import load_workload
from tests.shells.browsing import CHROMIUM, PAGES, Server, arrive, drawn_for, settled

LANGUAGES = ("en", "zh")
WIDTHS = {1366: 768, 1920: 1080, 390: 844}
MOST_HEIGHT = 6000  # pixels of a page that a picture holds


class Look(NamedTuple):
    """How a page is seen."""

    language: str
    scheme: Literal["light", "dark"]
    width: int


ALL = [Look(*one) for one in product(LANGUAGES, ("light", "dark"), WIDTHS)]
SOME = [Look("en", "light", 1366), Look("en", "dark", 1920), Look("zh", "light", 390), Look("zh", "dark", 1366)]


def main(arguments: list[str]) -> None:
    """Take the pictures, print what each page took."""
    asked = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    asked.add_argument("folder", nargs="?", type=Path, default=Path("build/screenshots"))
    asked.add_argument("--some", action="store_true", help="four looks of twelve")
    asked.add_argument("--page", action="append", choices=[page or "plan" for page in PAGES], help="this page only")
    given = asked.parse_args(arguments)
    pages = [page for page in PAGES if not given.page or (page or "plan") in given.page]
    given.folder.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as state, sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        if chromium is None:
            raise SystemExit("no Chromium: apt-get install chromium")
        save_two(Path(state))
        server = Server(Path(state))
        browser = playwright.chromium.launch(executable_path=chromium, args=list(CHROMIUM))
        try:
            wrong = take(browser, server.address, pages, SOME if given.some else ALL, given.folder)
        finally:
            browser.close()
            server.stop()
    print(f"{len(list(given.folder.glob('*.png')))} pictures in {given.folder}, {time.perf_counter() - start:.0f} s")
    if wrong:
        raise SystemExit("\n".join(wrong))


def save_two(state: Path) -> None:
    """Two questions, so that the page Compare has something to show."""
    from sqlalchemy import create_engine

    from planner.ui.store import Store, migrate

    engine = create_engine(f"sqlite:///{state / 'scenarios.sqlite'}")
    migrate(engine)
    Store(engine).save("chat", load_workload("chat"))
    Store(engine).save("retrieval", load_workload("rag"))
    engine.dispose()


def take(browser: Browser, address: str, pages: list[str], looks: list[Look], folder: Path) -> list[str]:
    """Open each page once in each language; theme and width change on the open page."""
    wrong = []
    for language in sorted({look.language for look in looks}):
        query = "?lang=zh" if language == "zh" else ""
        page, complaints = arrive(browser, f"{address}/{query}")
        for name in pages:
            start = time.perf_counter()
            page.goto(f"{address}/{name}{query}")
            page.locator("h1").wait_for()
            for look in (one for one in looks if one.language == language):
                wrong += picture(page, name or "plan", look, folder)
            print(f"{name or 'plan':<10} {language}  {time.perf_counter() - start:5.1f} s", flush=True)
        wrong += complaints
        page.context.close()
    return wrong


def picture(page: Page, name: str, look: Look, folder: Path) -> list[str]:
    """One picture of the whole page; says where it scrolls sideways."""
    page.emulate_media(color_scheme=look.scheme)
    page.set_viewport_size({"width": look.width, "height": WIDTHS[look.width]})
    drawn_for(page, look.scheme)
    page.wait_for_timeout(300)
    settled(page)
    inside = page.evaluate("document.querySelector('[data-testid=stMainBlockContainer]').scrollHeight")
    page.set_viewport_size({"width": look.width, "height": min(max(WIDTHS[look.width], int(inside) + 60), MOST_HEIGHT)})
    page.wait_for_timeout(500)
    page.screenshot(path=folder / f"{name}-{look.language}-{look.scheme}-{look.width}.png")
    wide = page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
    failed = page.get_by_test_id("stException").count()
    said = [f"{name} {look}: scrolls sideways, {wide} px"] if wide > look.width else []
    return said + ([f"{name} {look}: an exception"] if failed else [])


if __name__ == "__main__":
    main(sys.argv[1:])
