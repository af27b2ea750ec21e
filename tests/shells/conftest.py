"""One dashboard and one Chromium for all tests of a worker that look at pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session", autouse=True)
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing that a page keeps goes where this user's own things lie."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLANNER_STATE", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A dashboard on a free port of this machine, with two questions saved."""
    from tests.shells.browsing import Server
    from tests.shells.looks import save_two

    folder: Path = tmp_path_factory.mktemp("dashboard")
    save_two(folder)
    server = Server(folder)
    yield server.address
    server.stop()


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    """Debian's Chromium."""
    from playwright.sync_api import sync_playwright

    from tests.shells.browsing import CHROMIUM

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=list(CHROMIUM))
        yield running
        running.close()
