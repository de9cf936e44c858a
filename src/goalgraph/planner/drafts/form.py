"""The form that a model fills in: one list for each kind of step, with the fields of that kind."""

from collections.abc import Iterable, Mapping

from pydantic import JsonValue

from goalgraph.planner.card import SpecialistCard

__all__ = ["ANSWER_TYPES", "FIELDS", "MOST_SIMPLE", "ROLE", "WAITS", "roles_schema", "steps_schema"]

FIELDS: Mapping[str, tuple[str, ...]] = {
    "conditions": ("id", "if", "then", "else", "follows"),
    "steps": ("id", "agent", "task", "depends_on"),
    "teams": ("id", "agents", "capabilities", "task", "follows"),
    "maps": ("id", "over", "agent", "each", "follows"),
    "approvals": ("id", "question", "follows"),
    "questions": ("id", "question", "fields", "follows"),
    "waits": ("id", "for", "value", "follows"),
    "transforms": ("id", "output", "follows"),
}
"""The lists, in the order in which they are written, with the fields of their items.

Conditions come first: what they guard is known when the first step arrives, so that none is begun which may have to be
skipped.
"""

ROLE = ("name", "description", "instructions", "tools")
"""Fields of an item of the list ``roles``, where a plan may propose some."""

MOST_SIMPLE = 5
"""Steps of a simple plan."""

ANSWER_TYPES: Mapping[str, str] = {"text": "string", "number": "number", "yes_no": "boolean"}
"""What a human can be asked to fill in, and the type in JSON Schema."""

WAITS = ("duration", "until", "event")

_MAX_ENUM = 250
"""OpenAI's strict mode limits an enum of more values by their total length, see its guide to structured outputs."""

_MAX_ENUMS = 500
"""Values of all enums of a schema together, which every strict mode takes."""


def steps_schema(
    cards: Iterable[SpecialistCard], *, simple: bool = False, approvals: bool = False, roles: bool = False
) -> dict[str, JsonValue]:
    """Return the lists of steps as properties of a JSON Schema, in the order in which they are to be written.

    No unions, no free-form objects, every field required, as strict modes ask for. `read_steps` reads such lists.

    Args:
        cards: The specialists that a step may name.
        simple: Whether there is only the list of specialists' steps, of at most `MOST_SIMPLE`.
        approvals: Whether a simple plan has the list of approvals too.
        roles: Whether a step may name others than these: the roles of its plan.
    """
    names = [] if roles else sorted({card.name for card in cards})
    agent = _agent(names, most=_MAX_ENUM)
    steps = _array(
        {
            "id": _text("Short and unique: letters, digits, '_' and '-', no spaces."),
            "agent": agent,
            "task": _text("What is to be done, complete without the other steps' text."),
            "depends_on": _ids("Ids of the steps whose results this step works with; empty where it needs none."),
        },
        "Work, each step for one specialist.",
    )
    follows = _ids("Ids of what has to be over first.")
    asked = _array(
        {"id": _ID, "question": _text("What a human says yes or no to."), "follows": follows},
        "A no stops what depends on it.",
    )
    if simple:
        return {"steps": {**steps, "maxItems": MOST_SIMPLE}, **({"approvals": asked} if approvals else {})}
    again = _agent(names, most=_MAX_ENUMS // 3)
    return {
        "conditions": _array(
            {
                "id": _ID,
                "if": _text("Expression that is true or false."),
                "then": _ids("Ids of what happens only if it is true."),
                "else": _ids("Ids of what happens only if it is false."),
                "follows": follows,
            },
            "Forks.",
        ),
        "steps": steps,
        "teams": _array(
            {
                "id": _ID,
                "agents": {"type": "array", "items": again, "description": "Each of them does the whole work."},
                "capabilities": _ids("Where agents is empty: any specialist that has all of these does it."),
                "task": _text("As in steps."),
                "follows": follows,
            },
            "Work for several specialists at once, or for whoever is able.",
        ),
        "maps": _array(
            {
                "id": _ID,
                "over": _text("Expression that gives the list."),
                "agent": again,
                "each": _text("The work on one item, self-contained; {{ item }} stands for the item."),
                "follows": follows,
            },
            "The same work for every item of a list that is known only when the plan runs.",
        ),
        "approvals": asked,
        "questions": _array(
            {
                "id": _ID,
                "question": _text("What a human is asked."),
                "fields": _array(
                    {
                        "field": _text("Name: letters, digits and '_'."),
                        "type": {"type": "string", "enum": list[JsonValue](ANSWER_TYPES)},
                        "description": _text("What it means."),
                    },
                    "What is to be filled in; empty where any text is an answer.",
                ),
                "follows": follows,
            },
            "What only a human knows.",
        ),
        "waits": _array(
            {
                "id": _ID,
                "for": {"type": "string", "enum": list[JsonValue](WAITS)},
                "value": _text("Such as 15m or 2d; a time in ISO 8601, or an expression; the name of the event."),
                "follows": follows,
            },
            "Pauses.",
        ),
        "transforms": _array(
            {"id": _ID, "output": _text("Expression."), "follows": follows},
            "Values computed from results, without a specialist.",
        ),
    }


def roles_schema(tools: Iterable[str], most: int) -> dict[str, JsonValue]:
    """Return the list of roles that a plan proposes, as a property of a JSON Schema.

    Args:
        tools: Names of those that a role may work with.
        most: How many roles a plan may have.
    """
    named: dict[str, JsonValue] = {"type": "string"}
    if 0 < len(known := sorted(tools)) <= _MAX_ENUMS // 3:
        named["enum"] = list[JsonValue](known)
    role = _array(
        {
            "name": _text("Short and unique: letters, digits, '_' and '-', no spaces; no specialist's name."),
            "description": _text("What it is for, in a sentence."),
            "instructions": _text("How it works: what it must know, heed and deliver."),
            "tools": {
                "type": "array",
                "items": named,
                "description": "Only those it needs; empty where it needs none.",
            },
        },
        "Specialists to be made for this plan; empty where those there are will do.",
    )
    return {**role, "maxItems": most}


def _text(description: str) -> dict[str, JsonValue]:
    return {"type": "string", "description": description}


def _ids(description: str) -> dict[str, JsonValue]:
    return {"type": "array", "items": {"type": "string"}, "description": description}


_ID: dict[str, JsonValue] = {"type": "string"}


def _agent(names: list[str], *, most: int) -> dict[str, JsonValue]:
    agent = _text("Name of the specialist that does the step.")
    if 0 < len(names) <= most:
        agent["enum"] = list[JsonValue](names)
    return agent


def _array(properties: dict[str, JsonValue], description: str) -> dict[str, JsonValue]:
    item: dict[str, JsonValue] = {
        "type": "object",
        "properties": properties,
        "required": list[JsonValue](properties),
        "additionalProperties": False,
    }
    return {"type": "array", "items": item, "description": description}
