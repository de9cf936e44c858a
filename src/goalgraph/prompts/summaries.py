"""Texts too long for a prompt, summarised piece by piece by a model."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

from pydantic import BaseModel

from goalgraph.errors import GoalgraphError
from goalgraph.prompts.fencing import tagged
from goalgraph.prompts.fitting import fit
from goalgraph.prompts.render import DEFAULT_PROMPTS, Prompts
from goalgraph.prompts.tokens import PER_MESSAGE, PER_REPLY, count_tokens

__all__ = ["Summarizer", "unheard"]

M = TypeVar("M", bound=BaseModel)

_MIN_SHARE = 100
"""Tokens below which a summary says no more than the beginning and the end of the text do."""

_WORDS_PER_TOKEN = 0.6
"""Of what models write in English it is 0.75; a summary that comes out longer than it may be would be cut."""

_CONTEXT_SHARE = 0.125
"""Of the limit, for the goal and for the task each."""

_ROOM_SHARE = 0.95
"""Of what is left, for a piece: set apart from its neighbours it may count a little more than within the text."""

_AT_ONCE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Summarizer:
    """Has a model summarise texts, in pieces that fit its window; where their summaries are too long together, again.

    Examples:
        >>> async def ask(system: str, user: str) -> str:
        ...     return "shorter"
        >>> summarizer = Summarizer(ask=ask, limit=6000, goal="Compare the reports.", task="Compare the figures.")
    """

    ask: Callable[[str, str], Awaitable[str]]
    """Sends a model the system's and the user's message; a `GoalgraphError` says that it failed."""
    limit: int
    """Tokens of one prompt to that model."""
    goal: str
    """What all of it is for; the summaries keep what it needs."""
    task: str
    """What the summaries are for."""
    prompts: Prompts = DEFAULT_PROMPTS
    model_name: str | None = None
    max_calls: int = 24
    """Most calls for the texts of one prompt; a text that needs more of them than are left is not summarised."""

    async def summaries(self, texts: Mapping[str, str], shares: Mapping[str, int]) -> dict[str, str]:
        """Summarise texts, four calls at a time.

        Args:
            texts: By name.
            shares: Tokens that the summary of each may have.

        Returns:
            Summaries within their shares, by name. One that failed, came out empty or needs too many calls is not
            among them.
        """
        room = self._room()
        planned: dict[str, list[str]] = {}
        calls = self.max_calls
        for name, text in texts.items():
            size = count_tokens(text, self.model_name)
            if shares[name] < _MIN_SHARE or room < 2 * _MIN_SHARE or size > room * calls:
                continue
            pieces = await asyncio.to_thread(_pieces, text, room, self.model_name)
            needed = len(pieces) + (len(pieces) > 1)
            if needed <= calls:
                calls -= needed
                planned[name] = pieces
        turn = asyncio.Semaphore(_AT_ONCE)
        done = await asyncio.gather(*(self._summary(pieces, shares[name], turn) for name, pieces in planned.items()))
        return {name: summary for name, summary in zip(planned, done, strict=True) if summary}

    async def _summary(self, pieces: Sequence[str], share: int, turn: asyncio.Semaphore) -> str:
        """Summarise the pieces of one text; empty where that fails."""
        found = await self._of_each(pieces, share // len(pieces), turn)
        if len(pieces) > 1 and found and count_tokens("\n\n".join(found), self.model_name) > share:
            joined = fit({"all": "\n\n".join(found)}, self._room(), model_name=self.model_name).texts["all"]
            found = await self._of_each([joined], share, turn) or found
        return fit({"summary": "\n\n".join(found)}, share, model_name=self.model_name).texts["summary"]

    async def _of_each(self, pieces: Sequence[str], share: int, turn: asyncio.Semaphore) -> list[str]:
        """Summarise each piece; an empty list where one of them fails."""
        done = await asyncio.gather(*(self._asked(piece, share, turn) for piece in pieces), return_exceptions=True)
        for one in done:
            if isinstance(one, BaseException) and not isinstance(one, GoalgraphError):
                raise one
        found = [one.strip() for one in done if isinstance(one, str)]
        return found if len(found) == len(pieces) and all(found) else []

    async def _asked(self, piece: str, share: int, turn: asyncio.Semaphore) -> str:
        system, user = self._prompt(piece, max(int(share * _WORDS_PER_TOKEN), 20))
        async with turn:
            return await self.ask(system, user)

    def _prompt(self, text: str, words: int) -> tuple[str, str]:
        around = fit({"goal": self.goal}, int(self.limit * _CONTEXT_SHARE), model_name=self.model_name).texts
        asked = fit({"task": self.task}, int(self.limit * _CONTEXT_SHARE), model_name=self.model_name).texts
        return self.prompts.messages(
            "summarize",
            goal=tagged("goal", around["goal"]),
            task=tagged("task", asked["task"]),
            text=tagged("text", text),
            words=words,
        )

    def _room(self) -> int:
        """Tokens that a prompt leaves for the text itself."""
        around = sum(count_tokens(message, self.model_name) + PER_MESSAGE for message in self._prompt("", self.limit))
        return int((self.limit - around - PER_REPLY) * _ROOM_SHARE)


def unheard(model: M) -> M:
    """Return a chat model as one that listeners to a graph's messages do not hear: a summary is nobody's answer."""
    tags = cast("Sequence[str]", getattr(model, "tags", None) or ())
    return model.model_copy(update={"tags": [*tags, "nostream"]})


def _pieces(text: str, limit: int, model_name: str | None) -> list[str]:
    """Divide a text into pieces of at most so many tokens, where lines or else words end, as equal as that allows."""
    size = count_tokens(text, model_name)
    if size <= limit or len(text) < 2:
        return [text]
    number = -(-size // limit)
    at = _break_near(text, -(-len(text) // number))
    return [*_pieces(text[:at], limit, model_name), *_pieces(text[at:], limit, model_name)]


def _break_near(text: str, length: int) -> int:
    """Where to divide: after the last line's end, or else word's end, in the last fifth of the length."""
    earliest = length - length // 5
    for end in ("\n", " "):
        if (at := text.rfind(end, earliest, length)) >= 0:
            return at + 1
    return min(length, len(text) - 1)
