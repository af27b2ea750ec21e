"""Learn from `planner measure`: what a user's own device reaches, over the device that the fit is anchored on.

The fitted shares absorb more than kernels (software, waiting), so a device's own shares cannot stand in their
place; what it reaches over a Hopper device that the same program timed can: it multiplies them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np

from planner.calibration.ceilings import Ceiling, ceilings
from planner.calibration.measured import accelerator_of, read_measured
from planner.catalog import Catalog
from planner.errors import WorkloadError
from planner.overlay import KERNEL_RANGE, KERNEL_RATIO, KERNELS, kernel_scope
from planner.schema import BenchmarkSource, Calibrated, LearnedScalar, Measured, Parameter

REFERENCE = "h200-sxm-141gb"
TOOL = "planner measure"


def learn_device(paths: Sequence[Path], catalog: Catalog, asked: str = "") -> tuple[Calibrated, tuple[Parameter, ...]]:
    """Ratios of one accelerator's kernels to those of the reference device.

    Parameters
    ----------
    paths : files of `planner measure` of one accelerator; of several boards, the geometric mean counts.
    asked : the accelerator as the user named it, which the files must be of; empty: whatever they are of.

    Returns
    -------
    (Calibrated, tuple of Parameter)
        Before and after, and the rows of a file of own figures.

    Raises
    ------
    PlannerError
        For files that cannot be read, are of several accelerators, or share no kernel with the reference.
    """
    files = [read_measured(path) for path in paths]
    ids = {accelerator_of(one, catalog) for one in files}
    if len(ids) > 1:
        raise WorkloadError("the files are of {ids}.\n  Give files of one accelerator.", ids=" and ".join(sorted(ids)))
    (id,) = ids
    if asked and catalog.accelerator_id(asked, "--accelerator") != id:
        raise WorkloadError(
            "the files are of {id}; --accelerator says {asked}.\n  Leave the option out.", id=id, asked=asked
        )
    reference = read_measured(catalog.folder / "measured" / "ceilings" / f"{REFERENCE}.json")
    against = _by_key(reference, REFERENCE, catalog)
    found = [_by_key(one, id, catalog) for one in files]
    shared = [key for key in against if all(key in one for one in found)]
    if not shared:
        raise WorkloadError(
            "nothing to learn from: no kernel was timed there and on the reference device.\n"
            "  Measure again: planner measure --out FILE."
        )
    rows = tuple(_row(key, [one[key] for one in found], against[key], id, paths) for key in shared)
    return _answer(rows, catalog, id, files, paths), rows


def _by_key(measured: Measured, id: str, catalog: Catalog) -> dict[tuple[str, str], Ceiling]:
    found = ceilings(measured, catalog.accelerators[id])
    return {(c.name, _scope(c)): c for c in found if c.name in KERNELS}


def _scope(ceiling: Ceiling) -> str:
    """Scope as placements ask for it: expert kernels without a precision are those of 16 bit."""
    return "bf16" if ceiling.name.startswith("moe_") and not ceiling.scope else ceiling.scope


def _row(key: tuple[str, str], own: Sequence[Ceiling], reference: Ceiling, id: str, paths: Sequence[Path]) -> Parameter:
    ratio = float(np.exp(np.mean([np.log(c.value / reference.value) for c in own])))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:12]
    names = ", ".join(path.name for path in paths)
    return Parameter.model_validate(
        {
            "name": KERNEL_RATIO,
            "scope": kernel_scope(id, *key),
            "value": float(np.clip(ratio, *KERNEL_RANGE)),
            "kind": "measured",
            "meaning": f"{key[0]} over that of {REFERENCE}, both timed alone",
            "dataset": f"{names} {digest}",
            "n": sum(c.n for c in own),
            "source": f"own measurement with {TOOL}: {names}",
            "source_date": date.today().isoformat(),
            "confidence": "medium",
        }
    )


def _answer(
    rows: Sequence[Parameter], catalog: Catalog, id: str, files: Sequence[Measured], paths: Sequence[Path]
) -> Calibrated:
    scalars = []
    for row in rows:
        _, name, scope = row.scope.split("|")
        before = catalog.kernel_ratio(name, scope, id)
        scalars.append(
            LearnedScalar(
                name=f"{name} {scope}".strip(), scope=row.scope, meaning=row.meaning,
                before=before, after=row.value, n=row.n or 0,
            )
        )  # fmt: skip
    sources = tuple(
        BenchmarkSource(
            name=path.name, sha256=hashlib.sha256(path.read_bytes()).hexdigest(), tool=TOOL, version=one.version,
            model=one.device.name, date=one.measured_on, runs=1,
        )
        for path, one in zip(paths, files, strict=True)
    )  # fmt: skip
    return Calibrated(
        catalog_sha256=catalog.sha256, setup={"accelerator": id}, files=sources, points=(), scalars=tuple(scalars),
        scores=(), out=None,
    )  # fmt: skip
