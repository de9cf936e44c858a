"""What the command line knows of plans whose steps are of other types, or stand in each other."""

from pathlib import Path

from goalgraph import specialist
from goalgraph.cli.crew import Crew
from goalgraph.cli.records import step_records
from goalgraph.planner.outcome import Artifact, Outcome
from goalgraph.planner.plan import Plan
from goalgraph.specialists import SpecialistRegistry


@specialist(capabilities=["writing"])
def report_writer(text: str) -> str:
    return text


@specialist(capabilities=["reading"])
def reader(text: str) -> str:
    return text


CREW = Crew(registry=SpecialistRegistry([report_writer, reader]), model=None)


def plan(*steps: object, **fields: object) -> Plan:
    return Plan.model_validate({"steps": steps, **fields})


REPORT = {"id": "report", "agent": "report_writer"}


def test_everybody_who_does_something_has_a_name_or_words() -> None:
    made = plan(
        {"id": "both", "agents": ["reader", "report_writer"]},
        {"id": "each", "type": "map", "over": [1], "step": {"id": "one", "requires": ["reading"]}},
        {"id": "nest", "type": "map", "over": [1], "step": {"id": "two", "agents": ["reader", "report_writer"]}},
        {"id": "fork", "type": "condition", "if": "true", "then": [{"id": "pause", "type": "wait", "duration": 1}]},
        {"id": "sign", "type": "human_approval", "prompt": "?", "assignee": "anna"},
        {"id": "last", "requires": ["writing"]},
        coordinator={"guardrails": [{"type": "approval", "require_for": ["writing"]}]},
    )
    assert CREW.doers(made) == {
        "both.reader": "reader",
        "both.report_writer.approval": "a human",
        "both.report_writer": "report_writer",
        "both": "group",
        "each": "reader",
        "nest.approval": "a human",
        "nest": "reader, report_writer",
        "fork": "rules",
        "fork.pause": "wait",
        "sign": "a human (anna)",
        "last.approval": "a human",
        "last": "report_writer",
    }


def test_a_report_that_all_leads_to_is_the_answer_also_in_a_group_or_before_an_approval() -> None:
    sign = {"id": "sign", "type": "human_approval", "prompt": "?", "depends_on": ["report"]}
    assert CREW.synthesis(plan(REPORT)) == "last_wins"
    assert CREW.synthesis(plan(REPORT, sign)) == "last_wins"
    assert CREW.synthesis(plan({"id": "g", "type": "parallel", "branches": [REPORT]})) == "last_wins"
    assert CREW.synthesis(plan(REPORT, {"id": "other", "agent": "reader"})) == "concatenate"
    assert CREW.synthesis(plan({"id": "t", "type": "transform", "output": 1})) == "concatenate"


def test_files_of_a_map_s_items_are_the_map_s(tmp_path: Path) -> None:
    def wrote(step: str, *names: str) -> Outcome:
        files = tuple(Artifact(path=str(tmp_path / name)) for name in names)
        return Outcome(step=step, status="succeeded", artifacts=files)

    found = [wrote("each[0]", "a.txt", "b.txt"), wrote("each[1].inner", "b.txt"), wrote("g.each[0]", "c.txt")]
    outcomes = {outcome.step: outcome for outcome in found}
    records = step_records({"each": "x", "g.each": "y"}, {**outcomes, "g.each": wrote("g.each", "d.txt")}, tmp_path)
    assert [(record.id, record.status, [file.path for file in record.artifacts]) for record in records] == [
        ("each", "waiting", ["a.txt", "b.txt"]),
        ("g.each", "succeeded", ["d.txt", "c.txt"]),
    ]
