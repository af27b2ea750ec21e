"""The command that times the GPU of this host: measure."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from planner.cli.output import print_table, say, wrapped
from planner.errors import Joined, Message, UnknownName

if TYPE_CHECKING:
    from planner.catalog import Catalog
    from planner.measure.run import Device, Report
    from planner.report.tables import TextTable
    from planner.schema import Measured


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("planner-measure.json"), show_default=True,
    help="File to write; `planner calibrate` reads it.",
)  # fmt: skip
@click.option("--seconds", type=click.FloatRange(10, 3600), default=90, show_default=True, help="About how long.")
@click.option("--accelerator", help="Catalog id of the device; default: found by the driver's name.")
@click.option("--force", is_flag=True, help="Replace a file that exists.")
@click.option("--show", type=click.Path(path_type=Path), help="Measure nothing: the tables of an earlier file.")
@click.option("--all", "every", is_flag=True, help="Every size in the table, not the ends alone.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout: the file, and the scalars it gives.")
def measure(
    out: Path, seconds: float, accelerator: str | None, force: bool, show: Path | None, every: bool, as_json: bool
) -> None:  # fmt: skip
    """Time the GPU of this host: bandwidth, matrix products, attention, collectives, power. Needs torch.

    A host that has torch and nothing else runs `python -m planner.measure`.
    """
    from planner.calibration.measured import read_measured
    from planner.catalog import load_catalog

    catalog = load_catalog()
    if show is None:
        _run(out, seconds, catalog.accelerator_id(accelerator) if accelerator else None, force, catalog)
        say(Message("{out} written", out=out), err=True)
    _print(read_measured(show or out), catalog, every, as_json)


def _run(out: Path, seconds: float, accelerator: str | None, force: bool, catalog: Catalog) -> None:
    from planner import __version__
    from planner.measure import files
    from planner.measure.run import measure as run

    files.check(out, force)
    device = _device()
    with _progress() as report:
        document = run(device, seconds, report)
    document["source"] += f" {__version__}"
    document["accelerator"] = accelerator or _found(catalog, document["device"]["name"])
    files.write(document, out)


def _device() -> Device:
    from planner.measure.kernels import open_device

    return open_device()


def _found(catalog: Catalog, name: str) -> str | None:
    """Catalog id of a device name; a new device is still worth measuring."""
    try:
        return catalog.accelerator_id(name)
    except UnknownName as unknown:
        note = Message("  The file is written without an id; name it with --accelerator.")
        say(Joined(unknown, note), err=True)
        return None


@contextlib.contextmanager
def _progress() -> Iterator[Report]:
    """A bar on stderr; stdout stays for the answer."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<44}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("opening the device", total=None)
        yield lambda done, total, what: bar.update(task, completed=done, total=total, description=what)


def _print(measured: Measured, catalog: Catalog, every: bool, as_json: bool) -> None:
    from planner.calibration.ceilings import ceilings
    from planner.calibration.measured import accelerator_of, ends, reached

    id = accelerator_of(measured, catalog)
    row = catalog.accelerators[id]
    found = ceilings(measured, row)
    if as_json:
        _print_json(measured, id, found)
        return
    rows = reached(measured, row)
    print_table(_reached_table(measured, id, rows if every else ends(rows)))
    if found:
        print_table(_scalar_table(found, catalog))
    for reason, what in _left_out(measured).items():
        more = f" and {len(what) - 1} more" if len(what) > 1 else ""
        click.echo(wrapped(f"left out: {what[0]}{more}: {reason}"))
    if measured.notes:
        click.echo(wrapped(measured.notes))


def _left_out(measured: Measured) -> dict[str, list[str]]:
    """What did not run, by reason."""
    by_reason: dict[str, list[str]] = {}
    for one in measured.left_out:
        by_reason.setdefault(one.reason, []).append(one.what)
    return by_reason


def _print_json(measured: Measured, id: str, found: Any) -> None:
    import json
    from dataclasses import asdict

    answer = {
        "accelerator": id,
        "measured": measured.model_dump(by_alias=True),
        "scalars": [asdict(one) for one in found],
    }
    click.echo(json.dumps(answer, indent=2))


def _reached_table(measured: Measured, id: str, rows: Any) -> TextTable:
    from planner.report.tables import TextTable
    from planner.units import percent

    cells = tuple(
        (
            one.kind,
            one.size,
            one.value,
            percent(one.share) if one.share is not None else "",
            one.of,
            f"{one.power_w:,.0f} W" if one.power_w is not None else "",
        )
        for one in rows
    )
    headings = ("What", "Size", "Reached", "Share", "of the catalog's", "Power")
    title = f"{measured.device.name} ({id}), {measured.source}, {measured.measured_on}"
    return TextTable(title, headings, cells, numeric_from=2)


def _scalar_table(found: Any, catalog: Catalog) -> TextTable:
    from planner.report.tables import TextTable

    def spelled(value: float | None) -> str:
        return "" if value is None else f"{value:.4g}"

    cells = []
    for one in found:
        row = catalog.calibration.get((one.name, one.scope))
        spread = f"{spelled(one.low)} … {spelled(one.high)}" if one.low is not None else ""
        planned = spelled(row.value) if row else "none"
        cells.append((one.name, one.scope or "everywhere", spelled(one.value), spread, str(one.n), planned))
    headings = ("Scalar", "Scope", "Measured", "Spread", "n", "calibration.csv")
    return TextTable("Scalars of the model, fitted to these measurements", headings, tuple(cells), numeric_from=2)
