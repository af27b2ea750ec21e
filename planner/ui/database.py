"""The dashboard's tables: in a SQLite file by default, in PostgreSQL by configuration; migrated when first used."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from planner.errors import PlannerError, Told, WorkloadError
from planner.ui.owner import configured

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

CONNECTION = "scenarios"
LOCK = 0x11CA9AC17  # any number that is this planner's own
# Each step brings the tables from one version to the next; a step that has shipped never changes.
MIGRATIONS = (
    "CREATE TABLE planner_scenarios (owner VARCHAR(254) NOT NULL, name VARCHAR(80) NOT NULL, question TEXT NOT NULL, "
    "saved_at VARCHAR(32) NOT NULL, PRIMARY KEY (owner, name))",
    "ALTER TABLE planner_scenarios ADD COLUMN note VARCHAR(400) NOT NULL DEFAULT ''",
    "CREATE TABLE planner_files (owner VARCHAR(254) NOT NULL, mark VARCHAR(32) NOT NULL, name VARCHAR(120) NOT NULL, "
    "content TEXT NOT NULL, used_at VARCHAR(32) NOT NULL, PRIMARY KEY (owner, mark))",
    "ALTER TABLE planner_scenarios ADD COLUMN facts VARCHAR(32) NOT NULL DEFAULT ''",
)


def migrate(engine: Engine) -> None:
    """Bring the tables to the newest version, one step at a time, each with its number in one transaction."""
    from sqlalchemy import text

    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":  # servers that start together take turns
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        connection.execute(text("CREATE TABLE IF NOT EXISTS planner_schema (version INTEGER NOT NULL)"))
        done = connection.execute(text("SELECT MAX(version) FROM planner_schema")).scalar() or 0
        for version, step in enumerate(MIGRATIONS[done:], done + 1):
            connection.execute(text(step))
            connection.execute(text("INSERT INTO planner_schema (version) VALUES (:version)"), {"version": version})


@contextmanager
def reached(what: Told) -> Iterator[None]:
    """Turn what a database says into what a reader can do about it.

    Raises
    ------
    PlannerError
        If the database does not answer; its message may hold the address, so only its class is told.
    """
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, ImportError) as error:
        raise PlannerError(
            "{what} cannot be reached: {kind}.\n"
            "  Ask whoever runs this dashboard to look at the database and "
            "[connections.{connection}].",
            what=what,
            kind=type(error).__name__,
            connection=CONNECTION,
        ) from None


@st.cache_resource(show_spinner=False)
def engine() -> Engine:
    """As `.streamlit/secrets.toml` says under [connections.scenarios], or the environment; else a file of this user."""
    if CONNECTION in configured("connections"):
        found = st.connection(CONNECTION, type="sql", pool_pre_ping=True).engine
    else:
        found = st.connection(CONNECTION, type="sql", url=database_url(os.environ), pool_pre_ping=True).engine
    migrate(found)
    return found


def database_url(environment: Mapping[str, str]) -> str:
    """PLANNER_DATABASE_URL with the password of PLANNER_DATABASE_PASSWORD_FILE; without the first, a SQLite file.

    Raises
    ------
    WorkloadError
        For a password file that cannot be read.
    """
    from sqlalchemy.engine import make_url

    given = environment.get("PLANNER_DATABASE_URL")
    if not given:
        file = default_file()
        file.parent.mkdir(parents=True, exist_ok=True)
        return f"sqlite:///{file}"
    secret = environment.get("PLANNER_DATABASE_PASSWORD_FILE")
    try:
        password = Path(secret).read_text(encoding="utf-8").strip() if secret else None
    except OSError as error:
        raise WorkloadError("PLANNER_DATABASE_PASSWORD_FILE cannot be read: {reason}.", reason=error) from None
    url = make_url(given)
    return (url.set(password=password) if password else url).render_as_string(hide_password=False)


def default_file() -> Path:
    """Where scenarios lie without any configuration: PLANNER_STATE, or the user's state folder."""
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(os.environ.get("PLANNER_STATE") or Path(state) / "llm-capacity-planner") / "scenarios.sqlite"
