"""Where a login is configured nothing shows before it, people keep apart, and no secret reaches a page or the log."""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path

import pytest
import streamlit as st
from packaging.requirements import Requirement
from streamlit.testing.v1 import AppTest

from planner.assets import app_file

SECRET = "hunter2-client-secret"
AUTH = {
    "redirect_uri": "http://localhost:8501/oauth2callback",
    "cookie_secret": SECRET,
    "client_id": "planner",
    "client_secret": SECRET,
    "server_metadata_url": "https://id.example.org/.well-known/openid-configuration",
}


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Scenarios of a test are its own."""
    monkeypatch.setenv("PLANNER_STATE", str(tmp_path))
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


def dashboard(**user: object) -> AppTest:
    app = AppTest.from_file(str(app_file()), default_timeout=60)
    app.secrets["auth"] = AUTH
    app.user = {"is_logged_in": False, **user}
    return app


def shelf() -> None:
    from planner.ui import store
    from planner.workloads import load_workload

    mine = store.store()
    if not mine.all():
        mine.save(f"of {mine.owner}", load_workload())
    import streamlit as st

    for one in mine.all():
        st.write(one.name)


def shown(**user: object) -> list[str]:
    app = AppTest.from_function(shelf, default_timeout=60)
    app.secrets["auth"] = AUTH
    app.user = {"is_logged_in": True, **user}
    app.run()
    if app.exception:
        raise RuntimeError("no shelf")
    return [one.value for one in app.markdown]


def everything(app: AppTest) -> str:
    return "\n".join(str(element) for element in app)


def test_nothing_shows_before_the_login() -> None:
    app = dashboard().run()
    assert not app.exception and not app.metric and not app.number_input
    assert [button.label for button in app.button] == ["Log in"]
    assert SECRET not in everything(app)


def test_every_provider_has_a_button() -> None:
    app = dashboard()
    site = {name: AUTH[name] for name in ("client_id", "client_secret", "server_metadata_url")}
    app.secrets["auth"] = {"redirect_uri": AUTH["redirect_uri"], "cookie_secret": SECRET, "okta": site, "google": site}
    app.run()
    assert [button.label for button in app.button] == ["Log in with okta", "Log in with google"]


def test_after_the_login_the_dashboard_opens() -> None:
    app = dashboard(is_logged_in=True, sub="1", iss="https://id", name="Ada *Lovelace*").run()
    assert not app.exception and len(app.metric) == 5
    assert "Log out Ada \\*Lovelace\\*" in [button.label for button in app.button]
    assert SECRET not in everything(app)


def test_without_a_login_everybody_opens_it() -> None:
    app = AppTest.from_file(str(app_file()), default_timeout=60).run()
    assert len(app.metric) == 5 and not any("Log" in button.label for button in app.button)


def test_people_keep_apart() -> None:
    assert shown(sub="1", iss="https://id", email="a@x") == ["of https://id 1"]
    assert shown(sub="2", iss="https://id", email="a@x") == ["of https://id 2"]  # an address can change hands
    assert shown(sub="1", iss="https://other") == ["of https://other 1"]
    assert shown(sub="1", iss="https://id", email="new@x") == ["of https://id 1"]
    assert len(shown(sub="x" * 500, iss="https://id")[0]) == len("of ") + 64


@pytest.mark.parametrize("user", [{"email": "a@x"}, {"is_logged_in": False, "sub": "1"}])
def test_a_login_without_a_subject_has_no_shelf(user: dict[str, object]) -> None:
    with pytest.raises(RuntimeError, match="no shelf"):
        shown(**user)


def test_a_team_installs_all_that_a_login_needs() -> None:
    """Streamlit imports what its extra `auth` names only once somebody logs in."""
    asked = {Requirement(line) for line in requires("streamlit") or [] if 'extra == "auth"' in line.replace("'", '"')}
    project = tomllib.loads((app_file().parent / "pyproject.toml").read_text())["project"]
    team = {Requirement(line).name.lower() for line in project["optional-dependencies"]["team"]}
    assert asked and {one.name.lower() for one in asked} <= team
    importlib.import_module("authlib.integrations.starlette_client")
