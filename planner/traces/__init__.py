"""Traces from the catalogs and from files."""

from planner.traces.shipped import check_files, load_profile, load_trace

__all__ = ["check_files", "load_profile", "load_trace"]
