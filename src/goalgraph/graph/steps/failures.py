"""What kind of failure an exception is: one that passes by itself, one that stays, or neither is known."""

import math
from asyncio import CancelledError
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal, cast

from goalgraph.errors import InvalidInput, MissingExtra, ModelFailed, UnknownModel

__all__ = ["Kind", "described", "is_transient", "kind_of", "leaves", "named", "retry_after"]

Kind = Literal["transient", "permanent", "other"]
"""``transient``: the other side was not reached, too busy, or out of order. ``permanent``: the same attempt would fail
in the same way. ``other``: nothing is known, as with an exception of a specialist's own code."""

_PASSING = frozenset((408, 409, 425, 429))
"""Statuses below 500 that may be different the next time: timeout, conflict, too early, too many requests."""

_TRANSPORT = frozenset(
    (
        "APIConnectionError",  # openai, anthropic, and SDKs made by the same generator
        "ClientConnectionError",  # aiohttp
        "ClientPayloadError",
        "ConnectionError",  # requests
        "EndpointConnectionError",  # botocore
        "IncompleteRead",  # http.client, urllib3
        "IncompleteReadError",  # asyncio
        "NetworkError",  # httpx, httpcore, and their successors
        "PoolError",  # urllib3
        "ProtocolError",
        "ProxyError",
        "RemoteProtocolError",
        "ServiceUnavailable",  # google.api_core
        "Timeout",  # requests
        "TimeoutException",
        "TransportError",
        "URLError",  # urllib
        "gaierror",  # socket: the name was not found
    )
)
"""Names of base classes of transport errors: by name, because none of these packages is needed for anything else."""

_STAYING = frozenset(
    (
        "InvalidSchema",
        "InvalidURL",
        "LocalProtocolError",
        "MissingSchema",
        "SSLCertVerificationError",
        "UnsupportedProtocol",
    )
)
"""Names of errors that look like the transport's, and are wrong addresses or certificates."""

_OURS = (InvalidInput, MissingExtra, UnknownModel)
_STATUS_FIELDS = ("status_code", "http_status", "status", "code")
_MOST_LINKS = 20
_MOST_NAMED = 5


def is_transient(error: BaseException) -> bool:
    """Whether a failure may pass by itself."""
    return kind_of(error) == "transient"


def kind_of(error: BaseException) -> Kind:
    """Judge a failure, by the error and by what caused it.

    An HTTP status, wherever it is found, counts more than the exception's class: 408, 409, 425, 429 and 5xx pass, other
    4xx stay. A group is as bad as the worst in it. What is no ``Exception`` was not raised to be tried again; only a
    cancelled part of the work may be.
    """
    kinds: set[Kind] = set()
    for link in _links(error):
        if isinstance(link, BaseExceptionGroup):
            inner = {kind_of(one) for one in cast("BaseExceptionGroup[BaseException]", link).exceptions}
            kinds.add("permanent" if "permanent" in inner else "other" if "other" in inner else "transient")
        elif (status := _status(link)) is not None:
            return "transient" if status in _PASSING or status >= 500 else "permanent"
        else:
            kinds.add(_by_class(link))
    return "permanent" if "permanent" in kinds else "transient" if "transient" in kinds else "other"


def retry_after(error: BaseException, now: datetime) -> float | None:
    """Return how many seconds the other side asks to be left alone; None where it does not say.

    Args:
        error: What was raised; ``Retry-After`` (seconds or a date) and ``retry-after-ms`` are looked for in the headers
            of its response, or of what caused it.
        now: For dates; with a time zone.
    """
    for link in _links(error):
        if isinstance(link, BaseExceptionGroup):
            asked = [retry_after(one, now) for one in cast("BaseExceptionGroup[BaseException]", link).exceptions]
            return max((one for one in asked if one is not None), default=None)
        for place in (_field(link, "response"), link):
            if (seconds := _asked(_headers(place), now)) is not None:
                return seconds
    return None


def described(error: BaseException) -> tuple[str, str]:
    """Return the name of an exception's class, and what it says, in a line; a group names those inside of it."""
    if isinstance(error, BaseExceptionGroup):
        return _described_group(cast("BaseExceptionGroup[BaseException]", error))
    said, cause = _line(error), error.__cause__
    if isinstance(cause, (StopIteration, StopAsyncIteration)) and said == f"coroutine raised {type(cause).__name__}":
        error, said = cause, _line(cause)  # Python lets none of them leave a coroutine
    return type(error).__name__, said


def named(error: BaseException) -> str:
    """Return what `described` does as one text."""
    name, said = described(error)
    return f"{name}: {said}" if said else name


def leaves(group: "BaseExceptionGroup[BaseException]") -> Iterator[BaseException]:
    """Yield the exceptions of a group, and of the groups in it, that are none themselves."""
    for one in group.exceptions:
        if isinstance(one, BaseExceptionGroup):
            yield from leaves(cast("BaseExceptionGroup[BaseException]", one))
        else:
            yield one


def _described_group(group: "BaseExceptionGroup[BaseException]") -> tuple[str, str]:
    inner = [named(one) for one in leaves(group)]
    rest = f"; and {len(inner) - _MOST_NAMED} more" if len(inner) > _MOST_NAMED else ""
    return type(group).__name__, f"{' '.join(group.message.split())}: {'; '.join(inner[:_MOST_NAMED])}{rest}"


def _line(error: BaseException) -> str:
    said = ""
    with suppress(Exception):  # exceptions of others may fail to say what they are
        said = str(error)
    return " ".join(said.split())


def _links(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, its cause, that one's cause, and so on."""
    link: BaseException | None = error
    for _ in range(_MOST_LINKS):
        if link is None:
            return
        yield link
        link = link.__cause__


def _by_class(error: BaseException) -> Kind:
    if isinstance(error, ModelFailed):  # it is what its cause is; without one, something is missing here
        return "other" if error.__cause__ is not None else "permanent"
    if not isinstance(error, (Exception, CancelledError)):
        return "permanent"
    names = {kind.__name__ for kind in type(error).__mro__}
    if isinstance(error, _OURS) or names & _STAYING:
        return "permanent"
    if isinstance(error, (ConnectionError, TimeoutError)) or names & _TRANSPORT:
        return "transient"
    return "other"


def _status(error: BaseException) -> int | None:
    if not isinstance(error, Exception):
        return None
    response = _field(error, "response")
    for place in (error, response):
        for name in _STATUS_FIELDS:
            found = _field(place, name)
            if isinstance(found, int) and 400 <= found <= 599:
                return int(found)
    about = _about_response(response)
    found = about.get("HTTPStatusCode")
    return found if isinstance(found, int) and 400 <= found <= 599 else None


def _about_response(response: object) -> Mapping[object, object]:
    """Botocore's response, which is a dictionary."""
    if not isinstance(response, Mapping):
        return {}
    about = cast("Mapping[object, object]", response).get("ResponseMetadata")
    return cast("Mapping[object, object]", about) if isinstance(about, Mapping) else {}


def _headers(place: object) -> Mapping[str, object]:
    found = _field(place, "headers") or _about_response(place).get("HTTPHeaders")
    headers: dict[str, object] = {}
    with suppress(Exception):  # headers of others may be anything
        headers = {str(name).lower(): value for name, value in dict(cast("Mapping[object, object]", found)).items()}
    return headers


def _asked(headers: Mapping[str, object], now: datetime) -> float | None:
    for name, unit in (("retry-after-ms", 1_000.0), ("retry-after", 1.0)):
        text = str(headers.get(name, "")).strip()
        try:
            seconds = float(text) / unit
        except ValueError:
            continue
        if math.isfinite(seconds):
            return max(seconds, 0.0)
    try:
        date = parsedate_to_datetime(str(headers.get("retry-after", "")))
    except (ValueError, OverflowError):
        return None
    date = date if date.tzinfo is not None else date.replace(tzinfo=UTC)
    return max((date - now).total_seconds(), 0.0)


def _field(place: object, name: str) -> object:
    found: object = None
    with suppress(Exception):  # a property may raise, as httpx's do where there is nothing to return
        found = getattr(place, name, None)
    return found
