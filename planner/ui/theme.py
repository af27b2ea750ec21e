"""Ask again when the reader's page turns light or dark: charts carry their colours, and Streamlit alone keeps them."""

from __future__ import annotations

import streamlit as st

WATCH = """
export default function ({ parentElement, setTriggerValue }) {
  const page = document.querySelector('[data-testid="stApp"]') ?? document.body;
  const shade = () => getComputedStyle(page).colorScheme;
  let seen = shade();
  const timer = setInterval(() => {
    if (shade() !== seen) { seen = shade(); setTriggerValue('shade', seen); }
  }, 500);
  return () => clearInterval(timer);
}
"""


def watch() -> None:
    """An empty element that starts a run once the page changed its shade."""
    watcher = st.components.v2.component("planner_shade", js=WATCH)
    watcher(key="shade", height=1, on_shade_change=_nothing)


def _nothing() -> None:
    """The run itself is what is asked for."""
