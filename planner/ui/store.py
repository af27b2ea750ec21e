"""Saved questions by name, through Streamlit's SQL connection: SQLite by default, PostgreSQL by configuration.

A row holds an owner, a name and a question as the link would hold it; answers are computed again. The owner is the
reader's login where one is configured, else everybody who reaches this dashboard shares one shelf.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from planner.errors import PlannerError, WorkloadError
from planner.schema import Workload
from planner.ui import login
from planner.workloads import parse_workload

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

CONNECTION = "scenarios"
LOCK = 0x11CA9AC17  # any number that is this planner's own
MOST_SAVED, MOST_NAME, MOST_BYTES = 200, 80, 20_000
# Each step brings the tables from one version to the next; a step that has shipped never changes.
MIGRATIONS = (
    "CREATE TABLE planner_scenarios (owner VARCHAR(254) NOT NULL, name VARCHAR(80) NOT NULL, question TEXT NOT NULL, "
    "saved_at VARCHAR(32) NOT NULL, PRIMARY KEY (owner, name))",
    "ALTER TABLE planner_scenarios ADD COLUMN note VARCHAR(400) NOT NULL DEFAULT ''",
)


@dataclass(frozen=True)
class Saved:
    """A question under a name."""

    name: str
    workload: Workload
    saved_at: str
    note: str


class Store:
    """The shelf of one owner, on tables that are migrated."""

    def __init__(self, engine: Engine, owner: str = ""):
        self.engine, self.owner = engine, owner

    def save(self, name: str, workload: Workload, note: str = "") -> None:
        """Keep a question; the same name replaces what it held.

        Raises
        ------
        WorkloadError
            For a name that is empty or too long, or a shelf that is full.
        """
        from sqlalchemy import text

        name, body = _checked(name), workload.model_dump_json()
        if len(body) > MOST_BYTES:
            raise WorkloadError(f"this question takes {len(body):,} bytes; {MOST_BYTES:,} are kept.")
        row = {"owner": self.owner, "name": name, "question": body, "note": note[:400],
               "saved_at": datetime.now(UTC).isoformat(timespec="seconds")}  # fmt: skip
        with self.engine.begin() as connection:
            if self._count(connection, name) >= MOST_SAVED:
                raise WorkloadError(f"{MOST_SAVED} questions are saved already. Delete one first.")
            connection.execute(text("DELETE FROM planner_scenarios WHERE owner = :owner AND name = :name"), row)
            columns = "owner, name, question, saved_at, note"
            values = ":owner, :name, :question, :saved_at, :note"
            connection.execute(text(f"INSERT INTO planner_scenarios ({columns}) VALUES ({values})"), row)

    def _count(self, connection: Connection, but: str) -> int:
        from sqlalchemy import text

        asked = "SELECT COUNT(*) FROM planner_scenarios WHERE owner = :owner AND name <> :name"
        return int(connection.execute(text(asked), {"owner": self.owner, "name": but}).scalar_one())

    def all(self) -> tuple[Saved, ...]:
        """Saved questions by name; one that a newer planner cannot read any more is left out."""
        from sqlalchemy import text

        asked = "SELECT name, question, saved_at, note FROM planner_scenarios WHERE owner = :owner ORDER BY name"
        with self.engine.connect() as connection:
            rows = connection.execute(text(asked), {"owner": self.owner}).all()
        return tuple(found for row in rows if (found := _read(*row)) is not None)

    def delete(self, name: str) -> None:
        """Forget a question."""
        from sqlalchemy import text

        with self.engine.begin() as connection:
            asked = "DELETE FROM planner_scenarios WHERE owner = :owner AND name = :name"
            connection.execute(text(asked), {"owner": self.owner, "name": name})


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


def _checked(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > MOST_NAME or not name.isprintable():
        raise WorkloadError(f"a name has 1 to {MOST_NAME} printable characters.")
    return name


def _read(name: str, question: str, saved_at: str, note: str) -> Saved | None:
    try:
        return Saved(name, parse_workload(json.loads(question), name), saved_at, note)
    except (ValueError, WorkloadError):
        return None


def store() -> Store:
    """The shelf of whoever is looking.

    Raises
    ------
    PlannerError
        If the database does not answer, or the login names nobody.
    """
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return Store(_engine(), login.owner())
    except (SQLAlchemyError, ImportError) as error:  # its message may hold the address, so only its class
        raise PlannerError(
            f"saved questions cannot be reached: {type(error).__name__}.\n"
            f"  Ask whoever runs this dashboard to look at the database and [connections.{CONNECTION}]."
        ) from None


@st.cache_resource(show_spinner=False)
def _engine() -> Engine:
    """As `.streamlit/secrets.toml` says under [connections.scenarios], or the environment; else a file of this user."""
    if CONNECTION in login.configured("connections"):
        engine = st.connection(CONNECTION, type="sql", pool_pre_ping=True).engine
    else:
        engine = st.connection(CONNECTION, type="sql", url=database_url(os.environ), pool_pre_ping=True).engine
    migrate(engine)
    return engine


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
        raise WorkloadError(f"PLANNER_DATABASE_PASSWORD_FILE cannot be read: {error.strerror}.") from None
    url = make_url(given)
    return (url.set(password=password) if password else url).render_as_string(hide_password=False)


def default_file() -> Path:
    """Where scenarios lie without any configuration: PLANNER_STATE, or the user's state folder."""
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(os.environ.get("PLANNER_STATE") or Path(state) / "llm-capacity-planner") / "scenarios.sqlite"
