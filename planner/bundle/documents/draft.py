"""What every document of a bundle is written from, and a family of documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from planner.bundle.documents.backup import Backup, backup
from planner.bundle.documents.engine import Launch, Start, starts
from planner.bundle.documents.subject import Subject
from planner.catalog import Catalog

Files = Mapping[str, str | bytes]


@dataclass(frozen=True)
class Draft:
    """The plan with its catalog rows, how its engines start, and the catalogs for whatever else a document tells.

    Attributes
    ----------
    spare : the smaller LLM that answers while no replica is up; None where the catalogs hold none
    """

    subject: Subject
    starts: tuple[Start, ...]
    catalog: Catalog
    spare: Backup | None = None

    @property
    def launch(self) -> Launch:
        """The engine that answers: the only one, or that of the decode pool."""
        return self.starts[-1].leader


def draft(subject: Subject, catalog: Catalog) -> Draft:
    """Begin the documents of a plan.

    Raises
    ------
    PlannerError
        For an engine without a writer, or a layout that the engine has no words for.
    """
    return Draft(subject, starts(subject), catalog, backup(subject, catalog))


@dataclass(frozen=True)
class Family:
    """Documents with one purpose.

    Attributes
    ----------
    place : folder or file in the bundle, as the README lists it
    about : what it is for, by language
    write : files by their path in the bundle; empty where the plan has no use for them
    about_pools : what it is for in a plan of two pools, where that differs
    """

    place: str
    about: Mapping[str, str]
    write: Callable[[Draft], Files]
    about_pools: Mapping[str, str] | None = None
