"""What a planner's model is told of a goal, within a budget of tokens."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import cast

from pydantic import JsonValue

from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.decomposer import PlanRequest
from goalgraph.planner.draft import MOST_SIMPLE, as_draft
from goalgraph.planner.validation import PlanPolicy
from goalgraph.prompts import fenced, fit

__all__ = ["LAST_CUT", "available_cards", "card_values", "policy_of", "texts_of", "values_of"]

LAST_CUT = ("the goal", "the constraints")
"""Names of the texts that give way last where the prompt is too long."""

_MAX_TOKENS = 20_000
"""Of the run's inputs, and of each plan that was rejected, no more is shown; the specialists get all inputs."""

_MAX_REJECTED = 3
"""No more of the plans that a human rejected are shown."""

_MAX_OF_TOOL = 500
"""Characters of what is said of a tool that roles may have."""

_MAX_FIELDS = 12
"""Of a specialist's output, no more fields are named."""

_LEFT_OUT = "(left out: the prompt would be too long)"
_TYPES = {"array": "list", "boolean": "true or false", "integer": "number", "number": "number", "object": "object"}


def available_cards(cards: Iterable[SpecialistCard], policy: PlanPolicy) -> tuple[SpecialistCard, ...]:
    """Return the specialists that a planner is told of: those that a plan may use, but for replicas."""
    return tuple(card for card in policy.usable(cards) if card.replica_of is None)


def policy_of(request: PlanRequest) -> PlanPolicy:
    """Return what the plan is checked by: a simple one is short, approvals apart."""
    if not request.simple:
        return request.policy
    most = MOST_SIMPLE * (2 if request.policy.require_approval else 1)
    return PlanPolicy(
        max_steps=min(request.policy.max_steps, most),
        require_approval=request.policy.require_approval,
        available=request.policy.available,
    )


def texts_of(request: PlanRequest, model_name: str) -> dict[str, str]:
    """Return all texts of any length that the prompt has, by name; what is very long is cut, and says so.

    Args:
        request: What the planner is told.
        model_name: By whose vocabulary tokens are counted.
    """
    texts = {"the goal": request.goal}
    if request.constraints:
        texts["the constraints"] = "\n".join(f"- {' '.join(one.split())}" for one in request.constraints)
    long = {"the inputs": json.dumps(dict(request.inputs), ensure_ascii=False, indent=1, default=str)}
    long = long if request.inputs else {}
    for number, one in enumerate(request.rejected[-_MAX_REJECTED:], start=1):
        long[f"rejected plan {number}"] = json.dumps(as_draft(one.plan), ensure_ascii=False)
        if one.reason:
            texts[f"the reason against plan {number}"] = one.reason
    cut = {name: fit({name: text}, _MAX_TOKENS, model_name=model_name).texts[name] for name, text in long.items()}
    return {**texts, **cut}


def values_of(request: PlanRequest, texts: Mapping[str, str]) -> dict[str, object]:
    """Return the values of the template ``plan``; all text that others wrote is fenced.

    Args:
        request: What the planner is told.
        texts: What `texts_of` gave, shortened or not.
    """
    shown = {name: fenced(text) if text else _LEFT_OUT for name, text in texts.items()}
    policy = policy_of(request)
    return {
        "specialists": [card_values(card) for card in available_cards(request.cards, policy)],
        "max_steps": policy.max_steps,
        "simple": request.simple,
        "max_roles": policy.max_roles,
        "tools": [{"name": name, "description": _on_a_line(said)} for name, said in sorted(policy.tools.items())],
        "approve_something": "*" in policy.require_approval,
        "approve_first": ", ".join(sorted(policy.require_approval - {"*"})),
        "constraints": shown.get("the constraints", ""),
        "inputs": shown.get("the inputs", ""),
        "goal": shown["the goal"],
        "rejected": [
            {"plan": shown[f"rejected plan {number}"], "reason": shown.get(f"the reason against plan {number}", "")}
            for number in range(1, len(request.rejected[-_MAX_REJECTED:]) + 1)
        ],
    }


def _on_a_line(text: str) -> str:
    shown = " ".join(text.split())
    return shown if len(shown) <= _MAX_OF_TOOL else f"{shown[: _MAX_OF_TOOL - 3]}..."


def card_values(card: SpecialistCard) -> dict[str, str]:
    """Return what prompts say of a specialist: its name, its description on one line, and facts."""
    return {"name": card.name, "description": " ".join(card.description.split()), "facts": "; ".join(_facts(card))}


def _facts(card: SpecialistCard) -> Iterator[str]:
    if card.capabilities:
        yield f"capabilities: {', '.join(card.capabilities)}"
    costs = [f"{card.cost_usd:g} USD"] if card.cost_usd is not None else []
    costs += [f"{card.seconds:g} s"] if card.seconds is not None else []
    if costs:
        yield f"usually {' and '.join(costs)} a step"
    if output := _output(card.output_schema or {}):
        yield f"output: {output}"
    if card.effects:
        yield "has effects outside of the run"


def _output(schema: Mapping[str, JsonValue]) -> str:
    """Name the fields of an output, with the types that expressions care for."""
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return "a list" if schema.get("type") == "array" else ""
    names = [f"{name}{_type(one)}" for name, one in cast("Mapping[str, object]", properties).items()]
    more = len(names) - _MAX_FIELDS
    return ", ".join(names[:_MAX_FIELDS]) + (f" and {more} more" if more > 0 else "")


def _type(schema: object) -> str:
    kind = cast("Mapping[str, object]", schema).get("type") if isinstance(schema, Mapping) else None
    return f" ({_TYPES[kind]})" if isinstance(kind, str) and kind in _TYPES else ""
