"""Count the tokens of texts and messages without a network."""

import hashlib
import json
import logging
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from pydantic import JsonValue
    from tiktoken import Encoding

__all__ = ["PER_MESSAGE", "PER_REPLY", "count_message_tokens", "count_tokens", "estimate_tokens"]

_logger = logging.getLogger(__name__)
_logger.addHandler(logging.NullHandler())  # said to whoever has set up logging, and not on a bare stderr

_DEFAULT = "o200k_base"
_SOURCE = "https://openaipublic.blob.core.windows.net/encodings/{name}.tiktoken"
_PIECE = 50_000
"""Characters encoded at once: the encoder's time grows faster than the text where a text has no spaces."""

PER_MESSAGE = 4
"""Tokens of a message beside its text: three that delimit it, and its role."""

PER_REPLY = 3
"""Tokens that open the reply."""

_PER_NAME = 1
_PER_PICTURE = 765
"""A picture of 1024 x 1024 in high detail, after OpenAI's guide to images: 85, and 170 for each of four tiles."""

_LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ \n"
_OTHER_ASCII = bytes(set(range(128)) - set(_LETTERS))
_CONTINUATION = bytes(range(0x80, 0xC0))


def count_tokens(text: str, model_name: str | None = None) -> int:
    """Count the tokens of a text: exactly where the model's vocabulary is at hand, else by an estimate that leans high.

    The vocabulary is read from tiktoken's cache (``TIKTOKEN_CACHE_DIR``) and never fetched. Nothing is raised; that
    counts are estimates is logged as a warning, once in a process.

    Args:
        text: Any text.
        model_name: Name at the provider, such as ``"gpt-5-mini"``; one that tiktoken does not know is counted like the
            newest it knows.
    """
    if not text:
        return 0
    name = _encoding_name(model_name)
    encoding = _encoding(name, _vocabulary(name))
    if encoding is None:
        return estimate_tokens(text)
    return sum(len(encoding.encode_ordinary(text[at : at + _PIECE])) for at in range(0, len(text), _PIECE))


class Message(Protocol):
    """A message as LangChain has it."""

    @property
    def text(self) -> str:
        """Its text."""
        ...

    @property
    def name(self) -> str | None:
        """Who wrote it, where that is told apart."""
        ...

    @property
    def content(self) -> str | Sequence[str | Mapping[str, object]]:
        """Its text, or blocks of texts, pictures and others."""
        ...


def count_message_tokens(
    messages: Sequence[Message],
    model_name: str | None = None,
    *,
    schemas: "Sequence[Mapping[str, JsonValue]]" = (),
    is_exact: bool = True,
) -> int:
    """Count the tokens of a prompt: texts, what surrounds each message, tool calls, and what is sent along as JSON.

    The overhead is OpenAI's: three tokens and the role for each message, one for a name, three for the reply's
    beginning (OpenAI Cookbook, "How to count tokens with tiktoken", ``num_tokens_from_messages``). Other providers do
    not publish theirs.

    Args:
        messages: As a model receives them; a picture counts as 765 tokens.
        model_name: As for `count_tokens`.
        schemas: Tools and response formats, as they are sent.
        is_exact: Whether the model's vocabulary is used; else `estimate_tokens` is, which takes less time.
    """
    count = partial(count_tokens, model_name=model_name) if is_exact else estimate_tokens
    found = PER_REPLY + sum(count(_as_json(schema)) for schema in schemas)
    for message in messages:
        found += PER_MESSAGE + count(message.text)
        if message.name:
            found += _PER_NAME + count(message.name)
        for call in cast("Sequence[Mapping[str, object]]", getattr(message, "tool_calls", None) or ()):
            found += count(_as_json({"name": call.get("name"), "arguments": call.get("args")}))
        for block in message.content if not isinstance(message.content, str) else ():
            if isinstance(block, Mapping) and (kind := str(block.get("type"))) not in ("text", "tool_call", "tool_use"):
                found += _PER_PICTURE if "image" in kind else count(_as_json(block))
    return found


def _as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def estimate_tokens(text: str) -> int:
    """Estimate the tokens of a text, on the high side, in a time that hardly counts.

    Four letters to a token, three digits or signs to two, one character of any other script.
    """
    data = text.encode("utf-8", "replace")
    letters = len(data) - len(data.translate(None, _LETTERS))
    other_ascii = len(data) - len(data.translate(None, _OTHER_ASCII))
    other = len(data.translate(None, _CONTINUATION)) - letters - other_ascii
    return math.ceil(letters / 4 + other_ascii * 2 / 3 + other)


@lru_cache(maxsize=256)
def _encoding_name(model_name: str | None) -> str:
    if model_name is None:
        return _DEFAULT
    from tiktoken.model import encoding_name_for_model

    try:
        return encoding_name_for_model(model_name)
    except KeyError:
        return _DEFAULT


@lru_cache(maxsize=16)
def _encoding(name: str, vocabulary: Path) -> "Encoding | None":
    if not vocabulary.is_file():
        _say_once(f"the vocabulary {name} is not in tiktoken's cache (TIKTOKEN_CACHE_DIR)")
        return None
    import tiktoken

    try:
        return tiktoken.get_encoding(name)
    except Exception as error:
        _say_once(f"the vocabulary {name} cannot be read: {error}")
        return None


_said: list[str] = []


def _say_once(why: str) -> None:
    if not _said:
        _said.append(why)
        _logger.warning("tokens are estimated, on the high side: %s", why)


def _vocabulary(name: str) -> Path:
    """Where tiktoken keeps the vocabulary: under the SHA-1 of its address, see ``tiktoken.load.read_file_cached``."""
    directory = os.environ.get("TIKTOKEN_CACHE_DIR", os.environ.get("DATA_GYM_CACHE_DIR"))
    source = _SOURCE.format(name="o200k_base" if name == "o200k_harmony" else name)
    key = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
    return (Path(tempfile.gettempdir(), "data-gym-cache") if directory is None else Path(directory)) / key
