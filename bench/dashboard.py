"""How fast the dashboard answers: printed, never asserted.

The server's part needs only the run-time packages. The browser's part, which is what a person waits for,
needs Playwright (`pip install '.[dev]'`) and a Chromium on the path; without them it is left out and said so.
"""

from __future__ import annotations

import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from watching import ANSWERED, CHARTED, HEADED, from_enter, from_opening, moment

ROOT = Path(__file__).resolve().parent.parent
RATES_PER_S = (6.0, 7.0, 8.0, 9.0, 11.0)
CHANGES = {
    "Requests/s": (20.0, 60.0, 120.0, 33.0, 77.0),
    "Tokens in": (900.0, 3100.0, 1700.0, 2600.0, 450.0),
    "Tokens out": (700.0, 1200.0, 333.0, 1500.0, 810.0),
    "P99 TTFT, s": (1.5, 3.0, 2.5, 4.0, 1.7),
}
VISITORS = 5
SETTLED_MS = 4000
HEALTH_TRIES = 240


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def say(what: str, value: float) -> None:
    print(f"{what:<58} {value:6.2f} s")


def pace_ms() -> float:
    """How long this processor takes for a plain loop just now: on shared machines it varies twofold by the minute."""
    return 1000 * seconds(lambda: sum(number * number % 7 for number in range(300_000)))


def server_part() -> None:
    """Script runs without a browser, in a process that has loaded nothing of the planner yet."""
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    say("server: first answer of a fresh process", seconds(app.run))
    changed = []
    for rate in RATES_PER_S:
        app.number_input(key="rate.0").set_value(rate)
        changed.append(seconds(app.run))
    say("server: changed input, median", statistics.median(changed))
    say("server: same question again", seconds(app.run))


def browser_part() -> None:
    """From opening the address, or pressing Enter, to the frame that shows the sentence with the answer."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        chromium = None
    if chromium is None:
        print("browser: not measured; needs Playwright and Chromium")
        return
    server, address = start_server()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            measure(browser, address)
            browser.close()
    finally:
        server.terminate()
        server.wait(10)


def start_server() -> tuple[subprocess.Popen[bytes], str]:
    """Dashboard on a free port, once it says that it is well."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}"
    command = [sys.executable, "-m", "planner", "app", "--port", address.rsplit(":", 1)[1]]
    environment, quiet = {**os.environ, "PYTHONPATH": str(ROOT)}, subprocess.DEVNULL
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=quiet, stderr=quiet)
    for _ in range(HEALTH_TRIES):
        try:
            urllib.request.urlopen(f"{address}/_stcore/health", timeout=5).close()
            return server, address
        except OSError:
            time.sleep(0.25)
    server.terminate()
    raise SystemExit("the dashboard did not start")


def measure(browser: object, address: str) -> None:
    """Visitors one after the other, each in a fresh profile; then one who changes the rate, at rest and not."""
    from playwright.sync_api import Browser, Page

    assert isinstance(browser, Browser)

    def opened() -> tuple[Page, float, float]:
        page = browser.new_context(viewport={"width": 1366, "height": 768}).new_page()
        page.add_init_script(from_opening({"headed": HEADED, "charted": CHARTED}))
        page.goto(address, wait_until="commit")
        sentence_s, charts_s = page.evaluate(moment("headed")), page.evaluate(moment("charted"))
        page.wait_for_timeout(SETTLED_MS)
        return page, sentence_s, charts_s

    page, sentence_s, _ = opened()
    say("browser: first paint solved, first of a fresh server", sentence_s)
    seen = []
    for _ in range(VISITORS):
        page.context.close()
        page, *times = opened()
        seen.append(times)
    say("browser: first paint solved, median", statistics.median(one[0] for one in seen))
    say("browser: its charts drawn, median", statistics.median(one[1] for one in seen))

    def change(name: str, value: float) -> float:
        field = page.get_by_label(name)
        field.fill(f"{value:g}")
        page.evaluate(from_enter({"answered": ANSWERED}), page.evaluate("location.search"))
        field.press("Enter")
        answered_s: float = page.evaluate(moment("answered"))
        return answered_s

    paces = []
    for name, values in CHANGES.items():
        at_rest = []
        for value in values:
            paces.append(pace_ms())
            at_rest.append(change(name, value))
            page.wait_for_timeout(SETTLED_MS)
        say(f"browser: {name} changed and answered, median", statistics.median(at_rest))
        say(f"browser: {name} changed and answered, slowest", max(at_rest))
    busy = [change("Requests/s", value + 1) for value in CHANGES["Requests/s"]]
    say("browser: Requests/s while the last is still checked, median", statistics.median(busy))
    print(f"machine: a plain loop beside the changes, least, median, most  {told(paces)} ms")


def told(values: list[float]) -> str:
    return ", ".join(f"{value:.0f}" for value in (min(values), statistics.median(values), max(values)))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    server_part()
    browser_part()
