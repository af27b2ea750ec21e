"""What a visitor does in an hour, in a real browser: nothing is lost on the way, and others see what was shared."""

from __future__ import annotations

import zipfile
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.shells.browsing import PAINT_MS, Server, arrive, drawn_for, field, settled, shows, visit

HOSTILE = "<img src=x onerror=\"window.hit=1\"> [a](javascript:alert(1)) :red[x] $x$ & 'q'"


def go(page: Page, name: str, path: str) -> None:
    page.get_by_role("link", name=name, exact=True).click()
    page.wait_for_url(f"**/{path}*", timeout=PAINT_MS)


def answer(page: Page) -> str:
    settled(page)
    return page.locator("h1").inner_text()


def shared_link(page: Page) -> str:
    page.get_by_role("button", name="Copy link").click()
    text = page.get_by_test_id("stCode").filter(has_text="?q=1.").inner_text().strip()
    page.keyboard.press("Escape")
    return text


def save(page: Page, name: str) -> None:
    page.get_by_label("Save this question as").fill(name)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved:")).to_be_visible(timeout=PAINT_MS)


def test_an_hour_at_the_dashboard(browser: Browser, tmp_path: Path) -> None:
    server = Server(tmp_path)
    try:
        page, complaints = visit(browser, server.address, 1366, 768)
        rate = field(page, "Requests/s")
        rate.fill("20")
        rate.press("Enter")
        page.wait_for_url("**rate_per_s=20*", timeout=PAINT_MS)
        go(page, "Compare", "compare")
        save(page, HOSTILE)
        field(page, "Requests/s").fill("6")
        field(page, "Requests/s").press("Enter")
        page.wait_for_url("**rate_per_s=6*", timeout=PAINT_MS)
        save(page, "smaller")
        settled(page)
        expect(page.get_by_text("costs least")).to_be_visible(timeout=PAINT_MS)
        assert page.evaluate("window.hit") is None and page.locator("img[src=x]").count() == 0
        assert page.locator("a[href^=javascript]").count() == 0
        page.get_by_label("Remove smaller", exact=True).first.click()
        page.wait_for_url("**compare-shown=*", timeout=PAINT_MS)
        settled(page)
        exported(page, tmp_path)
        go(page, "Plan", "")
        page.get_by_role("button", name="Show this plan").last.click()
        page.wait_for_url("**rank=*", timeout=PAINT_MS)
        page.get_by_text("中文", exact=True).click()
        page.wait_for_url("**lang=zh*", timeout=PAINT_MS)
        settled(page)
        page.emulate_media(color_scheme="dark")
        drawn_for(page, "dark")
        before = answer(page)
        assert "每月" in before
        page.get_by_role("button", name="复制链接").click()
        link = page.get_by_test_id("stCode").filter(has_text="?q=1.").inner_text().strip()
        fresh = arrive(browser, link)
        expect(fresh.page.locator("h1")).to_have_text(before, timeout=PAINT_MS)
        assert not complaints + fresh.complaints, "\n".join(complaints + fresh.complaints)
        server.stop()
        server.start()
        page.reload()
        expect(page.locator("h1")).to_have_text(before, timeout=PAINT_MS)
        go(page, "对比", "compare")
        settled(page)
        expect(page.get_by_test_id("stDataFrame").first).to_be_visible(timeout=PAINT_MS)
        compared = page.get_by_test_id("stMultiSelect").first
        expect(compared.get_by_text(HOSTILE, exact=True).first).to_be_attached(timeout=PAINT_MS)
        assert compared.get_by_text("smaller", exact=True).count() == 0  # taken out before all of that
        assert "Uncaught" not in server.log.read_text() and HOSTILE not in server.log.read_text()
        page.context.close()
        fresh.page.context.close()
    finally:
        server.stop()


def exported(page: Page, folder: Path) -> None:
    """The bundle of the question at hand, from its page."""
    go(page, "Export", "export")
    with page.expect_download(timeout=PAINT_MS) as download:
        page.get_by_role("button", name="Download the ZIP").click(timeout=PAINT_MS)
    download.value.save_as(folder / "bundle.zip")
    with zipfile.ZipFile(folder / "bundle.zip") as bundle:
        assert bundle.testzip() is None and '"rate_per_s": 6.0' in plan_of(bundle)


def plan_of(bundle: zipfile.ZipFile) -> str:
    name = next(name for name in bundle.namelist() if name.endswith("/plan.json"))
    return bundle.read(name).decode()


def test_the_language_of_an_address_comes_before_that_of_the_browser(browser: Browser, address: str) -> None:
    context = browser.new_context(locale="zh-CN")
    page = context.new_page()
    for language, said in (("", "每月"), ("?lang=en", "a month"), ("?lang=zh", "每月")):
        page.goto(f"{address}/whatif{language}")
        expect(page.locator("h1")).to_contain_text(said, timeout=PAINT_MS)
        settled(page)
        expect(page.locator("h1")).to_contain_text(said)
    context.close()


def test_a_shared_page_opens_where_it_was(browser: Browser, address: str) -> None:
    page, _ = arrive(browser, f"{address}/whatif?traffic.rate_per_s=4&whatif-own=slo.ttft_p99_s%3D4")
    settled(page)
    assert "slo.ttft_p99_s" in answer(page)
    link = shared_link(page)
    assert link.startswith(f"{address}/whatif?q=1.")
    fresh, complaints = arrive(browser, link.replace("/whatif?", "/?"))  # somebody cut the path
    fresh.wait_for_function("location.pathname === '/whatif'", timeout=PAINT_MS)
    expect(fresh.locator("h1")).to_have_text(answer(page), timeout=PAINT_MS)
    assert "whatif-own=slo.ttft_p99_s" in fresh.url and "traffic.rate_per_s=4" in fresh.url and "q=" not in fresh.url
    assert not complaints, "\n".join(complaints)
    before = answer(fresh)
    fresh.reload()
    expect(fresh.locator("h1")).to_have_text(before, timeout=PAINT_MS)
    shows(fresh, "Requests/s", "4")
    page.context.close()
    fresh.context.close()


def test_back_returns_to_the_question_before(browser: Browser, address: str) -> None:
    page, complaints = visit(browser, address, 1366, 768)
    for rate in ("20", "60"):
        settled(page)
        field(page, "Requests/s").fill(rate)
        field(page, "Requests/s").press("Enter")
        page.wait_for_url(f"**rate_per_s={rate}*", timeout=PAINT_MS)
    settled(page)
    shows(page, "Requests/s", "60")
    page.go_back()
    shows(page, "Requests/s", "20")
    page.go_back()
    shows(page, "Requests/s", "5")
    page.go_forward()
    shows(page, "Requests/s", "20")
    before = answer(page)
    go(page, "Cost", "cost")
    expect(page.locator("h1")).not_to_have_text(before, timeout=PAINT_MS)
    settled(page)
    page.go_back()
    page.wait_for_function("location.pathname === '/'", timeout=PAINT_MS)
    expect(page.locator("h1")).to_have_text(before, timeout=PAINT_MS)
    shows(page, "Requests/s", "20")
    assert "rate_per_s=20" in page.url
    assert not complaints, "\n".join(complaints)
    page.context.close()


def test_what_was_set_on_a_page_stays(browser: Browser, address: str) -> None:
    """Through other pages, a reload and the browser's Back, which takes one step for one page."""
    page, complaints = arrive(browser, f"{address}/whatif?traffic.rate_per_s=20&whatif-own=slo.ttft_p99_s%3D4")
    before = answer(page)
    go(page, "Catalogs", "catalogs")
    search = page.get_by_role("textbox", name="Search")
    expect(search).to_be_visible(timeout=PAINT_MS)
    settled(page)
    search.fill("h200 sxm")
    search.press("Enter")
    page.wait_for_url("**catalogs-search=h200*rate_per_s=20*", timeout=PAINT_MS)
    page.wait_for_timeout(500)  # the address is there before the run that follows from it
    settled(page)
    page.reload()
    expect(search).to_have_value("h200 sxm", timeout=PAINT_MS)
    settled(page)
    assert "rate_per_s=20" in page.url
    go(page, "What if", "whatif")
    expect(page.locator("h1")).to_have_text(before, timeout=PAINT_MS)
    settled(page)
    page.go_back()
    page.wait_for_function("location.pathname === '/catalogs'", timeout=PAINT_MS)
    expect(search).to_have_value("h200 sxm", timeout=PAINT_MS)
    settled(page)
    page.go_back()
    page.wait_for_function("location.pathname === '/whatif'", timeout=PAINT_MS)
    expect(page.locator("h1")).to_have_text(before, timeout=PAINT_MS)
    assert not complaints, "\n".join(complaints)
    page.context.close()


def test_a_theme_changed_early_asks_for_few_runs(browser: Browser, address: str) -> None:
    """A slow browser still has elements of the run before; once the page has its colours, it is left in peace."""
    page, asked = browser.new_context(color_scheme="light").new_page(), []
    page.on("websocket", lambda socket: socket.on("framesent", lambda message: asked.append(message)))
    page.goto(f"{address}/audit")
    expect(page.locator("h1")).to_be_visible(timeout=PAINT_MS)
    page.emulate_media(color_scheme="dark")
    drawn_for(page, "dark")
    settled(page)
    page.wait_for_timeout(1000)
    before = len(asked)
    page.wait_for_timeout(4000)
    assert len(asked) == before <= 4
    page.context.close()


QUOTE = "accelerator,accelerators,term,price,currency,usd_per_unit,provider,region,source,source_date,notes\n"
QUOTE += "b200-sxm-180gb,8,rental_3y,9.00,USD,,our-vendor,,offer 4711,2026-11-01,\n"
OWN_FACTS = "These answers rest on facts of your own"


def send(page: Page, about: str, file: Path) -> None:
    page.get_by_test_id("stFileUploader").filter(has_text=about).locator("input").set_input_files(file)


def test_files_and_facts_stay_with_the_address(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "quotes.csv").write_text(QUOTE)
    rows = "".join(f"{n * 0.4},{300 + n % 7},{20 + n % 3}\n" for n in range(400))
    (tmp_path / "mine.csv").write_text("arrival_s,input_tokens,output_tokens\n" + rows)
    server = Server(tmp_path)
    try:
        page, complaints = arrive(browser, f"{server.address}/catalogs")
        page.get_by_text("Plan with your own quotes").click(timeout=PAINT_MS)
        send(page, "quotes.csv", tmp_path / "quotes.csv")
        expect(page.get_by_text(OWN_FACTS)).to_be_visible(timeout=PAINT_MS)
        go(page, "Plan", "?own-facts=")
        quoted = answer(page)
        assert "$6,574" in quoted  # 9 USD an hour for all eight, 730.5 hours
        link = shared_link(page)
        assert not complaints, "\n".join(complaints)
        server.stop()
        server.start()
        page.reload()
        assert answer(page) == quoted
        unexpected = [one for one in complaints if "server" not in one and "net::ERR_CONNECTION" not in one]
        assert not unexpected, "\n".join(unexpected)  # the open page sees the server gone
        complaints.clear()
        other, complaints_there = arrive(browser, link)
        assert answer(other) == quoted
        expect(other.get_by_text(OWN_FACTS)).to_be_visible(timeout=PAINT_MS)
        other.context.close()
        page.goto(f"{server.address}/traffic?traffic-trace=a+file+of+mine")
        send(page, "CSV", tmp_path / "mine.csv")
        page.wait_for_url("**traffic-file=*", timeout=PAINT_MS)
        replayed = answer(page)
        assert "mine" in replayed
        page.reload()
        assert answer(page) == replayed
        page.get_by_role("button", name="Take back").click()
        expect(page.locator("h1")).to_have_count(0, timeout=PAINT_MS)
        assert not complaints and not complaints_there
    finally:
        server.stop()
