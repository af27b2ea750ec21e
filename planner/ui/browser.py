"""What the browser says of a run."""

from __future__ import annotations

from streamlit.runtime.scriptrunner import get_script_run_ctx


def went_back() -> bool:
    """Whether the browser's own Back or Forward asked for this run: then the address says what to show."""
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation
