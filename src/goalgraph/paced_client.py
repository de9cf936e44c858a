"""The HTTP client of models on the OpenAI SDK: it heeds what a server says about too many requests, for all calls."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from openai import DefaultAsyncHttpxClient

from goalgraph.pacing import Pace

if TYPE_CHECKING:
    from httpx2 import Request, Response

__all__ = ["PacedClient", "forget_paces"]

Place = tuple[str, str, int]
"""Address, path, and a hash of the credentials: what servers count requests by, as far as it can be seen."""

_TOO_MANY = 429
_MOST_PLACES = 200
_paces: OrderedDict[Place, Pace] = OrderedDict()
_lock = Lock()


class PacedClient(DefaultAsyncHttpxClient):
    """Sends requests as fast as their server takes them; all clients of the process know the same of a server.

    Where a server has refused a request as one too many, and said with ``Retry-After`` when to come back, no other
    request goes to it before; then they go one after the other, at the rate that it was seen to take. Refusals are
    handed on: whoever has sent the request tries again. Waiting does not count against the client's timeouts.
    """

    def __init__(self, **kwargs: Any) -> None:
        """Take what httpx's own client takes."""
        super().__init__(**kwargs)
        self._turns: WeakValueDictionary[Place, asyncio.Lock] = WeakValueDictionary()

    async def send(self, request: "Request", **kwargs: Any) -> "Response":
        """Send a request in its turn."""
        place = _place(request)
        turn = self._turns.get(place)
        if turn is None:
            turn = self._turns[place] = asyncio.Lock()
        async with turn:  # the first to come is the first to go
            await _passed(place)
        sent = monotonic()
        response = await super().send(request, **kwargs)
        asked = _retry_after(response.headers) if response.status_code == _TOO_MANY else None
        with _lock:
            pace = _pace(place)
            if asked is not None:
                pace.refuse(sent, monotonic(), asked)
            elif response.status_code != _TOO_MANY:
                pace.accept()
        return response


def forget_paces() -> None:
    """Forget what servers have said, such as between tests."""
    with _lock:
        _paces.clear()


async def _passed(place: Place) -> None:
    """Wait for a place, however often it turns out that there is none yet."""
    while True:
        with _lock:
            seconds = _pace(place).take(monotonic())
        if seconds <= 0:
            return
        await asyncio.sleep(seconds)


def _pace(place: Place) -> Pace:
    """Return what is known of a server; of those that were not asked for the longest, nothing is kept."""
    if (pace := _paces.get(place)) is None:
        pace = _paces[place] = Pace(monotonic())
        if len(_paces) > _MOST_PLACES:
            _paces.popitem(last=False)
    _paces.move_to_end(place)
    return pace


def _place(request: "Request") -> Place:
    url, headers = request.url, request.headers
    return (
        f"{url.scheme}://{url.netloc.decode()}",
        url.path,
        hash((headers.get("authorization"), headers.get("api-key"))),
    )


def _retry_after(headers: Mapping[str, str]) -> float | None:
    for name, unit in (("retry-after-ms", 1_000.0), ("retry-after", 1.0)):
        with suppress(ValueError):
            return float(headers.get(name, "")) / unit
    with suppress(ValueError, OverflowError):
        date = parsedate_to_datetime(headers.get("retry-after", ""))
        return ((date if date.tzinfo else date.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()
    return None
