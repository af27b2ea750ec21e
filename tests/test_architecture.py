"""The shape of the code: imports point left, heavy packages stay in the shells, modules stay short."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = 450

# Facts, pure functions, one search, several ways of telling. A module imports only from lines above its
# own, or from its own line as long as no circle arises.
LAYERS = (
    ("encoding", "errors", "units"),
    ("assets", "complaints", "i18n"),
    ("tabular",),
    ("schema",),
    ("catalog", "huggingface", "models", "overlay", "traces", "workloads"),
    ("search", "shapes"),
    ("audit", "bundle", "calibration", "market", "measure", "report"),
    ("__init__", "__main__", "cli", "ui"),
    ("app",),
)
RANK = {part: rank for rank, parts in enumerate(LAYERS) for part in parts}

# Third-party packages that only some parts may import, for the time they take to load.
RESTRICTED = {
    "altair": {"report", "ui", "app"},
    "click": {"cli", "ui", "app"},
    "pandas": {"report", "ui", "app"},
    "rich": {"cli", "ui", "app"},
    "streamlit": {"ui", "app"},
}
MODELS_MAY_IMPORT = {"numpy", "scipy", "planner.units", "planner.errors", "planner.models"}


class Import(NamedTuple):
    """One imported module, as `place` (file:line) names it."""

    place: str
    part: str  # the part of the planner that imports
    module: str  # absolute dotted name


def parts_of_the_planner() -> Iterator[tuple[str, Path]]:
    """Every source file with the part it belongs to: `models`, `cli`, `app`, ..."""
    yield from (("app", path) for path in [ROOT / "app.py"] if path.exists())
    for path in sorted((ROOT / "planner").rglob("*.py")):
        yield path.relative_to(ROOT / "planner").parts[0].removesuffix(".py"), path


def all_imports() -> list[Import]:
    return [found for part, path in parts_of_the_planner() for found in imports_of(part, path)]


def imports_of(part: str, path: Path) -> Iterator[Import]:
    """Imports of one file, those inside functions and under TYPE_CHECKING included."""
    relative = path.relative_to(ROOT)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for module in imported_modules(node, relative.parent.parts):
                yield Import(f"{relative}:{node.lineno}", part, module)


def imported_modules(node: ast.stmt, package: tuple[str, ...]) -> list[str]:
    """Absolute names that an import statement names; `from planner import units` means `planner.units`."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    above = package[: len(package) - node.level + 1] if node.level else ()
    base = ".".join([*above, *filter(None, [node.module])])
    return [f"planner.{alias.name}" for alias in node.names] if base == "planner" else [base]


def imported_part(module: str) -> str | None:
    """Part of the planner that a dotted name lies in, None for other packages."""
    top, _, rest = module.partition(".")
    if top == "app":
        return "app"
    part = rest.partition(".")[0]
    return (part if part in RANK else "__init__") if top == "planner" else None


def top_package(module: str) -> str:
    return module.partition(".")[0]


def test_relative_imports_resolve() -> None:
    node = ast.parse("from ..models import memory").body[0]
    assert imported_modules(node, ("planner", "search")) == ["planner.models"]
    node = ast.parse("from .. import units").body[0]
    assert imported_modules(node, ("planner", "search")) == ["planner.units"]


def test_every_module_has_a_layer() -> None:
    offenders = [f"{path.relative_to(ROOT)}: no layer" for part, path in parts_of_the_planner() if part not in RANK]
    assert not offenders, "\n".join([*offenders, "Add the module to LAYERS in tests/test_architecture.py."])


def test_imports_point_left() -> None:
    offenders = [
        f"{found.place}: {found.part} imports {found.module}, which lies to its right"
        for found in all_imports()
        if (target := imported_part(found.module)) and found.part in RANK and RANK[target] > RANK[found.part]
    ]
    assert not offenders, "\n".join(offenders)


def test_no_circle_between_parts() -> None:
    graph: dict[str, set[str]] = {}
    for found in all_imports():
        target = imported_part(found.module)
        if target and target != found.part:
            graph.setdefault(found.part, set()).add(target)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        circle = error.args[1]
        places = [
            f.place for f in all_imports() if f.part in circle and imported_part(f.module) in set(circle) - {f.part}
        ]
        pytest.fail(f"parts import each other: {' <- '.join(circle)}\n" + "\n".join(places))


def test_models_are_pure_functions_of_numbers() -> None:
    offenders = [
        f"{found.place}: a model imports {found.module}"
        for found in all_imports()
        if found.part == "models" and not model_may_import(found.module)
    ]
    assert not offenders, "\n".join(offenders)


def model_may_import(module: str) -> bool:
    allowed = any(module == name or module.startswith(f"{name}.") for name in MODELS_MAY_IMPORT)
    return allowed or top_package(module) in sys.stdlib_module_names


def test_heavy_packages_stay_in_the_shells() -> None:
    offenders = [
        f"{found.place}: {top_package(found.module)} belongs in {', '.join(sorted(allowed))}"
        for found in all_imports()
        if (allowed := RESTRICTED.get(top_package(found.module))) and found.part not in allowed
    ]
    assert not offenders, "\n".join(offenders)


def test_modules_stay_short() -> None:
    scripts = [path for folder in ("planner", "tests", "bench") for path in (ROOT / folder).rglob("*.py")]
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in [*scripts, *ROOT.glob("*.py")]}
    offenders = [
        f"{path.relative_to(ROOT)}:{n}: past {MAX_LINES} lines" for path, n in lengths.items() if n > MAX_LINES
    ]
    assert not offenders, "\n".join(offenders)


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("planner", {"altair", "pandas", "scipy", "streamlit"}),
        ("planner.cli", {"altair", "pandas", "streamlit"}),
    ],
)
def test_start_up_is_light(module: str, unwanted: set[str]) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert not unwanted & set(run.stdout.split()), f"`import {module}` loads {unwanted & set(run.stdout.split())}"
