"""nvme-raid.sh destroys nothing that carries anything; the other scripts refuse what would mix or mislead."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from importlib import resources
from pathlib import Path

import pytest

from planner.bundle.documents import bench, host, triton
from planner.bundle.documents.draft import Draft, draft
from planner.bundle.documents.subject import describe
from planner.catalog import load_catalog
from planner.schema import PlanResult
from tests.bundle.clean import clean
from tests.golden.refresh import frozen_result

CATALOG = load_catalog()
SHIPPED = Path(str(resources.files("planner.bundle.shipped")))
TERABYTE = 10**12

# Stand-ins that know files of a folder as disks. They log what would change the machine.
LSBLK = """#!/bin/bash
device=${*: -1}
name=$(basename "$device")
case "$*" in
  *--output\\ TYPE*) [[ $name == part* ]] && echo part || echo disk ;;
  *--output\\ NAME\\ *) echo "$name"; [[ $name == split* ]] && echo "${name}p1"; true ;;
  *--output\\ MOUNTPOINT\\ *) [[ $name == mounted* ]] && echo /data; true ;;
  *--output\\ SIZE*) [[ $name == mute* ]] && echo "?" || echo 1000000000000 ;;
  *) echo "NAME MODEL SERIAL SIZE" ;;
esac
"""
LOGGED = """#!/bin/bash
echo "$(basename "$0") $*" >> "$LOG"
"""


def drafted(result: PlanResult) -> Draft:
    return draft(describe(result, 1, CATALOG), CATALOG)


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder with empty disks, and commands that touch nothing beyond it."""
    if shutil.which("wipefs") is None:
        pytest.skip("no wipefs: apt-get install util-linux")
    (tmp_path / "bin").mkdir()
    for name in ("lsblk", "mdadm", "mkfs.xfs", "systemctl"):
        path = tmp_path / "bin" / name
        path.write_text(LSBLK if name == "lsblk" else LOGGED)
        path.chmod(0o755)
    for name in ("a", "b", "c", "d", "split", "mounted", "mute", "part1"):
        with (tmp_path / name).open("wb") as disk:
            disk.truncate(2**20)
    return tmp_path


def raid(machine: Path, *arguments: str) -> tuple[int, str, list[str]]:
    """Exit code, what it said, and what would have changed the machine."""
    log = machine / "log"
    log.write_text("")
    environment = {
        **os.environ,
        "PATH": f"{machine / 'bin'}:{os.environ['PATH']}",
        "LOG": str(log),
        "MDADM_CONF": str(machine / "etc" / "mdadm.conf"),
        "MODELS": str(machine / "models"),
    }
    ran = subprocess.run(
        ["bash", str(SHIPPED / "nvme-raid.sh"), *arguments],
        cwd=machine,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.returncode, ran.stdout + ran.stderr, log.read_text().splitlines()


def test_it_shows_and_changes_nothing(machine: Path) -> None:
    code, said, done = raid(machine, "a", "b")
    assert code == 0 and done == []
    assert "Run it again with --yes" in said and "loses EVERYTHING" in said and "--level 10" in said
    assert "mdadm --create /dev/md/models --name=models --level=0 --raid-devices=2 --run -- a b" in said
    assert "1862 GiB" in said  # 2 x 10^12 B


def test_it_does_what_it_showed(machine: Path) -> None:
    code, said, done = raid(machine, "--yes", "--level", "10", "--needs", "1800", "a", "b", "c", "d")
    assert code == 0, said
    assert "EVERYTHING" not in said
    assert done == [
        "mdadm --create /dev/md/models --name=models --level=10 --raid-devices=4 --run -- a b c d",
        "mkfs.xfs -L models /dev/md/models",
        "mdadm --detail --scan /dev/md/models",
        "systemctl daemon-reload",
        "systemctl enable --now var-lib-models.mount",
    ]


SWAP = (1024, bytes.fromhex("01000000ff000000") + bytes(3054) + b"SWAPSPACE2")  # as mkswap writes a first page
PARTITIONS = (446, bytes.fromhex("80000200830000000100000000040000") + bytes(48) + b"\x55\xaa")  # DOS, one entry


@pytest.mark.parametrize(("at", "magic"), [SWAP, PARTITIONS], ids=["swap", "partitions"])
def test_it_refuses_what_carries_a_signature(machine: Path, at: int, magic: bytes) -> None:
    """The real wipefs looks; --yes changes nothing about it."""
    before = bytearray(2**20)
    before[at : at + len(magic)] = magic
    (machine / "b").write_bytes(before)
    code, said, done = raid(machine, "--yes", "a", "b")
    assert code == 1 and done == []
    assert "b carries data" in said and "wipefs --all b" in said
    assert (machine / "b").read_bytes() == bytes(before)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("a",), "at least 2 devices"),
        (("--level", "10", "a", "b", "c"), "at least 4 devices"),
        (("--level", "5", "a", "b"), "allowed are 0 and 10"),
        (("--level",), "needs a value"),
        (("--needs", "much", "a", "b"), "whole number"),
        (("--needs", "2000", "a", "b"), "the weights need 2000 GiB"),
        (("a", "./a"), "named twice"),
        (("a", "split"), "has partitions"),
        (("a", "mounted"), "is mounted at /data"),
        (("a", "part1"), "no whole disk"),
        (("a", "mute"), "does not tell its size"),
        (("a", "nowhere/x"), "no such device"),
        (("--force", "a", "b"), "unknown option"),
    ],
)
def test_it_refuses(machine: Path, arguments: tuple[str, ...], said: str) -> None:
    code, text, done = raid(machine, "--yes", *arguments)
    assert code == 1 and done == [] and said in text


def test_no_tool_no_action(machine: Path) -> None:
    (machine / "bin" / "mdadm").unlink()
    if shutil.which("mdadm"):
        pytest.skip("this machine has a real mdadm, which a test must not run into")
    code, said, done = raid(machine, "--yes", "a", "b")
    assert code == 1 and done == [] and "no mdadm" in said


def test_nothing_is_claimed_for_nvlink() -> None:
    draft = drafted(frozen_result("r1-h200-vllm"))
    files = host.write(draft)
    assert "NVLink" in str(files[host.SYSCTL]).splitlines()[0]
    for name in ("README.md", "README.zh.md"):
        page = str(files[f"host/{name}"])
        assert "NVLink" in page and "753" in page  # 627 GiB of weights and 20 %
        assert "37 µs" in page  # host_layer_s of the frozen plan


def test_other_vendors_get_no_nvidia_unit() -> None:
    result = frozen_result("r1-h200-vllm")
    plan = result.plans[0].model_copy(update={"accelerator": "mi300x-192gb"})
    assert not [n for n in host.write(drafted(result.model_copy(update={"plans": (plan,)}))) if "gpu" in n]


def test_every_setting_has_a_reason_and_the_kernel_keeps_it() -> None:
    """Where this machine has the setting, its value is a number of the same kind."""
    for row in host.SYSCTLS:
        assert len(row.reason) > 20
        path = Path("/proc/sys") / row.key.replace(".", "/")
        if path.exists():
            assert len(path.read_text().split()) == len(row.value.split()), row.key


# ---- Triton and the benchmark


def test_triton_takes_the_arguments_of_the_plan() -> None:
    draft = drafted(frozen_result("r1-h200-vllm"))
    found = triton.engine_arguments(draft.launch)
    assert found["tensor_parallel_size"] == draft.subject.plan.layout.tp
    assert found["gpu_memory_utilization"] == 0.92 and found["model"] == "deepseek-ai/DeepSeek-R1"
    assert not triton.SERVER_ONLY & found.keys()


def test_an_unnamed_checkpoint_is_asked_for() -> None:
    draft = drafted(frozen_result("r1-a100-int4"))
    files = triton.write(draft)
    text = "".join(str(content) for content in files.values())
    assert "$(MODEL)" not in text and "YOUR_CHECKPOINT" in text


def test_sglang_serves_itself() -> None:
    files = triton.write(drafted(frozen_result("r1-h200-sglang")))
    assert sorted(name for name in files if "model_repository" in name) == [
        "triton/model_repository/embedding/config.pbtxt"
    ]
    assert "has no backend for SGLang" in str(files["triton/README.md"])


def test_the_benchmark_runs_at_the_loads_of_the_plan() -> None:
    """63.4 sequences run on the plan's replica, a quarter is 16, and 147 is the most that keeps the promise."""
    draft = drafted(frozen_result("r1-h200-vllm"))
    assert bench.users(draft.subject) == [1, 16, 64, 147]
    pod = bench.job(draft.subject)["spec"]["template"]  # type: ignore[index]
    assert pod["metadata"]["labels"]["app.kubernetes.io/component"] == "benchmark"  # no Service chooses it


def shell(folder: Path, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(folder / script)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_scripts_pass_what_the_plan_says(tmp_path: Path) -> None:
    for name, content in bench.write(drafted(frozen_result("r1-h200-vllm"))).items():
        (tmp_path / Path(name).name).write_text(str(content))
    fake = tmp_path / "fake"
    fake.write_text(LOGGED)
    fake.chmod(0o755)
    here = {"AIPERF": str(fake), "PLANNER": str(fake), "LOG": str(tmp_path / "log"), "USERS": "", "RESULTS": ""}
    assert shell(tmp_path, "calibrate.sh", **here).returncode == 1
    assert shell(tmp_path, "aiperf.sh", **here).returncode == 0
    calls = (tmp_path / "log").read_text().splitlines()
    assert [re.search(r"--concurrency (\d+) --request-count (\d+)", call).groups() for call in calls] == [  # type: ignore[union-attr]
        ("1", "4"),
        ("16", "64"),
        ("64", "256"),
        ("147", "588"),
    ]
    assert "--isl 2000 --osl 1000" in calls[0] and "--model deepseek-r1 " in calls[0]
    (tmp_path / "results" / "users_1").mkdir(parents=True)
    (tmp_path / "results" / "users_1" / "profile_export_aiperf.json").write_text("{}")
    assert shell(tmp_path, "calibrate.sh", **here).returncode == 0
    last = (tmp_path / "log").read_text().splitlines()[-1]
    assert "--accelerator h200-sxm-141gb" in last and "--tp 2 --dp 4" in last and last.endswith("own.csv")
    assert shell(tmp_path, "aiperf.sh", **here).returncode == 1  # results are there


def test_two_pools_are_measured_and_nothing_learns_from_them() -> None:
    """`planner calibrate` refuses their sizes: no script calls it, and no page promises it but says why not."""
    files = {name: body.decode() for name, body in clean("r1-h200-two-pools").items() if name.endswith((".md", ".sh"))}
    files |= {name: str(body) for name, body in bench.write(drafted(frozen_result("r1-h200-two-pools"))).items()}
    assert "bench/aiperf.sh" in files and "bench/calibrate.sh" not in files
    assert "PLAN_LAYOUT" not in files["bench/plan.env"]
    assert sorted(name for name, body in files.items() if "calibrat" in body.replace("calibrated", "")) == [
        "bench/README.md",
        "bench/README.zh.md",
    ]
    assert "`planner calibrate` learns from set-ups in which one engine" in files["bench/README.md"]
