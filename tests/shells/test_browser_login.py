"""A login in a real browser, at an OpenID provider of this machine: the link that one came with is followed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.shells.browsing import PAINT_MS, Server, arrive, settled, shows
from tests.shells.identity import CLIENT, SECRET, Provider


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Server]:
    """A dashboard with a login; the file with its secrets lies where the container has it."""
    provider = Provider()
    server = Server(tmp_path, {"HOME": str(tmp_path)}, started=False)
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit/secrets.toml").write_text(
        f'[auth]\nredirect_uri = "{server.address}/oauth2callback"\ncookie_secret = "{SECRET * 2}"\n'
        f'client_id = "{CLIENT}"\nclient_secret = "{SECRET}"\n'
        f'server_metadata_url = "{provider.address}/.well-known/openid-configuration"\n'
    )
    server.start()
    yield server
    server.stop()
    provider.stop()


def logged_in(page: Page) -> None:
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("button", name="Log out Ada")).to_be_visible(timeout=PAINT_MS)


def test_a_link_is_followed_after_the_login(browser: Browser, team: Server) -> None:
    page, complaints = arrive(browser, f"{team.address}/catalogs?traffic.rate_per_s=7&catalogs-search=h200")
    expect(page.locator("h1")).to_have_text("Log in to plan")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/catalogs?*rate_per_s=7*", timeout=PAINT_MS)
    expect(page.get_by_role("textbox", name="Search")).to_have_value("h200", timeout=PAINT_MS)
    page.get_by_role("link", name="Plan", exact=True).click()
    shows(page, "Requests/s", "7")
    settled(page)
    page.goto(f"{team.address}/")  # the first page is what it says, once the link was followed
    shows(page, "Requests/s", "5")
    with page.expect_navigation(timeout=PAINT_MS):  # the page left behind may already say "Log in"
        page.get_by_role("button", name="Log out Ada").click()
    expect(page.locator("h1")).to_have_text("Log in to plan", timeout=PAINT_MS)
    page.evaluate("sessionStorage.setItem('planner-before-login', '@evil.example/?traffic.rate_per_s=9')")
    logged_in(page)
    shows(page, "Requests/s", "5")
    assert page.url.startswith(team.address)
    assert SECRET not in team.log.read_text() and not complaints, "\n".join(complaints)
    page.context.close()
