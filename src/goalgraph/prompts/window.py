"""A prompt within the context window of the model that it goes to."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from goalgraph.prompts.fitting import fit, shared_out
from goalgraph.prompts.summaries import Summarizer
from goalgraph.prompts.tokens import PER_MESSAGE, PER_REPLY, count_tokens

__all__ = ["UNKNOWN_WINDOW", "FittedPrompt", "context_limit", "fit_prompt", "prompt_limit"]

UNKNOWN_WINDOW = 32_768
"""Tokens taken as the context window of a model that says nothing of it: few that are run today have less."""

_PROMPT_SHARE = 0.75
"""Of the window, for the prompt; the rest is for the answer, and for counts that are estimates."""

_FIRST_SHARE = 0.5
"""Of what there is for texts, for those that give way last."""

_MOST_ROUNDS = 10
"""What stands around texts, and how they join, may take more tokens than their sum; each round leaves less for them."""

Write = Callable[[Mapping[str, str], Mapping[str, str]], Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedPrompt:
    """Messages that are within a limit together."""

    messages: tuple[str, ...]
    """Their texts."""
    how: Mapping[str, str] = field(default_factory=dict[str, str])
    """What was done to the texts that are no longer whole, by name: ``"cut"`` or ``"summarised"``, or both."""

    @property
    def lost(self) -> tuple[str, ...]:
        """A sentence for each text that is no longer whole."""
        return tuple(f"{name} was too long for the model and was {done}" for name, done in self.how.items())


def context_limit(model: object) -> int | None:
    """Return how many tokens a chat model takes in, as far as it says; None where it does not.

    The least counts of what LangChain knows of the model (``model.profile["max_input_tokens"]``, which a caller may set
    too), an attribute ``max_input_tokens``, and what local models are started with (``num_ctx`` of Ollama, ``n_ctx`` of
    llama.cpp).
    """
    profile = cast("Mapping[str, object]", getattr(model, "profile", None) or {})
    told: list[object] = [profile.get("max_input_tokens")]
    told += [getattr(model, name, None) for name in ("max_input_tokens", "num_ctx", "n_ctx")]
    return min((one for one in told if isinstance(one, int) and not isinstance(one, bool) and one > 0), default=None)


def prompt_limit(model: object, max_input_tokens: int | None = None) -> int:
    """Return how many tokens a prompt of ours may have.

    Args:
        model: Any chat model.
        max_input_tokens: What a caller allows, taken as it is; None: three quarters of the context window, or of
            32,768 tokens where the model says nothing of its own.

    Raises:
        ValueError: ``max_input_tokens`` is not positive.
    """
    if max_input_tokens is None:
        return int((context_limit(model) or UNKNOWN_WINDOW) * _PROMPT_SHARE)
    if max_input_tokens < 1:
        raise ValueError(f"max_input_tokens must be 1 or more, found {max_input_tokens!r}")
    return max_input_tokens


async def fit_prompt(
    write: Write,
    texts: Mapping[str, str],
    limit: int,
    *,
    first: Collection[str] = (),
    model_name: str | None = None,
    summarizer: Summarizer | None = None,
) -> FittedPrompt:
    """Write a prompt that stays within a limit, its texts shortened as far as that needs.

    One that is short enough is written once, and not even counted where its length in bytes says as much.

    Args:
        write: Makes the messages' texts of the texts, and of what was done to those that are no longer whole.
        texts: What may be shortened, under the names by which people are told of it, such as ``"the goal"``.
        limit: Tokens of all messages with what surrounds them. A prompt that has more without any of the texts comes
            back without them.
        first: Names of the texts that give way last: they get up to a half, and the others share what is left.
        model_name: As for `count_tokens`.
        summarizer: Shortens what is too long, but for the texts that give way last; what it does not shorten is cut.
    """
    messages = tuple(write(texts, {}))
    if sum(len(text.encode("utf-8", "replace")) + PER_MESSAGE + 1 for text in messages) + PER_REPLY <= limit:
        return FittedPrompt(messages=messages)  # no token is shorter than a byte
    fitting = _Fitting(write, limit, frozenset(first), model_name)
    # Counting a text of millions of characters takes seconds, which other steps need not wait for.
    if await asyncio.to_thread(fitting.over, messages) <= 0:
        return FittedPrompt(messages=messages)
    summaries: dict[str, str] = {}
    if summarizer is not None:
        shares = await asyncio.to_thread(fitting.too_small_shares, texts)
        summaries = await summarizer.summaries({name: texts[name] for name in shares}, shares)
    return await asyncio.to_thread(fitting.fitted, texts, summaries)


@dataclass(frozen=True, slots=True)
class _Fitting:
    write: Write
    limit: int
    first: frozenset[str]
    model_name: str | None

    def over(self, messages: Sequence[str]) -> int:
        """Tokens of messages above the limit."""
        return sum(self._size(text) + PER_MESSAGE for text in messages) + PER_REPLY - self.limit

    def too_small_shares(self, texts: Mapping[str, str]) -> dict[str, int]:
        """Shares, in tokens, of the texts that do not fit into them and may be summarised."""
        left = self._left(texts)
        left -= sum(map(self._size, self._first(texts, left).values()))
        sizes = {name: self._size(text) for name, text in texts.items() if name not in self.first}
        return {name: share for name, share in shared_out(sizes, left).items() if share < sizes[name]}

    def fitted(self, texts: Mapping[str, str], summaries: Mapping[str, str]) -> FittedPrompt:
        """Cut what is still too long until the whole is within the limit."""
        given = {**texts, **summaries}
        left = self._left(texts)
        for _ in range(_MOST_ROUNDS):
            shown = self._first(given, left)
            rest = {name: text for name, text in given.items() if name not in self.first}
            shown |= fit(rest, left - sum(map(self._size, shown.values())), model_name=self.model_name).texts
            how = {name: done for name in texts if (done := _done(name, shown, given, summaries))}
            messages = tuple(self.write({name: shown[name] for name in texts}, how))
            over = self.over(messages)
            if over <= 0 or left <= 0:
                return FittedPrompt(messages=messages, how=how)
            left -= over
        how = dict.fromkeys(texts, "left out")
        return FittedPrompt(messages=tuple(self.write(dict.fromkeys(texts, ""), how)), how=how)

    def _first(self, texts: Mapping[str, str], left: int) -> dict[str, str]:
        chosen = {name: text for name, text in texts.items() if name in self.first}
        return dict(fit(chosen, int(left * _FIRST_SHARE), model_name=self.model_name).texts)

    def _left(self, texts: Mapping[str, str]) -> int:
        return -self.over(self.write(dict.fromkeys(texts, ""), {}))

    def _size(self, text: str) -> int:
        return count_tokens(text, self.model_name)


def _done(name: str, shown: Mapping[str, str], given: Mapping[str, str], summaries: Mapping[str, str]) -> str:
    done = ["summarised"] if name in summaries else []
    if shown[name] != given[name]:
        done.append("cut" if shown[name] else "left out")
    return " and ".join(done)
