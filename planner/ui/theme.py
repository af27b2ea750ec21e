"""Ask again when the page is not in the shade that its charts were drawn for: they carry their colours themselves.

Streamlit tells a script the theme but starts no run when a reader changes it, and may tell the wrong one at first.
"""

from __future__ import annotations

import time

import streamlit as st

from planner.ui.session import dark

# A slow browser keeps elements of earlier runs for a while: only the newest run counts, one timer looks, and for one
# shade of the page no more than a few runs are asked for, whatever they answer.
WATCH = """
const EVERY_MS = 300, AGAIN_MS = 3000, MOST = 3;
let newest = 0, timer, seen = '', asked = 0, askedAt = 0;
export default function ({ data, setTriggerValue }) {
  if (data.at_ms < newest) return;
  newest = data.at_ms;
  const page = document.querySelector('[data-testid="stApp"]') ?? document.body;
  document.documentElement.dataset.drawnFor = data.shade;
  clearInterval(timer);
  const own = timer = setInterval(() => {
    const shade = getComputedStyle(page).colorScheme;
    if (shade !== seen) { seen = shade; asked = askedAt = 0; }
    if (shade === document.documentElement.dataset.drawnFor || asked === MOST) return;
    if (Date.now() - askedAt < AGAIN_MS) return;
    asked += 1;
    askedAt = Date.now();
    setTriggerValue('shade', shade);
  }, EVERY_MS);
  return () => clearInterval(own);
}
"""


def watch() -> None:
    """An empty element that starts a run once the page's shade is another than this run's."""
    watcher = st.components.v2.component("planner_shade", js=WATCH)
    told = {"shade": "dark" if dark() else "light", "at_ms": time.time_ns() // 1_000_000}
    watcher(key="shade", data=told, height=1, on_shade_change=_nothing)


def _nothing() -> None:
    """The run itself is what is asked for."""
