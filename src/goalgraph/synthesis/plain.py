"""Answers without a model: all outcomes in plan order, or the last one."""

from goalgraph.planner import dag
from goalgraph.synthesis.parts import Part, parts
from goalgraph.synthesis.synthesizer import Synthesis, SynthesisRequest

__all__ = ["Concatenate", "LastWins"]

_MAX_HEADING = 100
"""Characters of a task that still make a heading; a longer one is named by its step's id."""


class Concatenate:
    """All usable outcomes in plan order: one as it is, several as sections under their tasks.

    What failed or was skipped is left out; what is weak says so under its heading.
    """

    async def synthesize(self, request: SynthesisRequest) -> Synthesis:
        """Put the outcomes together; the answer is empty where there are none."""
        found = parts(request)
        if len(found) == 1:
            return Synthesis(answer=_marked(found[0]))
        return Synthesis(answer="\n\n".join(f"## {_heading(part)}\n\n{_marked(part)}" for part in found))


class LastWins:
    """The last usable outcome among those that no other step builds on; where none is usable, the last one at all."""

    async def synthesize(self, request: SynthesisRequest) -> Synthesis:
        """Take that outcome; the answer is empty where there is none."""
        ends = frozenset(dag.sinks(request.plan))
        chosen = parts(request, ends) or parts(request)
        if not chosen:
            return Synthesis(answer="")
        last = chosen[-1]
        lost = (
            ()
            if last.step in ends
            else (f"the answer is that of the earlier step {last.step!r}: no last step has one",)
        )
        return Synthesis(answer=_marked(last), degraded=lost)


def _heading(part: Part) -> str:
    return part.task if len(part.task) <= _MAX_HEADING and "\n" not in part.task else part.step


def _marked(part: Part) -> str:
    return f"*({part.weak})*\n\n{part.text}" if part.weak else part.text
