"""What a reviser's model is told of a run that does not work out, within a budget of tokens."""

import json
from collections.abc import Iterator, Mapping, Sequence

from pydantic import JsonValue

from goalgraph.planner.decision import Decision
from goalgraph.planner.draft import as_draft
from goalgraph.planner.gates import is_gate
from goalgraph.planner.outcome import Outcome, text_of
from goalgraph.planner.plan import Step
from goalgraph.planner.plan_prompt import available_cards, card_values
from goalgraph.planner.reviser import RevisionRequest
from goalgraph.planner.wording import task_of, title_of
from goalgraph.prompts import fenced, fit

__all__ = ["LAST_CUT", "texts_of", "values_of"]

LAST_CUT = ("the goal", "the reason", "the guidance")
"""Names of the texts that give way last where the prompt is too long."""

_MAX_TOKENS = {"plan": 24_000, "results": 12_000, "evidence": 6_000, "history": 4_000, "inputs": 4_000, "said": 4_000}
"""Of the texts of one kind together, however large the model's window is: every revision is paid for."""
_MAX_EARLIER = 8
"""No more of the earlier changes are told."""
_MAX_FAILURES = 20
"""No more failures beside the one that calls for the change are told, each in a few words."""

_LEFT_OUT = "(left out: the prompt would be too long)"
_FINISHED = "finished, to be kept as they are"
_STATES = {
    "succeeded": _FINISHED,
    "skipped": "skipped by a condition, to be kept as they are",
    "at work": "at work, to be left alone",
    "failed": "failed, may be replaced or dropped",
    "cancelled": "cancelled",
    "gate": "not begun, to stay as and where they are, since they wait for a human or an event",
    "": "not begun, may be changed or dropped",
}
_CHANGES = {
    "revise": "made",
    "refuse": "refused, since it may not be made",
    "no_change": "none was known",
    "no_progress": "refused, since it gives a plan that there was before",
    "guide": "a human gave guidance",
    "accept": "a human accepted what there was",
    "abort": "a human ended the run",
}


def texts_of(request: RevisionRequest, model_name: str) -> dict[str, str]:
    """Return all texts of any length that the prompt has, by name; what is very long is cut, and says so.

    Args:
        request: What the reviser is told.
        model_name: By whose vocabulary tokens are counted.
    """
    said = {"the goal": request.goal, "the reason": request.trigger.reason, "the guidance": request.guidance}
    kinds = {
        "said": {name: text for name, text in said.items() if text},
        "inputs": {"the inputs": _json(dict(request.inputs))} if request.inputs else {},
        "plan": {"the plan": _plan(as_draft(request.plan))},
        "evidence": _evidence(request),
        "results": {_result(step_id): text for step_id, text in _results(request).items()},
        "history": _changes(request.history),
    }
    found: dict[str, str] = {}
    for kind, texts in kinds.items():
        found |= fit(texts, _MAX_TOKENS[kind], model_name=model_name).texts
    return found


def values_of(request: RevisionRequest, texts: Mapping[str, str]) -> dict[str, object]:
    """Return the values of the template ``revise``; all text that others wrote is fenced.

    Args:
        request: What the reviser is told.
        texts: What `texts_of` gave, shortened or not.
    """
    shown = {name: fenced(text) if text else _LEFT_OUT for name, text in texts.items()}
    return {
        "goal": shown["the goal"],
        "inputs": shown.get("the inputs", ""),
        "plan": shown["the plan"],
        "states": _states(request),
        "step": request.trigger.step,
        "reason": shown.get("the reason", ""),
        "facts": ", ".join(_facts(request)),
        "evidence": [{"name": name, "text": shown[name]} for name in _evidence(request)],
        "failures": _failures(request),
        "results": [
            {"step": step_id, "marks": _marks(request.outcomes[step_id]), "text": shown[_result(step_id)]}
            for step_id in _results(request)
        ],
        "history": [
            {"what": _CHANGES.get(one.chosen, one.chosen), "step": one.subject, "text": shown.get(name, "")}
            for one, name in zip(_last(request.history), _names(request.history), strict=True)
        ],
        "guidance": shown.get("the guidance", ""),
        "specialists": [card_values(card) for card in available_cards(request.cards, request.policy)],
        "max_steps": request.policy.max_steps,
        "require_approval": ", ".join(sorted(request.policy.require_approval)),
    }


def _states(request: RevisionRequest) -> list[dict[str, str]]:
    found: dict[str, list[str]] = {state: [] for state in _STATES.values()}
    for step in request.plan.steps:
        found[_STATES[_state(step, request)]].append(step.id)
    return [{"state": state, "steps": ", ".join(steps)} for state, steps in found.items() if steps]


def _state(step: Step, request: RevisionRequest) -> str:
    outcome = request.outcomes.get(step.id)
    if step.id in request.at_work:
        return "at work"
    begun = outcome is not None and outcome.status != "blocked"
    return outcome.status if outcome is not None and begun else "gate" if is_gate(step) else ""


def _evidence(request: RevisionRequest) -> dict[str, str]:
    """What is known of the step that calls for the change, but for empty texts."""
    step, outcome = _subject(request)
    texts: dict[str, str] = {}
    if step is not None:
        texts["Its task"] = task_of(step) if step.type == "agent" else title_of(step)
    if step is not None and (step.type == "agent" or step.type == "sub_plan") and step.input:
        texts["Its input, as JSON"] = _json(step.input)
    if outcome is not None:
        texts["Its error"] = _error(outcome)
        texts["Its output"] = text_of(outcome.output)
        texts["What its specialist finds less than was asked for"] = "\n".join(outcome.degraded)
        texts["Why its confidence is not higher"] = outcome.confidence_reason
        texts["What its specialist signals"] = "\n".join(outcome.signals)
    return {name: text for name, text in texts.items() if text}


def _facts(request: RevisionRequest) -> Iterator[str]:
    step, outcome = _subject(request)
    if outcome is None:
        return
    yield outcome.status
    if outcome.specialist is not None:
        yield f"done by {_line(outcome.specialist)}"
    if outcome.attempts:
        yield f"{outcome.attempts} attempt{'s' if outcome.attempts > 1 else ''} in {outcome.seconds:.3g} s"
    if outcome.usage.calls:
        usage = outcome.usage
        yield f"{usage.calls} model calls with {usage.input_tokens} tokens in and {usage.output_tokens} out"
    if outcome.confidence is not None:
        floor = step.min_confidence if step is not None and step.type == "agent" else None
        yield f"confidence {outcome.confidence:g}" + (f" where {floor:g} is asked for" if floor is not None else "")


def _subject(request: RevisionRequest) -> tuple[Step | None, Outcome | None]:
    step = next((one for one in request.plan.steps if one.id == request.trigger.step), None)
    return step, request.outcomes.get(request.trigger.step)


def _failures(request: RevisionRequest) -> list[dict[str, str]]:
    """Failures beside the one that calls for the change."""
    found = [
        {"step": step.id, "status": outcome.status, "text": fenced(_error(outcome)[:300])}
        for step in request.plan.steps
        if step.id != request.trigger.step
        and (outcome := request.outcomes.get(step.id)) is not None
        and outcome.status == "failed"
    ]
    return found[:_MAX_FAILURES]


def _results(request: RevisionRequest) -> dict[str, str]:
    """Outputs of finished steps, but for the ends of groups, which say what their branches say."""
    return {
        step.id: text
        for step in request.plan.steps
        if step.id != request.trigger.step
        and step.type != "parallel"
        and (outcome := request.outcomes.get(step.id)) is not None
        and outcome.status == "succeeded"
        and (text := text_of(outcome.output).strip())
    }


def _result(step_id: str) -> str:
    return f"the result of step {step_id!r}"


def _marks(outcome: Outcome) -> str:
    return f"confidence {outcome.confidence:g}" if outcome.confidence is not None else ""


def _last(history: Sequence[Decision]) -> Sequence[Decision]:
    return history[-_MAX_EARLIER:]


def _names(history: Sequence[Decision]) -> list[str]:
    return [f"change {number}" for number in range(1, len(_last(history)) + 1)]


def _changes(history: Sequence[Decision]) -> dict[str, str]:
    """What was said of earlier changes, and their evidence."""
    texts = {
        name: "\n".join(filter(None, (one.rationale, *_lines(one.answer))))
        for name, one in zip(_names(history), _last(history), strict=True)
    }
    return {name: text for name, text in texts.items() if text}


def _lines(answer: JsonValue) -> Iterator[str]:
    """Evidence as text, so that a diff can be read as such."""
    if isinstance(answer, dict):
        for name, value in answer.items():
            yield f"{name}: {value if isinstance(value, str) else _json(value)}"
    elif answer is not None:
        yield answer if isinstance(answer, str) else _json(answer)


def _error(outcome: Outcome) -> str:
    if outcome.error is None:
        return ""
    kind = f" ({outcome.error.type})" if outcome.error.type else ""
    return f"{outcome.error.code}{kind}: {outcome.error.message}"


def _line(text: str) -> str:
    return " ".join(text.split())


def _plan(draft: Mapping[str, JsonValue]) -> str:
    """A draft as JSON, with a line for each step."""
    parts = [
        f"{_json(name)}: [\n  " + ",\n  ".join(map(_json, value)) + "\n ]"
        if isinstance(value, list)
        else f"{_json(name)}: {_json(value)}"
        for name, value in draft.items()
    ]
    return "{\n " + ",\n ".join(parts) + "\n}"


def _json(value: JsonValue) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
