"""Ask again when the page is not in the shade that its charts were drawn for: they carry their colours themselves.

Streamlit tells a script the theme but starts no run when a reader changes it, and may tell the wrong one at first.
"""

from __future__ import annotations

import streamlit as st

from planner.ui.session import dark

WATCH = """
let asked = '';
export default function ({ data, setTriggerValue }) {
  const page = document.querySelector('[data-testid="stApp"]') ?? document.body;
  document.documentElement.dataset.drawnFor = data.shade;
  const timer = setInterval(() => {
    const shade = getComputedStyle(page).colorScheme;
    if (shade === data.shade) asked = '';
    else if (shade !== asked) { asked = shade; setTriggerValue('shade', shade); }
  }, 300);
  return () => clearInterval(timer);
}
"""


def watch() -> None:
    """An empty element that starts a run once the page's shade is another than this run's."""
    watcher = st.components.v2.component("planner_shade", js=WATCH)
    watcher(key="shade", data={"shade": "dark" if dark() else "light"}, height=1, on_shade_change=_nothing)


def _nothing() -> None:
    """The run itself is what is asked for."""
