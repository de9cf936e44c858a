"""The one text that a specialist of texts is given."""

from goalgraph import Outcome, StepContext, StepError, StepTask
from goalgraph.specialists.briefing import brief, dependency_texts

FAILED = Outcome(step="b", status="failed", error=StepError(code="raised", message="no disk"))


def test_a_brief_without_input_and_dependencies_is_the_instruction() -> None:
    assert brief(StepTask(step="a", instruction="do it"), StepContext(goal="g")) == "do it"


def test_a_brief_holds_instruction_then_input_then_outputs_in_plan_order() -> None:
    context = StepContext(
        goal="g",
        dependencies={
            "z": Outcome(step="z", status="succeeded", output={"text": "from z"}),
            "b": FAILED,
            "c": Outcome(step="c", status="skipped", output="never"),
        },
    )
    assert brief(StepTask(step="a", instruction="do it", input={"é": [1]}), context) == (
        'do it\n\n<input>\n{\n "é": [\n  1\n ]\n}\n</input>\n\n<result step="z">\nfrom z\n</result>\n\n'
        '<result step="b">\n[failed: no disk]\n</result>\n\n<result step="c">\n[skipped]\n</result>'
    )


def test_outputs_of_what_did_not_succeed_are_never_shown_as_such() -> None:
    assert dependency_texts({"b": FAILED}) == {"b": "[failed: no disk]"}
    assert dependency_texts({"b": Outcome(step="b", status="blocked", output="secret")}) == {"b": "[blocked]"}
