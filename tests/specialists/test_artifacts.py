"""Outputs too large for a checkpoint: kept by reference, in a folder that is checked when it is read."""

import asyncio
import json
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue
from tests.planner.plan_strategies import examples, values

from goalgraph import ArtifactStore, FolderArtifacts, Outcome, StepContext, StepResult
from goalgraph.errors import DamagedArtifact, MissingArtifact
from goalgraph.planner.outcome import Artifact, text_of
from goalgraph.specialists.artifacts import as_store, loaded, stored
from goalgraph.specialists.results import MAX_CHARACTERS, InvalidOutput, OutputTooLarge, as_json, kept

LARGE = "é" * (MAX_CHARACTERS + 1)


class Memory:
    """A caller's own store."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}

    def put(self, content: bytes, media_type: str) -> str:
        self.contents[f"mine/{len(self.contents)}"] = content
        return list(self.contents)[-1]

    def get(self, reference: str) -> bytes:
        return self.contents[reference]


def keep(output: object, store: ArtifactStore | None, schema: dict[str, JsonValue] | None = None) -> Any:
    return asyncio.run(kept(StepResult(output=output), schema, store))


@pytest.fixture
def folder(tmp_path: Path) -> FolderArtifacts:
    return FolderArtifacts(tmp_path / "new" / "artifacts")


@pytest.mark.parametrize("content", [b"", b"text", bytes(range(256)) * 1_000], ids=["nothing", "text", "bytes"])
def test_what_is_put_into_a_folder_comes_back_under_its_reference(folder: FolderArtifacts, content: bytes) -> None:
    reference = folder.put(content, "application/octet-stream")
    assert folder.get(reference) == content
    assert FolderArtifacts(str(folder.root)).get(reference) == content
    assert folder.put(content, "text/plain") == reference
    assert len([path for path in folder.root.rglob("*") if path.is_file()]) == 1


@pytest.mark.skipif(os.name != "posix", reason="there are no such modes")
def test_only_the_owner_may_read_what_is_kept(folder: FolderArtifacts) -> None:
    path = folder.path_of(folder.put(b"secret", "text/plain"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {stat.S_IMODE(one.stat().st_mode) for one in (folder.root, path.parent)} == {0o700}


def test_damage_is_found_when_it_is_read_and_mended_by_the_same_content(folder: FolderArtifacts) -> None:
    reference = folder.put(b"content", "text/plain")
    folder.path_of(reference).write_bytes(b"c0ntent")
    with pytest.raises(DamagedArtifact, match="is damaged; do the step that wrote it again"):
        folder.get(reference)
    assert folder.put(b"content", "text/plain") == reference
    assert folder.get(reference) == b"content"


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "x",
        "sha256:",
        f"sha256:{'a' * 63}",
        f"sha256:{'A' * 64}",
        f"sha256:{'a' * 64}\n",
        f"sha256:{'a' * 60}/../",
        "../../etc/passwd",
        f"/{'a' * 63}",
        "sha256:../../../etc/passwd",
        "sha256:" + "\0" * 64,
        "x" * 10_000,
    ],
    ids=lambda reference: repr(reference)[:30],
)
def test_a_made_up_reference_leads_nowhere(folder: FolderArtifacts, reference: str) -> None:
    with pytest.raises(MissingArtifact, match="is no reference to an artifact") as caught:
        folder.get(reference)
    assert len(str(caught.value)) < 500


def test_what_is_not_there_is_missing(folder: FolderArtifacts) -> None:
    reference = f"sha256:{'a' * 64}"
    assert folder.path_of(reference) == folder.root / "aa" / ("a" * 64)
    with pytest.raises(MissingArtifact, match="there is no artifact"):
        folder.get(reference)


def test_a_write_that_fails_leaves_nothing_behind(folder: FolderArtifacts, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        folder.put(b"content", "text/plain")
    assert [path for path in folder.root.rglob("*") if path.is_file()] == []


def test_many_may_write_the_same_and_other_contents_at_once(folder: FolderArtifacts) -> None:
    contents = [str(number % 7).encode() * 200_000 for number in range(70)]

    def put(content: bytes) -> str:
        return FolderArtifacts(folder.root).put(content, "text/plain")

    with ThreadPoolExecutor(16) as pool:
        references = list(pool.map(put, contents))
    assert [folder.get(reference) for reference in references] == contents
    assert len([path for path in folder.root.rglob("*") if path.is_file()]) == 7


def test_a_folder_stays_where_it_was_when_the_process_goes_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = FolderArtifacts("here")
    reference = store.put(b"content", "text/plain")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert store.get(reference) == b"content"


def test_a_path_means_a_folder_and_a_store_itself(tmp_path: Path) -> None:
    mine = Memory()
    assert as_store(None) is None
    assert as_store(mine) is mine
    for path in (tmp_path, str(tmp_path)):
        found = as_store(path)
        assert isinstance(found, FolderArtifacts)
        assert found.root == tmp_path


@examples(100)
@given(values)
def test_any_output_comes_back_as_it_was(output: JsonValue) -> None:
    store, plain = Memory(), as_json(output)
    reference, _ = stored(plain, store)
    assert json.dumps(loaded(reference, store)) == json.dumps(plain)
    assert loaded(plain, None) == plain
    assert len(json.dumps(reference)) < 20_000


def test_an_object_stands_for_an_output_that_is_too_large(folder: FolderArtifacts) -> None:
    result, output = keep(LARGE, folder)
    count = MAX_CHARACTERS + 1
    assert output == {
        "artifact": output["artifact"],
        "media_type": "text/plain",
        "characters": count,
        "bytes": 2 * count,
        "preview": "é" * 1_000,
    }
    path = folder.path_of(output["artifact"])
    assert result.artifacts == (Artifact(path=str(path), media_type="text/plain", title="output"),)
    rest = f"(the first 1000 of {count} characters; all of it: {output['artifact']})"
    assert text_of(output) == f"{'é' * 1_000}...\n\n{rest}"
    context = StepContext(goal="", artifacts=folder)
    assert context.load(output) == LARGE
    assert context.load(Outcome(step="a", status="succeeded", output=output)) == LARGE


def test_data_is_kept_as_json_and_what_the_specialist_wrote_itself_stays_listed() -> None:
    store = Memory()
    data = {"rows": ["é" * 100] * 60_000}
    mine = Artifact(path="a.png")
    result, output = asyncio.run(kept(StepResult(output=data, artifacts=(mine,)), None, store))
    assert isinstance(output, dict)
    assert (output["artifact"], output["media_type"]) == ("mine/0", "application/json")
    assert result.artifacts == (mine, Artifact(path="mine/0", media_type="application/json", title="output"))
    assert output["preview"] == json.dumps(data, ensure_ascii=False, separators=(",", ":"))[:1_000]
    assert loaded(output, store) == data


@pytest.mark.parametrize(
    "make", [lambda: LARGE[1:], lambda: iter(["a"] * 1_000), lambda: None], ids=["text", "iterator", "None"]
)
def test_an_output_that_is_not_too_large_stays_as_it_is(make: Callable[[], object]) -> None:
    store = Memory()
    result, output = keep(make(), store)
    assert output == as_json(make())
    assert (result.artifacts, store.contents) == ((), {})


def test_an_output_that_can_be_read_once_only_is_kept_as_a_whole() -> None:
    store = Memory()
    _, output = keep((f"{number:07}" for number in range(1_000_000)), store)
    assert loaded(output, store) == [f"{number:07}" for number in range(1_000_000)]


def test_without_a_store_too_large_an_output_is_refused_and_says_how_to_get_one() -> None:
    with pytest.raises(OutputTooLarge, match=r"more than 5000000 characters.*create_plan_agent\(\.\.\., artifacts="):
        keep(LARGE, None)


def test_a_store_has_an_end_too() -> None:
    with pytest.raises(OutputTooLarge, match=r"more than 100000000 characters; write it to a file"):
        keep(["x" * 50_000_001] * 2, Memory())


def test_a_schema_holds_for_the_output_and_not_for_what_stands_for_it() -> None:
    store = Memory()
    _, output = keep(LARGE, store, {"type": "string"})
    assert output["artifact"] == "mine/0"
    with pytest.raises(InvalidOutput, match="does not fit the schema"):
        keep([LARGE], store, {"type": "string"})
    assert len(store.contents) == 1


_REFERENCE: dict[str, JsonValue] = {
    "artifact": f"sha256:{'a' * 64}",
    "media_type": "text/plain",
    "characters": 1,
    "bytes": 1,
    "preview": "a",
}


@pytest.mark.parametrize(
    "output",
    [
        {**_REFERENCE, "more": 1},
        {name: value for name, value in _REFERENCE.items() if name != "bytes"},
        {**_REFERENCE, "artifact": 3},
        {**_REFERENCE, "media_type": "text/html"},
        [_REFERENCE],
        f"sha256:{'a' * 64}",
    ],
    ids=str,
)
def test_what_only_looks_like_a_reference_is_an_output(output: JsonValue) -> None:
    assert StepContext(goal="").load(output) == output


def test_a_reference_without_its_store_is_an_error_that_says_so(folder: FolderArtifacts) -> None:
    with pytest.raises(MissingArtifact, match="the agent has no store of artifacts"):
        StepContext(goal="").load(_REFERENCE)
    with pytest.raises(MissingArtifact, match="there is no artifact"):
        StepContext(goal="", artifacts=folder).load(_REFERENCE)


@given(st.binary(max_size=20))
def test_content_that_is_not_of_its_type_is_damaged(content: bytes) -> None:
    store = Memory()
    reference = store.put(content, "application/json")
    try:
        expected = json.loads(content.decode())
    except ValueError:
        with pytest.raises(DamagedArtifact, match="is no application/json"):
            loaded({**_REFERENCE, "artifact": reference, "media_type": "application/json"}, store)
    else:
        found = loaded({**_REFERENCE, "artifact": reference, "media_type": "application/json"}, store)
        assert json.dumps(found) == json.dumps(expected)
