"""Programs of this machine as checks."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from planner.bundle.finding import Bundle, Finding, Problems

LIMIT_S = 120
MOST = 400  # characters of a complaint


@dataclass(frozen=True)
class Tool:
    """A check that needs a program or a package.

    Attributes
    ----------
    name : the tool as people know it
    version : its version on this machine
    check : findings about a bundle and the folder that holds it; its docstring begins with what holds
    """

    name: str
    check: Callable[[Bundle, Path], Problems]
    version: Callable[[], str] = str  # empty where the tool is absent


def program_version(*command: str) -> Callable[[], str]:
    """First line of what a program says of its version; empty where it is absent."""

    def version() -> str:
        if shutil.which(command[0]) is None:
            return ""
        try:
            ran = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return next(iter((ran.stdout or ran.stderr).strip().splitlines()), "")[:MOST]

    return version


def package_version(name: str) -> Callable[[], str]:
    """Version of a package; empty where it is absent."""

    def version() -> str:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            return ""

    return version


def content_with(
    rule: str, file: str, command: list[str], folder: Path, get: str, stderr_fails: bool = False
) -> Problems:
    """Run a program in a folder: nothing if it is content, else one finding.

    Parameters
    ----------
    rule, file : name of the check, and what it is about
    command : program and arguments
    folder : working directory
    get : how to install the program
    stderr_fails : whatever it says on stderr is an error too
    """
    problem, _ = output_of(rule, file, command, folder, get, stderr_fails)
    if problem is not None:
        yield problem


def output_of(
    rule: str, file: str, command: list[str], folder: Path, get: str, stderr_fails: bool = False
) -> tuple[Finding | None, str]:
    """The same, with what the program wrote to stdout."""
    if shutil.which(command[0]) is None:
        return Finding(rule, file, "not_checked", f"{command[0]} is not installed: {get}"), ""
    try:
        ran = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return Finding(rule, file, "not_checked", f"{command[0]} gave no answer within {LIMIT_S} s"), ""
    if ran.returncode or (stderr_fails and ran.stderr.strip()):
        said = " ".join(f"{ran.stderr} {ran.stdout}".split())
        text = f"{command[0]}: {said[:MOST] or f'exit {ran.returncode}'}"
        return Finding(rule, file, "error", text), ran.stdout
    return None, ran.stdout
