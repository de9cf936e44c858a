"""Which steps an answer comes from, read from its text."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalgraph import Decision, Outcome, Plan, Source, SynthesisRequest
from goalgraph.planner.plan import AgentStep
from goalgraph.synthesis import Concatenate, LastWins, ModelSynthesizer, Synthesizer
from goalgraph.synthesis.parts import Part, parts
from goalgraph.synthesis.sources import cited, named_by
from goalgraph.testing import ScriptedChatModel

STEPS = (
    AgentStep(id="read", agent="x", task="Read\nit."),
    AgentStep(id="search.web", agent="x", task="Search it."),
    AgentStep(id="judge", agent="x", task="Judge it.", depends_on=("read", "search.web")),
    AgentStep(id="draw", agent="x", task="Draw it."),
)
IDS = [step.id for step in STEPS]


def done(step: str, output: str = "", **fields: object) -> Outcome:
    made = {"step": step, "status": "succeeded", "output": output or f"out {step}", "specialist": "reader", **fields}
    return Outcome.model_validate(made)


def request(*outcomes: Outcome, min_confidence: float | None = None) -> SynthesisRequest:
    by_step = {one.step: one for one in outcomes}
    return SynthesisRequest(goal="g", plan=Plan(steps=STEPS), outcomes=by_step, min_confidence=min_confidence)


FOUND = parts(request(done("read"), done("search.web", "as in [old_note] it was"), done("judge")))


def test_marks_make_sources_with_the_headings_they_stand_under_in_the_order_of_use() -> None:
    text = "Both agree [judge].\n\n# Growth [read] #\nIt grew [read], as said [search.web; read].\n## Rest\nNo [read]."
    sources, unknown = cited(text, FOUND, IDS)
    assert sources == (
        Source(step="judge", specialist="reader", title="Judge it."),
        Source(step="read", specialist="reader", title="Read it.", sections=("Growth", "Rest")),
        Source(step="search.web", specialist="reader", title="Search it.", sections=("Growth",)),
    )
    assert unknown == ()


@pytest.mark.parametrize(
    ("text", "used", "unknown"),
    [
        ("a [read]", ["read"], ()),
        ("a [`read`], [step judge]", ["read", "judge"], ()),
        ("a [read, nobody]", ["read"], ("nobody",)),
        ("a [made_up] b [made_up]", [], ("made_up",)),
        ("a [read][judge]", ["read", "judge"], ()),
        ("no chart [draw]", [], ()),
        ("see [read](http://x) and [made_up](http://x)", [], ()),
        ("[made_up]: http://x", [], ()),
        ("as in [old_note]", [], ()),
        ("rows[made_up] and `[made_up]`", [], ()),
        ("```\n[read] [made_up]\n```", [], ()),
        ("[sic] [1] [x] [ ] [^1] [first, then]", [], ()),
        ("[read, see there]", ["read"], ()),
    ],
    ids=[
        *("mark", "forms", "one of two unknown", "unknown once", "side by side", "without a result", "links"),
        *("link target", "quotation", "code", "fenced code", "no marks", "with words"),
    ],
)
def test_only_marks_of_steps_count(text: str, used: list[str], unknown: tuple[str, ...]) -> None:
    sources, strange = cited(text, FOUND, IDS)
    assert [source.step for source in sources if source.used] == used
    assert strange == unknown


@given(st.text("[]` #\nreadmx_,;:(", max_size=40))
def test_every_part_is_a_source_once_whatever_the_text_says(text: str) -> None:
    sources, unknown = cited(text, FOUND, IDS)
    assert sorted(source.step for source in sources) == sorted(part.step for part in FOUND)
    assert not set(unknown) & set(IDS)


async def test_a_model_s_answer_names_its_sources_and_what_is_none_is_said() -> None:
    model = ScriptedChatModel(["It grew [read], they say [made_up]."])
    written = await ModelSynthesizer(model).synthesize(request(done("read"), done("judge")))
    assert written.answer == "It grew [read], they say [made_up]."
    assert [(one.step, one.used) for one in written.sources] == [("read", True), ("judge", False)]
    assert written.degraded == ("the answer cites what is no step: made_up",)


async def test_parts_put_together_are_sources_under_their_headings() -> None:
    failed = Outcome(step="judge", status="failed")
    two = await Concatenate().synthesize(request(done("read"), done("search.web"), failed))
    assert [(one.step, one.sections) for one in two.sources] == [("read", ("read",)), ("search.web", ("Search it.",))]
    one = await Concatenate().synthesize(request(done("read"), failed))
    assert one.sources == (Source(step="read", specialist="reader", title="Read it."),)
    last = await LastWins().synthesize(request(done("read"), done("judge")))
    assert [source.step for source in last.sources] == ["judge"]


def test_an_output_of_the_plan_comes_from_the_steps_it_names() -> None:
    output = {"a": "{{ steps.judge.output }}", "b": ["{{ steps.read.output }} {{ steps.draw.output }}"]}
    asked = request(done("judge"), done("read"), Outcome(step="draw", status="skipped"))
    assert [source.step for source in named_by(output, asked)] == ["read", "judge"]  # type: ignore[arg-type]


@pytest.mark.parametrize(("own", "least", "weak"), [(None, 0.5, True), (0.3, 0.5, False), (0.5, None, True)])
def test_the_run_s_least_confidence_counts_for_steps_without_one(
    own: float | None, least: float | None, weak: bool
) -> None:
    step = STEPS[0].model_copy(update={"min_confidence": own})
    asked = SynthesisRequest(
        goal="g", plan=Plan(steps=(step,)), outcomes={"read": done("read", confidence=0.4)}, min_confidence=least
    )
    assert parts(asked)[0].marks == (("low confidence: 0.4",) if weak else ())


DECIDED = Decision(kind="conflict", subject="judge", chosen="read", at="2025-01-01T00:00:00+00:00")
FIGHT = "reports a conflict between the results of 'read' and 'search.web'"


def judged(*others: Outcome, **fields: Any) -> Part:
    found = parts(request(*others, done("judge", signals=("handoff.ready", "conflict.active"), **fields)))
    return found[-1]


def test_a_conflict_that_nobody_decided_is_marked_with_what_it_is_between() -> None:
    assert judged(done("read"), done("search.web")).marks == (FIGHT,)
    assert judged(done("read")).marks == ("reports a conflict in the result of 'read'",)
    assert judged(Outcome(step="read", status="failed")).marks == ("reports a conflict",)
    assert judged(done("read"), done("search.web"), decisions=[DECIDED]).marks == ()


@pytest.mark.parametrize("synthesizer", [Concatenate(), LastWins()], ids=["concatenate", "last wins"])
async def test_an_answer_names_the_conflict(synthesizer: Synthesizer) -> None:
    outcome = done("judge", "Both.", signals=("conflict.active",), confidence=0.1)
    written = await synthesizer.synthesize(request(done("read"), done("search.web"), outcome, min_confidence=0.5))
    assert written.answer.endswith(f"*(low confidence: 0.1; {FIGHT})*\n\nBoth.")


async def test_a_model_is_told_of_the_conflict() -> None:
    model = ScriptedChatModel(["Both [judge]."])
    outcome = done("judge", signals=("conflict.active",))
    await ModelSynthesizer(model).synthesize(request(done("read"), done("search.web"), outcome))
    system, user = model.received[0]
    assert f"Result of step [judge] ({FIGHT}), whose task was:" in user.text
    assert "name the conflict" in system.text
