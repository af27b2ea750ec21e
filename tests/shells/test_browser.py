"""The first screen in a real browser: solved, quiet, within the width of a laptop and of a phone."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.shells.browsing import PAINT_MS, field, settled, shows, visit


@pytest.mark.parametrize(
    ("width", "height", "scheme", "query", "words"),
    [
        (1366, 768, "light", "", "a month"),
        (390, 800, "light", "", "a month"),
        (1366, 768, "dark", "?lang=zh", "每月"),
        (1920, 1080, "light", "?preset=article", "a month"),
    ],
)
def test_first_screen(
    browser: Browser,
    address: str,
    tmp_path: Path,
    width: int,
    height: int,
    scheme: str,
    query: str,
    words: str,
) -> None:
    page, complaints = visit(browser, f"{address}/{query}", width, height, scheme)
    expect(page.locator("h1")).to_contain_text(words)
    expect(page.get_by_test_id("stMetric")).to_have_count(5)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    page.screenshot(path=tmp_path / "first-screen.png")
    assert (tmp_path / "first-screen.png").stat().st_size > 20_000
    for part in ("document.documentElement", "document.querySelector('[data-testid=stMain]')"):
        assert page.evaluate(f"{part}.scrollWidth") <= width, f"{part} scrolls sideways"
    assert not complaints, "\n".join(complaints)
    page.context.close()


def test_question_and_answer_stand_on_one_laptop_screen(browser: Browser, address: str) -> None:
    page, _ = visit(browser, address, 1366, 768)
    tops = {name: page.get_by_label(name).first.bounding_box() for name in ("Requests/s", "Available, %")}
    assert len({round(box["y"]) for box in tops.values() if box}) == 1, "the question takes two rows"
    for chart in page.get_by_test_id("stVegaLiteChart").all():
        box = chart.bounding_box()
        assert box and box["y"] + 200 < 768
    page.context.close()


def test_a_change_is_answered_and_kept_in_the_link(browser: Browser, address: str) -> None:
    page, complaints = visit(browser, address, 1366, 768)
    before = page.locator("h1").inner_text()
    rate = field(page, "Requests/s")
    rate.fill("200")
    rate.press("Enter")
    expect(page.locator("h1")).not_to_have_text(before, timeout=PAINT_MS)
    settled(page)  # closed forms answer first, beside what simulations said of the question before
    expect(page.get_by_text("requests simulated")).to_be_visible(timeout=PAINT_MS)
    after = page.locator("h1").inner_text()
    assert "traffic.rate_per_s=200" in page.url
    page.goto(page.url)
    expect(page.locator("h1")).to_have_text(after, timeout=PAINT_MS)
    assert not complaints, "\n".join(complaints)
    page.context.close()


def test_a_preset_forgets_what_closed_boxes_held(browser: Browser, address: str) -> None:
    """A browser sends the old value of a widget that is out of sight, unless the widget is a new one."""
    page, _ = visit(browser, address, 1366, 768)
    page.get_by_role("button", name="More…").click()
    page.get_by_text("users at once", exact=True).click()
    expect(page.get_by_label("Users at once")).to_be_visible(timeout=PAINT_MS)
    page.keyboard.press("Escape")
    page.get_by_text("Chat trace").click()
    page.wait_for_url("**preset=chat*", timeout=PAINT_MS)
    shows(page, "Requests/s", "5.53")
    field(page, "Tokens in").fill("1200")
    field(page, "Tokens in").press("Enter")
    page.wait_for_url("**input_tokens=1200*", timeout=PAINT_MS)
    assert "concurrency" not in page.url
    page.context.close()


def test_bundle_downloads(browser: Browser, address: str, tmp_path: Path) -> None:
    page, _ = visit(browser, address, 1366, 768)
    page.get_by_text("Bundle of this plan").click()
    with page.expect_download(timeout=PAINT_MS) as download:
        page.get_by_role("button", name="Download the ZIP").click()
    download.value.save_as(tmp_path / "bundle.zip")
    with zipfile.ZipFile(tmp_path / "bundle.zip") as bundle:
        assert any(name.endswith("/plan.json") for name in bundle.namelist())
        assert bundle.testzip() is None
    page.context.close()


@pytest.mark.parametrize(("width", "scheme"), [(1366, "light"), (390, "dark")])
def test_accuracy_scores_a_file(browser: Browser, address: str, tmp_path: Path, width: int, scheme: str) -> None:
    page, complaints = visit(browser, f"{address}/", width, 800, scheme)
    if width < 640:
        page.get_by_test_id("stExpandSidebarButton").click()
    page.get_by_role("link", name="Accuracy").click()
    page.wait_for_url("**/accuracy*", timeout=PAINT_MS)
    head = "id,model,precision_weights,framework,accelerator,tp,isl,osl,concurrency_or_qps,metric,value\n"
    row = "{},llama-3.1-8b,fp8,vllm,{},1,512,128,16,tpot_ms_p50,9\n"
    (tmp_path / "mine.csv").write_text(head + row.format("a", "h100") + row.format("b", "h999"))
    page.locator("input[type=file]").set_input_files(tmp_path / "mine.csv")
    expect(page.get_by_text("1 of 2 rows are scored, 1 are refused")).to_be_visible(timeout=PAINT_MS)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not complaints, "\n".join(complaints)
    page.context.close()


@pytest.mark.parametrize(("width", "scheme"), [(1366, "light"), (390, "dark")])
def test_traffic_takes_a_trace(browser: Browser, address: str, tmp_path: Path, width: int, scheme: str) -> None:
    """The page opens simulated, within the width; a file takes the place of the recording that ships."""
    page, complaints = visit(browser, f"{address}/?traffic.rate_per_s=2", width, 900, scheme)
    if width < 640:
        page.get_by_test_id("stExpandSidebarButton").click()
    page.get_by_role("link", name="Traffic").click()
    page.wait_for_url("**/traffic*", timeout=PAINT_MS)
    expect(page.locator("h1")).to_contain_text("azure-conv", timeout=2 * PAINT_MS)
    expect(page.get_by_test_id("stVegaLiteChart").locator("canvas, svg.marks")).to_have_count(3, timeout=PAINT_MS)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if width < 640:
        page.get_by_role("button", name="Collapse sidebar").click()
    page.get_by_label("Requests", exact=True).click()
    page.get_by_role("option", name="a file of mine").click()
    rows = "".join(f"{i * 0.5},{300 + i % 7},{20 + i % 3}\n" for i in range(400))
    (tmp_path / "mine.csv").write_text(f"arrival_s,input_tokens,output_tokens\n{rows}")
    page.locator("input[type=file]").set_input_files(tmp_path / "mine.csv")
    expect(page.locator("h1")).to_contain_text("mine", timeout=2 * PAINT_MS)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    assert not complaints, "\n".join(complaints)
    page.context.close()


def test_the_question_survives_another_page(browser: Browser, address: str) -> None:
    page, _ = visit(browser, f"{address}/?preset=rag&traffic.rate_per_s=4", 1366, 768)
    before = page.url
    page.get_by_role("link", name="Accuracy").click()
    page.wait_for_url("**/accuracy*", timeout=PAINT_MS)
    expect(page.get_by_text("Retrieval (RAG)")).to_have_count(0, timeout=PAINT_MS)
    page.get_by_role("link", name="Plan", exact=True).click()
    page.wait_for_url(before, timeout=PAINT_MS)
    shows(page, "Requests/s", "4")
    chosen = "input => input.checked && input.closest('label').innerText.includes('RAG')"
    assert any(one.evaluate(chosen) for one in page.get_by_test_id("stRadio").locator("input").all())
    page.context.close()
