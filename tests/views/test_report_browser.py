"""Reports in a real browser: opened from a file, with a keyboard, in both schemes, and with hostile texts."""

import asyncio
import base64
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select
from tests.views.browser import Browser, browsing
from tests.views.report_runs import briefing, hostile, large

from goalgraph.cli.app import call
from goalgraph.views.report import report_page

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1", "::1"])]  # chromedriver's

_DATA = Path(__file__).parents[2] / "examples" / "data" / "us-employment.csv"
_GOAL = "Analyze the data, identify the top 3 trends, create visualizations, and write an executive summary"
_SECONDS = 2.0
"""In which a report is to be open."""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browsing(tmp_path_factory.mktemp("profile")) as one:
        yield one


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes the report of a run once, by name."""
    folder = tmp_path_factory.mktemp("pages")
    made: dict[str, Path] = {}
    values: Mapping[str, Callable[[], Mapping[str, Any]]] = {
        "briefing": lambda: asyncio.run(briefing(folder)),
        "waiting": lambda: asyncio.run(briefing(folder, answered=False)),
        "large": lambda: asyncio.run(large()),
        "hostile": lambda: asyncio.run(hostile(folder)),
    }

    def page(name: str) -> Path:
        if name not in made:
            target = folder / f"{name}.html"
            if name == "demo":
                run = ["run", _GOAL, "--data", str(_DATA), "--out", str(folder / "demo"), "--yes"]
                assert call(run) == 0
                assert call(["report", str(folder / "demo"), "-o", str(target)]) == 0
            else:
                report_page(values[name]()).save(target)
            made[name] = target
        return made[name]

    return page


@pytest.mark.parametrize("name", ["briefing", "waiting", "large", "demo"])
def test_a_report_opens_at_once_without_an_error_and_asks_for_nothing(
    browser: Browser, pages: Callable[[str], Path], name: str
) -> None:
    page = pages(name)
    assert any(browser.open(page) < _SECONDS for _ in range(3)), "other work on the machine may hold it up"
    assert browser.errors() == []
    assert browser.requests() == [page.as_uri()]
    assert browser.run("return document.querySelectorAll('#steps .row').length") > 2
    assert browser.run("return getComputedStyle(document.querySelector('.chart')).borderTopStyle") == "solid"
    assert browser.run("return [...document.images].every((one) => one.complete && one.naturalWidth > 10)")


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (420, 800), (320, 640)])
@pytest.mark.parametrize("name", ["briefing", "hostile"])
def test_the_page_is_never_wider_than_the_window(
    browser: Browser, pages: Callable[[str], Path], name: str, width: int, height: int
) -> None:
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.command("Emulation.setDeviceMetricsOverride", **size)
    browser.open(pages(name))
    assert browser.run("return document.documentElement.scrollWidth") <= width
    browser.run("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    assert browser.run("return document.documentElement.scrollWidth") <= width
    browser.command("Emulation.clearDeviceMetricsOverride")


def test_steps_are_filtered_by_text_and_status(browser: Browser, pages: Callable[[str], Path]) -> None:
    browser.open(pages("large"))
    shown = "return [...document.querySelectorAll('#steps .row:not([hidden]) code')].map((one) => one.textContent)"
    said = "return document.querySelector('#steps output').textContent"
    assert (len(browser.run(shown)), browser.run(said)) == (303, "303 steps")
    field = browser.driver.find_element(By.CSS_SELECTOR, "#steps [data-filter=text]")
    field.send_keys("STEP_07")
    assert browser.run(shown)[0] == "step_070"
    assert browser.run(said) == "10 of 303 steps"
    Select(browser.driver.find_element(By.CSS_SELECTOR, "#steps [data-filter=status]")).select_by_value("failed")
    assert (browser.run(shown), browser.run(said)) == (["step_077"], "1 of 303 steps")
    field.clear()
    assert browser.run(shown) == ["step_077", "step_177", "step_277"]


def test_groups_are_hidden_with_all_that_is_in_them_and_opened_for_what_is_found(
    browser: Browser, pages: Callable[[str], Path]
) -> None:
    browser.open(pages("briefing"))
    group = browser.driver.find_element(By.CSS_SELECTOR, "#steps .group")
    browser.run("arguments[0].open = false", group)
    field = browser.driver.find_element(By.CSS_SELECTOR, "#steps [data-filter=text]")
    field.send_keys("prices[1]")
    assert browser.driver.find_element(By.CSS_SELECTOR, "#steps .row:not([hidden])").is_displayed()
    field.clear()
    field.send_keys("send")
    assert not group.is_displayed()


def test_decisions_are_filtered_by_kind(browser: Browser, pages: Callable[[str], Path]) -> None:
    browser.open(pages("briefing"))
    chosen = Select(browser.driver.find_element(By.CSS_SELECTOR, "#decisions select"))
    assert [one.text for one in chosen.options] == ["all", "approval", "gate", "revision"]
    chosen.select_by_value("revision")
    rows = browser.driver.find_elements(By.CSS_SELECTOR, "#decisions tbody tr")
    assert [row.is_displayed() for row in rows] == [True, True, False, False]
    assert browser.driver.find_element(By.CSS_SELECTOR, "#decisions output").text == "2 of 4 decisions"


def test_all_is_folded_and_unfolded_at_once(browser: Browser, pages: Callable[[str], Path]) -> None:
    browser.open(pages("briefing"))
    is_open = "return [...document.querySelectorAll('#steps details')].filter((one) => one.open).length"
    browser.driver.find_element(By.CSS_SELECTOR, "[data-fold=open]").click()
    assert browser.run(is_open) == 14
    assert "Found what was asked" in browser.driver.find_element(By.CSS_SELECTOR, "#steps").text
    browser.driver.find_element(By.CSS_SELECTOR, "[data-fold=shut]").click()
    assert browser.run(is_open) == 0


def test_it_is_used_with_the_keyboard_alone(browser: Browser, pages: Callable[[str], Path]) -> None:
    browser.open(pages("briefing"))
    active = browser.driver.switch_to
    browser.driver.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    assert active.active_element.text == "Skip to the content"
    assert browser.run("return document.activeElement.getBoundingClientRect().left") > 0, "it can be seen"
    active.active_element.send_keys(Keys.ENTER)
    assert browser.driver.current_url.endswith("#content")
    names: list[str] = []
    while len(names) < 60:
        active.active_element.send_keys(Keys.TAB)
        names.append(
            str(browser.run("return document.activeElement.closest('#steps .row > summary')?.innerText ?? ''"))
        )
        if names[-1]:
            break
    assert "market" in names[-1], "the first step is reached"
    outline = "return getComputedStyle(document.activeElement).outlineStyle"
    assert browser.run(outline) == "solid", "and it is seen where one is"
    active.active_element.send_keys(Keys.ENTER)
    assert browser.run("return document.activeElement.parentElement.open")
    active.active_element.send_keys(Keys.SPACE)
    assert not browser.run("return document.activeElement.parentElement.open")
    unnamed = (
        "return [...document.querySelectorAll('input, select, button, [tabindex]')].filter((one) => "
        "!one.closest('label') && !one.ariaLabel && !one.textContent.trim()).length"
    )
    assert browser.run(unnamed) == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_schemes(browser: Browser, pages: Callable[[str], Path], scheme: str) -> None:
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.command("Emulation.setEmulatedMedia", features=[feature])
    browser.open(pages("briefing"))
    browser.run("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    found = browser.run(_CONTRASTS)
    browser.command("Emulation.setEmulatedMedia", features=[])
    assert len(found) > 100
    assert [one for one in found if one["ratio"] < 4.5] == []


_CONTRASTS = """
const light = (colour) => {
  const [r, g, b] = colour.slice(0, 3).map((one) => one / 255)
    .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const pen = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
const pixel = (grounds) => {
  pen.clearRect(0, 0, 1, 1);
  for (const one of grounds) { pen.fillStyle = one; pen.fillRect(0, 0, 1, 1); }
  return [...pen.getImageData(0, 0, 1, 1).data];
};
const grounds = (one) => (one ? [...grounds(one.parentElement), getComputedStyle(one).backgroundColor] : []);
const found = [];
for (const one of document.querySelectorAll("body *:not(svg, svg *, script, option)")) {
  const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  if (!own || !one.checkVisibility() || one.closest(".unseen, .skip")) continue;
  const ground = grounds(one), text = getComputedStyle(one).color;
  const [high, low] = [light(pixel(ground)), light(pixel([...ground, text]))].sort((a, b) => b - a);
  found.push({text: one.textContent.trim().slice(0, 40), ratio: (high + 0.05) / (low + 0.05)});
}
return found;
"""


def test_what_is_folded_is_printed_and_controls_are_not(browser: Browser, pages: Callable[[str], Path]) -> None:
    seen = "return [...document.querySelectorAll(arguments[0])].map((one) => one.checkVisibility())"
    browser.open(pages("briefing"))
    assert set(browser.run(seen, "#steps .inside pre")) == {False}
    browser.command("Emulation.setEmulatedMedia", media="print")
    assert set(browser.run(seen, "#steps .inside pre, #revisions pre, #decisions pre")) == {True}
    assert set(browser.run(seen, ".controls, nav, .skip")) == {False}
    browser.command("Emulation.setEmulatedMedia", media="")
    browser.run(
        "addEventListener('beforeprint', () => (window.opened = document.querySelectorAll('.row[open]').length))"
    )
    made = base64.b64decode(browser.command("Page.printToPDF", printBackground=True)["data"])
    assert made.startswith(b"%PDF")
    assert browser.run("return window.opened") == 13, "also where the style sheet is not understood"
    assert browser.run("return document.querySelectorAll('.row[open]').length") == 0, "and it is folded again"


def test_it_works_without_scripts(browser: Browser, pages: Callable[[str], Path]) -> None:
    browser.command("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.driver.get(pages("briefing").as_uri())
        row = browser.driver.find_element(By.CSS_SELECTOR, "#steps .row")
        assert not browser.driver.find_element(By.CSS_SELECTOR, "#steps .controls").is_displayed()
        row.find_element(By.TAG_NAME, "summary").click()
        assert row.find_element(By.TAG_NAME, "pre").is_displayed()
    finally:
        browser.command("Emulation.setScriptExecutionDisabled", value=False)


def test_hostile_texts_do_nothing(browser: Browser, pages: Callable[[str], Path]) -> None:
    page = pages("hostile")
    browser.open(page)
    browser.run("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    browser.run(
        "for (const one of document.querySelectorAll('body *'))"
        " for (const kind of ['mouseover', 'focus', 'toggle', 'error', 'load']) one.dispatchEvent(new Event(kind))"
    )
    for link in browser.driver.find_elements(By.CSS_SELECTOR, "main a"):
        assert str(link.get_attribute("href")).startswith("http://127.0.0.1:9/")  # pyright: ignore[reportUnknownMemberType]
    assert browser.run("return [window.pwned ?? 0, document.title.includes('report of a run')]") == [0, True]
    assert browser.run("return document.scripts.length") == 1
    assert browser.errors() == []
    assert browser.requests() == [page.as_uri()]


def test_the_policy_stops_what_escaping_would_let_through(browser: Browser, pages: Callable[[str], Path]) -> None:
    broken = pages("hostile").with_name("broken.html")
    text = pages("hostile").read_text("utf-8")
    injected = '<script>window.pwned=1</script><img src="http://127.0.0.1:9/x.png" onerror="window.pwned=1">'
    broken.write_text(text.replace("<footer>", f"{injected}<p style='color:red'>x</p><footer>"), "utf-8")
    browser.open(broken)
    assert browser.run("return window.pwned ?? 0") == 0
    assert len([one for one in browser.errors() if "Content Security Policy" in one]) >= 3
    assert browser.requests() == [broken.as_uri()]
