"""The site of the documentation: it builds strictly, is complete, asks the network for nothing, is searched offline."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from tests.pages import DOCS, ROOT

import goalgraph

HERE = ("file:", "data:", "blob:", "about:", "chrome:")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does, without a warning."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, timeout=110
    )
    said = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("INFO")]
    assert (done.returncode, said) == (0, [])
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        if os.environ.get("CI"):
            pytest.fail("no chromium")
        pytest.skip("no chromium")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.add_argument("--window-size=1300,1000")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    found = webdriver.Chrome(options=options, service=Service(driver))
    yield found
    found.quit()


def asked(browser: Any) -> set[str]:
    """Return the addresses that pages asked for since the last look, those of files of the site left out."""
    messages = (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
    found = {one["params"]["request"]["url"] for one in messages if one["method"] == "Network.requestWillBeSent"}
    return {address for address in found if not address.startswith(HERE)}


def test_every_page_is_in_the_navigation_and_every_public_name_in_the_reference(site: Path) -> None:
    pages = [page.relative_to(DOCS).with_suffix(".html") for page in DOCS.rglob("*.md")]
    start = (site / "index.html").read_text("utf-8")
    assert [page for page in pages if f'href="{page.as_posix()}"' not in start] == []
    reference = "".join(page.read_text("utf-8") for page in (site / "reference").glob("*.html"))
    ids = {found.rpartition(".")[2] for found in re.findall(r'<h\d id="(goalgraph\.[\w.]+)"', reference)}
    assert {*goalgraph.__all__} - ids == set()


def test_what_pages_link_to_in_the_repository_is_there() -> None:
    names: dict[str, str] = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8").partition("\nplugins:")[0])["extra"]
    base = f"{names['social'][0]['link']}/blob/main/"  # type: ignore[index]
    texts = [(ROOT / "mkdocs.yml").read_text("utf-8"), *(page.read_text("utf-8") for page in DOCS.rglob("*.md"))]
    linked = {path for text in texts for path in re.findall(rf"{re.escape(base)}([\w./-]+)", text)}
    assert linked
    assert [path for path in linked if not (ROOT / path).exists()] == []


@pytest.mark.enable_socket
def test_pages_ask_the_network_for_nothing_and_have_no_errors(site: Path, browser: Any) -> None:
    for page in sorted(site.rglob("*.html")):
        if page.name != "404.html":  # whose addresses are those of a server
            browser.get(page.as_uri())
    assert asked(browser) == set()
    assert [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


@pytest.mark.enable_socket
def test_the_search_works_out_of_a_folder(site: Path, browser: Any) -> None:
    browser.get((site / "index.html").as_uri())
    browser.execute_script("document.querySelector('#__search').click()")
    until = time.monotonic() + 30
    found: list[str] = []
    while not found and time.monotonic() < until:
        browser.execute_script(
            "const field = document.querySelector('.md-search__input'); field.focus(); field.value = 'quorum';"
            "field.dispatchEvent(new Event('keyup'))"
        )
        time.sleep(0.3)
        found = browser.execute_script(
            "return [...document.querySelectorAll('.md-search-result__link')].map((one) => one.href)"
        )
    assert any("coordination.html" in address for address in found)
    assert asked(browser) == set()
