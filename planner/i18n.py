"""The two languages of the dashboard and the reports: GNU gettext, English as the key.

Mark a message with a literal, `_("Cost per million output tokens")`, where `_` is a parameter or a local
name bound to `translator(language)`; fill it afterwards, `_("{count} replicas").format(count=3)`, since an
f-string cannot be looked up. A failure carries its message until somebody shows it (`planner.errors`):
`raise WorkloadError("{n} replicas: give 1 at least.", n=n)`; a part of it that is a text, too, is a `Message`.
`make messages` carries what is marked into `planner/locale/`; its marks stand in the Makefile.
"""

from __future__ import annotations

import gettext
import os
from collections.abc import Callable, Mapping

from planner.assets import locale_dir

LANGUAGES = {"en": "English", "zh": "中文"}  # code: the name that its readers look for
_VARIABLES = ("PLANNER_LANG", "LC_ALL", "LC_MESSAGES", "LANG")  # POSIX order after our own


def translator(language: str) -> Callable[[str], str]:
    """Function from an English message to its text in `language`.

    Parameters
    ----------
    language : str
        A code or locale, such as `zh`, `zh-CN` or `zh_CN.UTF-8`; any that is not in `LANGUAGES` is English.

    Examples
    --------
    >>> translator("fr")("Cost")
    'Cost'
    """
    if language_code(language) == "en":
        return str
    catalog = gettext.translation("planner", locale_dir(), [language_code(language)], fallback=True)

    def translate(message: str) -> str:
        return catalog.gettext(message) if message else ""  # gettext answers "" with the file's header

    return translate


def language_from_environment(environment: Mapping[str, str] = os.environ) -> str:
    """Language code that the user's environment asks for, English if none does.

    Examples
    --------
    >>> language_from_environment({"LANG": "zh_CN.UTF-8"})
    'zh'
    >>> language_from_environment({"PLANNER_LANG": "en", "LANG": "zh_CN.UTF-8"})
    'en'
    """
    return language_code(next((environment[name] for name in _VARIABLES if environment.get(name)), "en"))


def language_code(locale: str) -> str:
    """Code in `LANGUAGES` of a locale name or a browser's language tag; English for any other.

    Examples
    --------
    >>> language_code("zh-Hans-CN"), language_code("C.UTF-8")
    ('zh', 'en')
    """
    code = locale.replace("_", "-").split("-")[0].split(".")[0].lower()
    return code if code in LANGUAGES else "en"
