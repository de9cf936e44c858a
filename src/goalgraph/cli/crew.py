"""Who works on a goal: the built-in specialists for the data, the caller's own, and the model."""

import importlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from goalgraph.cli.endings import BadInput
from goalgraph.errors import ModelFailed
from goalgraph.models import resolve_model
from goalgraph.planner.compilation import compile_plan
from goalgraph.planner.decomposer import PlanRequest
from goalgraph.planner.degrading import Degrading
from goalgraph.planner.plan import Plan
from goalgraph.planner.plan_prompt import available_cards
from goalgraph.prompts import Prompts
from goalgraph.specialists import Specialist, SpecialistCard, SpecialistRegistry
from goalgraph.specialists.builtin import (
    Assistant,
    ChartMaker,
    DataAnalyst,
    DocumentResearcher,
    ReportWriter,
    builtin_specialists,
)
from goalgraph.specialists.router import doers
from goalgraph.synthesis import Synthesis, SynthesisRequest, as_synthesizer
from goalgraph.synthesis.parts import ends

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = ["Crew", "gather_crew", "known_cards"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """Everybody there is for a goal."""

    registry: SpecialistRegistry
    model: "BaseChatModel | None"
    prompts: Prompts | None = None
    """In the caller's own words, for the model."""
    least: Literal["full", "simple", "single"] = "full"
    """How good a plan must be."""

    def flat(self, plan: Plan) -> Plan:
        """The plan as it runs."""
        return compile_plan(plan, self.registry.cards)

    def doers(self, plan: Plan) -> Mapping[str, str]:
        """Who does each step of a valid plan, by the step's id in the flat plan: a specialist's name, or words."""
        return doers(self.flat(plan), self.registry.cards)

    async def synthesize(self, request: SynthesisRequest) -> Synthesis:
        """Write the answer of a run: a report that everything leads to is the answer itself."""
        writer = as_synthesizer(self.synthesis(request.plan), self.model, prompts=self.prompts)
        return await writer.synthesize(request)

    async def decompose(self, request: PlanRequest) -> Plan:
        """Make a plan of a goal."""
        from goalgraph.graph.planning import decomposer_of  # here, because plans are validated without the engine

        decomposer = decomposer_of(self.model, self.prompts)
        if self.least != "full":
            decomposer = Degrading(decomposer=decomposer, least=self.least)
        return await decomposer.decompose(replace(request, cards=available_cards(request.cards, request.policy)))

    def synthesis(self, plan: Plan) -> str:
        """How the answer of a plan comes about."""
        last = ends(self.flat(plan))
        if len(last) == 1 and self.doers(plan)[next(iter(last))] == "report_writer":
            return "last_wins"
        return "concatenate" if self.model is None else "model"


def gather_crew(
    data: Sequence[Path],
    out: Path,
    model: str | None,
    own: Sequence[str],
    directory: Path,
    *,
    prompts: str | Path | None = None,
    least: Literal["full", "simple", "single"] = "full",
) -> Crew:
    """Bring together who works on a goal.

    Args:
        data: Files and folders that the built-in specialists may read.
        out: Folder that they write to.
        model: ``"provider:name"``, or None for rules alone.
        own: The caller's specialists, as ``module:attribute``.
        directory: Where those modules are imported from.
        prompts: Folder of templates in the caller's own words.
        least: How good a plan must be.

    Raises:
        BadInput: The model cannot be set up, or a module or its attribute is not there.
        InvalidPrompt: A template cannot be used.
        GoalgraphError: Data or specialists cannot be used.
    """
    try:
        chat = resolve_model(model) if model is not None else None
    except ModelFailed as error:
        raise BadInput(str(error)) from error
    texts = Prompts(prompts) if prompts else None
    registry = SpecialistRegistry(builtin_specialists(files=data, out=out, model=chat, prompts=texts))
    for named in own:
        for one in _imported(named, directory):
            registry.register(one)
    return Crew(registry=registry, model=chat, prompts=texts, least=least)


def known_cards(own: Sequence[str], directory: Path) -> tuple[SpecialistCard, ...]:
    """Return the cards of everybody who may be there in a run: the caller's, and the built-in ones for any data.

    Args:
        own: See `gather_crew`.
        directory: See `gather_crew`.

    Raises:
        BadInput: A module or its attribute is not there.
        InvalidSpecialist: One of them cannot be used.
    """
    registry = SpecialistRegistry(one for named in own for one in _imported(named, directory))
    built_in: tuple[Specialist, ...] = (
        DataAnalyst(()),
        ChartMaker((), out=directory),
        DocumentResearcher(()),
        ReportWriter(out=directory),
        Assistant(cast("BaseChatModel", None)),  # its card says nothing of the model
    )
    cards = registry.cards
    taken = {card.name for card in cards}
    unknown = {"model": None, "cost_usd": None}  # a run may have a model
    return (*cards, *(one.card.model_copy(update=unknown) for one in built_in if one.card.name not in taken))


def _imported(named: str, directory: Path) -> Iterable[object]:
    module, _, attribute = named.partition(":")
    if not (module.strip() and attribute.strip()):
        raise BadInput(
            f"--specialists takes module:attribute, found {named!r}", hint="write it like 'mine:specialists'"
        )
    if str(directory) not in sys.path:
        sys.path.insert(0, str(directory))
    try:
        found: object = attrgetter(attribute)(importlib.import_module(module))
    except (Exception, SystemExit) as error:
        raise BadInput(
            f"--specialists {named!r} cannot be imported from {str(directory)!r}: {type(error).__name__}: {error}",
            hint="check the module and the name in it",
        ) from error
    if isinstance(found, (list, tuple, set, frozenset, SpecialistRegistry)):
        return tuple(cast("Iterable[object]", found))
    return (found,)
