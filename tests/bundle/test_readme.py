"""READMEs name the fleet, and are of the parts that are there."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.bundle.lint import lint
from planner.bundle.write import documents, write_bundle
from planner.catalog import load_catalog
from tests.golden.refresh import frozen_result


@pytest.mark.parametrize("left_out", [("engine",), ("k8s",), ("host", "monitoring"), ("engine", "k8s", "procurement")])
def test_chosen_parts_are_a_whole_bundle(tmp_path: Path, left_out: tuple[str, ...]) -> None:
    """Manifest, READMEs and verdicts are of what is there; the record names what is not."""
    chosen = documents(frozen_result("r1-h200-vllm"), 1, load_catalog(), left_out)
    assert not {name.partition("/")[0] for name in chosen} & set(left_out)
    write_bundle(chosen, tmp_path / "out")
    assert [finding for finding in lint(tmp_path / "out") if finding.severity == "error"] == []
    assert not any(f"| `{folder}" in chosen["README.md"].decode() for folder in left_out)
    assert f"Left out at the export: `{left_out[0]}`" in chosen["README.md"].decode()
    assert ("kubectl apply -k k8s/base" in chosen["README.zh.md"].decode()) == ("k8s" not in left_out)


def test_a_part_that_got_lost_is_still_an_error(tmp_path: Path) -> None:
    """Only a folder that the export left out may be missing."""
    chosen = documents(frozen_result("r1-h200-vllm"), 1, load_catalog(), ("engine",))
    write_bundle({name: body for name, body in chosen.items() if not name.startswith("k8s/")}, tmp_path / "out")
    assert {"manifest", "gpu-total"} <= {f.rule for f in lint(tmp_path / "out") if f.severity == "error"}


@pytest.mark.parametrize(
    ("replicas", "spares", "title", "fleet"),
    [
        (3, 2, "5 × 8 NVIDIA H200 SXM 141GB, FP8", "3 replicas and 2 spares of 8 × NVIDIA H200 SXM 141GB, 40 acc"),
        (1, 0, "8 × NVIDIA H200 SXM 141GB, FP8", "1 replica and no spare of 8 × NVIDIA H200 SXM 141GB, 8 acc"),
    ],
)
def test_the_pages_name_the_fleet(replicas: int, spares: int, title: str, fleet: str) -> None:
    """The price is of all replicas, so the title is, too."""
    counts = {"replicas": replicas, "spares": spares, "gpus_total": (replicas + spares) * 8}
    result = frozen_result("r1-h200-vllm")
    plan = result.plans[0].model_copy(update=counts)
    files = documents(result.model_copy(update={"plans": (plan,)}), 1, load_catalog())
    page = files["README.md"].decode()
    assert page.startswith(f"# DeepSeek-R1: {title}") and fleet in page
    assert fleet.partition(",")[0] in files["RUNBOOK.md"].decode()
