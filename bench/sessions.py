"""Twenty people at the dashboard at once, each changing inputs: how long each waits, and what the server holds.

    python bench/sessions.py [--sessions 20] [--browsers 2] [--seconds 120] [--think 10] [--mode mixed|hot|cold]

Each session is a browser context of its own, or speaks the browser's protocol without one (bench/sockets.py), as
twenty browsers need more than a small machine for themselves: two processors carry `--browsers 20 --think 45`. They
arrive a few at a time; once all are there, each changes the rate or a length for so many seconds, waits until the
sentence with the answer is there, and until simulations confirmed it. `hot` draws from few questions, which the
sessions share through the cache; `cold` never asks a question twice. Needs Playwright and Chromium
(`make .venv/.installed-dev`). Printed, never asserted.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import shutil
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))
from dashboard import start_server
from playwright.async_api import Browser, Page, async_playwright
from sockets import Session
from watching import from_enter, moment

ANSWER_MS = 60_000
ARRIVING = 2  # at a time


class Asked(NamedTuple):
    """A number field of the form: its place in the address, and what sessions type there."""

    field: str
    usual: float
    low: float
    high: float


FIELDS = {
    "Requests/s": Asked("traffic.rate_per_s", 5.0, 1.0, 60.0),
    "Tokens out": Asked("traffic.output_tokens", 1000.0, 200.0, 1500.0),
    "Tokens in": Asked("traffic.input_tokens", 2000.0, 500.0, 4000.0),
}
HOT = 8  # values of a field that sessions share


@dataclass
class Seen:
    """What the sessions went through."""

    first_s: list[float] = field(default_factory=list)
    changed_s: list[float] = field(default_factory=list)
    simulated_s: list[float] = field(default_factory=list)
    light_s: list[float] = field(default_factory=list)
    light_simulated_s: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    memory_mib: list[float] = field(default_factory=list)
    server_s: float = 0.0
    browsers_s: float = 0.0


def value(draw: random.Random, name: str, mode: str) -> str:
    """A new value of a field: one of few where questions are shared."""
    _, _, low, high = FIELDS[name]
    share = mode == "hot" or (mode == "mixed" and draw.random() < 0.5)
    place = draw.randrange(HOT) / (HOT - 1) if share else draw.random()
    number = low + place * (high - low)
    return f"{number:.3g}" if name == "Requests/s" else f"{number:.0f}"


class Meeting:
    """Where sessions wait until all have arrived."""

    def __init__(self, sessions: int) -> None:
        self.doors, self.all_there, self.missing = asyncio.Semaphore(ARRIVING), asyncio.Event(), sessions

    def arrived(self) -> None:
        self.missing -= 1
        if not self.missing:
            self.all_there.set()


async def light(address: str, meeting: Meeting, seed: int, asked: argparse.Namespace, seen: Seen) -> None:
    """One person without a browser, from arriving until time is up."""
    draw, session = random.Random(seed), None
    try:
        try:
            async with meeting.doors:
                session = await Session.open(address, ANSWER_MS / 1000)
        finally:
            meeting.arrived()
        await meeting.all_there.wait()
        until = time.perf_counter() + asked.seconds
        while (pause := draw.expovariate(1 / asked.think)) + time.perf_counter() < until:
            await asyncio.sleep(pause)
            name = draw.choice(list(FIELDS))
            new = float(value(draw, name, asked.mode))
            if session.fields[name][1] != new:
                said_s, done_s = await session.change(name, new, ANSWER_MS / 1000)
                seen.light_s.append(said_s)
                seen.light_simulated_s.append(done_s)
        if session.failed:
            seen.errors.append("an exception on a page")
    except Exception as error:  # noqa: BLE001
        seen.errors.append(f"{type(error).__name__}: {str(error).partition(chr(10))[0]}")
    finally:
        if session is not None:
            await session.close()


async def session(
    browser: Browser, address: str, meeting: Meeting, seed: int, asked: argparse.Namespace, seen: Seen
) -> None:
    """One person, from arriving until time is up."""
    context = await browser.new_context(viewport={"width": 1366, "height": 768})
    page = await context.new_page()
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.on("console", lambda said: seen.errors.append(said.text) if said.type == "error" else None)
    try:
        await arrive(page, address, meeting, seen)
        await meeting.all_there.wait()
        await ask(page, random.Random(seed), asked, seen)
    except Exception as error:  # noqa: BLE001
        seen.errors.append(f"{type(error).__name__}: {str(error).splitlines()[0]}")
    finally:
        await context.close()


async def arrive(page: Page, address: str, meeting: Meeting, seen: Seen) -> None:
    """Open the first page."""
    try:
        async with meeting.doors:
            start = time.perf_counter()
            await page.goto(address, timeout=ANSWER_MS)
            await page.locator("h1").wait_for(timeout=ANSWER_MS)
            seen.first_s.append(time.perf_counter() - start)
    finally:
        meeting.arrived()


async def ask(page: Page, draw: random.Random, asked: argparse.Namespace, seen: Seen) -> None:
    """Change inputs until time is up."""
    until = time.perf_counter() + asked.seconds
    while (pause := draw.expovariate(1 / asked.think)) + time.perf_counter() < until:
        await asyncio.sleep(pause)
        await change(page, draw, asked.mode, seen)
    if await page.get_by_test_id("stException").count():
        seen.errors.append("an exception on a page")


async def change(page: Page, draw: random.Random, mode: str, seen: Seen) -> None:
    """Type a value, press Enter, wait for the sentence that answers it, then for what simulations make of it."""
    name = draw.choice(list(FIELDS))
    box = page.get_by_label(name, exact=True).first
    new = value(draw, name, mode)
    if await box.input_value(timeout=ANSWER_MS) == new:
        return
    await box.fill(new, timeout=ANSWER_MS)
    given = [FIELDS[name].field, float(new), FIELDS[name].usual]
    await page.evaluate(from_enter({"said": f"given => ({SAID})(given) || ({DONE})(given)", "done": DONE}), given)
    await box.press("Enter")
    seen.changed_s.append(await page.evaluate(moment("said")))
    seen.simulated_s.append(await page.evaluate(moment("done")))


# The address holds the new value, and the sentence is no longer that of the run before.
SAID = """([name, value, usual]) => {
  const said = new URLSearchParams(location.search).get(name);
  const box = document.querySelector('h1')?.closest('[data-stale]');
  return Number(said ?? usual) === value && box?.dataset.stale === 'false';
}"""
DONE = """([name, value, usual]) => {
  const said = new URLSearchParams(location.search).get(name);
  const state = document.querySelector('[data-testid=stApp]').dataset.testScriptState;
  return Number(said ?? usual) === value && state === 'notRunning';
}"""


def family(pid: int) -> list[Path]:
    """Folders in /proc of a process and of those that it started."""
    found, parents = [], {pid}
    for folder in sorted(Path("/proc").glob("[0-9]*"), key=lambda folder: int(folder.name)):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if int(folder.name) == pid or parent in parents:
            parents.add(int(folder.name))
            found.append(folder)
    return found


def resident_mib(pid: int) -> float:
    """Memory of a process and of those that it started, as Linux counts it."""
    total = 0.0
    for folder in family(pid):
        try:
            total += int((folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
        except OSError:
            continue
    return total


class Processors:
    """Processor time of a process and of those that it started, also of those that ended meanwhile."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.first = self._now()
        self.last = dict(self.first)

    def look(self) -> None:
        self.last |= self._now()

    @property
    def used_s(self) -> float:
        """Since the first look. [s]"""
        return sum(now - self.first.get(process, 0.0) for process, now in self.last.items())

    def _now(self) -> dict[str, float]:
        found = {}
        for folder in family(self.pid):
            try:
                ticks = (folder / "stat").read_text().rpartition(")")[2].split()[11:13]
            except OSError:
                continue
            found[folder.name] = sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
        return found


async def watch(pid: int, meeting: Meeting, asked: argparse.Namespace, seen: Seen) -> None:
    """Memory and processor time while sessions ask."""
    await meeting.all_there.wait()
    until = time.perf_counter() + asked.seconds
    server, all_of_it = Processors(pid), Processors(os.getpid())
    while time.perf_counter() < until:
        seen.memory_mib.append(resident_mib(pid))
        server.look()
        all_of_it.look()
        await asyncio.sleep(2)
    seen.server_s, seen.browsers_s = server.used_s, all_of_it.used_s - server.used_s


async def drive(address: str, pid: int, asked: argparse.Namespace) -> Seen:
    seen, meeting = Seen(), Meeting(asked.sessions)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        with_browser = min(asked.browsers, asked.sessions)
        visits = [session(browser, address, meeting, seed, asked, seen) for seed in range(with_browser)]
        visits += [light(address, meeting, seed, asked, seen) for seed in range(with_browser, asked.sessions)]
        await asyncio.gather(watch(pid, meeting, asked, seen), *visits)
        await browser.close()
    return seen


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


def tell(seen: Seen, asked: argparse.Namespace, load: float) -> None:
    told = (
        f"{asked.sessions} sessions, {min(asked.browsers, asked.sessions)} of them in Chromium, {asked.seconds:g} s, "
    )
    print(f"{told}{asked.think:g} s between changes, questions {asked.mode};")
    print(f"  browsers and server share {os.cpu_count()} cores, load before the start {load:.1f}")
    for what, values in (
        ("first answer, Chromium", seen.first_s),
        ("changed input, Chromium", seen.changed_s),
        ("simulated, Chromium", seen.simulated_s),
        ("changed input, server", seen.light_s),
        ("simulated, server", seen.light_simulated_s),
        ("changed input, all", seen.changed_s + seen.light_s),
    ):
        shares = "  ".join(f"P{100 * share:.0f} {quantile(values, share):6.2f} s" for share in (0.5, 0.95, 0.99))
        print(f"  {what:<24} {len(values):5d} times  {shares}")
    quarter = max(1, len(seen.memory_mib) // 4)
    held = [
        sum(part) / len(part) for part in (seen.memory_mib[quarter : 2 * quarter], seen.memory_mib[-quarter:]) if part
    ]
    answers, shown = max(1, len(seen.changed_s + seen.light_s)), max(1, len(seen.changed_s))
    print(
        f"  processor time while they asked: server {seen.server_s:.0f} s, {seen.server_s / answers:.2f} s a change; "
        f"browsers {seen.browsers_s:.0f} s, {seen.browsers_s / shown:.2f} s a change; of {asked.seconds:g} s a core"
    )
    print("  memory of the server: " + " -> ".join(f"{one:.0f} MiB" for one in held) + ", second to last quarter")
    print(f"  errors: {len(seen.errors)}", *sorted(set(seen.errors))[:5], sep="\n    ")


def main() -> None:
    given = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    given.add_argument("--sessions", type=int, default=20)
    given.add_argument("--browsers", type=int, default=2, help="sessions in Chromium; the others do without")
    given.add_argument("--seconds", type=float, default=120.0)
    given.add_argument("--think", type=float, default=10.0, help="mean time between two changes of a session [s]")
    given.add_argument("--mode", choices=("mixed", "hot", "cold"), default="mixed")
    asked = given.parse_args()
    load = os.getloadavg()[0]
    server, address = start_server()  # its log is not shown
    try:
        tell(asyncio.run(drive(address, server.pid, asked)), asked, load)
    finally:
        server.terminate()
        server.wait(10)


if __name__ == "__main__":
    main()
