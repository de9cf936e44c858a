"""What kind of failure an exception is, how long it asks to be left alone, what it says in a line."""

import asyncio
import http.client
import socket
import ssl
import urllib.error
from datetime import UTC, datetime
from email.message import Message

import httpcore2
import httpx
import httpx2
import openai
import pytest

from goalgraph.errors import MissingExtra, ModelFailed, UnknownModel
from goalgraph.graph.steps.failures import Kind, described, is_transient, kind_of, named, retry_after

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)
REQUEST = httpx2.Request("POST", "http://model.test")


class Shaped(Exception):
    """An error of a library that is not known here."""

    def __init__(self, **fields: object) -> None:
        super().__init__("no")
        vars(self).update(fields)


class Answer:
    def __init__(self, **fields: object) -> None:
        vars(self).update(fields)


def caused(error: BaseException, *causes: BaseException) -> BaseException:
    link = error
    for cause in causes:
        link.__cause__ = cause
        link = cause
    return error


def refused(status: int, **headers: str) -> openai.APIStatusError:
    response = httpx2.Response(
        status, headers={name.replace("_", "-"): value for name, value in headers.items()}, request=REQUEST
    )
    return openai.APIStatusError("no", response=response, body=None)


def http_error(status: int, **headers: str) -> urllib.error.HTTPError:
    message = Message()
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    return urllib.error.HTTPError("http://model.test", status, "no", message, None)


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
def test_statuses_that_pass(status: int) -> None:
    assert is_transient(refused(status))


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 410, 413, 415, 422, 451])
def test_statuses_that_stay(status: int) -> None:
    assert kind_of(refused(status)) == "permanent"


STATUSES: list[tuple[str, BaseException, Kind]] = [
    ("status_code", Shaped(status_code=404), "permanent"),
    ("status", Shaped(status=503), "transient"),
    ("code", Shaped(code=429), "transient"),
    ("http_status", Shaped(http_status=401), "permanent"),
    ("response.status_code", Shaped(response=Answer(status_code=422)), "permanent"),
    ("response.status", Shaped(response=Answer(status=500)), "transient"),
    ("a dictionary", Shaped(response={"ResponseMetadata": {"HTTPStatusCode": 400}}), "permanent"),
    ("a code that is text", Shaped(code="invalid_api_key"), "other"),
    ("a code that is no HTTP status", Shaped(code=1006), "other"),
    ("a status that is a success", Shaped(status_code=200), "other"),
    (
        "httpx",
        httpx.HTTPStatusError("no", request=httpx.Request("GET", "http://a.test"), response=httpx.Response(403)),
        "permanent",
    ),
    ("urllib", http_error(404), "permanent"),
    ("a cause's", caused(RuntimeError("x"), refused(401)), "permanent"),
    ("a cause's cause's", caused(RuntimeError("x"), ValueError("y"), refused(503)), "transient"),
    ("ours", caused(ModelFailed("no"), refused(404)), "permanent"),
    ("ours, busy", caused(ModelFailed("no"), refused(429)), "transient"),
    ("the nearest", caused(Shaped(status_code=400), refused(503)), "permanent"),
    ("a broken connection because of a refusal", caused(ConnectionError("x"), refused(403)), "permanent"),
]


@pytest.mark.parametrize(("error", "kind"), [row[1:] for row in STATUSES], ids=[row[0] for row in STATUSES])
def test_a_status_is_found_wherever_it_stands(error: BaseException, kind: Kind) -> None:
    assert kind_of(error) == kind


class APIConnectionError(Exception):
    """Of an SDK that is not installed."""


TRANSPORT: list[BaseException] = [
    ConnectionError("x"),
    ConnectionResetError("x"),
    BrokenPipeError("x"),
    TimeoutError("x"),
    http.client.RemoteDisconnected("x"),
    http.client.IncompleteRead(b""),
    urllib.error.URLError("x"),
    socket.gaierror(-3, "x"),
    asyncio.IncompleteReadError(b"", 5),
    httpx.ConnectError("x"),
    httpx.ReadTimeout("x"),
    httpx.RemoteProtocolError("x"),
    httpx2.ConnectError("x"),
    httpx2.PoolTimeout("x"),
    httpcore2.ReadError("x"),
    httpcore2.ConnectTimeout("x"),
    openai.APIConnectionError(request=REQUEST),
    openai.APITimeoutError(request=REQUEST),
    APIConnectionError("x"),
    caused(ModelFailed("no"), openai.APIConnectionError(request=REQUEST)),
    caused(ValueError("no answer"), httpx.ReadError("x")),
]


@pytest.mark.parametrize("error", TRANSPORT, ids=[f"{type(one).__module__}.{type(one).__name__}" for one in TRANSPORT])
def test_transport_errors_pass(error: BaseException) -> None:
    assert is_transient(error)


STAYING: list[BaseException] = [
    httpx.UnsupportedProtocol("x"),
    httpx2.LocalProtocolError("x"),
    caused(openai.APIConnectionError(request=REQUEST), httpx2.UnsupportedProtocol("x")),
    caused(httpx.ConnectError("x"), ssl.SSLCertVerificationError("x")),
    ModelFailed("no key"),
    MissingExtra("x", "data"),
    UnknownModel("x"),
    SystemExit(503),
    KeyboardInterrupt(),
    GeneratorExit(),
]


@pytest.mark.parametrize("error", STAYING, ids=[type(one).__name__ for one in STAYING])
def test_what_another_attempt_cannot_cure_stays(error: BaseException) -> None:
    assert kind_of(error) == "permanent"


class Sly(Exception):
    """Fails at whatever is asked."""

    @property
    def response(self) -> object:
        raise RuntimeError("there is none")

    def __str__(self) -> str:
        raise RuntimeError("nothing to say")


def circular() -> BaseException:
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    return first


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x"),
        OSError("disk"),
        asyncio.CancelledError(),
        Sly(),
        circular(),
        caused(ModelFailed("no"), ImportError()),
    ],
    ids=["of code", "OSError", "cancelled", "sly", "circular", "ours"],
)
def test_of_other_failures_nothing_is_known(error: BaseException) -> None:
    assert kind_of(error) == "other"


@pytest.mark.parametrize(
    ("errors", "kind"),
    [
        ([ConnectionError(), refused(503)], "transient"),
        ([ConnectionError(), ValueError()], "other"),
        ([ConnectionError(), ValueError(), refused(401)], "permanent"),
        ([ConnectionError(), ExceptionGroup("inner", [refused(404)])], "permanent"),
    ],
    ids=["all pass", "one is not known", "one stays", "one inside stays"],
)
def test_a_group_is_as_bad_as_the_worst_in_it(errors: list[Exception], kind: Kind) -> None:
    group = ExceptionGroup("several", errors)
    assert kind_of(group) == kind
    assert kind_of(caused(RuntimeError("x"), group)) == kind


ASKED: list[tuple[str, BaseException, float | None]] = [
    ("seconds", refused(429, retry_after="7"), 7),
    ("a fraction", refused(503, retry_after="0.5"), 0.5),
    ("milliseconds first", refused(429, retry_after_ms="250", retry_after="7"), 0.25),
    ("a date", refused(503, retry_after="Wed, 01 May 2024 12:00:30 GMT"), 30),
    ("a date without a zone", refused(503, retry_after="Wed, 01 May 2024 12:00:30 -0000"), 30),
    ("a date that is over", refused(503, retry_after="Wed, 01 May 2024 11:00:00 GMT"), 0),
    ("less than nothing", refused(503, retry_after="-3"), 0),
    ("no number", refused(503, retry_after="soon"), None),
    ("not a number", refused(503, retry_after="nan"), None),
    ("for ever", refused(503, retry_after="1e999"), None),
    ("nothing", refused(503), None),
    ("no headers", ValueError("x"), None),
    ("headers that are none", Shaped(headers=7), None),
    ("urllib", http_error(503, retry_after="4"), 4),
    ("a dictionary", Shaped(response={"ResponseMetadata": {"HTTPHeaders": {"Retry-After": "6"}}}), 6),
    ("a cause's", caused(ModelFailed("no"), refused(429, retry_after="9")), 9),
    ("the longest of a group", ExceptionGroup("g", [refused(429, retry_after=one) for one in "273"]), 7),
]


@pytest.mark.parametrize(("error", "seconds"), [row[1:] for row in ASKED], ids=[row[0] for row in ASKED])
def test_how_long_the_other_side_asks_to_be_left_alone(error: BaseException, seconds: float | None) -> None:
    assert retry_after(error, NOW) == seconds


async def stopped() -> None:
    raise StopIteration("at the end")


def stop_iteration() -> BaseException:
    try:
        stopped().send(None)
    except RuntimeError as error:
        return error
    raise AssertionError("no error")


FEW = ExceptionGroup("two\nthings", [ValueError("a"), TypeError("b")])
DEEP = ExceptionGroup("g", [ExceptionGroup("h", [ValueError("a")]), OSError()])
MANY = ExceptionGroup("g", [ValueError(one) for one in "abcdefg"])
FIVE = "ValueError: a; ValueError: b; ValueError: c; ValueError: d; ValueError: e"
SAID: list[tuple[str, BaseException, str]] = [
    ("one line", ValueError("the disk\n  is full"), "ValueError: the disk is full"),
    ("no text", KeyError(), "KeyError"),
    ("sly", Sly(), "Sly"),
    ("a group", FEW, "ExceptionGroup: two things: ValueError: a; TypeError: b"),
    ("groups in groups", DEEP, "ExceptionGroup: g: ValueError: a; OSError"),
    ("a large group", MANY, f"ExceptionGroup: g: {FIVE}; and 2 more"),
    ("a group of exits", BaseExceptionGroup("g", [SystemExit(2)]), "BaseExceptionGroup: g: SystemExit: 2"),
    ("stop iteration", stop_iteration(), "StopIteration: at the end"),
    ("an error because of the end", caused(RuntimeError("too few"), StopIteration()), "RuntimeError: too few"),
]


@pytest.mark.parametrize(("error", "text"), [row[1:] for row in SAID], ids=[row[0] for row in SAID])
def test_what_an_exception_says_is_one_line(error: BaseException, text: str) -> None:
    assert named(error) == text
    assert described(error)[0] == text.partition(":")[0]
