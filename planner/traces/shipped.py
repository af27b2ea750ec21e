"""Traces, rates and lengths that ship with the planner: looked up by name, read when asked for."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from pathlib import Path
from typing import Literal

import numpy as np

from planner.catalog import Catalog
from planner.errors import CatalogError, UnknownName
from planner.models.traffic import Array, Blocks, RateProfile, Tokens, Trace
from planner.schema import TraceFile

Kind = Literal["requests", "rates", "lengths"]


def load_trace(name: str, catalog: Catalog) -> Trace:
    """Requests of a trace in the catalogs.

    Raises
    ------
    UnknownName
        If no trace has that name.
    """
    row = _row(name, catalog, "requests", "trace")
    text = _text(catalog.folder, row)
    if row.file.endswith(".jsonl.gz"):
        return _from_jsonl(name, text, row.block_tokens or 1)
    columns = _columns(text)
    return Trace(name, columns[0], columns[1].astype(np.int64), columns[2].astype(np.int64))


def load_profile(name: str, catalog: Catalog) -> RateProfile:
    """Rates over time of a profile in the catalogs; raises UnknownName."""
    row = _row(name, catalog, "rates", "rate profile")
    assert row.step_s is not None
    return RateProfile(name, row.step_s, _columns(_text(catalog.folder, row))[1])


def load_lengths(name: str, catalog: Catalog) -> tuple[Tokens, Tokens]:
    """Prompt and answer lengths, in pairs, of a list in the catalogs; raises UnknownName. [token]"""
    inputs, outputs = _columns(_text(catalog.folder, _row(name, catalog, "lengths", "list of lengths")))
    return inputs.astype(np.int64), outputs.astype(np.int64)


def check_files(catalog: Catalog) -> int:
    """Compare every file with its row: checksum and count. Returns how many there are.

    Raises
    ------
    CatalogError
        Naming the file and what differs.
    """
    for name, row in catalog.traces.items():
        found = hashlib.sha256(_bytes(catalog.folder, row)).hexdigest()
        if found != row.sha256:
            raise CatalogError(
                "traces.toml, [{name}]: {file} has the checksum {found}, not {sha256}.",
                name=name,
                file=row.file,
                found=found,
                sha256=row.sha256,
            )
        lines = _text(catalog.folder, row).count("\n") - (not row.file.endswith(".jsonl.gz"))
        if lines != row.rows:
            raise CatalogError(
                "traces.toml, [{name}]: {file} has {lines} rows, not {rows}.",
                name=name,
                file=row.file,
                lines=lines,
                rows=row.rows,
            )
    return len(catalog.traces)


def _row(name: str, catalog: Catalog, kind: Kind, what: str) -> TraceFile:
    known = {id: row for id, row in catalog.traces.items() if row.kind == kind}
    if name not in known:
        raise UnknownName(what, name, known, "planner catalog ls traces")
    return known[name]


def _bytes(folder: Path, row: TraceFile) -> bytes:
    try:
        return (folder / "traces" / row.file).read_bytes()
    except OSError as error:
        raise CatalogError(
            "cannot read catalog file {path}: {error}.", path=folder / "traces" / row.file, error=error
        ) from None


def _text(folder: Path, row: TraceFile) -> str:
    try:
        return gzip.decompress(_bytes(folder, row)).decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise CatalogError(
            "cannot read catalog file {path}: {error}.", path=folder / "traces" / row.file, error=error
        ) from None


def _columns(text: str) -> Array:
    return np.loadtxt(io.StringIO(text), delimiter=",", skiprows=1, ndmin=2).T


def _from_jsonl(name: str, text: str, block_tokens: int) -> Trace:
    rows = [json.loads(line) for line in text.splitlines()]
    starts = np.cumsum([0, *(len(row["hash_ids"]) for row in rows)], dtype=np.int64)
    ids = np.concatenate([np.asarray(row["hash_ids"], np.int64) for row in rows])
    return Trace(
        name,
        np.array([row["timestamp"] for row in rows]) / 1e3,
        np.array([row["input_length"] for row in rows], np.int64),
        np.array([row["output_length"] for row in rows], np.int64),
        Blocks(ids, starts, block_tokens),
    )
