"""Headless Chromium for tests of pages: opened without a network, and asked what it did."""

import json
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

__all__ = ["Browser", "browsing"]

_SWITCHES = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1280,900"),
)


@dataclass(frozen=True, slots=True)
class Browser:
    """A browser with one page open."""

    driver: webdriver.Chrome

    def open(self, page: Path) -> float:
        """Open a file and forget what was before; return the seconds until it was loaded."""
        self.driver.get("about:blank")
        self.errors()
        self.requests()
        self.driver.get(page.as_uri())
        timing = "const one = performance.getEntriesByType('navigation')[0]; return one.loadEventEnd - one.startTime"
        return float(self.run(timing)) / 1000

    def run(self, script: str, *arguments: object) -> Any:
        """Run a script in the page, which the page's own policy does not bind."""
        return self.driver.execute_script(script, *arguments)  # pyright: ignore[reportUnknownMemberType]

    def command(self, name: str, **options: object) -> Any:
        """Give a command of the DevTools protocol."""
        return self.driver.execute_cdp_cmd(name, options)  # pyright: ignore[reportUnknownMemberType]

    def _log(self, name: str) -> list[dict[str, Any]]:
        driver: Any = self.driver
        found: list[dict[str, Any]] = driver.get_log(name)
        return found

    def errors(self) -> list[str]:
        """What was written to the console since it was last asked, breaches of the page's policy included."""
        found = self._log("browser")
        return [one["message"] for one in found]

    def requests(self) -> list[str]:
        """Addresses that were asked for since it was last asked, but for data: URIs and what the policy stopped."""
        found = self._log("performance")
        events = [json.loads(one["message"])["message"] for one in found]
        told = [(one["method"], one["params"]) for one in events]
        stopped = {one["requestId"] for what, one in told if what == "Network.loadingFailed" and _is_stopped(one)}
        sent = [one for what, one in told if what == "Network.requestWillBeSent" and one["requestId"] not in stopped]
        return [one["request"]["url"] for one in sent if not one["request"]["url"].startswith("data:")]


def _is_stopped(failed: dict[str, Any]) -> bool:
    return failed.get("blockedReason") == "csp"


@contextmanager
def browsing(folder: Path) -> Generator[Browser]:
    """Start a browser with an empty profile; where there is none, the test is skipped, or in CI fails."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    if chromium is None or driver is None:
        said = "no Chromium with chromedriver can be found: apt install chromium chromium-driver"
        if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
            pytest.fail(said)
        pytest.skip(said)
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for switch in (*_SWITCHES, f"--user-data-dir={folder}"):
        options.add_argument(switch)  # pyright: ignore[reportUnknownMemberType]
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})  # pyright: ignore[reportUnknownMemberType]
    started = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield Browser(started)
    finally:
        started.quit()
