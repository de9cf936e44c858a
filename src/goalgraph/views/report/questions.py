"""What a run waits for, as a report shows it; pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from goalgraph.views.report.words import as_text, cut

__all__ = ["Question", "questions_of"]

_MOST_SHOWN = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Something that somebody is asked."""

    kind: str
    step: str
    """Empty for the plan, or where it is not said."""
    prompt: str
    assignee: str
    deadline: str
    """ISO 8601; empty where there is none."""
    allowed: tuple[str, ...]
    """Decisions that may be given."""
    about: str
    """What is asked about, as JSON; empty where the prompt says it all."""


def questions_of(asked: Iterable[Mapping[str, Any]]) -> tuple[Question, ...]:
    """Read what interrupts carry; of those in a form that is not known, all of it is shown."""
    return tuple(_question(one) for one in asked)


def _question(payload: Mapping[str, Any]) -> Question:
    action = _first(payload.get("action_requests"))
    allowed = _first(payload.get("review_configs")).get("allowed_decisions")
    prompt = payload.get("prompt") or payload.get("question") or action.get("description")
    arguments = action.get("args")
    is_told = arguments in (None, {}, {"prompt": prompt})
    return Question(
        kind=str(payload.get("kind") or "question"),
        step=str(payload.get("step") or ""),
        prompt=str(prompt) if prompt else cut(as_text(payload), _MOST_SHOWN),
        assignee=str(payload.get("assignee") or ""),
        deadline=str(payload.get("deadline") or ""),
        allowed=tuple(map(str, cast("list[object]", allowed))) if isinstance(allowed, list) else (),
        about="" if is_told else cut(as_text(arguments), _MOST_SHOWN),
    )


def _first(value: object) -> Mapping[str, Any]:
    """The first of a list of objects; an empty one where it is no such list."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return cast("Mapping[str, Any]", value[0])
    return {}
