"""The command line in the reader's language: its own help, and what click says around it."""

from __future__ import annotations

import copy
import gettext
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from planner.assets import locale_dir
from planner.i18n import translator

DOMAIN = "planner"  # our translations hold click's texts, too
ASKED = "LANGUAGE"  # the variable that gettext looks at first


@contextmanager
def speaking(command: click.Group, language: str) -> Iterator[click.Group]:
    """The same command and those below it with help in `language`; as long as it lasts, click's own texts follow."""
    if language == "en":
        yield command
        return
    domain, asked = gettext.textdomain(), os.environ.get(ASKED)
    gettext.bindtextdomain(DOMAIN, locale_dir())
    gettext.textdomain(DOMAIN)
    os.environ[ASKED] = language
    try:
        yield _told(copy.deepcopy(command), translator(language))
    finally:
        gettext.textdomain(domain)
        os.environ.pop(ASKED)
        os.environ.update({} if asked is None else {ASKED: asked})


def _told(command: click.Group, _: Callable[[str], str]) -> click.Group:
    for one in _commands(command):
        one._help_option = None  # which click keeps in the language that it was first shown in
        if one.help:
            one.help = _(one.help)
            one.short_help = re.split("[。\n]", one.help)[0]  # click shortens between words alone
        for option in one.params:
            if isinstance(option, click.Option) and option.help:
                option.help = _(option.help)
    return command


def _commands(command: click.Command) -> Iterator[click.Command]:
    yield command
    for below in command.commands.values() if isinstance(command, click.Group) else ():
        yield from _commands(below)
