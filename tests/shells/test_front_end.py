"""The document that a browser loads first, at every address that it may be opened at."""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import streamlit as st
from starlette.applications import Starlette

from planner.assets import app_file
from planner.ui import front_end


def get(path: str) -> httpx.Response:
    """What the routes answer, nothing else being served."""

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(Starlette(routes=front_end.routes()))
        async with httpx.AsyncClient(transport=transport, base_url="http://planner") as client:
            return await client.get(path)

    with ThreadPoolExecutor(1) as apart:  # playwright keeps an event loop running in this thread
        return apart.submit(asyncio.run, ask()).result()


@pytest.mark.parametrize("base", ["", "/pre/fix/"])
def test_each_page_has_streamlits_document_and_its_server(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(st, "get_option", {"server.baseUrlPath": base}.__getitem__)
    served = get(f"{base.rstrip('/')}/capacity?traffic.rate_per_s=2")
    theirs = (Path(st.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    assert served.status_code == 200 and served.headers["Cache-Control"] == "no-cache"
    assert served.text.replace(f"\n    {front_end.TOLD}", "") == theirs != served.text
    assert served.text.index(front_end.TOLD) < served.text.index('<script type="module"')


def test_pages_lie_at_the_names_of_their_files() -> None:
    addresses = re.findall(r'url_path="(\w+)"', app_file().read_text(encoding="utf-8"))
    assert sorted(f"/{name}" for name in [*addresses, "plan"]) == [route.path for route in front_end.routes()]


@pytest.mark.parametrize("path", ["/", "/oauth2callback", "/capacity/x"])
def test_other_addresses_are_left_to_streamlit(path: str) -> None:
    assert get(path).status_code == 404
