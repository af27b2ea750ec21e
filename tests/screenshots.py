"""Pictures of every page in both languages, both themes and three widths: `make screenshots`.

    python -m tests.screenshots [FOLDER] [--some] [--page NAME]

`--some` takes four of the twelve looks, each language, theme and width among them, as the tests do.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.shells.browsing import CHROMIUM, PAGES, Server, arrive
from tests.shells.looks import ALL, SOME, Look, picture, query, save_two, wear


def main(arguments: list[str]) -> None:
    """Take the pictures, print what each page took."""
    asked = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    asked.add_argument("folder", nargs="?", type=Path, default=Path("build/screenshots"))
    asked.add_argument("--some", action="store_true", help="four looks of twelve")
    asked.add_argument("--page", action="append", choices=[page or "plan" for page in PAGES], help="this page only")
    given = asked.parse_args(arguments)
    pages = [page for page in PAGES if not given.page or (page or "plan") in given.page]
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


def take(browser: Browser, address: str, pages: list[str], looks: Sequence[Look], folder: Path) -> list[str]:
    """Open each page once in each language; theme and width change on the open page."""
    wrong = []
    for language in sorted({look.language for look in looks}):
        page, complaints = arrive(browser, f"{address}/{query(language)}")
        for name in pages:
            start = time.perf_counter()
            page.goto(f"{address}/{name}{query(language)}")
            page.locator("h1").wait_for()
            for look in (one for one in looks if one.language == language):
                wear(page, look)
                wrong += picture(page, name or "plan", look, folder)
            print(f"{name or 'plan':<10} {language}  {time.perf_counter() - start:5.1f} s", flush=True)
        wrong += complaints
        page.context.close()
    return wrong


if __name__ == "__main__":
    main(sys.argv[1:])
