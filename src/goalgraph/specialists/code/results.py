"""What a program is given of a step, and how its result is read: as data that nobody has checked."""

import json
import mimetypes
import re
from collections.abc import Mapping
from typing import cast

from pydantic import JsonValue

from goalgraph.planner.outcome import Artifact
from goalgraph.specialists.artifacts import ArtifactStore, FolderArtifacts
from goalgraph.specialists.code.program import ProgramResult
from goalgraph.specialists.results import as_json
from goalgraph.specialists.schemas import misfits
from goalgraph.specialists.specialist import StepContext, StepTask

__all__ = ["GIVEN", "WRITTEN", "failure_of", "input_json", "keep", "output_of", "source_in"]

GIVEN, WRITTEN = "input.json", "output.json"
_BLOCK = re.compile(
    r"^(`{3,})[ \t]*(?:python|py|python3)?[ \t]*\n(.*?)^\1[ \t]*$", re.MULTILINE | re.DOTALL | re.IGNORECASE
)
_TAIL = 4_000
"""Characters of what a program printed that the model is shown."""


def source_in(text: str) -> str:
    """Return the program in a model's answer: its longest block of code, or all of it where it has none."""
    blocks = [cast("str", match[2]) for match in _BLOCK.finditer(text)]
    return max(blocks, key=len) if blocks else text


def input_json(task: StepTask, context: StepContext, code_field: str) -> bytes:
    """Write what the program reads: ``instruction``, ``input`` and ``results``, outputs as a whole.

    Blocks where outputs are in a store.

    Args:
        task: The step's.
        context: Dependencies that did not succeed have the result None.
        code_field: Argument that is not told: the program itself.

    Raises:
        MissingArtifact: An output is not in the store.
        DamagedArtifact: It is not what was kept.
    """
    told = {
        "instruction": task.instruction,
        "input": {name: value for name, value in task.input.items() if name != code_field},
        "results": {
            step: context.load(outcome) if outcome.status == "succeeded" else None
            for step, outcome in context.dependencies.items()
        },
    }
    return json.dumps(told, ensure_ascii=False, indent=1).encode("utf-8", "replace")


def output_of(result: ProgramResult) -> JsonValue:
    """Read the output: ``output.json``, else what was printed, else the names of the files that were written.

    Raises:
        ValueError: The file is no JSON, or there is nothing at all.
    """
    if WRITTEN in result.files:
        try:
            return as_json(json.loads(result.files[WRITTEN]))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{WRITTEN} is no JSON: {error}") from error
    if text := result.stdout.strip():
        return text
    if result.files:
        return {"files": list[JsonValue](sorted(result.files))}
    raise ValueError(f"it printed nothing, and wrote neither {WRITTEN} nor any other file")


def failure_of(result: ProgramResult, schema: Mapping[str, JsonValue] | None) -> str:
    """Say what keeps a result from being used, with what the program said last; empty where nothing does."""
    if result.ended != "exited" or result.exit_code != 0:
        how = f"it exited with {result.exit_code}" if result.ended == "exited" else f"it was ended: {result.ended}"
        said = result.stderr.strip() or result.stdout.strip()
        return "\n".join((how, *result.notes, said[-_TAIL:])).strip()
    try:
        output = output_of(result)
    except ValueError as error:
        return str(error)
    wrong = misfits(output, schema) if schema is not None else ""
    return f"its result does not fit the JSON Schema: {wrong}" if wrong else ""


def keep(result: ProgramResult, source: str, store: ArtifactStore) -> tuple[Artifact, ...]:
    """Put the program and the files that it wrote into the store; blocks."""
    kept = {"main.py": source.encode("utf-8", "replace"), **_others(result)}
    found: list[Artifact] = []
    for name, content in kept.items():
        media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        reference = store.put(content, media_type)
        path = str(store.path_of(reference)) if isinstance(store, FolderArtifacts) else reference
        found.append(Artifact(path=path, media_type=media_type, title=name))
    return tuple(found)


def _others(result: ProgramResult) -> dict[str, bytes]:
    return {name: content for name, content in result.files.items() if name not in ("main.py", WRITTEN)}
