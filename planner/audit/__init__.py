"""Stated figures recomputed: which hold, which contradict physics, and what they should be."""

from planner.audit.claims import read_claims, template
from planner.audit.document import write
from planner.audit.verdicts import audit

__all__ = ["audit", "read_claims", "template", "write"]
