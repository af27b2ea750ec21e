"""One line of JSON per answer, to standard error: page, duration, outcome, class of the error. Never what was asked.

A failure that nobody expected is a line, too: its class and the lines of code that led there. Its message could
hold somebody's figures, so only PLANNER_LOG=full writes it.
"""

from __future__ import annotations

import json
import logging
import os
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path

from streamlit.runtime.scriptrunner import RerunException, StopException

LOGGER = logging.getLogger("planner.ui")
UNCAUGHT = "streamlit.error_util"  # says what a script did not catch
FULL = "full"
_refusal: ContextVar[str] = ContextVar("refusal", default="")


class _Json(logging.Formatter):
    """A record's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        return json.dumps({"time": when, "level": record.levelname.lower(), **getattr(record, "fields", {})})


def _uncaught(record: logging.LogRecord) -> bool:
    """Write what a script did not catch as a line of ours, in place of Streamlit's traceback with its message."""
    kind, error, trace = record.exc_info or (None, None, None)
    frames = [f"{Path(one.filename).name}:{one.lineno} {one.name}" for one in traceback.extract_tb(trace)]
    said = {"message": str(error)} if os.environ.get("PLANNER_LOG") == FULL else {}
    fields = {"event": "uncaught", "error": kind.__name__ if kind else "", "frames": frames, **said}
    LOGGER.error("", extra={"fields": fields})
    return False


def set_up() -> None:
    """Send lines to standard error, once; Streamlit may replace its own handlers, so its logger gets a filter."""
    if not LOGGER.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(_Json())
        LOGGER.addHandler(handler)
        LOGGER.setLevel(logging.INFO)
        LOGGER.propagate = False
        logging.getLogger(UNCAUGHT).addFilter(_uncaught)


def refused(kind: str) -> None:
    """Say that the question of this run has no answer: the class of the refusal, never its message."""
    _refusal.set(kind)


def lost(kind: str) -> None:
    """Say that a process that simulates is gone."""
    LOGGER.warning("", extra={"fields": {"event": "simulator lost", "error": kind}})


@contextmanager
def observed(page: str) -> Iterator[None]:
    """Log one run of a page."""
    start, outcome, kind = time.perf_counter(), "answered", ""
    _refusal.set("")
    try:
        yield
        kind = _refusal.get()
        outcome = "refused" if kind else outcome
    except RerunException:
        outcome = "rerun"
        raise
    except StopException:
        outcome = "stopped"
        raise
    except Exception as error:
        outcome, kind = "failed", type(error).__name__
        raise
    finally:
        fields = {"event": "page", "page": page, "seconds": round(time.perf_counter() - start, 4), "outcome": outcome}
        LOGGER.info("", extra={"fields": {**fields, **({"error": kind} if kind else {})}})
