"""A LangGraph development server for tests: the example's, in a process that ends with the tests whatever happens."""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "server"
_SECONDS = 50
_PROGRAM = """
import os, signal, sys, threading

def end_with_the_tests():
    sys.stdin.read()  # ends when the other side of the pipe is gone, in whatever way
    os.killpg(0, signal.SIGKILL)

threading.Thread(target=end_with_the_tests, daemon=True).start()
sys.argv[0] = "langgraph"
from langgraph_cli.cli import cli
cli()
"""


def is_installed() -> bool:
    """Whether there is a server to start."""
    return all(importlib.util.find_spec(name) for name in ("langgraph_cli", "langgraph_api", "langgraph_runtime_inmem"))


@contextmanager
def serving(folder: Path) -> Generator[str]:
    """Serve a copy of the example, made in a folder; give the server's address."""
    place = folder / "server"
    shutil.copytree(EXAMPLE, place, ignore=shutil.ignore_patterns("__pycache__", ".langgraph_api"))
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    options = ["--host", "127.0.0.1", "--port", str(port), "--no-browser", "--no-reload"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, "dev", "--config", "langgraph.json", *options],
            cwd=place,
            env=_environment(),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait(process, url, folder / "log")
        yield url
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _environment() -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("LANGCHAIN_", "LANGSMITH_"))}
    return {**ours, "LANGGRAPH_CLI_NO_ANALYTICS": "1", "LANGSMITH_TRACING": "false"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    """Wait until the server answers."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError, urllib.error.URLError), direct.open(f"{url}/ok", timeout=5):
            return
        time.sleep(0.1)
    raise AssertionError(f"the server does not answer:\n{log.read_text('utf-8', 'replace')[-5000:]}")
