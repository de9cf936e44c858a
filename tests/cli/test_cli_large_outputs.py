"""What the command does with outputs too large for a checkpoint."""

import json
from collections.abc import Callable
from pathlib import Path

Called = Callable[[list[str]], tuple[int, str, str]]

_SPECIALIST = """
from goalgraph import specialist

@specialist(description="Writes a lot.")
def writer(task, context):
    return "abcde" * 1_200_000

@specialist(description="Counts.")
def counter(task, context):
    return f"{len(context.load(context.dependencies['long']))} characters"
"""
_PLAN = """
name: large
steps:
  - {id: long, task: write, agent: writer}
  - {id: count, task: count, agent: counter, depends_on: [long]}
output: "{{ steps.count.output }}"
"""


def test_a_large_output_is_kept_in_the_folder_of_the_run(workplace: Path, called: Called) -> None:
    (workplace / "leaver.py").write_text(_SPECIALIST, "utf-8")
    (workplace / "large.yaml").write_text(_PLAN, "utf-8")
    own = ["--specialists", "leaver:writer", "--specialists", "leaver:counter"]
    arguments = ["run", "do it", "--plan", "large.yaml", *own, "--out", "out", "--yes"]
    code, _, err = called(arguments)
    assert code == 0, err
    assert (workplace / "out" / "report.md").read_text() == "6000000 characters\n"
    record = json.loads((workplace / "out" / "run.json").read_text())
    (artifact,) = record["steps"][0]["artifacts"]
    assert artifact["path"].startswith("artifacts/")
    assert (workplace / "out" / artifact["path"]).stat().st_size == 6_000_000
    assert called([*arguments, "--overwrite"])[0] == 0
