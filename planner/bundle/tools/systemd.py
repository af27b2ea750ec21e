"""Units of the hosts against systemd's own reader; whatever it says is an error."""

from __future__ import annotations

import tempfile
from pathlib import Path, PurePosixPath

from planner.bundle.documents.host import SYSTEMD
from planner.bundle.finding import Bundle, Problems
from planner.bundle.tools.program import Tool, content_with

GET = "apt-get install systemd"
STAND_IN = "[Service]\nExecStart=/bin/true\n"  # for a unit that the host has and the bundle only adds to


def _units(bundle: Bundle, folder: Path) -> Problems:
    """systemd accepts every unit and every addition to a unit."""
    names = sorted(name for name in bundle.files if name.startswith(f"{SYSTEMD}/"))
    for name in names:
        parent = PurePosixPath(name).parent.name
        if parent.endswith(".d"):
            yield from _addition(name, parent.removesuffix(".d"), bundle.files[name])
        else:
            # Without a path of its own a name that begins with a dash would be an option.
            command = ["systemd-analyze", "verify", "--man=no", f"./{name}"]
            yield from content_with("systemd", name, command, folder, GET, stderr_fails=True)


def _addition(name: str, unit: str, content: bytes) -> Problems:
    """A unit that does nothing, with the addition."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / unit).write_text(STAND_IN)
        (folder / f"{unit}.d").mkdir()
        (folder / f"{unit}.d" / "addition.conf").write_bytes(content)
        command = ["systemd-analyze", "verify", "--man=no", f"./{unit}"]
        yield from content_with("systemd", name, command, folder, GET, stderr_fails=True)


TOOLS: dict[str, Tool] = {"systemd": Tool("systemd-analyze", _units)}
