"""Saved questions by name, through Streamlit's SQL connection: SQLite by default, PostgreSQL by configuration.

A row holds an owner, a name, a question as the link would hold it, and the mark of the facts that lay over the catalogs
(see `own_facts`); answers are computed again. The owner is the reader's login where one is configured, else everybody
who reaches this dashboard shares one shelf.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from planner.errors import Message, WorkloadError
from planner.schema import Workload
from planner.ui.database import engine, reached
from planner.ui.owner import owner
from planner.workloads import parse_workload

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

MOST_SAVED, MOST_NAME, MOST_BYTES = 200, 80, 20_000


@dataclass(frozen=True)
class Saved:
    """A question under a name, with the mark of its own facts; empty: the catalogs alone."""

    name: str
    workload: Workload
    saved_at: str
    note: str
    facts: str = ""


class Store:
    """The shelf of one owner, on tables that are migrated."""

    def __init__(self, engine: Engine, owner: str = ""):
        self.engine, self.owner = engine, owner

    def save(self, name: str, workload: Workload, note: str = "", facts: str = "") -> Saved | None:
        """Keep a question; the same name replaces what it held, which is returned.

        Raises
        ------
        WorkloadError
            For a name that is empty or too long, or a shelf that is full.
        """
        from sqlalchemy import text

        name, body = _checked(name), workload.model_dump_json()
        if len(body) > MOST_BYTES:
            raise WorkloadError(
                "this question takes {count:,} bytes; at most {most_bytes:,} are kept.",
                count=len(body),
                most_bytes=MOST_BYTES,
            )
        row = {"owner": self.owner, "name": name, "question": body, "note": note[:400], "facts": facts,
               "saved_at": datetime.now(UTC).isoformat(timespec="seconds")}  # fmt: skip
        with self.engine.begin() as connection:
            if self._count(connection, name) >= MOST_SAVED:
                raise WorkloadError(
                    "{most_saved} questions are saved already. Delete one first.", most_saved=MOST_SAVED
                )
            mine = "planner_scenarios WHERE owner = :owner AND name = :name"
            held = "name, question, saved_at, note, facts"
            former = connection.execute(text(f"SELECT {held} FROM {mine}"), row).first()
            connection.execute(text(f"DELETE FROM {mine}"), row)
            columns = "owner, name, question, saved_at, note, facts"
            values = ":owner, :name, :question, :saved_at, :note, :facts"
            connection.execute(text(f"INSERT INTO planner_scenarios ({columns}) VALUES ({values})"), row)
        return None if former is None else _read(*former)

    def _count(self, connection: Connection, but: str) -> int:
        from sqlalchemy import text

        asked = "SELECT COUNT(*) FROM planner_scenarios WHERE owner = :owner AND name <> :name"
        return int(connection.execute(text(asked), {"owner": self.owner, "name": but}).scalar_one())

    def all(self) -> tuple[Saved, ...]:
        """Saved questions by name; one that a newer planner cannot read any more is left out."""
        from sqlalchemy import text

        columns = "name, question, saved_at, note, facts"
        asked = f"SELECT {columns} FROM planner_scenarios WHERE owner = :owner ORDER BY name"
        with self.engine.connect() as connection:
            rows = connection.execute(text(asked), {"owner": self.owner}).all()
        return tuple(found for row in rows if (found := _read(*row)) is not None)

    def delete(self, name: str) -> None:
        """Forget a question."""
        from sqlalchemy import text

        with self.engine.begin() as connection:
            asked = "DELETE FROM planner_scenarios WHERE owner = :owner AND name = :name"
            connection.execute(text(asked), {"owner": self.owner, "name": name})


def _checked(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > MOST_NAME or not name.isprintable():
        raise WorkloadError("a name has 1 to {most_name} printable characters.", most_name=MOST_NAME)
    return name


def _read(name: str, question: str, saved_at: str, note: str, facts: str) -> Saved | None:
    try:
        return Saved(name, parse_workload(json.loads(question), name), saved_at, note, facts)
    except (ValueError, WorkloadError):
        return None


def store() -> Store:
    """The shelf of whoever is looking.

    Raises
    ------
    PlannerError
        If the database does not answer, or the login names nobody.
    """
    with reached(Message("saved questions")):
        return Store(engine(), owner())
