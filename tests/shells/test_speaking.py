"""The command line in Chinese: help, and what click says of a wrong call."""

from __future__ import annotations

import gettext
import os
import re
from collections.abc import Callable
from typing import Any

import click
import pytest

from planner.cli import cli
from planner.cli.speaking import speaking
from tests.shells.test_cli import COMMANDS

Run = Callable[..., Any]  # tests/conftest.py
CHINESE = re.compile("[\u4e00-\u9fff]")


@pytest.fixture(autouse=True)
def chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANNER_LANG", "zh")


@pytest.mark.parametrize("path", [path for path, _ in COMMANDS], ids=" ".join)
def test_help_is_chinese(run_cli: Run, path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as english:
        english.setenv("PLANNER_LANG", "en")
        assert "Show this message and exit." in run_cli(*path, "--help").stdout
    result = run_cli(*path, "--help")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(f"用法： {' '.join(('planner', *path))}") and "选项" in result.stdout
    assert not re.search("Usage|Options|Commands|Show this", result.stdout)


def test_every_option_is_chinese() -> None:
    with speaking(cli, "zh") as told:
        for name, command in told.commands.items():
            below = command.commands.values() if isinstance(command, click.Group) else [command]
            for one in [command, *below]:
                helps = [one.help, *(option.help for option in one.params if isinstance(option, click.Option))]
                english = [text for text in helps if text and not CHINESE.search(text)]
                assert set(english) <= {"PUE"}, f"{name}: {english}"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("pln",), "没有命令 'pln'。 （是否指：'plan'？）"),
        (("plan", "--rat", "3"), "没有选项 '--rat'。"),
        (("plan", "--top", "99"), "'--top' 的值无效：99 不在范围 1<=x<=50 内。"),
        (("plan", "--top", "many"), "'many' 不是有效的"),
        (("plan", "--top"), "选项 '--top' 需要 1 个参数。"),
        (("plan", "a", "b"), "多余的参数（b）"),
        (("schema", "x"), "'x' 不是以下之一："),
        (("export",), "缺少选项"),
    ],
    ids=" ".join,
)
def test_a_wrong_call_is_told_in_chinese(run_cli: Run, words: tuple[str, ...], said: str) -> None:
    result = run_cli(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr and "错误：" in result.stderr
    assert not re.search("Usage|Try|Error|No such|Invalid", result.stderr)


def test_english_is_as_before_afterwards(run_cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    before = gettext.textdomain(), os.environ.get("LANGUAGE")
    run_cli("plan", "--help")
    assert (gettext.textdomain(), os.environ.get("LANGUAGE")) == before
    monkeypatch.setenv("PLANNER_LANG", "en")
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert run_cli("plan", "--help").stdout.startswith("Usage: planner plan [OPTIONS] [WORKLOAD]\n\n  Answer WORKLOAD")
