"""The node that asks a human what is to become of a run whose revisions are used up, or of a step that asks for one."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from langchain_core.runnables import RunnableConfig
from langgraph.runtime import Runtime
from langgraph.types import Command
from pydantic import JsonValue

from goalgraph.graph.humans.asking import Taken, told
from goalgraph.graph.humans.markdown import code
from goalgraph.graph.humans.requests import input_request
from goalgraph.graph.revision.applying import evidence
from goalgraph.graph.revision.revising import aborted, settled, wanted
from goalgraph.graph.revision.rules import Rules, Stand, stand_of
from goalgraph.graph.revision.triggers import Due, spent
from goalgraph.graph.run import run_of
from goalgraph.graph.state import PlanState
from goalgraph.prompts import fenced

__all__ = ["ANSWER", "Escalate"]

ANSWER: dict[str, JsonValue] = {
    "anyOf": [
        {"enum": ["accept", "abort"]},
        {
            "type": "object",
            "properties": {"guidance": {"type": "string", "minLength": 1, "maxLength": 20_000}},
            "required": ["guidance"],
            "additionalProperties": False,
        },
    ]
}
"""JSON Schema of an answer."""

_MOST_SHOWN = 3
_Next = Command[Literal["revise"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalate:
    """Shows what has gone wrong, and goes on as a human says."""

    rules: Rules

    async def __call__(self, state: PlanState, config: RunnableConfig, runtime: Runtime[Any]) -> Any:
        """Ask until there is an answer that can be used.

        Raises:
            GraphInterrupt: There is none yet.
        """
        run, stand = run_of(config), stand_of(state)
        found = self.rules.due(stand)
        if not found:
            return Command(goto="revise")
        reason = spent(stand.decisions).exhausted(self.rules.policy)
        direct = tuple(one for one in found if one.is_direct)
        if direct and (len(direct) == len(found) or not reason):
            found, reason = direct, wanted(direct)
        problem: str | None = None
        times = 0
        while True:
            request = input_request(
                run=run.id,
                step=found[0].trigger.step,
                prompt=_prompt(stand, found, reason),
                schema=ANSWER,
                assignee=self.rules.policy.assignee,
                problem=problem,
                asked=times,
            )
            answer = told(request, run, runtime.stream_writer)
            if isinstance(answer, Taken):
                break
            problem = answer.message
            times += 1
        now = datetime.now(UTC).isoformat()
        said = answer.decision(request, datetime.now(UTC))
        if isinstance(said.answer, dict):
            guide = {"kind": "escalation", "chosen": "guide", "rationale": str(said.answer["guidance"]), "answer": None}
            return Command(goto="revise", update={"decisions": [said.model_copy(update=guide)]})
        chosen: Literal["accept", "abort"] = "abort" if said.answer == "abort" else "accept"
        decisions = settled(found, chosen, _decided(chosen, reason), at=now, said=said)
        if chosen == "abort":
            return aborted(stand, decisions[0].rationale, {"decisions": decisions}, run, runtime)
        return Command(goto="revise", update={"decisions": decisions})


def _decided(chosen: Literal["accept", "abort"], reason: str) -> str:
    return f"{reason}, and a human {'stopped the run' if chosen == 'abort' else 'took what there is'}"


def _prompt(stand: Stand, found: Sequence[Due], reason: str) -> str:
    """Write what calls for a revision, what was tried, and what can be answered; Markdown."""
    steps = {step.id: step for step in stand.plan.steps}
    is_wanted = all(one.is_direct for one in found)
    parts = [f"A human is wanted: {reason}." if is_wanted else f"The plan does not work out, and {reason}."]
    for one in found[:_MOST_SHOWN]:
        task = getattr(steps[one.trigger.step], "task", None)
        shown: dict[str, JsonValue] = {**({"task": task} if task else {}), **evidence(stand.outcomes[one.trigger.step])}
        parts.append(f"Step {code(one.trigger.step)} ({code(one.trigger.reason)}):\n\n{_fenced(shown)}")
    if len(found) > _MOST_SHOWN:
        parts.append(f"And {len(found) - _MOST_SHOWN} more steps.")
    tried = [one for one in stand.decisions if one.kind == "revision" and one.digest]
    if tried:
        lines = [
            f"- {code(one.subject)}: {one.chosen}{f', {code(one.rationale[:200])}' if one.rationale else ''}"
            for one in tried
        ]
        parts.append("\n".join(["Tried so far:", "", *lines]))
    parts.append(
        'Answer with `{"guidance": "what is to be done"}` for one more revision, with `"accept"` to go on with what '
        'there is, or with `"abort"` to stop the run.'
    )
    return "\n\n".join(parts)


def _fenced(shown: Mapping[str, JsonValue]) -> str:
    return fenced(json.dumps(shown, ensure_ascii=False, indent=2))
