"""Saved questions: kept by name and owner, migrated from older tables, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import streamlit as st
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Engine, make_url

from planner.errors import PlannerError, WorkloadError
from planner.ui.database import MIGRATIONS, database_url, default_file, migrate
from planner.ui.shelf import MOST_BYTES, MOST_FILES, File, Shelf
from planner.ui.store import MOST_NAME, MOST_SAVED, Store, store
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


def shelf(engine: Engine, owner: str = "") -> Store:
    migrate(engine)
    return Store(engine, owner)


def test_a_question_comes_back_as_it_was(engine: Engine) -> None:
    workload = load_workload(changes={"traffic.rate_per_s": 7})
    shelf(engine).save("  a   plan ", workload, "why")
    (found,) = shelf(engine).all()  # another session
    assert (found.name, found.workload, found.note) == ("a plan", workload, "why")
    shelf(engine).save("a plan", load_workload())
    assert [one.workload for one in shelf(engine).all()] == [load_workload()]
    shelf(engine).delete("a plan")
    assert not shelf(engine).all()


def test_owners_do_not_see_each_other(engine: Engine) -> None:
    shelf(engine, "a@x").save("mine", load_workload())
    assert not shelf(engine, "b@x").all()
    shelf(engine, "b@x").delete("mine")
    assert len(shelf(engine, "a@x").all()) == 1


def test_old_tables_are_migrated_with_what_they_hold(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE planner_schema (version INTEGER NOT NULL)"))
        connection.execute(text(MIGRATIONS[0]))
        connection.execute(text("INSERT INTO planner_schema (version) VALUES (1)"))
        row = {"q": load_workload().model_dump_json()}
        connection.execute(text("INSERT INTO planner_scenarios VALUES ('', 'old', :q, '2026')"), row)
    assert [one.name for one in shelf(engine).all()] == ["old"]
    migrate(engine)  # again changes nothing
    with engine.connect() as connection:
        versions = connection.execute(text("SELECT COUNT(*) FROM planner_schema")).scalar_one()
    assert versions == len(MIGRATIONS)


def files(engine: Engine, owner: str = "") -> Shelf:
    migrate(engine)
    return Shelf(engine, owner)


def test_a_file_comes_back_by_its_mark_and_to_its_owner(engine: Engine) -> None:
    file = File("mine; DROP TABLE planner_files.csv", bytes(range(256)) * 10)
    files(engine, "a@x").put(file)
    files(engine, "a@x").put(file)  # again changes nothing
    assert files(engine, "a@x").get(file.mark) == file
    assert files(engine, "b@x").get(file.mark) is None and files(engine, "a@x").get("' OR 1=1 --") is None
    assert File(file.name, b"other").mark != file.mark != File("other", file.content).mark


def test_the_file_not_used_for_longest_makes_room(sqlite: Engine) -> None:
    mine = files(sqlite)
    sent = [File(f"{n}.csv", b"x") for n in range(MOST_FILES + 1)]
    for file in sent[:-1]:
        mine.put(file)
    assert mine.get(sent[0].mark) == sent[0]  # used again
    mine.put(sent[-1])
    assert [mine.get(one.mark) is None for one in sent[:3]] == [False, True, False]
    with pytest.raises(WorkloadError, match="are kept"):
        mine.put(File("large", b"x" * (MOST_BYTES + 1)))


def test_a_file_that_a_saved_question_rests_on_stays(engine: Engine) -> None:
    mine, file = files(engine), File("facts.json", b"{}")
    mine.put(file)
    shelf(engine).save("rests on it", load_workload(), facts=file.mark)
    assert shelf(engine).all()[0].facts == file.mark
    for n in range(MOST_FILES + 1):
        mine.put(File(f"{n}.csv", b"x"))
    assert mine.get(file.mark) == file and mine.get(File("0.csv", b"x").mark) is None
    shelf(engine).delete("rests on it")
    mine.put(File("last.csv", b"x"))
    assert mine.get(file.mark) is not None  # used a moment ago


def test_hostile_names_are_data(engine: Engine) -> None:
    name = "'; DROP TABLE planner_scenarios; --"
    shelf(engine).save(name, load_workload())
    assert [one.name for one in shelf(engine).all()] == [name]


@pytest.mark.parametrize("name", ["", "   ", "x" * (MOST_NAME + 1), "a\x00b"])
def test_names_are_checked(sqlite: Engine, name: str) -> None:
    with pytest.raises(WorkloadError, match="printable"):
        shelf(sqlite).save(name, load_workload())


def test_a_shelf_is_finite(sqlite: Engine) -> None:
    mine = shelf(sqlite)
    with sqlite.begin() as connection:
        rows = [{"n": f"s{i}"} for i in range(MOST_SAVED)]
        connection.execute(text("INSERT INTO planner_scenarios VALUES ('', :n, '{}', '2026', '', '')"), rows)
    with pytest.raises(WorkloadError, match="Delete one first"):
        mine.save("more", load_workload())
    assert mine.all() == ()  # none of them can be read, none stops the page


def test_the_file_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PLANNER_STATE", str(tmp_path))
    assert default_file() == tmp_path / "scenarios.sqlite"


def test_servers_that_start_together_migrate_once(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":  # one server; its sessions wait at the cache of the engine
        migrate(engine)
    else:
        with ThreadPoolExecutor(4) as servers:
            list(servers.map(migrate, [engine] * 4))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT COUNT(*) FROM planner_schema")).scalar_one() == len(MIGRATIONS)


def test_the_password_comes_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("p@ss/w:rd\n")
    given = {"PLANNER_DATABASE_URL": "postgresql+psycopg://planner@database/planner"}
    assert make_url(database_url(given)).password is None
    url = make_url(database_url({**given, "PLANNER_DATABASE_PASSWORD_FILE": str(tmp_path / "secret")}))
    assert (url.username, url.password, url.host) == ("planner", "p@ss/w:rd", "database")
    with pytest.raises(WorkloadError, match="cannot be read"):
        database_url({**given, "PLANNER_DATABASE_PASSWORD_FILE": str(tmp_path / "none")})
    monkeypatch.setenv("PLANNER_STATE", str(tmp_path / "new"))
    assert database_url({}) == f"sqlite:///{tmp_path}/new/scenarios.sqlite" and (tmp_path / "new").is_dir()


def test_a_database_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    st.cache_resource.clear()
    monkeypatch.setenv("PLANNER_DATABASE_URL", "postgresql+psycopg://planner:hunter2@127.0.0.1:1/planner")
    with pytest.raises(PlannerError, match="OperationalError") as caught:
        store()
    assert "hunter2" not in str(caught.value) and "127.0.0.1" not in str(caught.value)
    st.cache_resource.clear()
