"""The data analyst: profiles tables and names what stands out, by rules; a model may write the summary."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue

from goalgraph.models import model_name
from goalgraph.planner.card import SpecialistCard
from goalgraph.prompts import Prompts
from goalgraph.specialists.builtin.analysis import analyse, summarise
from goalgraph.specialists.builtin.choice import chosen_files, unit_of
from goalgraph.specialists.builtin.prompting import write_or, writer_of
from goalgraph.specialists.builtin.request import read_request
from goalgraph.specialists.specialist import StepContext, StepResult, StepTask

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = ["DataAnalyst"]


class DataAnalyst:
    """Finds trends, differences, relations and outliers in tables, with figures that are computed, never guessed."""

    def __init__(
        self,
        files: Sequence[tuple[Path, str]],
        *,
        model: "BaseChatModel | None" = None,
        prompts: Prompts | None = None,
        max_input_tokens: int | None = None,
        summarize: bool = False,
    ) -> None:
        """Take the tables.

        Args:
            files: Each with its shown name.
            model: Writes the summary; without it, rules do.
            prompts: What the model is told; None: the built-in prompts.
            max_input_tokens: Of a prompt; None: three quarters of the model's window.
            summarize: Whether the model may summarise what is too long for its window, before it is cut.
        """
        self._files = tuple(files)
        self._model = model
        self._writer = writer_of(model, prompts, max_input_tokens, summarize=summarize)

    @property
    def card(self) -> SpecialistCard:
        """How planners see it."""
        names = ", ".join(name for _, name in self._files[:5]) + (", ..." if len(self._files) > 5 else "")
        return SpecialistCard(
            name="data_analyst",
            description=(
                f"Analyses the given tables ({names}): profiles columns, finds trends over time, turning points, group "
                "differences, correlations and outliers, ranked, with exact figures. Needs no input of its own."
            ),
            capabilities=("data_analysis", "statistics", "trends"),
            model=model_name(self._model) if self._model is not None else None,
            cost_usd=None if self._model is not None else 0.0,
        )

    async def run(self, task: StepTask, context: StepContext) -> StepResult:
        """Analyse the tables as the instruction asks.

        An ``input`` may name some of the files (``file`` or ``files``) and the figures' ``unit``.

        Raises:
            InvalidData: A table cannot be read, or an input names a file that was not given.
            MissingExtra: polars is not installed.
        """
        files = chosen_files(self._files, task)
        request = read_request(task.instruction, context.goal, unit=unit_of(task))
        context.progress(f"analysing {', '.join(name for _, name in files)}")
        found = await asyncio.to_thread(analyse, files, request)
        listed = [finding.as_json(place) for place, finding in enumerate(found.findings, 1)]
        rules = summarise(found)
        data = {
            "findings": json.dumps(listed, ensure_ascii=False),
            "method": found.method,
            "profile": json.dumps(found.profile, ensure_ascii=False),
        }
        summary = await write_or(rules, "data_analyst", self._writer, task, context, **data)
        return StepResult(
            output={
                "summary": summary.text,
                "findings": listed,
                "profile": found.profile,
                "method": found.method,
                "source": found.sources[0] if len(found.sources) == 1 else _joined(found.sources),
            },
            confidence=0.2 if not listed else 0.6 if found.degraded else 0.9,
            degraded=(*found.degraded, *summary.lacking),
        )


def _joined(sources: Sequence[dict[str, JsonValue]]) -> dict[str, JsonValue]:
    return {
        "file": ", ".join(str(item["file"]) for item in sources),
        "rows": sum(item["rows"] for item in sources if isinstance(item["rows"], int)),
        "columns": sum(item["columns"] for item in sources if isinstance(item["columns"], int)),
        "files": list(sources),
    }
