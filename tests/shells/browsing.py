"""A dashboard's server of one's own, and a look at it through Chromium."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from planner.assets import app_file

START_S, PAINT_MS = 90, 60_000  # of a busy machine with one core
# Pages by the path of their address.
PAGES = ("", "capacity", "traffic", "cost", "whatif", "compare", "audit", "accuracy", "catalogs", "export")
CHROMIUM = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


class Server:
    """A dashboard on a free port of this machine; it can be stopped and started again."""

    def __init__(self, state: Path, variables: Mapping[str, str] | None = None, started: bool = True) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.environment = {**os.environ, "PYTHONPATH": str(app_file().parent), "PLANNER_STATE": str(state)}
        self.environment |= variables or {}
        self.log = state / "server.log"
        if started:
            self.start()

    def start(self) -> None:
        """Start, and wait until it says that it is well."""
        command = [sys.executable, "-m", "streamlit", "run", app_file().name, "--server.port", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=app_file().parent, env=self.environment, stderr=log)
        for _ in range(START_S * 4):
            assert self.process.poll() is None, f"the dashboard's server stopped: {self.log.read_text()[-2000:]}"
            try:
                with urllib.request.urlopen(f"{self.address}/_stcore/health", timeout=5):
                    return
            except OSError:  # not there yet, or there and still reading the dashboard's modules
                time.sleep(0.25)
        pytest.fail(f"no answer from {self.address} within {START_S} s")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


class Visit(NamedTuple):
    """A page and what it complained about."""

    page: Page
    complaints: list[str]


def arrive(browser: Browser, url: str, width: int = 1366, height: int = 768, scheme: str = "light") -> Visit:
    """Open a page and wait for its heading."""
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
    page, complaints = context.new_page(), []
    page.set_default_timeout(PAINT_MS)
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url) if leaves(request.url) else None)
    page.goto(url)
    expect(page.locator("h1")).to_be_visible(timeout=PAINT_MS)
    return Visit(page, complaints)


def visit(browser: Browser, url: str, width: int, height: int, scheme: str = "light") -> Visit:
    """Open the first page and wait for its answer and its charts."""
    found = arrive(browser, url, width, height, scheme)
    charts = found.page.get_by_test_id("stVegaLiteChart").locator("canvas, svg.marks")
    expect(charts).to_have_count(2, timeout=PAINT_MS)
    return found


def settled(page: Page) -> None:
    """Wait until no script runs any more, and simulations have had their say."""
    expect(page.locator("[data-testid=stApp][data-test-script-state=running]")).to_have_count(0, timeout=2 * PAINT_MS)
    expect(page.locator("[data-testid=stSkeleton], [data-stale=true]")).to_have_count(0, timeout=PAINT_MS)
    expect(page.get_by_text("hourglass_top", exact=True)).to_have_count(0, timeout=2 * PAINT_MS)


def drawn_for(page: Page, scheme: str) -> None:
    """Wait until charts have the colours of a light or a dark page."""
    page.wait_for_function(
        "wanted => document.documentElement.dataset.drawnFor === wanted", arg=scheme, timeout=PAINT_MS
    )


def field(page: Page, label: str) -> Locator:
    """A field of the form, once the run that may replace it has ended and the one before has faded away."""
    settled(page)
    found = page.get_by_label(label)
    expect(found).to_have_count(1, timeout=PAINT_MS)
    return found


def shows(page: Page, label: str, value: str) -> None:
    """Wait until a field of the form is the only one of its name and holds a value."""
    found = "([label, value]) => { const all = [...document.querySelectorAll('input')].filter(one => "
    found += "one.ariaLabel === label); return all.length === 1 && all[0].value === value }"
    page.wait_for_function(found, arg=[label, value], timeout=PAINT_MS)


def leaves(url: str) -> bool:
    """Whether a request would go to another machine."""
    return not url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:"))
