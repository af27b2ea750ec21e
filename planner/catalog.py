"""The facts: read once, validated, looked up by name, passed down.

A file is read when it is first asked for, so a plan pays only for what it uses;
`planner catalog check` reads all of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

from planner.assets import catalogs_dir
from planner.errors import CatalogError, Message, MissingFact, OutputError, Told, UnknownName
from planner.overlay import KERNEL_RATIO, Names, kernel_scope, read_overlay
from planner.schema import (
    Accelerator,
    ApiPrice,
    CatalogInfo,
    Cpu,
    Drive,
    Engine,
    Harness,
    HeldRate,
    Instance,
    KernelRatio,
    Llm,
    NetworkItem,
    OwnedHour,
    Parameter,
    Price,
    Purchase,
    Server,
    Site,
    SiteMetric,
    Sourced,
    SpotAdvice,
    SpotPair,
    SpotRecord,
    TraceFile,
    WeightPrecision,
)
from planner.tabular import read_csv, read_table, read_toml

FILES: dict[str, type[Sourced]] = {
    "accelerators.toml": Accelerator,
    "llms.toml": Llm,
    "engines.toml": Engine,
    "harnesses.csv": Harness,
    "kernel_ratios.csv": KernelRatio,
    "cpus.csv": Cpu,
    "drives.csv": Drive,
    "network.csv": NetworkItem,
    "servers.csv": Server,
    "instances.csv": Instance,
    "prices.csv": Price,
    "purchase_prices.csv": Purchase,
    "owned_hours.csv": OwnedHour,
    "api_prices.csv": ApiPrice,
    "sites.csv": Site,
    "site_metrics.csv": SiteMetric,
    "spot.csv": SpotRecord,
    "spot_pairs.csv": SpotPair,
    "spot_advisor.csv": SpotAdvice,
    "calibration.csv": Parameter,
    "traces.toml": TraceFile,
    "held_rates.csv": HeldRate,
}


def load_catalog(path: Path | None = None) -> Catalog:
    """Open the catalogs in a folder, by default those that ship with the planner.

    Raises
    ------
    CatalogError
        If the folder is not there.
    """
    folder = path or catalogs_dir()
    if not (folder / "catalog.toml").is_file():
        raise CatalogError("no catalogs in {folder}: catalog.toml is missing.", folder=folder)
    return Catalog(folder)


class Catalog:
    """All catalog rows of one folder."""

    def __init__(self, folder: Path):
        self.folder = folder

    @cached_property
    def about(self) -> CatalogInfo:
        """When the catalogs were closed, and their version."""
        return read_table(self.folder / "catalog.toml", CatalogInfo)

    @property
    def as_of(self) -> date:
        """Day on which the catalogs were closed; ages of prices count from here."""
        return self.about.as_of

    @cached_property
    def sha256(self) -> str:
        """Hash over names and bytes of all catalog files."""
        digest = hashlib.sha256()
        for file in self.files():
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
        return digest.hexdigest()

    def files(self) -> list[Path]:
        """Files that hold facts, in a fixed order."""
        return sorted(p for p in self.folder.iterdir() if p.suffix in {".toml", ".csv"})

    @cached_property
    def accelerators(self) -> dict[str, Accelerator]:
        return read_toml(self.folder / "accelerators.toml", Accelerator)

    @cached_property
    def llms(self) -> dict[str, Llm]:
        return read_toml(self.folder / "llms.toml", Llm)

    @cached_property
    def engines(self) -> dict[str, Engine]:
        return read_toml(self.folder / "engines.toml", Engine)

    @cached_property
    def harnesses(self) -> dict[str, Harness]:
        return {row.id: row for row in read_csv(self.folder / "harnesses.csv", Harness)}

    @cached_property
    def kernel_ratios(self) -> dict[tuple[str, str, str], KernelRatio]:
        rows = read_csv(self.folder / "kernel_ratios.csv", KernelRatio)
        return {(row.name, row.scope, row.architecture): row for row in rows}

    @cached_property
    def cpus(self) -> dict[str, Cpu]:
        return {row.id: row for row in read_csv(self.folder / "cpus.csv", Cpu)}

    @cached_property
    def drives(self) -> dict[str, Drive]:
        return {row.id: row for row in read_csv(self.folder / "drives.csv", Drive)}

    @cached_property
    def network(self) -> dict[str, NetworkItem]:
        return {row.id: row for row in read_csv(self.folder / "network.csv", NetworkItem)}

    @cached_property
    def servers(self) -> dict[str, Server]:
        return {row.id: row for row in read_csv(self.folder / "servers.csv", Server)}

    @cached_property
    def sites(self) -> dict[str, Site]:
        return {row.id: row for row in read_csv(self.folder / "sites.csv", Site)}

    @cached_property
    def site_metrics(self) -> tuple[SiteMetric, ...]:
        return read_csv(self.folder / "site_metrics.csv", SiteMetric)

    @cached_property
    def instances(self) -> tuple[Instance, ...]:
        return read_csv(self.folder / "instances.csv", Instance)

    @cached_property
    def prices(self) -> tuple[Price, ...]:
        return read_csv(self.folder / "prices.csv", Price)

    @cached_property
    def purchases(self) -> tuple[Purchase, ...]:
        return read_csv(self.folder / "purchase_prices.csv", Purchase)

    @cached_property
    def owned_hours(self) -> tuple[OwnedHour, ...]:
        return read_csv(self.folder / "owned_hours.csv", OwnedHour)

    @cached_property
    def api_prices(self) -> tuple[ApiPrice, ...]:
        return read_csv(self.folder / "api_prices.csv", ApiPrice)

    @cached_property
    def spot(self) -> tuple[SpotRecord, ...]:
        return read_csv(self.folder / "spot.csv", SpotRecord)

    @cached_property
    def spot_pairs(self) -> tuple[SpotPair, ...]:
        return read_csv(self.folder / "spot_pairs.csv", SpotPair)

    @cached_property
    def spot_advice(self) -> tuple[SpotAdvice, ...]:
        return read_csv(self.folder / "spot_advisor.csv", SpotAdvice)

    @cached_property
    def traces(self) -> dict[str, TraceFile]:
        return read_toml(self.folder / "traces.toml", TraceFile)

    @cached_property
    def held_rates(self) -> tuple[HeldRate, ...]:
        return read_csv(self.folder / "held_rates.csv", HeldRate)

    @cached_property
    def rented(self) -> dict[str, list[tuple[Price, int]]]:
        """Newest usable prices by accelerator, in catalog order, with the whole accelerators of the unit."""
        shapes = {(i.provider, i.instance_type): i for i in self.instances}
        found: dict[str, list[tuple[Price, int]]] = {}
        for price in newest(p for p in self.prices if p.usable):
            shape = shapes.get((price.provider, price.instance_type))
            if shape is not None and shape.accelerator and shape.accelerators and shape.accelerators >= 1:
                found.setdefault(shape.accelerator, []).append((price, int(shape.accelerators)))
        return found

    @cached_property
    def calibration(self) -> dict[tuple[str, str], Parameter]:
        rows = read_csv(self.folder / "calibration.csv", Parameter)
        return {(row.name, row.scope): row for row in rows}

    def calibrated(self, values: Mapping[tuple[str, str], float]) -> Catalog:
        """The same facts with other calibration values; rows keep their provenance. For fitting."""
        return self.with_rows(self.calibration[k].model_copy(update={"value": value}) for k, value in values.items())

    def with_rows(self, rows: Iterable[Parameter]) -> Catalog:
        """The same facts with some calibration rows replaced or added."""
        other = Catalog(self.folder)
        other.__dict__.update(self.__dict__)
        other.__dict__["calibration"] = {**self.calibration, **{(row.name, row.scope): row for row in rows}}
        return other

    def with_facts(self, why: str, **facts: Any) -> Catalog:
        """The same facts with whole files replaced, by property, such as `sites`; another hash, too. For what-if.

        Parameters
        ----------
        why : what was changed; the hash of the answer counts it.
        """
        other = Catalog(self.folder)
        other.__dict__.update({**self.__dict__, **facts})
        other.__dict__.pop("rented", None)  # made of prices and instances, which may be others now
        other.__dict__["sha256"] = hashlib.sha256(f"{self.sha256}\0{why}".encode()).hexdigest()
        return other

    def with_calibration(self, path: Path) -> Catalog:
        """The same facts under a user's own figures, as `planner calibrate` writes them; another hash, too.

        Raises
        ------
        CatalogError
            Naming file, line, column, value and what is allowed.
        """
        names = Names(self.accelerators, get_args(WeightPrecision), self.llms, self.engines)
        other = self.with_rows(read_overlay(path, names))
        other.__dict__["sha256"] = hashlib.sha256(self.sha256.encode() + path.read_bytes()).hexdigest()
        return other

    def everything(self) -> dict[str, Mapping[str, Sourced]]:
        """Every row of every file by kind, keyed for people; reads all files."""
        _ = self.about
        keyed: dict[str, Mapping[str, Sourced]] = {
            "accelerators": self.accelerators,
            "llms": self.llms,
            "engines": self.engines,
            "harnesses": self.harnesses,
            "kernel-ratios": {"/".join(filter(None, key)): row for key, row in self.kernel_ratios.items()},
            "cpus": self.cpus,
            "drives": self.drives,
            "network": self.network,
            "servers": self.servers,
            "sites": self.sites,
            "instances": {f"{r.provider}/{r.instance_type}": r for r in self.instances},
            "calibration": {f"{n}/{s}" if s else n: r for (n, s), r in self.calibration.items()},
            "traces": self.traces,
        }
        numbered: dict[str, tuple[Sourced, ...]] = {
            "prices": self.prices,
            "purchases": self.purchases,
            "owned-hours": self.owned_hours,
            "api-prices": self.api_prices,
            "site-metrics": self.site_metrics,
            "held-rates": self.held_rates,
            "spot": self.spot,
            "spot-pairs": self.spot_pairs,
            "spot-advice": self.spot_advice,
        }
        for kind, rows in numbered.items():
            keyed[kind] = {str(number): row for number, row in enumerate(rows, 2)}
        return keyed

    def find(self, name: str) -> tuple[str, str, Sourced]:
        """Kind, id and row of any name or synonym; raises UnknownName."""
        everything = self.everything()
        for kind, rows in everything.items():
            if name in rows and not name.isdigit():
                return kind, name, rows[name]
        for kind in ("accelerators", "llms", "engines"):
            try:
                id = _resolve(kind, name, everything[kind], "", "")
            except UnknownName:
                continue
            return kind, id, everything[kind][id]
        known = [id for kind, rows in everything.items() for id in rows if not id.isdigit()]
        raise UnknownName(
            "catalog row", name, known, Message("planner catalog ls KIND, such as accelerators, cpus or network")
        )

    def accelerator_id(self, name: str, where: str | Told = "") -> str:
        """Resolve an accelerator name or synonym; raises UnknownName."""
        return _resolve("accelerator", name, self.accelerators, "planner catalog ls accelerators", where)

    def llm_id(self, name: str, where: str | Told = "") -> str:
        """Resolve an LLM name or synonym; raises UnknownName."""
        return _resolve("llm", name, self.llms, "planner catalog ls llms", where)

    def cpu_id(self, name: str, where: str | Told = "") -> str:
        """Resolve a host processor; raises UnknownName."""
        return _resolve("cpu", name, self.cpus, "planner catalog ls cpus", where)

    def drive_id(self, name: str, where: str | Told = "") -> str:
        """Resolve a drive; raises UnknownName."""
        return _resolve("drive", name, self.drives, "planner catalog ls drives", where)

    def engine_id(self, name: str, where: str | Told = "") -> str:
        """Resolve an engine name or synonym; raises UnknownName."""
        return _resolve("engine", name, self.engines, "planner catalog ls engines", where)

    def site(self, name: str, where: str | Told = "") -> Site:
        """Look up a site; raises UnknownName."""
        return self.sites[_resolve("site", name, self.sites, "planner catalog ls sites", where)]

    def parameter(self, name: str, scope: str = "") -> Parameter:
        """A model parameter for a scope, else the one that holds everywhere.

        Raises
        ------
        MissingFact
            If neither is in calibration.csv.
        """
        row = self.calibration.get((name, scope)) or self.calibration.get((name, ""))
        if row is None:
            raise MissingFact("calibration.csv", name, Message("the model"), Message("Add the row with its source."))
        return row

    def kernel_ratio(self, name: str, scope: str, id: str) -> float:
        """What kernels reach on an accelerator over those of Hopper; 1 where nobody timed them.

        The user's own measurement of it counts first, then that of its architecture.
        """
        own = self.calibration.get((KERNEL_RATIO, kernel_scope(id, name, scope)))
        if own is not None:
            return own.value
        accelerator = self.accelerators[id]
        family = accelerator.architecture.removesuffix(" + Grace").removesuffix(" Ultra")
        row = self.kernel_ratios.get((name, scope, family))
        return 1.0 if row is None else row.value


def newest(prices: Iterable[Price]) -> list[Price]:
    """Of several dated prices of one thing, the newest; in catalog order."""
    latest: dict[tuple[str, str, str, str, str], Price] = {}
    for price in prices:
        key = (price.provider, price.instance_type, price.region, price.zone, price.term)
        if key not in latest or price.dated >= latest[key].dated:
            latest[key] = price
    return list(latest.values())


def _resolve(kind: str, name: str, rows: Mapping[str, Sourced], list_command: str, where: str | Told) -> str:
    asked = name.strip().lower().replace("_", "-").replace(" ", "-")
    if asked in rows:
        return asked
    for id, row in rows.items():
        if asked in getattr(row, "aliases", ()):
            return id
    known = [*rows, *(alias for row in rows.values() for alias in getattr(row, "aliases", ()))]
    raise UnknownName(kind, name, known, list_command, where)


def add_llm(file: Path, entry: str) -> None:
    """Append an LLM entry to an llms.toml; nothing changes if the whole file would not be valid.

    Raises
    ------
    CatalogError, OutputError
    """
    before = file.read_text(encoding="utf-8") if file.is_file() else ""
    beside = file.with_name(f".{file.name}.new")
    try:
        beside.write_text(f"{before.rstrip()}\n\n{entry}".lstrip(), encoding="utf-8")
        read_toml(beside, Llm)
        beside.replace(file)
    except OSError as error:
        raise OutputError("cannot write {path}: {reason}.", path=file, reason=error) from None
    finally:
        beside.unlink(missing_ok=True)
