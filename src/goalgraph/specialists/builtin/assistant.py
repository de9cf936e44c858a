"""The assistant: reasons and writes with a model, from its instruction and what came before."""

from typing import TYPE_CHECKING

from goalgraph.models import model_name
from goalgraph.planner.card import SpecialistCard
from goalgraph.prompts import DEFAULT_PROMPTS, Prompts
from goalgraph.specialists.builtin.prompting import Writer
from goalgraph.specialists.specialist import StepContext, StepResult, StepTask

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = ["Assistant"]


class Assistant:
    """Does with a model what no other specialist is made for."""

    def __init__(
        self,
        model: "BaseChatModel",
        *,
        prompts: Prompts | None = None,
        max_input_tokens: int | None = None,
        summarize: bool = False,
    ) -> None:
        """Take the model.

        Args:
            model: Any chat model.
            prompts: What the model is told; None: the built-in prompts.
            max_input_tokens: Of a prompt; None: three quarters of the model's window.
            summarize: Whether the model may summarise what is too long for its window, before it is cut.
        """
        self._model = model
        self._writer = Writer(
            model=model, prompts=prompts or DEFAULT_PROMPTS, max_input_tokens=max_input_tokens, summarize=summarize
        )

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
            model=model_name(self._model),
        )

    async def run(self, task: StepTask, context: StepContext) -> StepResult:
        """Have the model do the task.

        Raises:
            ModelFailed: The model could not be called.
        """
        written = await self._writer.write("assistant", task, context)
        return StepResult(output=written.text, degraded=written.lacking)
