"""Answers without a model: all outcomes in plan order, or the last one."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from goalgraph.errors import LimitReached
from goalgraph.synthesis.parts import Part, ends, parts
from goalgraph.synthesis.sources import source_of
from goalgraph.synthesis.synthesizer import Synthesis, SynthesisRequest, Synthesizer

__all__ = ["Concatenate", "LastWins", "synthesized"]

_MAX_HEADING = 100
"""Characters of a task that still make a heading; a longer one, or one to be filled in, is named by its step's id."""


class Concatenate:
    """All usable outcomes in plan order: one as it is, several as sections under their tasks.

    What failed or was skipped is left out; what is weak, or reports a conflict, says so under its heading.
    """

    async def synthesize(self, request: SynthesisRequest) -> Synthesis:
        """Put the outcomes together; the answer is empty where there are none."""
        found = parts(request)
        if len(found) == 1:
            return Synthesis(answer=_marked(found[0]), sources=(source_of(found[0]),))
        headings = _headings(found)
        under = list(zip(headings, found, strict=True))
        return Synthesis(
            answer="\n\n".join(f"## {heading}\n\n{_marked(part)}" for heading, part in under),
            sources=tuple(source_of(part, (heading,)) for heading, part in under),
        )


class LastWins:
    """The last usable outcome among those the plan leads to; where none is usable, the last one at all.

    The plan leads to what no other step builds on; where that is only the end of a group, to the group's last steps.
    """

    async def synthesize(self, request: SynthesisRequest) -> Synthesis:
        """Take that outcome; the answer is empty where there is none."""
        at_end = ends(request.plan)
        chosen = parts(request, at_end) or parts(request)
        if not chosen:
            return Synthesis(answer="")
        last = chosen[-1]
        lost = (
            ()
            if last.step in at_end
            else (f"the answer is that of the earlier step {last.step!r}: no last step has one",)
        )
        return Synthesis(answer=_marked(last), degraded=lost, sources=(source_of(last),))


async def synthesized(synthesizer: Synthesizer, request: SynthesisRequest) -> Synthesis:
    """Have the answer written; a synthesizer that fails loses none of the finished work."""
    from langgraph.errors import GraphBubbleUp

    try:
        return await synthesizer.synthesize(request)
    except GraphBubbleUp:
        raise
    except Exception as error:
        plain = await Concatenate().synthesize(request)
        if isinstance(error, LimitReached):
            reason = f"the answer is put together without a model, by the limit {error.limit}"
            return replace(plain, degraded=(reason, *plain.degraded))
        reason = f"the synthesis failed ({type(error).__name__}: {' '.join(str(error).split())}); parts are joined"
        return replace(plain, degraded=(reason, *plain.degraded))


def _headings(found: Sequence[Part]) -> list[str]:
    """Name each part by its task; those with the same one, as of several specialists for one work, by their ids."""
    tasks = Counter(map(_heading, found))
    return [heading if tasks[heading := _heading(part)] == 1 else part.step for part in found]


def _heading(part: Part) -> str:
    fits = len(part.task) <= _MAX_HEADING and "\n" not in part.task and "{{" not in part.task
    return part.task if fits else part.step


def _marked(part: Part) -> str:
    return f"*({'; '.join(part.marks)})*\n\n{part.text}" if part.marks else part.text
