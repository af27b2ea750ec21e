"""The document that a browser loads first, told where its server is.

Streamlit's front end looks for the server under the address of the page itself and one folder up. On `/capacity` the
first of these is wrong, and the browser's console reports two missing files. Told, it looks in the right place at once.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import streamlit as st
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

# Where the document's own files lie, too: behind a proxy, that is below the prefix that the proxy takes away.
TOLD = "<script>window.__streamlit = { BACKEND_BASE_URL: new URL('.', location.href).href }</script>"


def routes() -> list[Route]:
    """A route for the address of each page, under the prefix that Streamlit is configured with."""
    base = (st.get_option("server.baseUrlPath") or "").strip("/")
    return [Route(f"/{base}/{name}" if base else f"/{name}", _document) for name in _page_names()]


def _page_names() -> list[str]:
    """Addresses of the pages: `capacity` of `capacity_page.py`, as app.py has them."""
    return sorted(file.stem.removesuffix("_page") for file in Path(__file__).parent.glob("*_page.py"))


async def _document(_: Request) -> HTMLResponse:
    return HTMLResponse(_told(), headers={"Cache-Control": "no-cache"})


@lru_cache(maxsize=1)
def _told() -> str:
    html = (Path(st.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    return html.replace("<head>", f"<head>\n    {TOLD}", 1)
