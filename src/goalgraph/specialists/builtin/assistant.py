"""The assistant: reasons and writes with a model, from its instruction and what came before."""

from typing import TYPE_CHECKING

from goalgraph.planner.card import SpecialistCard
from goalgraph.specialists.builtin.prompting import write_text
from goalgraph.specialists.specialist import StepContext, StepResult, StepTask

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = ["Assistant"]


class Assistant:
    """Does with a model what no other specialist is made for."""

    def __init__(self, model: "BaseChatModel") -> None:
        self._model = model

    @property
    def card(self) -> SpecialistCard:
        """How planners see it."""
        return SpecialistCard(
            name="assistant",
            description=(
                "Answers, reasons, compares, plans and writes texts with a language model, from its task and the "
                "results of the steps "
                "it depends on. It reads no files and computes nothing exactly."
            ),
            capabilities=("reasoning", "writing", "general"),
        )

    async def run(self, task: StepTask, context: StepContext) -> StepResult:
        """Have the model do the task.

        Raises:
            ModelFailed: The model could not be called.
        """
        return StepResult(output=await write_text("assistant", self._model, task, context))
