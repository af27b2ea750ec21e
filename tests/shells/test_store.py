"""Saved questions: kept by name and owner, migrated from older tables, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Engine

from planner.errors import WorkloadError
from planner.ui.store import MIGRATIONS, MOST_NAME, MOST_SAVED, Store, default_file, migrate
from planner.workloads import load_workload


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path / 's.sqlite'}")
    yield engine
    engine.dispose()


@pytest.fixture
def postgresql(tmp_path: Path) -> Iterator[Engine]:
    """A server of its own on a socket in a folder; it refuses to run as root, so as the user that Debian makes."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin")) if Path("/usr/lib/postgresql").is_dir() else []
    if not programs:
        pytest.skip("no PostgreSQL: apt-get install postgresql")
    pytest.importorskip("psycopg")
    folder = Path(subprocess.check_output(["mktemp", "-d", "/tmp/pg-XXXXXX"], text=True).strip())
    user = "postgres" if os.geteuid() == 0 else ""
    if user:
        shutil.chown(folder, user)

    def run(*command: str) -> None:
        as_user = ["runuser", "-u", user, "--"] if user else []
        subprocess.run([*as_user, *command], check=True, capture_output=True, cwd=folder)

    run(str(programs[-1] / "initdb"), "-D", f"{folder}/data", "-U", "planner", "--auth=trust")
    options = f"-k {folder} -c listen_addresses="
    run(str(programs[-1] / "pg_ctl"), "-D", f"{folder}/data", "-w", "-l", f"{folder}/log", "-o", options, "start")
    engine = create_engine(f"postgresql+psycopg://planner@/postgres?host={folder}")
    try:
        yield engine
    finally:
        engine.dispose()
        run(str(programs[-1] / "pg_ctl"), "-D", f"{folder}/data", "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> Engine:
    found: Engine = request.getfixturevalue(request.param)
    return found


def test_a_question_comes_back_as_it_was(engine: Engine) -> None:
    workload = load_workload(changes={"traffic.rate_per_s": 7})
    Store(engine).save("  a   plan ", workload, "why")
    (found,) = Store(engine).all()  # another session
    assert (found.name, found.workload, found.note) == ("a plan", workload, "why")
    Store(engine).save("a plan", load_workload())
    assert [one.workload for one in Store(engine).all()] == [load_workload()]
    Store(engine).delete("a plan")
    assert not Store(engine).all()


def test_owners_do_not_see_each_other(engine: Engine) -> None:
    Store(engine, "a@x").save("mine", load_workload())
    assert not Store(engine, "b@x").all()
    Store(engine, "b@x").delete("mine")
    assert len(Store(engine, "a@x").all()) == 1


def test_old_tables_are_migrated_with_what_they_hold(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE planner_schema (version INTEGER NOT NULL)"))
        connection.execute(text(MIGRATIONS[0]))
        connection.execute(text("INSERT INTO planner_schema (version) VALUES (1)"))
        row = {"q": load_workload().model_dump_json()}
        connection.execute(text("INSERT INTO planner_scenarios VALUES ('', 'old', :q, '2026')"), row)
    assert [one.name for one in Store(engine).all()] == ["old"]
    migrate(engine)  # again changes nothing
    with engine.connect() as connection:
        versions = connection.execute(text("SELECT COUNT(*) FROM planner_schema")).scalar_one()
    assert versions == len(MIGRATIONS)


def test_hostile_names_are_data(engine: Engine) -> None:
    name = "'; DROP TABLE planner_scenarios; --"
    Store(engine).save(name, load_workload())
    assert [one.name for one in Store(engine).all()] == [name]


@pytest.mark.parametrize("name", ["", "   ", "x" * (MOST_NAME + 1), "a\x00b"])
def test_names_are_checked(sqlite: Engine, name: str) -> None:
    with pytest.raises(WorkloadError, match="printable"):
        Store(sqlite).save(name, load_workload())


def test_a_shelf_is_finite(sqlite: Engine) -> None:
    shelf = Store(sqlite)
    with sqlite.begin() as connection:
        rows = [{"n": f"s{i}"} for i in range(MOST_SAVED)]
        connection.execute(text("INSERT INTO planner_scenarios VALUES ('', :n, '{}', '2026', '')"), rows)
    with pytest.raises(WorkloadError, match="Delete one first"):
        shelf.save("more", load_workload())
    assert shelf.all() == ()  # none of them can be read, none stops the page


def test_the_file_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PLANNER_STATE", str(tmp_path))
    assert default_file() == tmp_path / "scenarios.sqlite"
