"""What every document of a bundle is written from, and a family of documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from planner.bundle.documents.engine import Launch
from planner.bundle.documents.subject import Subject
from planner.catalog import Catalog

Files = Mapping[str, str | bytes]


@dataclass(frozen=True)
class Draft:
    """The plan with its catalog rows, how its engine starts, and the catalogs for whatever else a document tells."""

    subject: Subject
    launch: Launch
    catalog: Catalog


@dataclass(frozen=True)
class Family:
    """Documents with one purpose.

    Attributes
    ----------
    place : folder or file in the bundle, as the README lists it
    about : what it is for, by language
    write : files by their path in the bundle; empty where the plan has no use for them
    """

    place: str
    about: Mapping[str, str]
    write: Callable[[Draft], Files]
