"""Starts the real binary as a user would, talks to it, and stops it. What it printed is shown when something fails."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("WEIR_BINARY", ROOT / "build/release/weir"))

# How long anything may take before the test is given up; nothing is measured against it.
PATIENCE = 60.0


def clean_environment(home: Path, **extra: str) -> dict[str, str]:
    """The test's environment without anything that weir would read: no provider keys, no WEIR_*, no proxies."""
    kept = ("PATH", "LANG", "LC_ALL", "TZ", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "ASAN_SYMBOLIZER_PATH", "TSAN_SYMBOLIZER_PATH")
    return {**{name: os.environ[name] for name in kept if name in os.environ}, "HOME": str(home), **extra}


def until(condition: Callable[[], Any], what: str) -> Any:
    """What the condition gives, once it gives something: for what weir tells only to those who ask."""
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what}: that did not happen")


@dataclass
class Reply:
    """One HTTP response, its body without transfer coding."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def request_id(self) -> str:
        identity = self.header("x-weir-request-id")
        assert identity, f"no x-weir-request-id in {self.headers}"
        return identity

    @property
    def events(self) -> list[str]:
        """The data of each event of an SSE body."""
        assert (self.header("content-type") or "").startswith("text/event-stream"), self.headers
        blocks = re.split(rb"\r\n\r\n|\n\n", self.body)
        assert blocks[-1] == b"", f"the last event is cut: {self.body[-200:]!r}"
        return [re.sub(rb"^data: ?", b"", block).decode() for block in blocks[:-1] if block.startswith(b"data:")]


class Weir:
    """`weir serve` with `config` (YAML text; None: no config file), on a port that the system chose."""

    def __init__(
        self, directory: Path, config: str | None, arguments: tuple[str, ...] = (), prefix: tuple[str, ...] = (),
        pass_fds: tuple[int, ...] = (), **environment: str,
    ) -> None:  # fmt: skip
        """`prefix` stands before the binary on the command line."""
        directory.mkdir(parents=True, exist_ok=True)
        self.prefix, self.pass_fds = prefix, pass_fds
        self.directory, self.arguments = directory, arguments
        self.environment = clean_environment(directory, **environment)
        self.output: list[str] = []
        if config is not None:
            (directory / "weir.yaml").write_text(config)
            self.arguments = ("--config", "weir.yaml", *arguments)

    def __enter__(self) -> "Weir":
        assert BINARY.exists(), f"{BINARY} is not there: ./dev build"
        self.process = subprocess.Popen(
            [*self.prefix, BINARY, "serve", *self.arguments], pass_fds=self.pass_fds,
            cwd=self.directory, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace",
        )  # fmt: skip
        self._printed = threading.Condition()
        self._reader = threading.Thread(target=self._read_output, daemon=True)
        self._reader.start()
        line = self.wait_for_output(r"listening on https?://[^ ]*:(\d+)")
        self.port = int(line[1])
        return self

    def __exit__(self, failure: type | None, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = "no end after SIGTERM"
        self._reader.join(PATIENCE)
        if failure or code != 0:
            print(f"--- {BINARY.name} printed (exit: {code}):", *self.output[-200:], sep="\n")
        if not failure:
            assert code == 0, f"weir ended with {code}"

    def _read_output(self) -> None:
        for line in self.process.stdout:
            with self._printed:
                self.output.append(line.rstrip("\n"))
                self._printed.notify_all()
        with self._printed:
            self._ended = True
            self._printed.notify_all()

    _ended = False

    def wait_for_output(self, pattern: str) -> re.Match[str]:
        def found() -> re.Match[str] | None:
            return next((match for line in self.output if (match := re.search(pattern, line))), None)

        with self._printed:
            self._printed.wait_for(lambda: found() or self._ended, PATIENCE)
            match = found()
        assert match, f"weir did not print {pattern!r} but:\n" + "\n".join(self.output)
        return match

    # --- talking to it ------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE)

    def request(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json", **(headers or {})} if body else headers or {})
            response = connection.getresponse()
            return Reply(response.status, response.getheaders(), response.read())
        finally:
            connection.close()

    def chat(self, model: str | None = None, headers: dict[str, str] | None = None, **fields: Any) -> Reply:
        """A chat completion; the body must end as its framing says, or http.client raises."""
        request = {"messages": [{"role": "user", "content": "hi"}], **({"model": model} if model else {}), **fields}
        return self.request("POST", "/v1/chat/completions", json.dumps(request).encode(), headers)

    def client(self, **options: Any) -> openai.OpenAI:
        """The official SDK, unchanged, with retries off unless asked for."""
        return openai.OpenAI(**{"base_url": f"{self.url}/v1", "api_key": "sk-any", "max_retries": 0, "timeout": PATIENCE, **options})

    def record(self, request_id: str) -> dict[str, Any]:
        """What weir remembers of a request. It is written beside the request's path, so it is asked for until it is there."""

        def found() -> dict[str, Any] | None:
            reply = self.request("GET", f"/admin/v1/requests/{request_id}")
            assert reply.status in (200, 404), reply
            return reply.json if reply.status == 200 else None

        return until(found, f"there is a record of {request_id}")

    def wait_for_idle_connection(self, provider: str) -> None:
        """A caller has his answer a moment before its connection is kept for the next call."""
        wanted = re.compile(rf'^weir_upstream_connections_idle{{provider="{provider}"}} [1-9]', re.MULTILINE)
        until(lambda: wanted.search(self.request("GET", "/metrics/prometheus").body.decode()), f"a connection to {provider} is kept")

    def command(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Another weir command, pointed at this server."""
        return run_weir(*arguments, directory=self.directory, WEIR_URL=self.url, **environment)


def run_weir(*arguments: str, directory: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BINARY, *arguments],
        cwd=directory, env=clean_environment(directory, **environment), stdin=subprocess.DEVNULL, capture_output=True,
        text=True, errors="replace", timeout=PATIENCE, check=False,
    )  # fmt: skip


def text_of(reply: Reply) -> str:
    """The answer's text, streamed or not."""
    if (reply.header("content-type") or "").startswith("text/event-stream"):
        chunks = [json.loads(event) for event in reply.events if event != "[DONE]"]
        return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk.get("choices", []))
    return reply.json["choices"][0]["message"]["content"]
