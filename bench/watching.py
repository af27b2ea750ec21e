"""When a page shows something, told by the page itself: to the frame, and without looks from outside that slow it.

Playwright looks again after 0.1, 0.25 and 0.5 s, which is coarser than what is measured here, or at each frame, which
makes a browser draw frames without end.
"""

from __future__ import annotations

from collections.abc import Mapping

HEADED = "() => document.querySelector('h1')?.textContent.trim()"
ANSWERED = """before => location.search !== before
  && document.querySelector('h1')?.closest('[data-stale]')?.dataset.stale === 'false'"""  # before: of the address
CHARTED = "() => document.querySelector('[data-testid=stVegaLiteChart] :is(canvas, svg)')"

MOST_MS = 120_000

_MOMENTS = """
  const drawn = then => requestAnimationFrame(() => {  // what is sent before a frame arrives after it
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = then;
    port2.postMessage(null);
  });
  const moment = holds => new Promise((told, failed) => {
    setTimeout(() => failed(new Error('not shown in time: ' + holds)), MOST_MS);
    const look = () => {
      if (!begun() || !holds(given)) return false;
      watch.disconnect();
      drawn(() => told((performance.now() - begun()) / 1000));
      return true;
    };
    const watch = new MutationObserver(look);
    if (!look()) watch.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
  });
""".replace("MOST_MS", str(MOST_MS))


def from_opening(conditions: Mapping[str, str]) -> str:
    """Script to run before a page's own: `window.moments` promises the seconds from opening to each condition drawn.

    Parameters
    ----------
    conditions : JavaScript functions by name, which say whether something is there
    """
    return f"const begun = () => 1e-3, given = null; {_MOMENTS} window.moments = {_promised(conditions)};"


def from_enter(conditions: Mapping[str, str]) -> str:
    """The same from the next key that is pressed: a function whose argument the conditions get."""
    start = "let start = 0; const begun = () => start;"
    key = "addEventListener('keydown', () => { start = performance.now() }, { once: true, capture: true });"
    return f"given => {{ {start} {key} {_MOMENTS} window.moments = {_promised(conditions)} }}"


def moment(name: str) -> str:
    """Expression that waits for a condition, and fails after MOST_MS. [s]"""
    return f"window.moments.{name}"


def _promised(conditions: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{name}: moment({holds})" for name, holds in conditions.items()) + "}"
