"""Count tokens without a network, and share a token budget between texts."""

import hashlib
import logging
import math
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiktoken import Encoding

__all__ = ["Fitted", "count_tokens", "fit"]

_logger = logging.getLogger(__name__)

_DEFAULT = "o200k_base"
_SOURCE = "https://openaipublic.blob.core.windows.net/encodings/{name}.tiktoken"
_PIECE = 50_000
"""Characters encoded at once: the encoder's time grows faster than the text where a text has no spaces."""

_LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ \n"
_OTHER_ASCII = bytes(set(range(128)) - set(_LETTERS))
_CONTINUATION = bytes(range(0x80, 0xC0))


def count_tokens(text: str, model_name: str | None = None) -> int:
    """Count the tokens of a text: exactly where the model's vocabulary is at hand, else by an estimate that leans high.

    The vocabulary is read from tiktoken's cache (``TIKTOKEN_CACHE_DIR``) and never fetched. Nothing is raised.

    Args:
        text: Any text.
        model_name: Name at the provider, such as ``"gpt-5-mini"``; one that tiktoken does not know is counted like the
            newest it knows.
    """
    if not text:
        return 0
    encoding = _encoding(_encoding_name(model_name))
    if encoding is None:
        return _estimate(text)
    return sum(len(encoding.encode_ordinary(text[at : at + _PIECE])) for at in range(0, len(text), _PIECE))


def _estimate(text: str) -> int:
    """Four letters to a token, three digits or signs to two, one character of any other script."""
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
def _encoding(name: str) -> "Encoding | None":
    if _vocabulary(name).is_file():
        import tiktoken

        try:
            return tiktoken.get_encoding(name)
        except Exception as error:
            _logger.warning("tokens are estimated: the vocabulary %s cannot be read: %s", name, error)
            return None
    _logger.info("tokens are estimated: the vocabulary %s is not in tiktoken's cache (TIKTOKEN_CACHE_DIR)", name)
    return None


def _vocabulary(name: str) -> Path:
    """Where tiktoken keeps the vocabulary: under the SHA-1 of its address, see ``tiktoken.load.read_file_cached``."""
    directory = os.environ.get("TIKTOKEN_CACHE_DIR", os.environ.get("DATA_GYM_CACHE_DIR"))
    source = _SOURCE.format(name="o200k_base" if name == "o200k_harmony" else name)
    key = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
    return (Path(tempfile.gettempdir(), "data-gym-cache") if directory is None else Path(directory)) / key


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """Texts that fit a budget together."""

    texts: Mapping[str, str]
    """By the names they came with, in the same order."""
    cut: tuple[str, ...]
    """Names of the texts that are no longer whole."""


def fit(texts: Mapping[str, str], limit: int, *, model_name: str | None = None) -> Fitted:
    """Share a budget of tokens between texts.

    Short texts stay whole, and what they leave is shared evenly by the long ones, which keep their beginning and their
    end around a mark that says how much is missing. A text whose share is too small even for the mark becomes empty.

    Args:
        texts: By name, such as step ids.
        limit: Tokens of all texts together.
        model_name: As for `count_tokens`.
    """
    sizes = {name: count_tokens(text, model_name) for name, text in texts.items()}
    left, shares = max(limit, 0), dict[str, int]()
    for position, name in enumerate(sorted(sizes, key=lambda name: sizes[name])):
        shares[name] = min(sizes[name], left // (len(sizes) - position))
        left -= shares[name]
    cut = tuple(name for name in texts if shares[name] < sizes[name])
    return Fitted(
        texts={
            name: _shortened(text, sizes[name], shares[name], model_name) if shares[name] < sizes[name] else text
            for name, text in texts.items()
        },
        cut=cut,
    )


def _shortened(text: str, size: int, share: int, model_name: str | None) -> str:
    keep = len(text) * share // size
    while keep > 0:
        shorter = _around_mark(text, keep, size)
        over = count_tokens(shorter, model_name) - share
        if over <= 0:
            return shorter
        keep -= max(1, over * keep // (share + over), keep // 20)
    mark = _around_mark(text, 0, size)
    return mark if count_tokens(mark, model_name) <= share else ""


def _around_mark(text: str, keep: int, size: int) -> str:
    head, tail = keep - keep // 3, keep // 3
    missing = size * (len(text) - keep) // len(text)
    mark = f"[... about {missing} of {size} tokens are missing here ...]"
    return "\n".join(part for part in (text[:head], mark, text[len(text) - tail :]) if part)
