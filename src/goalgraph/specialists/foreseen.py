"""What a specialist's model would be sent for a step, before there is a run."""

from typing import Protocol, runtime_checkable

from goalgraph.specialists.briefing import brief
from goalgraph.specialists.specialist import Specialist, StepContext, StepTask

__all__ = ["Prompting", "prompt_of"]


@runtime_checkable
class Prompting(Protocol):
    """Someone who can tell what its model would be sent."""

    def prompt(self, task: StepTask, context: StepContext) -> str:
        """Render all messages as one text; nothing is called."""
        ...


def prompt_of(one: Specialist, task: StepTask, context: StepContext) -> str:
    """Render what a specialist's model would be sent: as it says itself, else its description and the brief."""
    if isinstance(one, Prompting):
        return one.prompt(task, context)
    return "\n\n".join(filter(None, (one.card.description, brief(task, context))))
