"""The document researcher: finds the passages that bear on a task, with file and line, and invents nothing."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue

from goalgraph.errors import InvalidData
from goalgraph.models import model_name
from goalgraph.planner.card import SpecialistCard
from goalgraph.prompts import Prompts
from goalgraph.specialists.builtin.bm25 import Index, terms
from goalgraph.specialists.builtin.choice import chosen_files
from goalgraph.specialists.builtin.findings import rounded
from goalgraph.specialists.builtin.passages import Passage, read_passages
from goalgraph.specialists.builtin.prompting import write_or, writer_of
from goalgraph.specialists.builtin.wording import one_line
from goalgraph.specialists.specialist import StepContext, StepResult, StepTask

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = ["DocumentResearcher"]

_MOST = 8
_LEAST_COVERAGE = 0.25
_GOAL_WEIGHT = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    hits: tuple[tuple[Passage, float], ...]
    coverage: float
    searched: int
    unread: tuple[str, ...]


class DocumentResearcher:
    """Searches text, Markdown and PDF files."""

    def __init__(
        self,
        files: Sequence[tuple[Path, str]],
        *,
        model: "BaseChatModel | None" = None,
        prompts: Prompts | None = None,
        max_input_tokens: int | None = None,
        summarize: bool = False,
    ) -> None:
        """Take the documents.

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
        return SpecialistCard(
            name="document_researcher",
            description=(
                f"Searches the {len(self._files)} given documents (text, Markdown, PDF) for the passages that "
                f"bear on its task and "
                "quotes them with file and line. Name in the task what to look for; it says so where there is nothing."
            ),
            capabilities=("research", "search", "documents"),
            model=model_name(self._model) if self._model is not None else None,
            cost_usd=None if self._model is not None else 0.0,
        )

    async def run(self, task: StepTask, context: StepContext) -> StepResult:
        """Find the passages.

        Raises:
            InvalidData: None of the documents can be read.
            MissingExtra: A PDF is among them and pypdf is not installed.
        """
        files = chosen_files(self._files, task)
        context.progress(f"searching {len(files)} documents")
        found = await asyncio.to_thread(_search, files, task.instruction, context.goal)
        listed: list[JsonValue] = [
            {"file": item.file, "line": item.line, "page": item.page, "text": item.text, "score": rounded(score)}
            for item, score in found.hits
        ]
        output: dict[str, JsonValue] = {"summary": _summary(found), "passages": listed, "searched": found.searched}
        if not found.hits:
            return StepResult(
                output=output,
                confidence=0.1,
                degraded=("the documents hold nothing that bears on the task", *found.unread),
            )
        quoted = "\n\n".join(f"[{_place(item)}]\n{item.text}" for item, _ in found.hits)
        summary = await write_or(_summary(found), "document_researcher", self._writer, task, context, passages=quoted)
        output["summary"] = summary.text
        confidence = round(min(0.9, 0.3 + 0.6 * found.coverage), 2)
        return StepResult(output=output, confidence=confidence, degraded=(*found.unread, *summary.lacking))


def _search(files: Sequence[tuple[Path, str]], instruction: str, goal: str) -> _Search:
    passages: list[Passage] = []
    unread: list[str] = []
    for path, name in files:
        try:
            passages += read_passages(path, name)
        except InvalidData as error:
            unread.append(f"not searched: {error}")
    if not passages:
        raise InvalidData("none of the documents can be read: " + "; ".join(unread)[:1000])
    index = Index([terms(f"{item.heading} {item.text}") for item in passages])
    own = dict.fromkeys(terms(instruction), 1.0)
    query = dict.fromkeys(terms(goal), _GOAL_WEIGHT if own else 1.0) | own
    scores = index.scores(query)
    order = sorted(range(len(passages)), key=lambda place: scores[place], reverse=True)
    asked = own or query
    kept = [
        place
        for place in order
        if scores[place] > 0.2 * scores[order[0]] and index.coverage(place, asked) >= _LEAST_COVERAGE
    ]
    hits = tuple((passages[place], scores[place]) for place in kept[:_MOST])
    coverage = max((index.coverage(place, asked) for place in kept[:_MOST]), default=0.0)
    return _Search(hits=hits, coverage=coverage, searched=len(files) - len(unread), unread=tuple(unread))


def _place(passage: Passage) -> str:
    page = f", page {passage.page}" if passage.page is not None else ""
    return f"{passage.file}{page}, line {passage.line}"


def _summary(found: _Search) -> str:
    files = f"{found.searched} document{'s' * (found.searched != 1)}"
    if not found.hits:
        return f"Nothing that bears on the task was found in {files}."
    quotes = [f"- {_place(item)}: {one_line(item.text, 300)}" for item, _ in found.hits[:5]]
    return f"{len(found.hits)} passage{'s' * (len(found.hits) != 1)} found in {files}; the closest:\n" + "\n".join(
        quotes
    )
