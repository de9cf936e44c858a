"""A step's work as one text, for specialists that take nothing but text."""

import json
from collections.abc import Mapping

from goalgraph.planner.outcome import Outcome, text_of
from goalgraph.specialists.specialist import StepContext, StepTask

__all__ = ["brief", "dependency_texts"]


def brief(task: StepTask, context: StepContext) -> str:
    """Write instruction, input and the dependencies' outputs as one text; data is fenced and named as such."""
    parts = [task.instruction]
    if task.input:
        parts.append(f"<input>\n{json.dumps(dict(task.input), ensure_ascii=False, indent=1)}\n</input>")
    for step, text in dependency_texts(context.dependencies).items():
        parts.append(f'<result step="{step}">\n{text}\n</result>')
    return "\n\n".join(parts)


def dependency_texts(dependencies: Mapping[str, Outcome]) -> dict[str, str]:
    """Each dependency's output as text; what did not succeed says so in place of an output."""
    return {
        step: text_of(outcome.output)
        if outcome.status == "succeeded"
        else f"[{outcome.status}{': ' + outcome.error.message if outcome.error else ''}]"
        for step, outcome in dependencies.items()
    }
