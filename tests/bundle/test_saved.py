"""A plan that was kept makes the bundle that it made, and a file that is none is refused by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from planner.bundle.saved import read_plans
from planner.errors import PlannerError
from tests.bundle.clean import CATALOG, clean
from tests.golden.refresh import plan_file

Change = Callable[[Any], object]


def test_a_saved_plan_of_two_pools(run_cli: Callable[..., Any], tmp_path: Path) -> None:
    """16 H200: prompts on 8, answers on 8; planned long ago, which is said."""
    out, old = tmp_path / "out", tmp_path / "plan.json"
    kept = json.loads(plan_file("r1-h200-two-pools").read_text("utf-8"))
    old.write_text(json.dumps({**kept, "catalog_sha256": "0" * 64}), "utf-8")
    found = run_cli("export", "--from", str(old), "--out", str(out))
    assert found.exit_code == 0 and "8 prefill and 8 decode" in found.stdout
    assert "Planned with other catalogs" in found.stderr and "plan again" in found.stderr
    assert {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()} == set(clean("r1-h200-two-pools"))


def test_one_answer_only(run_cli: Callable[..., Any], tmp_path: Path) -> None:
    given = ("export", "--from", str(plan_file("r1-h200-vllm")), "--out", str(tmp_path / "out"))
    for more in (("chat",), ("--rate", "3")):
        found = run_cli(*given, *more)
        assert found.exit_code == 1 and "answers its own workload" in found.stderr
    assert run_cli(*given, "--plan", "9").exit_code == 1
    assert not (tmp_path / "out").exists()


def plan(change: Change) -> Change:
    return lambda body: change(body["plans"][0])


WRONG: dict[str, tuple[Change, str]] = {
    "another llm": (plan(lambda p: p.update(llm="'; rm -rf /")), "unknown llm"),
    "another engine": (plan(lambda p: p.update(engine="v")), "unknown engine"),
    "a synonym": (plan(lambda p: p.update(accelerator="h200")), "unknown accelerator 'h200'"),
    "no replicas": (plan(lambda p: p.update(replicas=0)), "replicas = 0"),
    "no accelerators": (plan(lambda p: p["layout"].update(tp=0)), "tp = 0"),
    "less than none spare": (plan(lambda p: p.update(spares=-1)), "spares = -1"),
    "not bought": (plan(lambda p: p.update(supply=[])), "no supply"),
    "a title of two lines": (plan(lambda p: p.update(title="a\n---\nkind: Secret")), "plan 1 title"),
    "markup": (plan(lambda p: p["supply"][0].update(region="<script>")), "plan 1 supply region"),
    "a terminal's language": (lambda body: body.update(catalog_as_of="\x1b[2J"), "catalog_as_of"),
    "a word": (plan(lambda p: p.update(replicas="many")), "plans.0.replicas"),
    "no workload": (lambda body: body.pop("workload"), "workload: Field required"),
}


@pytest.mark.parametrize("why", WRONG)
def test_what_no_plan_says_is_refused(tmp_path: Path, why: str) -> None:
    change, said = WRONG[why]
    body = json.loads(plan_file("r1-h200-vllm").read_text("utf-8"))
    change(body)
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(body), "utf-8")
    with pytest.raises(PlannerError) as refused:
        read_plans(path, CATALOG)
    assert said in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"null"])
def test_no_plans_at_all(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "plan.json").write_bytes(content)
    for path in (tmp_path / "plan.json", tmp_path, tmp_path / "nowhere"):
        with pytest.raises(PlannerError, match=r"planner plan --json"):
            read_plans(path, CATALOG)
