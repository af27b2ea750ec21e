"""The files that start the dashboard for a team: no root, nothing unpinned, no secret, and steps that work."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema
from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())


def steps() -> list[tuple[str, str]]:
    """Instructions of the Containerfile with their arguments, continued lines joined."""
    lines = (ROOT / "deploy/Containerfile").read_text().replace("\\\n", " ").splitlines()
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines) if word.isupper()]


def arguments(word: str) -> list[str]:
    return [rest for name, rest in steps() if name == word]


def copied(folder: Path) -> None:
    """What the image's build sees: the files that .dockerignore lets through, copied as the Containerfile says."""
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for *sources, target in map(shlex.split, arguments("COPY")):
        for source in sources:
            assert source in allowed, f"{source} is copied and ignored"
            place = folder / target / (Path(source).name if target.endswith("/") else "")
            place.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, place)


def test_compose_follows_its_specification() -> None:
    problems = list(Draft202012Validator(get_builtin_schema("vendor.compose-spec")).iter_errors(COMPOSE))
    assert not problems, "\n".join(problem.message for problem in problems)


def test_no_password_stands_in_a_file_or_a_variable() -> None:
    assert set(COMPOSE["secrets"]) == {"database_password"}
    for service in COMPOSE["services"].values():
        for name, value in service["environment"].items():
            assert name.endswith("_FILE") or "PASSWORD" not in name
            assert not re.search(r"://[^/]*:[^/]*@", value)
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {"/deploy/database_password.txt", "/deploy/secrets.toml", "/.streamlit/secrets.toml"} <= set(ignored)


def test_images_are_pinned_and_nobody_is_root() -> None:
    images = [*arguments("FROM"), COMPOSE["services"]["database"]["image"]]
    assert all(re.fullmatch(r"docker\.io/library/[a-z]+:\d+\.\d+(\.\d+)?-[a-z-]+", image) for image in images)
    assert arguments("USER") == ["10001"] and steps()[-1][0] == "CMD"
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert COMPOSE["services"]["planner"]["image"] == f"llm-capacity-planner:{version}"


def test_what_is_copied_makes_the_whole_wheel(tmp_path: Path) -> None:
    """The image installs from these files alone: their wheel is the checkout's."""
    copied(tmp_path / "src")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path / "dist")]
    subprocess.run(command, cwd=tmp_path / "src", check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = archive.read(next(name for name in names if name.endswith("/METADATA"))).decode()
    ours = {str(path.relative_to(ROOT)) for path in (ROOT / "planner").rglob("*.py")}
    assert ours <= names and {"planner/dashboard/app.py", "planner/dashboard/.streamlit/config.toml"} <= names
    assert any(name.startswith("planner/catalogs/") for name in names)
    (install,) = (step for step in arguments("RUN") if "pip install" in step)
    assert '".[team]"' in install and "Provides-Extra: team" in metadata


def test_the_health_check_asks_the_server(address: str) -> None:
    (check,) = arguments("HEALTHCHECK")
    python, *rest = json.loads(check.partition("CMD ")[2])
    assert python == "python"
    asked = [part.replace("http://127.0.0.1:8501", address) for part in rest]
    assert subprocess.run([sys.executable, *asked], timeout=60).returncode == 0
    asked = [part.replace("http://127.0.0.1:8501", "http://127.0.0.1:1") for part in rest]
    assert subprocess.run([sys.executable, *asked], timeout=60, capture_output=True).returncode != 0


def test_the_command_is_one_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    from planner.cli import main
    from planner.ui import launch

    asked: list[int] = []
    monkeypatch.setattr(launch, "serve", asked.append)
    monkeypatch.setattr(sys, "argv", json.loads(arguments("CMD")[0]))
    with pytest.raises(SystemExit) as stopped:
        main()
    assert (stopped.value.code or 0, asked) == (0, [8501])
