"""The frame around the code: dependencies, translations, scripts, theme, and what no file may contain."""

from __future__ import annotations

import ast
import io
import os
import re
import shutil
import string
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from planner import assets, i18n
from planner.errors import PlannerError
from tests import collect_texts

ROOT = Path(__file__).resolve().parent.parent
NOT_OURS = {
    ".git",
    ".venv",
    ".venv-aiperf",
    ".hypothesis",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    "__pycache__",
    "build",
    "dist",
}
SOURCES = sorted([*(ROOT / "planner").rglob("*.py"), *ROOT.glob("app.py")])
CODES = sorted(set(i18n.LANGUAGES) - {"en"})
MARKS = re.findall(r"^MARKS := (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)[0].split()

# A path that exists on one machine only. Spelled in pieces, or this file would find itself.
FOREIGN_PATHS = re.compile(
    rb"(?<![\w.~-])/wo" + rb"rk/|(?<![\w)\]])\.libr" + rb"ary\b|(?:^|[\s\"'(=`:]|\.\./)sha" + rb"red/",
    re.MULTILINE,
)


def own_files() -> Iterator[Path]:
    for folder, subfolders, names in os.walk(ROOT):
        subfolders[:] = [name for name in subfolders if name not in NOT_OURS]
        yield from (Path(folder) / name for name in names if name not in NOT_OURS)


def test_no_file_names_a_path_outside_the_repository() -> None:
    offenders = []
    for path in own_files():
        for number, line in enumerate(path.read_bytes().splitlines(), 1):
            offenders += [f"{path.relative_to(ROOT)}:{number}: {m.group()!r}" for m in FOREIGN_PATHS.finditer(line)]
    assert not offenders, "\n".join(offenders)


# ---- dependencies


def requirement_lines() -> list[str]:
    return [line for line in (ROOT / "requirements.txt").read_text().splitlines() if not line.startswith("#")]


def distribution_name(requirement: str) -> str:
    return re.split(r"[=<>!~\[; ]", requirement)[0].lower().replace("_", "-")


def test_run_time_dependencies_are_pinned_and_justified() -> None:
    offenders = [line for line in requirement_lines() if not re.fullmatch(r"[\w.-]+==[\w.!]+(; [^#]+)? +# \S.*", line)]
    assert not offenders, offenders


def test_every_import_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    declared = {distribution_name(line) for line in [*requirement_lines(), *extras]}
    installed = packages_distributions()
    offenders = [
        f"{path.relative_to(ROOT)}:{line}: {package} is in no requirements"
        for path in SOURCES
        for line, package in third_party_imports(path)
        if not declared & ({package} | {distribution_name(name) for name in installed.get(package, [])})
    ]
    assert not offenders, "\n".join(offenders)


def third_party_imports(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
        else:
            continue
        for top in {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"planner", "app"}:
            yield node.lineno, top


# ---- files of the installation


def test_assets_are_found_in_a_checkout() -> None:
    assert assets.catalogs_dir() == ROOT / "catalogs"
    assert assets.app_file() == ROOT / "app.py"
    assert assets.streamlit_config_dir() == ROOT / ".streamlit"


def test_installed_assets_come_before_those_of_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "planner"
    for folder in (package / "catalogs", tmp_path / "catalogs"):
        folder.mkdir(parents=True)
    monkeypatch.setattr(assets, "_PACKAGE", package)
    assert assets.catalogs_dir() == package / "catalogs"
    with pytest.raises(PlannerError, match=re.escape(str(tmp_path / "app.py"))):
        assets.app_file()


# ---- translations


def marked_messages() -> dict[str, str]:
    """Every message marked in the code, with the place of its first use."""
    messages: dict[str, str] = {}
    for path in SOURCES:
        for line, message, *_ in extract_from_file("python", path, keywords=dict.fromkeys(MARKS)):
            messages.setdefault(str(message), f"{path.relative_to(ROOT)}:{line}")
    return collect_texts.texts() | {many: place for (_one, many), place in collect_texts.plurals().items()} | messages


def po_file(code: str) -> Path:
    return assets.locale_dir() / code / "LC_MESSAGES" / "planner.po"


def translations(code: str) -> dict[str, str]:
    with po_file(code).open("rb") as file:
        return {
            last(m.id): last(m.string) for m in read_po(file, locale=code) if m.id and last(m.string) and not m.fuzzy
        }


def last(text: str | tuple[str, ...] | list[str]) -> str:
    """A text, or the plural of one that has several forms."""
    return text if isinstance(text, str) else text[-1]


def fields(message: str) -> set[str | None]:
    return {name for _, name, _, _ in string.Formatter().parse(message)} - {None}


@pytest.mark.parametrize("code", CODES)
def test_every_message_is_translated(code: str) -> None:
    marked = marked_messages()
    missing = marked.keys() - translations(code).keys()
    lines = sorted(f"{marked[message]}: {message!r}" for message in missing)
    assert not missing, "\n".join([*lines, f"Run `make messages`, then fill in {po_file(code)}, then run it again."])


@pytest.mark.parametrize("code", CODES)
def test_translations_keep_the_fields(code: str) -> None:
    offenders = [english for english, text in translations(code).items() if fields(english) != fields(text)]
    assert not offenders, f"other {{fields}} than the English in {po_file(code)}: {offenders}"


@pytest.mark.parametrize("code", CODES)
def test_compiled_translations_are_current(code: str) -> None:
    compiled = io.BytesIO()
    with po_file(code).open("rb") as file:
        write_mo(compiled, read_po(file, locale=code))
    assert compiled.getvalue() == po_file(code).with_suffix(".mo").read_bytes(), "Run `make messages`."


def marked_calls() -> Iterator[tuple[str, str, ast.Call]]:
    """Every call that marks a message: place, mark, and the call."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MARKS and node.args:
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node.func.id, node


def test_messages_are_literals() -> None:
    """An f-string or a filled-in text is another key each time and finds no translation."""
    offenders = [
        f"{place}: mark the literal, fill it in afterwards"
        for place, _mark, call in marked_calls()
        if isinstance(call.args[0], ast.JoinedStr | ast.BinOp) or is_format_call(call.args[0])
    ]
    assert not offenders, "\n".join(offenders)


def test_messages_get_what_fills_them() -> None:
    """A field without a value would break the telling of a failure, which no test may ever have seen."""
    offenders = [
        f"{place}: fields {sorted(map(str, fields(call.args[0].value)))} of {call.args[0].value!r}"
        for place, mark, call in marked_calls()
        if mark != "_"
        and isinstance(call.args[0], ast.Constant)
        and "complaints.py" not in place  # pydantic fills those
        if fields(call.args[0].value)
        != {word.arg for word in call.keywords} - ({"line"} if mark == "BadRow" else {"nearest"})
    ]
    assert not offenders, "\n".join(offenders)


def test_every_failure_is_marked() -> None:
    """A class of failures that `make messages` does not know would be told in English alone."""
    classes = {
        node.name
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base) in {*MARKS, "Telling"} for base in node.bases)
    }
    assert classes - set(MARKS) == {"UnknownName", "MissingFact"}, "Add it to MARKS in the Makefile."  # take no text


def test_every_mark_is_seen() -> None:
    """Babel overlooks a mark inside another one's arguments, behind a call that is none."""
    found = marked_messages()
    offenders = [
        f"{place}: give {call.args[0].value!r} a name of its own, outside the other call"
        for place, _mark, call in marked_calls()
        if isinstance(call.args[0], ast.Constant) and call.args[0].value not in found
    ]
    assert not offenders, "\n".join(offenders)


def test_messages_stand_outside_other_texts() -> None:
    """Babel does not look inside an f-string: a message there is never carried into the translations."""
    offenders = [
        f"{path.relative_to(ROOT)}:{call.lineno}: give the message a name of its own"
        for path in SOURCES
        for text in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(text, ast.JoinedStr)
        for call in ast.walk(text)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in MARKS
        if call.args and isinstance(call.args[0], ast.Constant)
    ]
    assert not offenders, "\n".join(offenders)


def is_format_call(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format"


def test_translator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    messages = Catalog(locale="zh")
    messages.add("{count} spares", "{count} 个备件")
    (tmp_path / "zh" / "LC_MESSAGES").mkdir(parents=True)
    with (tmp_path / "zh" / "LC_MESSAGES" / "planner.mo").open("wb") as file:
        write_mo(file, messages)
    monkeypatch.setattr(i18n, "locale_dir", lambda: tmp_path)
    assert i18n.translator("zh-CN")("{count} spares").format(count=2) == "2 个备件"
    assert i18n.translator("zh")("a message that nobody marked") == "a message that nobody marked"
    assert i18n.translator("zh")("") == ""
    assert i18n.translator("en")("{count} spares") == i18n.translator("fr")("{count} spares") == "{count} spares"


# ---- scripts, theme, and CI's own rule


def test_shell_scripts_are_clean() -> None:
    shellcheck = shutil.which("shellcheck") or pytest.skip("no shellcheck: apt-get install shellcheck")
    scripts = sorted(str(path) for path in (ROOT / ".ci").iterdir())
    run = subprocess.run([shellcheck, *scripts], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


def test_streamlit_knows_every_option() -> None:
    command = [sys.executable, "-m", "streamlit", "config", "show"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "not a valid config option" not in run.stdout + run.stderr
    assert 'primaryColor = "' in run.stdout  # the file was read


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_theme_is_readable(mode: str) -> None:
    """Text stands out by 4.5 : 1, the accent of controls by 3 : 1 (WCAG 2.2, criteria 1.4.3 and 1.4.11)."""
    theme = tomllib.loads((ROOT / ".streamlit/config.toml").read_text())["theme"][mode]
    backgrounds = [s[key] for s in (theme, theme["sidebar"]) for key in ("backgroundColor", "secondaryBackgroundColor")]
    pairs = [(theme[ink], paper, 4.5) for ink in ("textColor", "linkColor") for paper in backgrounds]
    pairs += [(theme["primaryColor"], theme["backgroundColor"], 3.0)]
    pairs += [("#ffffff", theme["primaryColor"], 4.5)]  # Streamlit's label on a primary button
    offenders = [
        f"{ink} on {paper}: {contrast(ink, paper):.2f}" for ink, paper, least in pairs if contrast(ink, paper) < least
    ]
    assert not offenders, f"{mode}: {offenders}"


def contrast(first: str, second: str) -> float:
    """Contrast ratio of two sRGB colours written #rrggbb, 1 to 21 (WCAG 2.2, definition)."""
    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """Relative luminance, 0 for black to 1 for white."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(("ci", "outcomes"), [("1", {"failed": 1, "xfailed": 1}), ("", {"skipped": 1, "xfailed": 1})])
def test_ci_fails_a_skipped_test(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, ci: str, outcomes: dict[str, int]
) -> None:
    monkeypatch.setenv("PLANNER_CI", ci)
    pytester.makeconftest((ROOT / "tests" / "conftest.py").read_text())
    pytester.makepyfile(
        """
        import pytest

        def test_skipped():
            pytest.skip("nothing to see")

        @pytest.mark.xfail
        def test_expected_failure():
            raise AssertionError
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(**outcomes)


def test_ci_fails_a_module_skipped_whole(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANNER_CI", "1")
    pytester.makeconftest((ROOT / "tests" / "conftest.py").read_text())
    pytester.makepyfile("import pytest; pytest.importorskip('no_such_package')")
    pytester.runpytest_subprocess().assert_outcomes(errors=1)
