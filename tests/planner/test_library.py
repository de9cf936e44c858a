"""Plans kept under aliases: every version, no loss when several save at once, and clear words when one is not there."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from goalgraph.errors import InvalidAlias, InvalidPlan, UnknownPlan
from goalgraph.planner.documents import dump_plan, load_plan
from goalgraph.planner.folder_library import FolderLibrary
from goalgraph.planner.library import InMemoryLibrary, PlanEntry, PlanLibrary, PlanVersion, parse_reference
from goalgraph.planner.plan import Plan
from goalgraph.planner.steps import agent


def plan(task: str = "read it", name: str = "Intake") -> Plan:
    return Plan(name=name, description="What comes in", steps=(agent("a", task, agent="reader", input={"n": [1]}),))


def saved_at_once(library: PlanLibrary, count: int) -> list[int]:
    """Save plans from several threads; their versions, in the order of the numbers in their tasks."""

    def save(number: int) -> int:
        return library.save("intake", plan(f"task {number}"))

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(save, range(count)))


def in_memory(_folder: Path) -> PlanLibrary:
    return InMemoryLibrary()


def in_folder(folder: Path) -> PlanLibrary:
    return FolderLibrary(folder / "plans")


@pytest.fixture(params=[in_memory, in_folder])
def library(request: pytest.FixtureRequest, tmp_path: Path) -> PlanLibrary:
    make: Callable[[Path], PlanLibrary] = request.param
    return make(tmp_path)


def test_what_is_saved_is_loaded(library: PlanLibrary) -> None:
    assert isinstance(library, PlanLibrary)
    assert library.aliases() == ()
    assert [library.save("intake", plan("one")), library.save("intake", plan("two"))] == [1, 2]
    assert library.load("intake") == library.load("intake", 2) == plan("two")
    assert library.load("intake", 1) == plan("one")


def test_the_same_plan_again_is_the_same_version(library: PlanLibrary) -> None:
    assert [library.save("intake", plan(task)) for task in ("one", "one", "two", "two", "one")] == [1, 1, 2, 2, 3]
    assert [version.version for version in library.versions("intake")] == [1, 2, 3]


def test_plans_are_listed_by_alias_with_their_newest_version(library: PlanLibrary) -> None:
    for alias, task in (("b", "one"), ("a.x", "one"), ("b", "two")):
        library.save(alias, plan(task, name=f"{alias} {task}"))
    one, two = library.aliases()
    assert one == PlanEntry(
        alias="a.x", version=1, versions=1, name="a.x one", description="What comes in", saved_at=one.saved_at
    )
    assert (two.alias, two.version, two.versions, two.name) == ("b", 2, 2, "b two")
    saved_at = datetime.fromisoformat(two.saved_at)
    assert saved_at.utcoffset() is not None
    assert abs((datetime.now(UTC) - saved_at).total_seconds()) < 60
    assert library.versions("a.x") == (PlanVersion(version=1, saved_at=one.saved_at),)


def test_an_unknown_alias_is_told_with_the_one_that_may_be_meant(library: PlanLibrary) -> None:
    with pytest.raises(UnknownPlan, match="no plan is saved as 'intake'; the library is empty"):
        library.load("intake")
    library.save("intake", plan())
    for look in (library.load, library.versions):
        with pytest.raises(UnknownPlan, match="no plan is saved as 'intka'; did you mean 'intake'"):
            look("intka")
    with pytest.raises(UnknownPlan, match="there are: intake"):
        library.load("quite other")


@pytest.mark.parametrize("version", [0, -1, 2, 10**12])
def test_an_unknown_version_is_told(library: PlanLibrary, version: int) -> None:
    library.save("intake", plan())
    with pytest.raises(UnknownPlan, match=rf"the plan 'intake' has no version {version}; the newest are: 1"):
        library.load("intake", version)


BAD = ["", ".", "..", ".git", "a/b", "a\\b", "/etc", "../up", "a b", "-rf", "a@2", "é", "a\n", "a\x00", "a.", "x" * 129]


@pytest.mark.parametrize("alias", BAD)
def test_what_is_no_alias_is_refused(library: PlanLibrary, alias: str) -> None:
    with pytest.raises(InvalidAlias, match="expected an alias of letters"):
        library.save(alias, plan())
    with pytest.raises(UnknownPlan):
        library.load(alias)
    assert library.aliases() == ()


@pytest.mark.parametrize("alias", ["a", "A-b_c.d", "7", "_x", "x" * 128, "con.tract"])
def test_letters_digits_and_a_few_signs_make_an_alias(library: PlanLibrary, alias: str) -> None:
    library.save(alias, plan())
    assert [entry.alias for entry in library.aliases()] == [alias]


def test_an_alias_that_differs_by_case_alone_is_refused(library: PlanLibrary) -> None:
    library.save("Intake", plan())
    with pytest.raises(InvalidAlias, match="'intake' differs from 'Intake' by case alone; use 'Intake'"):
        library.save("intake", plan("other"))
    with pytest.raises(UnknownPlan, match="did you mean 'Intake'"):
        library.load("intake")
    assert [entry.alias for entry in library.aliases()] == ["Intake"]


def test_what_is_done_to_a_plan_later_does_not_reach_the_saved_one(library: PlanLibrary) -> None:
    mine = plan()
    library.save("intake", mine)
    mine.inputs["x"] = 1
    library.load("intake").inputs["y"] = 2
    assert library.load("intake") == plan()


def test_threads_that_save_at_once_lose_nothing(library: PlanLibrary) -> None:
    found = saved_at_once(library, 24)
    assert sorted(found) == list(range(1, 25))
    assert all(library.load("intake", version) == plan(f"task {number}") for number, version in enumerate(found))


def test_threads_that_save_the_same_plan_at_once_make_one_version(library: PlanLibrary) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = [pool.submit(library.save, "intake", plan()) for _ in range(24)]
    assert {one.result() for one in found} == {1}


def test_time_in_memory_is_the_clock_s() -> None:
    library = InMemoryLibrary(clock=lambda: datetime.fromisoformat("2026-03-01T09:00:00+01:00"))
    library.save("intake", plan())
    assert library.versions("intake")[0].saved_at == "2026-03-01T08:00:00+00:00"


_SAVING = """
import sys
from pathlib import Path
from goalgraph.planner.folder_library import FolderLibrary
from goalgraph.planner.plan import AgentStep, Plan

root, name = sys.argv[1:]
library = FolderLibrary(root)
plans = [Plan(steps=(AgentStep(id="a", task=f"{name} {n}", agent="reader"),)) for n in range(15)]
print("ready", flush=True)
sys.stdin.readline()
print(*(library.save("intake", plan) for plan in plans))
"""


def test_processes_that_save_at_once_get_versions_of_their_own(tmp_path: Path) -> None:
    root = tmp_path / "plans"
    running = [
        subprocess.Popen(
            [sys.executable, "-c", _SAVING, str(root), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for name in ("one", "two")
    ]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    found = [[int(number) for number in process.communicate(timeout=60)[0].split()] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert sorted(found[0] + found[1]) == list(range(1, 31))
    library = FolderLibrary(root)
    for name, versions in zip(("one", "two"), found, strict=True):
        tasks = [getattr(library.load("intake", version).steps[0], "task", None) for version in versions]
        assert tasks == [f"{name} {number}" for number in range(15)]
    assert sorted(path.name for path in (root / "intake").iterdir()) == sorted(f"v{n}.yaml" for n in range(1, 31))


def test_a_version_is_a_file_to_read_and_to_edit(tmp_path: Path) -> None:
    library = FolderLibrary(str(tmp_path))
    library.save("intake", plan())
    file = tmp_path / "intake" / "v1.yaml"
    assert file.read_text("utf-8") == dump_plan(plan())
    assert load_plan(file) == plan()
    file.write_text(file.read_text("utf-8").replace("read it", "read all") + "# by hand\n", "utf-8")
    assert library.load("intake") == plan("read all")
    assert library.save("intake", plan("read all")) == 1
    assert library.save("intake", plan()) == 2
    assert file.read_text("utf-8").endswith("# by hand\n")


def test_only_versions_in_folders_with_names_of_aliases_count(tmp_path: Path) -> None:
    library = FolderLibrary(tmp_path)
    library.save("intake", plan())
    for name in ("intake/v02.yaml", "intake/v3.yml", "intake/notes.md", ".git/v1.yaml", "README.md", "no plan/v1.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("steps: []\n", "utf-8")
    (tmp_path / "empty").mkdir()
    (tmp_path / "intake" / "v9.yaml").mkdir()
    assert [(entry.alias, entry.version, entry.versions) for entry in library.aliases()] == [("intake", 1, 1)]
    with pytest.raises(UnknownPlan):
        library.versions("empty")
    (tmp_path / "intake" / "v7.yaml").write_text(dump_plan(plan("by hand")), "utf-8")
    assert library.load("intake") == plan("by hand")
    assert library.save("intake", plan("next")) == 8


@pytest.mark.parametrize("content", [b"", b"steps: [", b"\xff\xfe", b"- a", b"steps: [{id: a, agnt: b}]"])
def test_a_damaged_file_hides_no_other_plan_and_is_named(tmp_path: Path, content: bytes) -> None:
    library = FolderLibrary(tmp_path)
    library.save("a", plan())
    library.save("b", plan())
    library.save("b", plan("two"))
    file = tmp_path / "b" / "v2.yaml"
    file.write_bytes(content)
    one, two = library.aliases()
    assert one.problem is None
    assert two.problem is not None
    assert (two.alias, two.version, two.name) == ("b", 2, "")
    with pytest.raises(InvalidPlan) as caught:
        library.load("b")
    assert str(file) in str(caught.value)
    assert library.load("b", 1) == plan()
    assert library.save("b", plan()) == 3
    assert file.read_bytes() == content


def test_a_file_system_without_links_loses_nothing_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_names: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    library = FolderLibrary(tmp_path)
    found = saved_at_once(library, 12)
    assert sorted(found) == list(range(1, 13))
    assert all(library.load("intake", version) == plan(f"task {number}") for number, version in enumerate(found))


def test_a_save_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "the disk is full")

    library = FolderLibrary(tmp_path)
    library.save("intake", plan())
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="full"):
        library.save("intake", plan("two"))
    assert [path.name for path in (tmp_path / "intake").iterdir()] == ["v1.yaml"]


@pytest.mark.parametrize(
    ("text", "found"), [("a", ("a", None)), ("a@1", ("a", 1)), ("in-take.x@999999999", ("in-take.x", 999999999))]
)
def test_a_reference_is_an_alias_with_or_without_a_version(text: str, found: tuple[str, int | None]) -> None:
    assert parse_reference(text) == found


@pytest.mark.parametrize(
    "text", ["a@", "a@0", "a@-1", "a@01", "a@1@2", "a@x", "a@1.0", "a@١", "a@" + "9" * 5000, "@1", "@"]
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(InvalidAlias) as caught:
        parse_reference(text)
    assert len(str(caught.value)) < 300


@given(st.text(max_size=8) | st.from_regex(r"[a-zA-Z0-9_.@-]{1,8}"))
@example("a@1\n")
@example("a\n@1")
def test_a_reference_is_read_or_refused_and_never_changed(text: str) -> None:
    try:
        alias, version = parse_reference(text)
    except InvalidAlias:
        return
    assert text == (alias if version is None else f"{alias}@{version}")
    assert alias.isascii()
    assert not set(alias) & set("/\\@ \n")
