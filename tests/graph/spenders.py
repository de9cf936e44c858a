"""A chat model that uses what it is told to, for tests of limits."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import PrivateAttr

__all__ = ["Made", "Spender"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One call: what it uses, how long it takes, and whether it fails."""

    tokens: int | None = 10
    """Of the answer; None: the model does not say what it used."""
    seconds: float = 0.0
    fails: bool = False


class Spender(BaseChatModel):
    """Answers ``said <number>``; prompts count as they are estimated, so that only answers differ from what is told."""

    model_name: str = "spender"
    max_tokens: int | None = None
    _make: Callable[[int], Made] = PrivateAttr()
    _made: list[tuple[Made, str]] = PrivateAttr()

    def __init__(
        self, make: Callable[[int], Made] = lambda _: Made(), *, model_name: str = "spender", most: int | None = None
    ) -> None:
        fields: dict[str, Any] = {"model_name": model_name, "max_tokens": most}
        super().__init__(**fields)
        self._make = make
        self._made = []

    @property
    def made(self) -> list[Made]:
        return [made for made, _ in self._made]

    @property
    def asked(self) -> list[str]:
        return [text for _, text in self._made]

    @property
    def _llm_type(self) -> str:
        return "spender"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model_name": self.model_name, **({"max_tokens": self.max_tokens} if self.max_tokens else {})}

    def _begin(self, messages: list[BaseMessage]) -> tuple[Made, AIMessage]:
        made = self._make(len(self._made))
        self._made.append((made, messages[-1].text))
        usage = None
        if made.tokens is not None:
            usage = UsageMetadata(input_tokens=1, output_tokens=made.tokens, total_tokens=1 + made.tokens)
        return made, AIMessage(f"said {len(self._made)}", usage_metadata=usage)

    def _generate(self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **_: Any) -> ChatResult:
        made, message = self._begin(messages)
        if made.fails:
            raise ConnectionError("down")
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _agenerate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **_: Any
    ) -> ChatResult:
        made, message = self._begin(messages)
        await asyncio.sleep(made.seconds)
        if made.fails:
            raise ConnectionError("down")
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _astream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **_: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        made, message = self._begin(messages)
        await asyncio.sleep(made.seconds)
        if made.fails:
            raise ConnectionError("down")
        yield ChatGenerationChunk(message=AIMessageChunk(content=message.text, usage_metadata=message.usage_metadata))
