"""A plan as files: the documents of a bundle, a folder or an archive of them.

The same plan and the same catalogs give the same bytes: no times, no random names, no order of a hash table.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from planner.bundle import validation
from planner.bundle.documents import substitute
from planner.bundle.documents.draft import Draft, Family, draft
from planner.bundle.documents.engine import image
from planner.bundle.documents.families import FAMILIES, written
from planner.bundle.documents.readme import readme
from planner.bundle.documents.subject import Subject, describe, dns_label
from planner.bundle.finding import Finding
from planner.bundle.lint import MANIFEST, check, manifest
from planner.catalog import Catalog
from planner.errors import Joined, Message, OutputError, PlannerError
from planner.schema import PlanResult

EARLIEST_IN_ZIP = (1980, 1, 1, 0, 0, 0)
READABLE = 0o100644 << 16  # mode of a regular file, where ZIP keeps it


def documents(result: PlanResult, rank: int, catalog: Catalog, left_out: Sequence[str] = ()) -> dict[str, bytes]:
    """All files of the bundle of a ranked plan, by relative path.

    Parameters
    ----------
    left_out : folders at the top that the reader does not want; the record of the plan says so.

    Raises
    ------
    PlannerError
        If there is no such plan, its servers cannot hold an engine of it, or its engine has no words for it.
    MissingFact
        If a figure that the documents need is not in the catalogs.
    OutputError
        If there is no room for the temporary files of a workbook.
    """
    subject = describe(result, rank, catalog)
    begun = draft(subject, catalog)
    files = {name: body for name, body in _written(begun).items() if name.partition("/")[0] not in left_out}
    for name, language in (("README.md", "en"), ("README.zh.md", "zh")):
        files[name] = readme(begun, language, _held(files), left_out).encode()
    files["plan.json"] = _json(_record(begun) | ({"left_out": sorted(left_out)} if left_out else {})).encode()
    files[validation.FILE] = validation.at_export(_checked(subject, files))
    files[MANIFEST] = manifest(files)
    return dict(sorted(files.items()))


def write_bundle(files: Mapping[str, bytes], out: Path, force: bool = False) -> None:
    """Write a bundle as a folder, whole or not at all.

    Parameters
    ----------
    out : folder to make; it may exist if it is empty.
    force : replace a folder that holds something; nothing of it stays.

    Raises
    ------
    OutputError
        If the folder holds something already, or cannot be written.
    """
    out = _plain(out)
    beside: Path | None = None
    made: list[Path] = []
    try:
        _refuse(out, force)
        made += [folder for folder in out.parents if not folder.exists()]
        out.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=".planner-", dir=out.parent))
        _fill(beside / "new", files)
        _swap(beside / "new", out, beside / "old")
    except OSError as error:
        kept = beside is not None and _lost(beside / "old", out)
        there = Message("What was there is in {folder}/old.", folder=beside)
        raise OutputError(
            "cannot write {out}: {reason}. {left}\n  Choose another folder with --out, or make room.",
            out=out,
            reason=error,
            left=there if kept else Message("Nothing was left there."),
        ) from None
    finally:
        if beside is not None and not _lost(beside / "old", out):
            shutil.rmtree(beside, ignore_errors=True)
        _remove_empty(made)


def bundle_zip(result: PlanResult, rank: int, catalog: Catalog) -> bytes:
    """The bundle as a ZIP archive with one folder."""
    return zipped(documents(result, rank, catalog), bundle_name(result, rank))


def zipped(files: Mapping[str, bytes], folder: str) -> bytes:
    """Files in one folder of a ZIP archive; stored, as compressors differ between machines."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for name, body in files.items():
            entry = zipfile.ZipInfo(f"{folder}/{name}", EARLIEST_IN_ZIP)
            entry.external_attr, entry.create_system = READABLE, 3  # 3: Unix, whatever this machine is
            archive.writestr(entry, body)
    return content.getvalue()


def bundle_name(result: PlanResult, rank: int) -> str:
    """Name for the folder of a bundle: LLM and accelerator."""
    plan = next(plan for plan in result.plans if plan.rank == rank)
    return f"{dns_label(plan.llm)}-{dns_label(plan.accelerator)}"


def _written(begun: Draft) -> dict[str, bytes]:
    try:
        return written(begun)
    except OSError as error:
        raise OutputError(
            "cannot write temporary files in {folder}: {reason}. Nothing was left.\n"
            "  Make room there, or set TMPDIR to another folder.",
            folder=tempfile.gettempdir(),
            reason=error,
        ) from None


def _record(begun: Draft) -> dict[str, Any]:
    """The plan and everything it rests on, less what the clock decides."""
    subject = begun.subject
    result, engine = subject.result, subject.engine
    return {
        "plan": json.loads(subject.plan.model_dump_json()),
        "workload": json.loads(result.workload.model_dump_json()),
        "catalogs": {
            "sha256": result.catalog_sha256,
            "as_of": result.catalog_as_of,
            "written_with_the_same": subject.same_catalogs,
        },
        "engine": {"id": subject.plan.engine, "version": engine.version, "image": image(subject)},
        "model": {
            "repository": subject.llm.hf_id,
            "published_weights": subject.llm.weights,
            "published_checkpoint": subject.published,
            "checkpoint_bytes": subject.checkpoint_bytes,
        },
        "backup": substitute.told(begun),
        "assumptions": [json.loads(assumption.model_dump_json()) for assumption in result.assumptions],
    }


def _held(files: Mapping[str, bytes]) -> list[Family]:
    """Families that this plan has a use for."""
    return [f for f in FAMILIES if any(name == f.place or name.startswith(f"{f.place}/") for name in files)]


def _checked(subject: Subject, files: Mapping[str, bytes]) -> list[Finding]:
    """What the rules say; a bundle that they refuse is not written."""
    findings = check(files)
    errors = [f"  {finding.file}: {finding.message}" for finding in findings if finding.severity == "error"]
    if errors:
        title = Message("{title} makes no valid bundle:", title=subject.plan.title)
        next_step = Message("  Choose another --plan.")
        raise PlannerError(Joined(title, *errors, next_step))
    return findings


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(out: Path) -> Path:
    """The folder without links and `..` on the way to it: while it is replaced, no way may lead through it."""
    place = Path(os.path.realpath(out.parent)) / out.name
    return Path(os.path.realpath(out)) if out.name in ("", "..") else place


def _lost(old: Path, out: Path) -> bool:
    """Whether the old folder could not be brought back: then it stays where it is."""
    return old.exists() and not out.exists()


def _refuse(out: Path, force: bool) -> None:
    if out.exists() and not out.is_dir():
        raise OutputError("{out} is a file.\n  Choose another folder with --out.", out=out)
    if not out.is_dir() or not any(out.iterdir()):
        return
    if not force:
        raise OutputError(
            "{out} exists and is not empty.\n  Choose another folder with --out, or replace it as a whole: --force.",
            out=out,
        )
    if _holds_us(out):
        raise OutputError(
            "{out} holds the folder that you are in, or your home: --force would remove all of it.\n"
            "  Choose another folder with --out.",
            out=out,
        )


def _holds_us(out: Path) -> bool:
    place = out.resolve()
    return any(place == here or place in here.parents for here in (Path.cwd(), Path.home().resolve()))


def _fill(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.mkdir()
    for name, content in files.items():
        parts = PurePosixPath(name).parts
        if ".." in parts or name.startswith("/"):
            raise OutputError("{name} leads out of the bundle.", name=name)
        path = folder.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _swap(new: Path, out: Path, old: Path) -> None:
    """Two renames within one folder; whatever stops us in between, the old folder comes back."""
    try:
        if out.exists():
            out.rename(old)
        new.rename(out)
    finally:
        if old.exists() and not out.exists():
            old.rename(out)


def _remove_empty(folders: list[Path]) -> None:
    """Take away the parents that were made on the way, if nothing came to lie in them."""
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return
