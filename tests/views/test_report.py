"""The report of a run: what it says, what it reads, and that nothing in it is anything but text."""

import asyncio
import base64
import hashlib
import os
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from tests.views.report_runs import HOSTILE, VECTORS, briefing, hostile

from goalgraph import AgentStep, Artifact, Outcome, Plan, create_plan_agent, specialist
from goalgraph.errors import InvalidData
from goalgraph.shown import report_of
from goalgraph.views.report import report_page
from goalgraph.views.report.pictures import files_of, picture_type

_PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
_VOID = {"meta", "link", "input", "img", "br", "hr"}


class _Page(HTMLParser):
    """Elements with their attributes, the text of each section, and what was left open."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.sections: dict[str, str] = {}
        self.open: list[str] = []
        self._section = ""
        self._id = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)
        if tag == "section":
            self._id = dict(attrs).get("id") or ""

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag in ("dt", "dd", "td", "th", "li", "h2", "h3", "p"):
            self.handle_data(" ")
        if tag == "section":
            self._id = ""

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.text += data
            self.sections[self._id] = self.sections.get(self._id, "") + data


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """A run that is over."""
    return asyncio.run(briefing(tmp_path_factory.mktemp("done")))


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """The same run, which waits for an approval."""
    return asyncio.run(briefing(tmp_path_factory.mktemp("waiting"), answered=False))


def test_the_report_says_what_became_of_a_run(done: Mapping[str, Any]) -> None:
    page = _Page(report_of(done).html)
    assert page.open == []
    found = {name: " ".join(text.split()) for name, text in page.sections.items()}
    assert list(found)[1:] == [
        *("missing", "answer", "plan", "steps", "revisions", "people", "decisions", "costs", "sources", "signals"),
        "files",
    ]
    assert "degraded Compare the three largest battery makers" in found[""]
    assert "Steps succeeded 10 of 10" in found[""]
    assert "Plan changed twice" in found[""]
    assert "step 'compare' has confidence 0.41, below the 0.7 asked for" in found["missing"]
    assert "Volta leads with 252 GWh" in found["answer"]
    assert "Critical path: filings → audit → verify → chart → briefing → approve → send" in found["steps"]
    assert "Waited for somebody's answer" in found["steps"]
    assert "Waited for another plan" in found["steps"]
    assert "1. The plan was changed because of filings" in found["revisions"]
    assert "RuntimeError: the archive is closed until Monday" in found["revisions"]
    assert "added: step audit [agent researcher]: Find the audited figures" in found["revisions"]
    assert "Maria Lindqvist, CFO (asked: Finance) approval approve approve Figures agree with ours." in found["people"]
    assert "Tom Okafor gate send approve" in found["people"]
    assert re.search(r"researcher 6 [0-9.]+ s 12 54,000 10,800 0\.1080", found["costs"])
    assert "all 18 96,000 19,200 0.1920" in found["costs"]
    assert "briefing writer Write the briefing" in found["sources"]
    assert "handoff.ready chart all yes" in found["signals"]
    images = [attributes for tag, attributes in page.elements if tag == "img"]
    assert [str(one["src"])[:26] for one in images] == ["data:image/svg+xml;base64,"]


def test_the_report_of_a_run_that_waits_says_for_what(waiting: Mapping[str, Any]) -> None:
    page = _Page(report_of(waiting).html)
    assert "Report of a run ? waits for an answer" in " ".join(page.sections[""].split())
    asked = " ".join(page.sections["questions"].split())
    assert asked.startswith("The run waits for an answer approval approve for Finance (answers: approve, reject)")
    assert "May this go to the board?" in asked
    assert "There is no answer yet." in page.sections["answer"]
    rows = {attributes["data-status"] for _, attributes in page.elements if attributes.get("data-status")}
    assert rows == {"succeeded", "waiting", "open"}


def test_a_result_makes_its_own_report(tmp_path: Path) -> None:
    @specialist
    def worker(text: str) -> str:
        """Works."""
        return "**done**"

    agent = create_plan_agent(None, [worker])
    result: Any = agent.invoke({"goal": "Do it", "plan": Plan(steps=(AgentStep(id="a", agent="worker"),))})
    saved = result.report().save(tmp_path / "report.html")
    assert "<strong>done</strong>" in saved.read_text("utf-8")


@pytest.mark.parametrize(
    "values",
    [{}, {"goal": "Plan it"}, {"goal": "x", "plan": None, "outcomes": None, "answer": None, "metrics": None}],
    ids=["nothing", "a goal", "a run before its plan"],
)
def test_of_a_run_that_has_hardly_begun_there_is_a_report(values: dict[str, Any]) -> None:
    assert "There is no answer yet." in _Page(report_page(values).html).sections["answer"]


def _plain(value: object) -> object:
    return TypeAdapter(object).dump_python(value, mode="json")


def test_values_that_came_as_plain_data_give_the_same_report(done: Mapping[str, Any]) -> None:
    values = {name: one for name, one in done.items() if name != "messages"}
    plain = {name: _plain(one) for name, one in values.items()}
    assert report_page(plain).html == report_page(values).html


def test_values_that_are_those_of_no_run_are_refused_by_name() -> None:
    with pytest.raises(InvalidData, match=r"'outcomes\.a' .* cannot be shown"):
        report_page({"outcomes": {"a": 1}})


def test_the_policy_of_the_page_allows_its_own_script_and_styles_and_nothing_else(done: Mapping[str, Any]) -> None:
    html = report_page(done).html
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', html)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert (rules["default-src"], rules["img-src"], rules["base-uri"]) == ("'none'", "data:", "'none'")
    for name, tag, count in (("script-src", "script", 1), ("style-src", "style", 2)):
        texts = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts]
        assert rules[name].split() == [f"'sha256-{digest}'" for digest in digests]
        assert len(texts) == count
    assert not re.search(r"<[^>]*\sstyle=", html)


async def test_what_a_run_says_becomes_neither_an_element_nor_an_attribute(
    tmp_path: Path, done: Mapping[str, Any], waiting: Mapping[str, Any]
) -> None:
    plain = [_Page(report_page(values).html) for values in (done, waiting)]
    known = {(tag, name) for page in plain for tag, attrs in page.elements for name in (None, *attrs)}
    known |= {("a", "href"), ("a", "rel"), ("h1", "class"), ("details", None), ("code", "class")}
    values = await hostile(tmp_path)
    html = report_page(values).html
    page = _Page(html)
    assert page.open == []
    assert {(tag, name) for tag, attrs in page.elements for name in (None, *attrs)} <= known
    assert sum(1 for tag, _ in page.elements if tag == "script") == 1
    sources = {str(attrs.get("src"))[:26] for tag, attrs in page.elements if tag == "img"}
    assert sources == {"data:image/svg+xml;base64,"}
    links = [str(attrs["href"]) for tag, attrs in page.elements if tag == "a"]
    assert all(link.startswith(("#", "http://127.0.0.1:9/")) for link in links)
    assert not set(html) & {"\u202e", "\u2066", "\x1b", "\x00", "\u2028", "\ud800"}
    html.encode("utf-8")
    for part in ("questions", "missing", "answer", "steps", "revisions", "decisions", "costs", "sources", "files"):
        assert VECTORS[0] in page.sections[part], part
    assert "�evil� �[31mred�[0m" in page.sections["missing"]
    assert "{{ 7 * 7 }}{% raw %}" in page.sections["answer"]
    assert HOSTILE.count("<script>") > 5


def test_only_plain_files_that_are_pictures_are_read_into_the_page(tmp_path: Path) -> None:
    folder, outside = tmp_path / "run", tmp_path / "secret.png"
    folder.mkdir()
    outside.write_bytes(_PNG)
    (folder / "chart.png").write_bytes(_PNG)
    (folder / "password.png").write_text("root:x:0:0", "utf-8")
    (folder / "large.png").write_bytes(_PNG + bytes(3_000_000))
    (folder / "link.png").symlink_to(outside)
    os.mkfifo(folder / "pipe.png")
    names = [
        "chart.png",
        "password.png",
        "large.png",
        "link.png",
        "pipe.png",
        "gone.png",
        str(outside),
        "../secret.png",
    ]
    artifacts = tuple(Artifact(path=name, media_type="image/png") for name in (*names, "a\0b.png", "chart.png"))
    outcomes = {"a": Outcome(step="a", status="succeeded", artifacts=(*artifacts, Artifact(path="chart.png")))}
    files = files_of(outcomes, folder)
    assert [file.path for file in files if file.uri] == ["chart.png"]
    assert len(files) == len(names) + 1
    whole = Outcome(step="a", status="succeeded", artifacts=(Artifact(path=str(outside), media_type="image/png"),))
    assert [bool(file.uri) for file in files_of({"a": whole})] == [True]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (_PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b'\xef\xbb\xbf<?xml version="1.0"?>\n<!DOCTYPE svg><svg/>', "image/svg+xml"),
        (b"<html></html>", ""),
        (b"%PDF-1.7", ""),
        (b"", ""),
    ],
    ids=["png", "jpeg", "gif", "webp", "svg", "html", "pdf", "empty"],
)
def test_a_picture_is_known_by_its_content(content: bytes, expected: str) -> None:
    assert picture_type(content) == expected


def test_long_outputs_are_cut_and_say_so() -> None:
    plan = Plan(steps=tuple(AgentStep(id=f"s{number}", agent="w") for number in range(300)))
    outcomes = {one.id: Outcome(step=one.id, status="succeeded", output="x" * 100_000) for one in plan.steps}
    html = report_page({"goal": "g", "plan": plan, "outcomes": outcomes}).html
    assert len(html) < 5_000_000
    assert "(the first 10,000 of 100,000 characters)" in html
