"""Whose things these are: nobody's in particular, or, where a login is configured, whoever logged in."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import streamlit as st

from planner.errors import PlannerError

MOST_OWNER = 254


def configured(section: str) -> Mapping[str, Any]:
    """A section of the secrets file, empty where there is none; nothing of it is ever shown."""
    try:
        found = st.secrets.get(section, {})
    except FileNotFoundError:
        return {}
    return found if isinstance(found, Mapping) else {}


def owner() -> str:
    """Whose saved questions these are: issuer and subject of the login, which never change hands; empty without one.

    Raises
    ------
    PlannerError
        For a login without a subject: its questions would be everybody's.
    """
    if not configured("auth"):
        return ""
    issuer, subject = str(st.user.get("iss") or ""), str(st.user.get("sub") or "")
    if not st.user.get("is_logged_in") or not subject:
        raise PlannerError("the login names no subject (sub).\n  Ask for the scope openid at the provider.")
    name = f"{issuer} {subject}"
    return name if len(name) <= MOST_OWNER else hashlib.sha256(name.encode()).hexdigest()
