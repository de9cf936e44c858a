"""How outcomes, estimates, results and plans show themselves in notebooks and terminals."""

import copy
import io
import json
import pickle
import re
from html.parser import HTMLParser
from typing import Any, cast

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Interrupt
from rich.console import Console
from tests.views.plans import HOSTILE, fan_plan, hostile_plan, mostly, ran
from typing_extensions import TypedDict

from goalgraph import RunResult, answer, apending, create_plan_agent, diff_plans, pending, specialist
from goalgraph.planner.estimate import estimate_plan
from goalgraph.planner.outcome import Outcome, StepError, Usage
from goalgraph.planner.plan import AgentStep, Plan
from goalgraph.testing import ScriptedSpecialist

_PLAN = Plan(name="Launch", steps=(AgentStep(id="read", agent="reader"), AgentStep(id="write", agent="writer")))
_OUTCOMES = {
    "read": Outcome(step="read", status="succeeded", specialist="reader", seconds=2.0, attempts=2, confidence=0.5),
    "write": Outcome(
        step="write",
        status="failed",
        specialist="writer",
        seconds=0.25,
        error=StepError(code="raised", message="no such host", type="OSError"),
    ),
}
_RESULT = RunResult(
    goal="Launch it",
    status="degraded",
    degraded=["step 'write' failed"],
    answer="# Ready\n\nAll is *well*.",
    plan=_PLAN,
    outcomes=_OUTCOMES,
    usage=Usage(input_tokens=1200, output_tokens=30, calls=2, cost_usd=0.02),
)
_ALLOWED = frozenset(
    (
        "a",
        "b",
        "blockquote",
        "br",
        "code",
        "details",
        "div",
        "em",
        "g",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "li",
        "ol",
        "p",
        "path",
        "pre",
        "rect",
        "span",
        "strong",
        "style",
        "summary",
        "svg",
        "table",
        "tbody",
        "td",
        "text",
        "th",
        "thead",
        "title",
        "tr",
        "ul",
    )
)


class _Seen(HTMLParser):
    """Collects what a browser would see."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags = set[str]()
        self.attributes = list[tuple[str, str]]()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def _forms(value: Any) -> dict[str, str]:
    found: dict[str, str] = value._repr_mimebundle_()
    return found


def _printed(value: object, *, colours: bool = False) -> str:
    file = io.StringIO()
    Console(
        file=file, width=100, force_terminal=colours, color_system="standard" if colours else None, legacy_windows=False
    ).print(value)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


@pytest.mark.parametrize(
    ("value", "forms"),
    [
        pytest.param(_PLAN, {"image/svg+xml", "text/html", "text/vnd.mermaid", "text/plain"}, id="plan"),
        pytest.param(_OUTCOMES["read"], {"text/html", "text/plain"}, id="outcome"),
        pytest.param(estimate_plan(_PLAN, ()), {"text/html", "text/plain"}, id="estimate"),
        pytest.param(_RESULT, {"text/html", "text/markdown", "text/plain"}, id="result"),
        pytest.param(RunResult(), {"text/html", "text/markdown", "text/plain"}, id="empty result"),
        pytest.param(
            RunResult(plan=1, outcomes=[2], degraded="x", answer=None, status=[], __interrupt__=[3]),
            {"text/html", "text/markdown", "text/plain"},
            id="odd result",
        ),
    ],
)
def test_everything_has_forms_that_run_nothing_and_load_nothing(value: object, forms: set[str]) -> None:
    found = _forms(value)
    assert set(found) == forms
    seen = _Seen(found["text/html"])
    assert seen.tags <= _ALLOWED
    assert {name for name, _ in seen.attributes}.isdisjoint({"href", "src", "onclick", "onerror"})
    assert "url(" not in found["text/html"]
    assert "@import" not in found["text/html"]
    assert _printed(value)


def test_an_outcome_says_how_it_ended_by_whom_and_why() -> None:
    assert _forms(_OUTCOMES["write"])["text/plain"].split("\n") == [
        "✗ failed  write",
        "  specialist  writer",
        "  error       raised: no such host (OSError)",
        "  time        0.2 s",
    ]
    card = _Seen(_forms(_OUTCOMES["write"])["text/html"]).text
    assert "✗ failed" in card
    assert "raised: no such host (OSError)" in card


def test_an_output_is_folded_in_a_page_and_cut_in_a_terminal() -> None:
    outcome = Outcome(step="read", status="succeeded", output={"rows": list(range(3_000))})
    forms = _forms(outcome)
    assert "<details><summary>Output</summary>" in forms["text/html"]
    assert "characters in all" in forms["text/html"]
    assert len(forms["text/html"]) < 9_000
    assert len(forms["text/plain"].splitlines()) < 20


def test_a_result_says_why_it_is_degraded_and_answers() -> None:
    plain = _forms(_RESULT)["text/plain"]
    assert plain.splitlines()[:3] == [
        "! Run degraded  Launch it",
        "  - step 'write' failed",
        "Plan: Launch (2 steps)",
    ]
    assert "✗ write  writer  failed 0.2 s: no such host" in plain
    assert "All is well." in plain
    assert "1,200 tokens in, 30 out, 2 calls, 0.02 USD" in plain
    page = _Seen(_forms(_RESULT)["text/html"])
    assert "Ready" in page.text
    assert "All is <em>well</em>." in _forms(_RESULT)["text/html"]
    assert "step 'write' failed" in page.text
    assert {"svg", "table", "details"} <= page.tags
    assert _forms(_RESULT)["text/markdown"].split("\n\n") == [
        "**! Run degraded**: Launch it",
        "- step 'write' failed",
        "# Ready",
        "All is *well*.",
        "steps: 1 succeeded, 1 failed; usage: 1,200 tokens in, 30 out, 2 calls, 0.02 USD",
    ]


def test_a_terminal_shows_states_by_colour_too() -> None:
    drawn = _printed(_RESULT, colours=True)
    assert "\x1b[32m✓ " in drawn
    assert "\x1b[1;31m✗ " in drawn


def test_an_estimate_is_a_small_table() -> None:
    lines = _forms(estimate_plan(_PLAN, ()))["text/plain"].splitlines()
    assert lines[0] == "Estimate"
    assert [line.split() for line in lines[1:3]] == [["steps", "2", "in", "1", "layer"], ["tokens", "not", "known"]]
    assert "tokens, cost, time of reader, writer" in lines[-1]


async def test_a_result_that_waits_says_for_what_and_how_to_answer() -> None:
    plan = Plan.model_validate(
        {"steps": [{"id": "sign", "type": "human_approval", "prompt": "May <it> go?", "assignee": "boss"}]}
    )

    @specialist
    def nobody(text: str) -> str:
        """Do nothing."""
        return text

    agent = create_plan_agent(None, [nobody], checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    result = await agent.ainvoke({"goal": "Go", "plan": plan}, config)
    assert isinstance(result, RunResult)
    for form in _forms(result).values():
        assert "Run waits for 1 answer" in form
        assert "goalgraph.pending(agent, config)" in form
        assert "request.id: True" in form
    plain = _forms(result)["text/plain"]
    assert "sign (approval, for boss)\n  May <it> go?" in plain
    (request,) = pending(agent, config)
    done = answer(agent, config, {request.id: True})
    assert "Run complete" in _forms(done)["text/plain"]


def test_a_question_of_a_specialist_s_own_is_shown_as_it_is() -> None:
    plain = _forms(RunResult(__interrupt__=[Interrupt(value="Which <colour>?", id="1")]))["text/plain"]
    assert "Which <colour>?" in plain
    assert "request.id: ..." in plain


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: f"text {HOSTILE.index(text)}")
def test_hostile_texts_come_out_as_text_wherever_they_stand(text: str) -> None:
    outcome = Outcome.model_construct(
        step=text,
        status="failed",
        output={"text": text},
        specialist=text,
        error=StepError.model_construct(code=cast("Any", text), message=text, type=text),
        degraded=(text,),
        confidence=0.5,
        confidence_reason=text,
        signals=(text,),
    )
    plan = hostile_plan()
    result = RunResult(
        goal=text,
        status=text,
        answer=text,
        degraded=[text],
        plan=plan,
        outcomes={**ran(plan, ["failed"], HOSTILE), text: outcome},
        __interrupt__=[Interrupt(value={"kind": text, "step": text, "prompt": text, "assignee": text}, id="1")],
    )
    for value in (outcome, result, RunResult(outcomes={text: outcome}), estimate_plan(plan, ())):
        forms = _forms(value)
        seen = _Seen(forms["text/html"])
        assert seen.tags <= _ALLOWED
        assert not any(name.startswith("on") or name == "src" for name, _ in seen.attributes)
        links = [url for name, url in seen.attributes if name == "href"]
        assert not any(re.match(r"\s*(?!https?:|mailto:)[a-z]+:", url, re.IGNORECASE) for url in links)
        assert not re.search(r"(?<!\\)<(script|img)", forms.get("text/markdown", ""))
        for form in (*forms.values(), _printed(value)):
            assert not any(sign in form for sign in "\x1b\x07\u202e")
            form.encode()


def test_a_picture_in_an_answer_is_not_loaded() -> None:
    written = _forms(RunResult(answer="See ![it](https://example.com/a.png) and [this](https://example.com)."))
    assert "See &#33;[it](https://example.com/a.png) and [this](https://example.com)." in written["text/markdown"]


def test_html_in_an_answer_is_shown_in_a_terminal_too() -> None:
    answer = "One <b>word</b> of it.\n\n<result step='each'>\n[1, 2]\n</result>\n\nThe end."
    plain = _forms(RunResult(answer=answer))["text/plain"]
    assert "One <b>word</b> of it." in plain
    assert "<result step='each'>\n [1, 2]\n </result>" in plain
    assert "The end." in plain


def test_a_result_of_300_steps_stays_readable() -> None:
    plan = fan_plan(300)
    result = RunResult(plan=plan, status="degraded", outcomes=ran(plan, mostly(20)))
    forms = _forms(result)
    assert len(forms["text/html"]) < 80_000
    assert len(forms["text/plain"].splitlines()) < 60
    assert "and 288 more: 286 succeeded, 2 failed" in forms["text/plain"]
    assert "and 203 more: 203 succeeded" in _Seen(forms["text/html"]).text


def test_showing_a_result_leaves_it_as_it_is() -> None:
    result = RunResult(_RESULT)
    before = dict(result)
    _forms(result)
    assert dict(result) == before
    assert type(result["outcomes"]) is dict


def test_a_result_is_copied_pickled_and_stored_like_the_dict_that_it_is() -> None:
    for other in (copy.copy(_RESULT), copy.deepcopy(_RESULT), pickle.loads(pickle.dumps(_RESULT))):
        assert type(other) is RunResult
        assert other == _RESULT
    assert json.loads(json.dumps(RunResult(answer="x", degraded=["y"]))) == {"answer": "x", "degraded": ["y"]}


class _Kept(TypedDict):
    result: dict[str, Any]


async def test_a_result_can_be_kept_in_the_state_of_another_graph() -> None:
    def run(state: _Kept) -> _Kept:
        return {"result": _RESULT}

    graph: Any = StateGraph(_Kept)
    graph.add_node("run", run)
    graph.add_edge(START, "run")
    app = graph.compile(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    await app.ainvoke({"result": {}}, config)
    assert (await app.aget_state(config)).values["result"] == _RESULT


def test_what_is_different_shows_its_signs() -> None:
    changed = _PLAN.model_copy(update={"steps": (_PLAN.steps[0].model_copy(update={"id": "study"}), _PLAN.steps[1])})
    diff = diff_plans(_PLAN, changed)
    assert _forms(diff)["text/plain"] == diff.text
    page = _Seen(_forms(diff)["text/html"])
    assert page.text.strip().endswith(diff.text)
    assert page.tags <= _ALLOWED
    assert "\x1b[32m+ step study" in _printed(diff, colours=True)
    assert _forms(diff_plans(_PLAN, _PLAN))["text/plain"] == "The plans are the same."


async def test_a_request_shows_what_is_asked_and_how_to_answer() -> None:
    agent = create_plan_agent(None, [ScriptedSpecialist("noter")], checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    step = {"id": "sign", "type": "human_approval", "prompt": "Is *it* right? <script>", "assignee": "Ada"}
    await agent.ainvoke({"goal": "g", "plan": {"steps": [step]}}, config)
    (request,) = await apending(agent, config)
    forms = _forms(request)
    assert forms["text/plain"].splitlines()[0] == "? waits  sign (approval, for Ada)"
    assert "Is it right? <script>" in forms["text/plain"]
    assert "answer(agent, config, {request.id: True})" in forms["text/plain"]
    page = _Seen(forms["text/html"])
    assert "Is it right? <script>" in page.text
    assert page.tags <= _ALLOWED
