"""`planner measure` and `python -m planner.measure` as a shell sees them, on hosts with and without a GPU."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from planner import __version__
from planner.cli import measuring
from planner.measure import __main__ as module
from planner.measure import run
from planner.measure.cases import Copy, Gemm, Launch
from planner.measure.power import Reading

USUAL = (Copy(2**28), Gemm("bf16", 8192, 8192, 8192))
Run = Callable[..., Any]  # tests/conftest.py
ROOT = Path(__file__).resolve().parent.parent.parent
SHIPPED = str(ROOT / "catalogs" / "measured" / "ceilings" / "h200-sxm-141gb.json")


class Clock:
    """Time that passes when somebody works."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


class Gpu:
    """A device of one kernel: every call takes 80 us, 700 W."""

    ranks = 1
    captured, backend, source = True, "", "fake"

    def __init__(self, clock: Clock, name: str = "NVIDIA H200"):
        self.clock, self.name = clock, name

    def facts(self) -> dict[str, Any]:
        return {"name": self.name, "count": 1}

    def sampler(self) -> Gpu:
        return self

    def load(self, case: object) -> Gpu:
        if isinstance(case, Launch):
            raise KeyboardInterrupt
        return self

    def batch_s(self) -> float:
        self.clock.sleep(0.005)
        return 8e-5

    def readings(self) -> list[Reading]:
        return [Reading(self.clock.now_s, 700.0, 1.5e9)]

    def stop(self) -> None:
        """Nothing runs."""


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Function that puts a GPU into this host, and cases to time on it."""
    monkeypatch.chdir(tmp_path)

    def with_gpu(name: str = "NVIDIA H200", cases: Any = USUAL) -> None:
        clock = Clock()
        timed = partial(run.measure, clock=clock, sleep=clock.sleep, cases=cases)
        monkeypatch.setattr(run, "measure", timed)
        monkeypatch.setattr(module, "measure", timed)
        for where in (measuring, module):
            monkeypatch.setattr(where, "_device" if where is measuring else "open_device", lambda: Gpu(clock, name))

    return with_gpu


def test_measure_writes_and_prints(host: Any, run_cli: Run) -> None:
    host()
    result = run_cli("measure", "--seconds", "10")
    assert result.exit_code == 0, result.stderr
    assert "planner-measure.json written" in result.stderr
    written = json.loads(Path("planner-measure.json").read_text())
    assert (written["accelerator"], written["schema"]) == ("h200-sxm-141gb", "planner-measure/1")
    assert written["source"] == f"planner measure {__version__}"
    # 268 MB in 80 us: 3.36 TB/s of 4.8.
    (copy,) = [line.split() for line in result.stdout.splitlines() if line.startswith("copy")]
    assert copy == ["copy", "3.36", "TB/s", "69.9", "%", "bandwidth", "700", "W"]
    assert "left out: all_reduces: one GPU is visible" in result.stdout
    again = run_cli("measure", "--seconds", "10")
    assert (again.exit_code, again.stdout) == (1, "")
    assert "--force" in again.stderr
    assert run_cli("measure", "--seconds", "10", "--force").exit_code == 0


def test_measure_on_a_new_device(host: Any, run_cli: Run) -> None:
    host("NVIDIA H900")
    result = run_cli("measure", "--seconds", "10", "--out", "new.json")
    assert result.exit_code == 1
    assert "unknown accelerator" in result.stderr
    assert json.loads(Path("new.json").read_text())["accelerator"] is None  # measured all the same
    named = run_cli("measure", "--seconds", "10", "--out", "named.json", "--accelerator", "h200")
    assert named.exit_code == 0
    assert json.loads(Path("named.json").read_text())["accelerator"] == "h200-sxm-141gb"


def test_a_wrong_id_is_refused_before_measuring(host: Any, run_cli: Run) -> None:
    host()
    result = run_cli("measure", "--accelerator", "h2000")
    assert result.exit_code == 1
    assert "Nearest" in result.stderr
    assert not list(Path().iterdir())


def test_an_interrupt_leaves_nothing(host: Any, run_cli: Run) -> None:
    host(cases=(Copy(2**28), Launch("graph")))
    result = run_cli("measure", "--seconds", "10")
    assert result.exit_code == 130
    assert not list(Path().iterdir())


def test_show_needs_no_gpu(run_cli: Run) -> None:
    result = run_cli("measure", "--show", SHIPPED)
    assert result.exit_code == 0
    assert "gemm_compute_efficiency" in result.stdout
    every = run_cli("measure", "--show", SHIPPED, "--all")
    assert len(every.stdout.splitlines()) > 2 * len(result.stdout.splitlines())


def test_json_has_the_file_and_its_scalars(run_cli: Run) -> None:
    answer = json.loads(run_cli("measure", "--show", SHIPPED, "--json").stdout)
    assert answer.keys() == {"accelerator", "measured", "scalars"}
    assert answer["measured"]["schema"] == "planner-measure/1"
    assert answer["scalars"][0].keys() == {"name", "scope", "value", "low", "high", "n"}


def test_show_refuses_what_it_cannot_read(run_cli: Run, tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text('{"schema": "planner-measure/9"}')
    result = run_cli("measure", "--show", str(path))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "'planner-measure/9'" in result.stderr


def test_without_torch(run_cli: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "torch", None)
    result = run_cli("measure")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "torch, which is not installed" in result.stderr
    assert not list(tmp_path.iterdir())


def test_without_a_gpu(run_cli: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    blind = SimpleNamespace(__version__="2.11", cuda=SimpleNamespace(is_available=lambda: False))
    monkeypatch.setitem(sys.modules, "torch", blind)
    result = run_cli("measure")
    assert result.exit_code == 1
    assert "torch 2.11 sees none here" in result.stderr


def test_with_torch_alone(host: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    host()
    monkeypatch.setattr(sys, "argv", ["measure", "--seconds", "10", "--out", "m.json"])
    assert module.main() == 0
    assert json.loads(Path("m.json").read_text())["accelerator"] is None
    assert module.main() == 1  # the file is there
    assert "--force" in capsys.readouterr().err
    host(cases=(Launch("graph"),))
    monkeypatch.setattr(sys, "argv", ["measure", "--out", "n.json"])
    assert module.main() == 130
    assert not Path("n.json").exists()


def test_torch_alone_is_enough() -> None:
    """The package imports nothing that a GPU host with torch might lack."""
    code = "import sys, planner.measure.__main__; print(*{name.partition('.')[0] for name in sys.modules})"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"click", "numpy", "pydantic", "rich", "scipy", "torch"} & set(run.stdout.split())
