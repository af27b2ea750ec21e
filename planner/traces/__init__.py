"""Recorded requests, rates and lengths: those that ship, and those of users."""

from planner.traces.choose import choose_lengths, choose_profile, choose_trace, is_shipped
from planner.traces.read import read_profile, read_trace
from planner.traces.shipped import check_files, load_profile, load_trace

__all__ = [
    "check_files",
    "choose_lengths",
    "choose_profile",
    "choose_trace",
    "is_shipped",
    "load_profile",
    "load_trace",
    "read_profile",
    "read_trace",
]
