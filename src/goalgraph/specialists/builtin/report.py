"""The report writer: one Markdown report from the outcomes of earlier steps; a model may write its summary."""

import asyncio
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from goalgraph.models import model_name
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.outcome import Artifact
from goalgraph.prompts import Prompts
from goalgraph.specialists.builtin.markdown import layout, summary_of, title_of
from goalgraph.specialists.builtin.material import gather
from goalgraph.specialists.builtin.prompting import write_or, writer_of
from goalgraph.specialists.builtin.request import read_request
from goalgraph.specialists.builtin.wording import slug
from goalgraph.specialists.specialist import StepContext, StepResult, StepTask

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = ["ReportWriter"]

_USUAL_WORDS = 250


class ReportWriter:
    """Writes ``report.md``, or ``report-<step>.md`` where another step's report already has that name.

    A report ends with a comment that names its step, so that a run that goes on in a new process tells them apart.
    """

    def __init__(
        self,
        *,
        out: Path,
        model: "BaseChatModel | None" = None,
        prompts: Prompts | None = None,
        max_input_tokens: int | None = None,
        summarize: bool = False,
    ) -> None:
        """Take the folder.

        Args:
            out: Where reports are written; made with the first.
            model: Writes the executive summary; without it, rules do.
            prompts: What the model is told; None: the built-in prompts.
            max_input_tokens: Of a prompt; None: three quarters of the model's window.
            summarize: Whether the model may summarise what is too long for its window, before it is cut.
        """
        self._out = out
        self._model = model
        self._writer = writer_of(model, prompts, max_input_tokens, summarize=summarize)
        self._lock = threading.Lock()

    @property
    def card(self) -> SpecialistCard:
        """How planners see it."""
        return SpecialistCard(
            name="report_writer",
            description=(
                "Writes a Markdown report or executive summary from the results of the steps it depends on, "
                "and saves it as a file. It must depend on every step whose result belongs in the report."
            ),
            capabilities=("writing", "reporting"),
            model=model_name(self._model) if self._model is not None else None,
            cost_usd=None if self._model is not None else 0.0,
        )

    async def run(self, task: StepTask, context: StepContext) -> StepResult:
        """Write the report."""
        material = gather(context.dependencies)
        request = read_request(task.instruction, context.goal)
        rules = summary_of(material)
        title = title_of(context.goal, material)
        draft = layout(title, rules, material, self._out, brief=request.brief, max_words=request.max_words)
        words = min(_USUAL_WORDS, request.max_words // 2) if request.max_words else _USUAL_WORDS
        context.progress("writing the report")
        summary = await write_or(
            rules, "report_writer", self._writer, task, context, draft=draft.markdown, words=max(30, words)
        )
        if summary.text != rules:
            draft = layout(title, summary.text, material, self._out, brief=request.brief, max_words=request.max_words)
        path = await asyncio.to_thread(self._write, task.step, draft.markdown)
        lacking = [*summary.lacking]
        if not context.dependencies and self._writer is None:
            lacking.append("there was nothing to report on: the step depends on no other")
        if request.max_words is not None and draft.words > request.max_words:
            lacking.append(f"asked for at most {request.max_words} words, the shortest report has {draft.words}")
        broken = [step for step, outcome in context.dependencies.items() if outcome.status != "succeeded"]
        if broken:
            lacking.append(f"without the results of: {', '.join(broken)}")
        return StepResult(
            output={"title": draft.title, "markdown": draft.markdown, "path": str(path)},
            confidence=0.2 if not context.dependencies else 0.5 if broken else 0.9,
            artifacts=(Artifact(path=str(path), media_type="text/markdown", title=draft.title),),
            degraded=tuple(lacking),
        )

    def _write(self, step: str, text: str) -> Path:
        mark = f"<!-- step {slug(step)} -->"
        with self._lock:
            self._out.mkdir(parents=True, exist_ok=True)
            path = self._out / "report.md"
            if path.exists() and not path.read_text(encoding="utf-8", errors="replace").rstrip().endswith(mark):
                path = self._out / f"report-{slug(step)}.md"
            part = path.with_name(f".{path.name}.part")
            part.write_text(f"{text.rstrip()}\n\n{mark}\n", encoding="utf-8")
            part.replace(path)
        return path
