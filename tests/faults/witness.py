"""Notes of a run that outlive its processes: the ledger, and what was stored at the end of each stretch of it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from pydantic import JsonValue
from tests.faults.checker import End, History, Recorded, Rules, Stretch, said
from tests.faults.ledger import Ledger, Line, read_ledger

from goalgraph import PlanAgent
from goalgraph.graph.humans.thread import read_thread, saver_of

__all__ = ["Witness", "end_of", "recorded_now"]


async def recorded_now(agent: PlanAgent, config: RunnableConfig) -> Recorded:
    """Read what is stored of a run."""
    saver = saver_of(agent, config)
    if saver is None:
        raise AssertionError("a run that is not kept")
    thread = await read_thread(agent, config, saver)
    answers = {entry.request: _token(entry.envelope.packed()) for entry in thread.entries}
    answers |= {one.request: _token(one.model_dump(mode="json")) for one in thread.decisions() if one.request}
    outcomes = {step: cast("JsonValue", one.model_dump(mode="json")) for step, one in thread.recorded().items()}
    return Recorded(outcomes=outcomes, answers=answers)


def end_of(result: Mapping[str, Any]) -> End:
    """What a run has given."""
    outcomes = {step: one.model_dump(mode="json") for step, one in result["outcomes"].items()}
    return End(status=result["status"], outcomes=outcomes)


class Witness:
    """Keeps notes in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "notes"
        self._folder.mkdir(exist_ok=True)
        self._ledger = folder / "ledger"
        self._end = folder / "end.json"

    def open_ledger(self) -> Ledger:
        return Ledger(self._ledger)

    def read(self) -> tuple[Line, ...]:
        """Read the ledger."""
        return read_ledger(self._ledger)

    def lines(self) -> int:
        """How many lines it has."""
        return len(self.read())

    def note(self, recorded: Recorded, *, killed: bool) -> None:
        """Note what is stored at the end of a stretch, all at once."""
        note = {"lines": self.lines(), "killed": killed, "outcomes": recorded.outcomes, "answers": recorded.answers}
        place = self._folder / f"{len(list(self._folder.glob('*.json'))):04}.json"
        draft = place.with_suffix(".draft")
        draft.write_text(json.dumps(note))
        draft.rename(place)

    def note_end(self, end: End) -> None:
        """Note what the run has given."""
        draft = self._end.with_suffix(".draft")
        draft.write_text(json.dumps({"status": end.status, "outcomes": end.outcomes}))
        draft.rename(self._end)

    @property
    def is_over(self) -> bool:
        """Whether the run has come to its end."""
        return self._end.exists()

    def history(self, rules: Rules, expected: Mapping[str, JsonValue] | None) -> History:
        """Put together what happened."""
        lines = read_ledger(self._ledger)
        stretches: list[Stretch] = []
        begin = 0
        for place in sorted(self._folder.glob("*.json")):
            note = json.loads(place.read_text())
            recorded = Recorded(outcomes=note["outcomes"], answers=note["answers"])
            stretches.append(Stretch(lines=lines[begin : note["lines"]], recorded=recorded, killed=note["killed"]))
            begin = note["lines"]
        end = End(**json.loads(self._end.read_text())) if self.is_over else None
        return History(rules=rules, stretches=tuple(stretches), end=end, expected=expected)


def _token(value: object) -> str:
    """The one answer that is in a record of it; of a broken engine there may be none, or several."""
    return ",".join(sorted(said(value))) or "nothing:-"
