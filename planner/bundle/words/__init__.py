"""Long texts of a bundle, a file for each language, cut into named parts."""

from __future__ import annotations

import re
from importlib import resources

_PART = re.compile(r"^%% (.+)$", re.MULTILINE)


def parts(name: str, language: str) -> dict[str, str]:
    """Parts of `name.language.md` by the name behind `%%`; figures in braces are for `str.format`."""
    text = (resources.files("planner.bundle.words") / f"{name}.{language}.md").read_text("utf-8")
    found = _PART.split(text)
    return {found[i]: found[i + 1].strip() + "\n" for i in range(1, len(found), 2)}
