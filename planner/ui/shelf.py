"""Files of readers, by the hash of what they hold: they outlive a reload and a restart, and links name them.

The address has a file's mark where a page uses it. Whoever has the link finds the file on the same dashboard and,
where a login is configured, with the same login; nobody else can.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import streamlit as st

from planner.errors import Message, WorkloadError
from planner.ui.database import engine, reached
from planner.ui.owner import owner

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

MOST_FILES, MOST_BYTES, MOST_NAME = 50, 6_000_000, 120
HELD, MOST_HELD = "files-held", 6  # files of this session by mark, so that a run does not ask the database
_MARK = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class File:
    """What somebody sent."""

    name: str
    content: bytes

    @property
    def mark(self) -> str:
        """32 digits that say which file it is, and that nobody guesses without having it."""
        return hashlib.sha256(self.name.encode() + b"\0" + self.content).hexdigest()[:32]


class Shelf:
    """The files of one owner; the one that was not used for longest makes room, unless a saved question rests on it."""

    def __init__(self, engine: Engine, owner: str = ""):
        self.engine, self.owner = engine, owner

    def put(self, file: File) -> None:
        """Keep a file.

        Raises
        ------
        WorkloadError
            For one that is too large.
        """
        from sqlalchemy import text

        if len(file.content) > MOST_BYTES:
            raise WorkloadError(
                "{file} has {count:,} bytes; at most {most_bytes:,} are kept.",
                file=file.name,
                count=len(file.content),
                most_bytes=MOST_BYTES,
            )
        row = {"owner": self.owner, "mark": file.mark, "name": file.name[:MOST_NAME], "used_at": _now(),
               "content": base64.b64encode(zlib.compress(file.content)).decode()}  # fmt: skip
        with self.engine.begin() as connection:
            connection.execute(text("DELETE FROM planner_files WHERE owner = :owner AND mark = :mark"), row)
            columns = "owner, mark, name, content, used_at"
            connection.execute(
                text(f"INSERT INTO planner_files ({columns}) VALUES (:owner, :mark, :name, :content, :used_at)"), row
            )
            saved = "SELECT facts FROM planner_scenarios WHERE owner = :owner"
            free = f"WHERE owner = :owner AND mark NOT IN ({saved})"
            kept = text(f"SELECT mark FROM planner_files {free} ORDER BY used_at DESC, mark")
            for (mark,) in connection.execute(kept, row).all()[MOST_FILES:]:
                gone = {"owner": self.owner, "mark": mark}
                connection.execute(text("DELETE FROM planner_files WHERE owner = :owner AND mark = :mark"), gone)

    def get(self, mark: str) -> File | None:
        """The file with a mark; None where this owner has none."""
        from sqlalchemy import text

        row = {"owner": self.owner, "mark": mark, "used_at": _now()}
        mine = "WHERE owner = :owner AND mark = :mark"
        with self.engine.begin() as connection:
            found = connection.execute(text(f"SELECT name, content FROM planner_files {mine}"), row).first()
            if found is None:
                return None
            connection.execute(text(f"UPDATE planner_files SET used_at = :used_at {mine}"), row)
        return File(found[0], zlib.decompress(base64.b64decode(found[1])))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


# ---- of the session at hand


def put(parameter: str, file: File) -> None:
    """Keep a file, and name it in the address.

    Raises
    ------
    PlannerError
        If it cannot be kept; this session has it all the same.
    """
    _hold(file.mark, file)
    st.query_params[parameter] = file.mark
    with reached(Message("files of your own")):
        Shelf(engine(), owner()).put(file)


def get(mark: str) -> File | None:
    """The file that an address names; None for a mark that this dashboard does not have, or not for this reader.

    Raises
    ------
    PlannerError
        If the database does not answer.
    """
    if not _MARK.fullmatch(mark):
        return None
    found = _held().get(mark)
    if found is None:
        with reached(Message("files of your own")):
            found = Shelf(engine(), owner()).get(mark)
    if found is not None:
        _hold(mark, found)
    return found


def forget(parameter: str) -> None:
    """Name no file there any more."""
    st.query_params.pop(parameter, None)


def _hold(mark: str, file: File) -> None:
    """Remember a file; the one not used for longest goes."""
    held = _held()
    held.pop(mark, None)
    held[mark] = file
    while len(held) > MOST_HELD:
        del held[next(iter(held))]


def _held() -> dict[str, File]:
    held: dict[str, File] = st.session_state.setdefault(HELD, {})
    return held
