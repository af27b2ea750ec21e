"""Lines of a file that nobody has checked: one at a time, plain or gzipped, within limits."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from planner.errors import Message, Told, WorkloadError

GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Limits:
    """What a reader takes at most.

    Attributes
    ----------
    requests : requests of a trace; the simulation keeps each of them [-]
    file_bytes : of the text, unpacked [B]
    line_bytes : of one line [B]
    blocks : prefix blocks of all requests [-]
    """

    requests: int = 2_000_000
    file_bytes: int = 2_000_000_000
    line_bytes: int = 4_000_000
    blocks: int = 20_000_000


def lines(path: Path, limits: Limits) -> Iterator[str]:
    """Text lines with their ends; a file is never held as a whole.

    Raises
    ------
    WorkloadError
        For what cannot be read, is no text, or is longer than the limits allow.
    """
    try:
        size = path.stat().st_size
        if size > limits.file_bytes:
            whole = Message("{size:,} bytes", size=size)
            raise WorkloadError(_too_large(path, whole, limits))
        with path.open("rb") as raw:
            packed = raw.read(2) == GZIP
            raw.seek(0)
            if packed:
                with gzip.open(raw) as unpacked:
                    yield from _decoded(path, unpacked, limits)  # type: ignore[arg-type]
            else:
                yield from _decoded(path, raw, limits)
    except (OSError, EOFError, zlib.error) as error:
        raise WorkloadError("cannot read {path}: {reason}.", path=path.name, reason=error) from None


def _decoded(path: Path, file: BinaryIO, limits: Limits) -> Iterator[str]:
    total = number = 0
    while line := file.readline(limits.line_bytes + 1):
        number += 1
        total += len(line)
        if len(line) > limits.line_bytes:
            raise WorkloadError(
                "{file}, line {number}: longer than {line_bytes:,} bytes: not a trace.",
                file=path.name,
                number=number,
                line_bytes=limits.line_bytes,
            )
        if total > limits.file_bytes:
            more = Message("more than {size:,} bytes when unpacked", size=limits.file_bytes)
            raise WorkloadError(_too_large(path, more, limits))
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise WorkloadError(
                "{file}, line {number}: no UTF-8 text.\n  Give a CSV or JSONL file, plain or gzipped.",
                file=path.name,
                number=number,
            ) from None


def _too_large(path: Path, size: Told, limits: Limits) -> Told:
    return Message(
        "{file}: {size}. Allowed: {file_bytes:,} bytes and {requests:,} requests.\n"
        "  Keep times and token counts alone, or the busiest hours of it.",
        file=path.name,
        size=size,
        file_bytes=limits.file_bytes,
        requests=limits.requests,
    )
