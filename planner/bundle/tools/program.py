"""Programs of this machine as checks."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
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
    check : findings about a bundle and the folder that holds it; its docstring begins with what holds
    """

    name: str
    check: Callable[[Bundle, Path], Problems]


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
    if shutil.which(command[0]) is None:
        yield Finding(rule, file, "not_checked", f"{command[0]} is not installed: {get}")
        return
    try:
        ran = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        yield Finding(rule, file, "not_checked", f"{command[0]} gave no answer within {LIMIT_S} s")
        return
    said = " ".join(f"{ran.stderr} {ran.stdout}".split())
    if ran.returncode or (stderr_fails and ran.stderr.strip()):
        yield Finding(rule, file, "error", f"{command[0]}: {said[:MOST] or f'exit {ran.returncode}'}")
