"""An OpenAI-compatible server on real TCP that misbehaves on request.

It answers POST .../chat/completions and .../completions with a deterministic text, streamed or not, POST .../embeddings
with the vectors VECTORS, and breaks where it is told to: each request takes the next behaviour of the plan, else the one
that its model name spells (`cut_fin,after=2`), else the default. GET .../models is apart: it is answered with
FaultServer.models, as FaultServer.models_behaviour says, and recorded in FaultServer.model_requests. A case that has a path of its own
(FaultServer.script) shares nothing with others: hundreds can run at once. It records every request byte for byte, and notices when its client hangs up in the middle of an answer.

In a test:            with FaultServer("a") as server: server.plan("reset_before_head"); ... server.requests[0].body
On its own:           python fault_server.py --port 0      (prints `fault server on http://127.0.0.1:PORT/v1`)
Over HTTP:            POST /control {"plan": [{"kind": "status", "status": 503}, "ok"], "default": "ok"}; GET /control/requests

The server lives in one asyncio loop in a thread of its own; the methods of FaultServer may be called from any thread.
"""

import argparse
import asyncio
import base64
import contextlib
import dataclasses
import itertools
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

# How long a held connection stays open before the server gives up. Far longer than any limit that a test sets for the
# gateway: a body that ends earlier was ended by the gateway.
HOLD_SECONDS = 60.0

KEEP_ALIVE_EVERY = 0.1  # seconds

# What a server can send between the head and the first event to keep the client waiting. Which of them which client takes is
# what test_keep_alives.py finds out.
KEEP_ALIVES = {
    "": b"",
    "comment": b": keep-alive\n\n",
    "empty_delta": b'data: {"id":"chatcmpl-0","object":"chat.completion.chunk","created":1760000000,"model":"m","choices":'
    b'[{"index":0,"delta":{},"logprobs":null,"finish_reason":null}]}\n\n',
    "no_choices": b'data: {"id":"chatcmpl-0","object":"chat.completion.chunk","created":1760000000,"model":"m","choices":[]}\n\n',
    "named_event": b"event: keep-alive\ndata: {}\n\n",
    "named_event_without_data": b"event: keep-alive\n\n",
}

KINDS = {
    "ok": "a whole, valid answer",
    "tools": "two tool calls, whose arguments are streamed in fragments",
    "status": "an error status with OpenAI's error object; fields status, retry_after, code, message, body",
    "reset_before_head": "RST before the first response byte",
    "close_before_head": "FIN before the first response byte",
    "garbage": "bytes that are no HTTP response",
    "silence": "no response byte at all, the connection stays open",
    "slow_first_token": "head and role event at once, then nothing for `seconds`, then the whole answer",
    "cut_rst": "RST after `after` content events (not streamed: in the middle of the body)",
    "cut_fin": "FIN after `after` content events, the framing unfinished (not streamed: in the middle of the body)",
    "end_early": "a properly framed end after `after` content events, with no finish reason and no [DONE]",
    "stall": "nothing more after `after` content events (not streamed: from the middle of the body)",
    "drip": "after `after` content events one event that never ends, a byte at a time, with `seconds` between two (streamed)",
    "malformed": "broken JSON as the event after `after` content events, then the rest (not streamed: as the body)",
    "error_event": "an error object as the event after `after` content events, then the end (not streamed: as the body)",
    "error_after_finish": "an error object as the event after the finish reason, then [DONE]",
    "missing_done": "everything but [DONE]",
    "held_after_done": "everything, then neither end of body nor of connection",
    "held_after_finish": "everything up to the finish reason, then nothing",
    "html": "status 200 with an HTML page",
    "short_body": "Content-Length promises more bytes than come before FIN",
    "cut_event": "FIN inside a chunk, inside an event, inside a character of it, after `after` content events",
    "truncated_chunk": "a chunk that promises more bytes than come before FIN",
    "long_body": "Content-Length promises fewer bytes than come",
    "bad_json": "status 200, whole, JSON by its type and broken by its text",
    "empty": "status 200 with no body at all",
    "trickle": "a whole answer, a byte at a time, with `seconds` between two bytes of the first `after`",
    "raw": "the bytes of `pieces`, each its own write once the client has read the one before, then `end`",
}


@dataclass(frozen=True)
class Behaviour:
    kind: str = "ok"
    text: str | None = None          # the whole answer; by default FaultServer.text
    events: int = 4                  # content events that a streamed answer is divided into
    after: int = 0                   # content events before the fault
    tools: bool = False              # streamed: two tool calls instead of the text; `after` counts their deltas
    reasoning: str = ""              # streamed: comes before the text, in three content events of their own
    role: bool = True                # whether a streamed answer begins with the role event, which bears no content
    status: int = 503
    code: str | None = "server_is_overloaded"
    message: str = "The engine is currently overloaded, please try again later"
    retry_after: str | None = None   # the header's text
    body: str | None = None          # status, ok: this body instead of the usual one
    seconds: float = 0.2             # slow_first_token
    wait: float = 0.0                # streamed: seconds between the head and the first event
    keep_alive: str = ""             # streamed: what is sent again and again in that time, see KEEP_ALIVES
    late_head: bool = False          # streamed: the head comes after that time, too
    headers: tuple[tuple[str, str], ...] = ()
    framing: str = "chunked"         # of a streamed body: chunked, or close (until FIN)
    close: bool = False              # FIN after the answer without having announced it
    usage: bool = True               # whether it is told, in streams where it was asked for
    used: dict[str, Any] | None = None  # what is told of a chat's usage, in place of USAGE
    tier: str | None = None          # the service_tier that it says it gave
    encoding: str | None = None      # of embeddings: float or base64 whatever was asked; by default as asked
    pieces: tuple[bytes, ...] = ()
    end: str = "keep"                # raw: keep, fin, rst or hold

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no behaviour is named {self.kind!r}; there are {', '.join(KINDS)}")
        if self.keep_alive not in KEEP_ALIVES:
            raise ValueError(f"no keep-alive is named {self.keep_alive!r}; there are {', '.join(KEEP_ALIVES)}")

    @staticmethod
    def of(description: "Behaviour | str | dict[str, Any]", **fields: Any) -> "Behaviour":
        """From a kind, a dict of fields, or the spelling of a model name: `cut_fin,after=2`."""
        if isinstance(description, Behaviour):
            return dataclasses.replace(description, **fields)
        if isinstance(description, dict):
            return Behaviour(**{**description, **fields})
        kind, *settings = description.split(",")
        types = {entry.name: entry.type for entry in dataclasses.fields(Behaviour)}
        for setting in settings:
            name, _, value = setting.partition("=")
            fields[name] = {int: int, float: float, bool: lambda word: word == "true"}.get(types[name], str)(value)
        return Behaviour(kind, **fields)


@dataclass
class RecordedRequest:
    """One request as it came over the wire, and what became of its answer."""

    number: int                      # of all requests to this server, from 0
    connection: int                  # which connection, from 0
    number_on_connection: int        # from 0; above 0 the connection was reused
    method: str
    target: str
    headers: list[tuple[str, str]]   # names as written
    head: bytes                      # request line and header fields, to the empty line included
    body: bytes                      # without transfer coding
    behaviour: Behaviour = field(default_factory=Behaviour)
    events_sent: int = 0             # content events
    state: str = "answering"         # then answered, broken (as the behaviour asks) or cancelled (by the client)
    cancelled_after: float | None = None  # seconds from the last byte sent to the client's hanging up

    def header(self, name: str) -> str | None:
        """The value of the only field of that name."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(values) <= 1, f"{name} was sent {len(values)} times"
        return values[0] if values else None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class HungUp(Exception):
    """The client closed or reset its connection."""


class FaultServer:
    """`name` makes the text of this server's answers its own, so that a test can tell two servers apart."""

    def __init__(self, name: str = "fault", port: int = 0, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.name, self.tls, self.host = name, tls, host
        self.requests: list[RecordedRequest] = []
        self.model_requests: list[RecordedRequest] = []
        self.models: list[dict[str, Any]] = [{"id": f"{name}-model", "object": "model", "created": 1760000000, "owned_by": name}]
        self.models_behaviour = Behaviour()
        self.default = Behaviour()
        self.by_key: dict[str, Behaviour] = {}  # what calls with this Bearer key get, whatever else is planned
        self.connections = 0
        self.open_connections = 0
        self._wanted_port = port
        self._plan: Iterator[Behaviour] = iter(())
        self._scripts: dict[str, list[Behaviour]] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    # --- what a test calls --------------------------------------------------------------------------------------------

    def __enter__(self) -> "FaultServer":
        started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(started)), name=f"fault server {self.name}", daemon=True)
        self._thread.start()
        assert started.wait(30), "the fault server did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(30)

    @property
    def base_url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}/v1"

    @property
    def text(self) -> str:
        """The answer's whole text; not ASCII only, so that a cut inside a character would show."""
        return f"{self.name} says: grüß Gott, 你好 🦦, and that is the end of {self.name}."

    def plan(self, *behaviours: Behaviour | str | dict[str, Any]) -> None:
        """What the next requests get, one each. Replaces what was left of the plan before."""
        with self._changed:
            self._plan = iter([Behaviour.of(behaviour) for behaviour in behaviours])

    def plan_in_turns(self, *behaviours: Behaviour | str | dict[str, Any]) -> None:
        """The same, again and again without end."""
        with self._changed:
            self._plan = itertools.cycle([Behaviour.of(behaviour) for behaviour in behaviours])

    def always(self, behaviour: Behaviour | str | dict[str, Any], **fields: Any) -> None:
        """What every request gets that the plan does not cover."""
        with self._changed:
            self._plan = iter(())
            self.default = Behaviour.of(behaviour, **fields)

    def script(self, case: str, *behaviours: Behaviour | str | dict[str, Any]) -> str:
        """What the requests below the path of this case get, one each and the last for ever; returns its base URL.

        A connection that was kept alive may be found closed and be replaced: what closes one before the answer is no step of
        the script when it meets such a connection, since the gateway asks again at once and is not asked to count that.
        """
        with self._changed:
            self._scripts[case] = [Behaviour.of(behaviour) for behaviour in behaviours]
        return self.base_url.removesuffix("/v1") + f"/{case}/v1"

    def requests_of(self, case: str) -> list[RecordedRequest]:
        with self._changed:
            return [request for request in self.requests if request.target.startswith(f"/{case}/")]

    def forget(self) -> None:
        """Back to the start: every answer whole, no request recorded."""
        with self._changed:
            self._plan = iter(())
            self.default = Behaviour()
            self.models_behaviour = Behaviour()
            self.requests = []
            self._scripts = {}
            self.by_key = {}

    def wait_for(self, condition, what: str, seconds: float = 30.0) -> None:
        """Until condition() holds; it is looked at whenever a request comes or its state changes."""
        with self._changed:
            assert self._changed.wait_for(condition, seconds), f"{self.name}: {what} did not happen; saw {self.requests}"

    # --- connections --------------------------------------------------------------------------------------------------

    async def _serve(self, started: threading.Event) -> None:
        self._loop, self._stopping, self._tasks = asyncio.get_running_loop(), asyncio.Event(), set()
        server = await asyncio.start_server(self._connected, self.host, self._wanted_port, ssl=self.tls)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        await self._stopping.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            with self._changed:
                number, self.connections = self.connections, self.connections + 1
                self.open_connections += 1
            await Connection(self, number, reader, writer).serve()
        except (HungUp, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            with self._changed:
                self.open_connections -= 1
                self._changed.notify_all()
            writer.close()

    def _received(self, request: RecordedRequest) -> None:
        with self._changed:
            if is_models(request):
                request.number, request.behaviour = len(self.model_requests), self.models_behaviour
                self.model_requests.append(request)
                self._changed.notify_all()
                return
            request.number = len(self.requests)
            request.behaviour = self._of_key(request) or self._scripted(request) or next(self._plan, None) or self._spelt_by_model(request) or self.default
            self.requests.append(request)
            self._changed.notify_all()

    def _ended(self, request: RecordedRequest, state: str, cancelled_after: float | None = None) -> None:
        with self._changed:
            request.state, request.cancelled_after = state, cancelled_after
            self._changed.notify_all()

    def _progressed(self, request: RecordedRequest) -> None:
        with self._changed:
            request.events_sent += 1
            self._changed.notify_all()

    def _of_key(self, request: RecordedRequest) -> Behaviour | None:
        return self.by_key.get((request.header("authorization") or "").removeprefix("Bearer ")) if self.by_key else None

    def _scripted(self, request: RecordedRequest) -> Behaviour | None:
        script = self._scripts.get(request.target.split("/")[1])
        if not script:
            return None
        repeated = request.number_on_connection > 0 and script[0].kind in {"close_before_head", "reset_before_head"}
        return script[0] if repeated or len(script) == 1 else script.pop(0)

    @staticmethod
    def _spelt_by_model(request: RecordedRequest) -> Behaviour | None:
        with contextlib.suppress(ValueError, TypeError, AttributeError, KeyError):
            return Behaviour.of(request.json["model"])
        return None

    def control(self, body: bytes) -> dict[str, Any]:
        orders = json.loads(body or b"{}")
        if orders.get("forget"):
            self.forget()
        if "default" in orders:
            self.always(orders["default"])
        if "plan" in orders:
            self.plan(*orders["plan"])
        return {"default": self.default.kind, "requests": len(self.requests)}

    def report(self) -> list[dict[str, Any]]:
        return [
            {
                "number": request.number, "connection": request.connection, "method": request.method, "target": request.target,
                "headers": request.headers, "body": request.body.decode(errors="backslashreplace"),
                "behaviour": request.behaviour.kind, "events_sent": request.events_sent, "state": request.state,
                "cancelled_after": request.cancelled_after,
            }
            for request in self.requests
        ]  # fmt: skip


class Connection:
    """One client's connection: reads requests one after the other and carries out their behaviours."""

    def __init__(self, server: FaultServer, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server, self.number, self.reader, self.writer = server, number, reader, writer
        self.unread = b""
        self.last_write = time.monotonic()
        self.socket = writer.get_extra_info("socket")
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def serve(self) -> None:
        number_on_connection = 0
        while request := await self._read_request(number_on_connection):
            number_on_connection += 1
            if request.target.startswith("/control"):
                answer = self.server.report() if request.method == "GET" else self.server.control(request.body)
                await self._write(response(200, json.dumps(answer).encode()))
                continue
            self.server._received(request)
            if not await self._answer_while_watching(request):
                return

    # --- reading ------------------------------------------------------------------------------------------------------

    async def _fill(self) -> None:
        """Waits for bytes of the client and keeps them; HungUp when there will be none."""
        try:
            more = await self.reader.read(65536)
        except ConnectionError:
            more = b""
        if not more:
            raise HungUp
        self.unread += more

    async def _take(self, count: int) -> bytes:
        while len(self.unread) < count:
            await self._fill()
        taken, self.unread = self.unread[:count], self.unread[count:]
        return taken

    async def _take_through(self, end: bytes) -> bytes:
        while end not in self.unread:
            await self._fill()
        return await self._take(self.unread.index(end) + len(end))

    async def _read_request(self, number_on_connection: int) -> RecordedRequest:
        head = await self._take_through(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        method, target, _ = first.split(" ")
        fields = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        known = {name.lower(): value for name, value in fields}
        body = b""
        if known.get("transfer-encoding") == "chunked":
            while size := int((await self._take_through(b"\r\n")).split(b";")[0], 16):
                body += (await self._take(size + 2))[:-2]
            await self._take_through(b"\r\n")
        else:
            body = await self._take(int(known.get("content-length", 0)))
        return RecordedRequest(-1, self.number, number_on_connection, method, target, fields, head, body)

    # --- answering ----------------------------------------------------------------------------------------------------

    async def _answer_while_watching(self, request: RecordedRequest) -> bool:
        """Carries out the behaviour while it watches whether the client leaves. False: the connection is over."""
        answer = asyncio.create_task(self._answer(request))
        try:
            while not answer.done():
                watch = asyncio.create_task(self._fill())
                await asyncio.wait({answer, watch}, return_when=asyncio.FIRST_COMPLETED)
                if not watch.done():
                    watch.cancel()
                    await asyncio.gather(watch, return_exceptions=True)
                elif watch.exception() and not answer.done():
                    self.server._ended(request, "cancelled", time.monotonic() - self.last_write)
                    return False
        finally:
            answer.cancel()
            outcome = (await asyncio.gather(answer, return_exceptions=True))[0]
        if isinstance(outcome, BaseException):
            if not isinstance(outcome, (ConnectionError, asyncio.CancelledError)):
                raise outcome
            self.server._ended(request, "cancelled", time.monotonic() - self.last_write)
            return False
        return outcome

    async def _write(self, *parts: bytes) -> None:
        self.writer.write(b"".join(parts))
        self.last_write = time.monotonic()
        await self.writer.drain()

    def _reset(self) -> None:
        """The next close sends RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def _answer(self, request: RecordedRequest) -> bool:
        """True when the connection may carry another request."""
        behaviour = request.behaviour
        try:
            goes_on = await getattr(self, f"_{behaviour.kind}", self._completion)(request, behaviour)
        except Broken as broken:
            if broken.reset:
                self._reset()
            goes_on = False
        self.server._ended(request, "answered" if goes_on else "broken")
        return goes_on and not behaviour.close

    async def _hold(self) -> None:
        await asyncio.sleep(HOLD_SECONDS)
        raise Broken(reset=False)

    async def _reset_before_head(self, request: RecordedRequest, behaviour: Behaviour) -> bool:
        raise Broken(reset=True)

    async def _close_before_head(self, request: RecordedRequest, behaviour: Behaviour) -> bool:
        raise Broken(reset=False)

    async def _silence(self, request: RecordedRequest, behaviour: Behaviour) -> bool:
        await self._hold()
        return False

    async def _garbage(self, request: RecordedRequest, behaviour: Behaviour) -> bool:
        await self._write(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
        raise Broken(reset=False)

    async def _status(self, request: RecordedRequest, behaviour: Behaviour) -> bool:
        error = {"message": behaviour.message, "type": error_type(behaviour.status), "param": None, "code": behaviour.code}
        body = behaviour.body.encode() if behaviour.body is not None else json.dumps({"error": error}).encode()
        headers = list(behaviour.headers)
        if behaviour.retry_after is not None:
            headers.append(("Retry-After", behaviour.retry_after))
        await self._write(response(behaviour.status, body, self._provider_headers(request) + headers))
        return True

    async def _html(self, request: RecordedRequest, behaviour: Behaviour) -> bool:
        await self._write(response(200, b"<html><body>Welcome to the hotel network</body></html>", content_type="text/html"))
        return True

    async def _short_body(self, request: RecordedRequest, behaviour: Behaviour) -> bool:
        body = self._body(request, behaviour)
        await self._write(response(200, body, length=len(body) + 100))
        raise Broken(reset=False)

    async def _long_body(self, request: RecordedRequest, behaviour: Behaviour) -> bool:
        body = self._body(request, behaviour)
        await self._write(response(200, body, length=len(body) - 10))
        return True

    async def _bad_json(self, request: RecordedRequest, behaviour: Behaviour) -> bool:
        await self._write(response(200, b'{"id": "chatcmpl-1", "object": "chat.completion", "choices": [{"index": 0, ', self._provider_headers(request)))
        return True

    async def _empty(self, request: RecordedRequest, behaviour: Behaviour) -> bool:
        content_type = "text/event-stream; charset=utf-8" if is_streamed(request) else "application/json"
        await self._write(response(200, b"", self._provider_headers(request), content_type=content_type))
        return True

    async def _trickle(self, request: RecordedRequest, behaviour: Behaviour) -> bool:
        """The writes of a whole answer, each byte of them on its own."""
        whole, self._write_whole = dataclasses.replace(behaviour, kind="ok", after=0), self._write
        slow = behaviour.after

        async def byte_by_byte(*parts: bytes) -> None:
            nonlocal slow
            for byte in b"".join(parts):
                await self._write_whole(bytes([byte]))
                slow -= 1
                await asyncio.sleep(behaviour.seconds if slow >= 0 else 0)

        self._write = byte_by_byte
        try:
            return await self._completion(request, whole)
        finally:
            self._write = self._write_whole

    async def _truncated_chunk(self, request: RecordedRequest, behaviour: Behaviour) -> bool:
        streamed = is_streamed(request)
        content_type = "text/event-stream; charset=utf-8" if streamed else "application/json"
        start = b"data: {" if streamed else self._body(request, behaviour)[:20]
        await self._write(head(200, [("Content-Type", content_type), ("Transfer-Encoding", "chunked")]), b"400\r\n", start)
        raise Broken(reset=False)

    async def _raw(self, request: RecordedRequest, behaviour: Behaviour) -> bool:
        for piece in behaviour.pieces:
            await self._write(piece)
            await until_read(self.socket)
        if behaviour.end == "hold":
            await self._hold()
        if behaviour.end != "keep":
            raise Broken(reset=behaviour.end == "rst")
        return True

    def _provider_headers(self, request: RecordedRequest) -> list[tuple[str, str]]:
        return [
            ("x-request-id", f"req_{self.server.name}_{request.number}"),
            ("openai-processing-ms", "42"),
            ("x-ratelimit-remaining-requests", "99"),
        ]

    async def _completion(self, request: RecordedRequest, behaviour: Behaviour) -> bool:
        if is_streamed(request):
            return await self._streamed(request, behaviour)
        body = self._body(request, behaviour)
        headers = self._provider_headers(request) + list(behaviour.headers)
        if behaviour.kind == "slow_first_token":
            await asyncio.sleep(behaviour.seconds)
        if behaviour.kind in {"cut_rst", "cut_fin", "cut_event", "stall", "end_early"}:
            # Without streaming there is no k-th event: the break is in the middle of the body.
            await self._write(response(200, body, headers, sent=len(body) // 2))
            if behaviour.kind == "stall":
                await self._hold()
            raise Broken(reset=behaviour.kind == "cut_rst")
        if behaviour.kind.startswith("held"):
            await self._write(response(200, body, [*headers, ("Connection", "close")]))
            await self._hold()
        await self._write(response(200, body, headers))
        return True

    def _text(self, behaviour: Behaviour) -> str:
        return self.server.text if behaviour.text is None else behaviour.text

    def _body(self, request: RecordedRequest, behaviour: Behaviour) -> bytes:
        body = self._chat_body(request, behaviour)
        if behaviour.kind in {"malformed", "error_event"} or behaviour.body is not None:
            return body
        if is_models(request):
            return json.dumps({"object": "list", "data": self.server.models}).encode()
        if is_embeddings(request):
            encoding = behaviour.encoding or request.json.get("encoding_format") or "float"
            data = [
                {"object": "embedding", "index": index, "embedding": base64_of(vector) if encoding == "base64" else vector}
                for index, vector in enumerate(VECTORS[: count_inputs(request)])
            ]
            answer = {"object": "list", "data": data, "model": model_of(request)}
            if behaviour.usage:
                answer["usage"] = {"prompt_tokens": 8, "total_tokens": 8}
            return json.dumps(answer).encode()
        if is_text_completion(request):
            choice = {"text": self._text(behaviour), "index": 0, "logprobs": None, "finish_reason": "stop"}
            return json.dumps({**json.loads(body), "id": f"cmpl-{request.number}", "object": "text_completion", "choices": [choice]}).encode()
        return body

    def _chat_body(self, request: RecordedRequest, behaviour: Behaviour) -> bytes:
        if behaviour.kind == "malformed":
            return b'{"id": "chatcmpl-1", "object": "chat.completion", "choices": [{"index": 0, '
        if behaviour.kind == "error_event":
            return json.dumps({"error": UPSTREAM_ERROR}).encode()
        if behaviour.body is not None:
            return behaviour.body.encode()
        message: dict[str, Any] = {"role": "assistant", "content": self._text(behaviour), "refusal": None}
        reason = "stop"
        if behaviour.kind == "tools":
            message["content"], message["tool_calls"], reason = None, TOOL_CALLS, "tool_calls"
        return json.dumps(
            {
                "id": f"chatcmpl-{request.number}", "object": "chat.completion", "created": 1760000000, "model": model_of(request),
                "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reason}],
                **({"usage": behaviour.used or USAGE} if behaviour.usage else {}), "system_fingerprint": "fp_fault",
                **({"service_tier": behaviour.tier} if behaviour.tier else {}),
            },
            ensure_ascii=False,
        ).encode()  # fmt: skip

    async def _keep_waiting(self, behaviour: Behaviour, frame) -> None:
        """Keep-alives, several in each of the client's time limits, until the wait is over."""
        for _ in range(round(behaviour.wait / KEEP_ALIVE_EVERY)):
            await asyncio.sleep(KEEP_ALIVE_EVERY)
            if behaviour.keep_alive:
                await self._write(frame(KEEP_ALIVES[behaviour.keep_alive]))

    async def _streamed(self, request: RecordedRequest, behaviour: Behaviour) -> bool:
        kind, chunked = behaviour.kind, behaviour.framing == "chunked"
        frame = chunk if chunked else lambda data: data
        framing = [("Transfer-Encoding", "chunked")] if chunked else [("Connection", "close")]
        headers = [("Content-Type", "text/event-stream; charset=utf-8"), *framing, *self._provider_headers(request), *behaviour.headers]
        if behaviour.late_head:
            await asyncio.sleep(behaviour.wait)
        await self._write(head(200, headers))
        if not behaviour.late_head:
            await self._keep_waiting(behaviour, frame)

        asked_for_usage = behaviour.usage and bool((request.json.get("stream_options") or {}).get("include_usage"))
        legacy = is_text_completion(request)
        base = {
            "id": f"{'cmpl' if legacy else 'chatcmpl'}-{request.number}",
            "object": "text_completion" if legacy else "chat.completion.chunk", "created": 1760000000,
            "model": model_of(request), "system_fingerprint": "fp_fault",
            **({"service_tier": behaviour.tier} if behaviour.tier else {}),
        }  # fmt: skip

        async def event(choices: list[dict[str, Any]], usage: dict[str, Any] | None = None) -> None:
            extra = {"usage": usage} if asked_for_usage else {}  # as OpenAI does: null in every chunk, once asked for
            await self._write(frame(sse({**base, "choices": choices, **extra})))

        def choice(delta: dict[str, Any], reason: str | None = None) -> list[dict[str, Any]]:
            if legacy:
                return [{"text": delta.get("content") or "", "index": 0, "logprobs": None, "finish_reason": reason}]
            return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]

        async def break_here() -> None:
            if kind == "slow_first_token":
                await asyncio.sleep(behaviour.seconds)
            if kind == "stall":
                await self._hold()
            if kind == "drip":
                while True:
                    await self._write(frame(b":"))
                    await asyncio.sleep(behaviour.seconds)
            if kind in {"cut_rst", "cut_fin"}:
                raise Broken(reset=kind == "cut_rst")
            if kind == "cut_event":
                whole = sse({**base, "choices": choice({"content": "half a 🦦"})})
                half = whole[: whole.index("🦦".encode()) + 2]
                await self._write(b"%x\r\n%s" % (len(whole), half) if chunked else half)
                raise Broken(reset=False)
            if kind == "malformed":
                await self._write(frame(b'data: {"id": "chatcmpl-1", "choices": [{"index": 0, "delta": {"content": \n\n'))
            if kind == "error_event":
                await self._write(frame(sse({"error": UPSTREAM_ERROR})))
            if kind in {"error_event", "end_early"}:
                raise Finished

        deltas = [{"content": part} for part in divide(self._text(behaviour), behaviour.events)]
        reason = "stop"
        if kind == "tools" or behaviour.tools:
            deltas, reason = list(tool_deltas()), "tool_calls"
        with contextlib.suppress(Finished):
            if behaviour.role:
                await event(choice({"role": "assistant", "content": "", "refusal": None}))
            for part in divide(behaviour.reasoning, 3):
                await event(choice({"reasoning_content": part}))
            for number, delta in enumerate(deltas):
                if number == behaviour.after:
                    await break_here()
                await event(choice(delta))
                self.server._progressed(request)
            if behaviour.after >= len(deltas):
                await break_here()
            await event(choice({}, reason))
            if kind == "held_after_finish":
                await self._hold()
            if kind == "error_after_finish":
                await self._write(frame(sse({"error": UPSTREAM_ERROR})))
            if asked_for_usage:
                await event([], behaviour.used or USAGE)
            if kind != "missing_done":
                await self._write(frame(b"data: [DONE]\n\n"))
            if kind == "held_after_done":
                await self._hold()
        if chunked:
            await self._write(b"0\r\n\r\n")
        return chunked


class Broken(Exception):
    """The connection ends here, as the behaviour asks."""

    def __init__(self, reset: bool) -> None:
        super().__init__()
        self.reset = reset


class Finished(Exception):
    """The body ends here, properly framed."""


USAGE = {
    "prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19,
    "prompt_tokens_details": {"cached_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 0},
}  # fmt: skip

UPSTREAM_ERROR = {"message": "The server had an error while processing your request", "type": "server_error", "param": None, "code": None}

TOOL_CALLS = [
    {"id": "call_a", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Zürich"}'}},
    {"id": "call_b", "type": "function", "function": {"name": "get_time", "arguments": "{}"}},
]


def tool_deltas():
    """Each call's id, type and name come once, in its first delta; the arguments follow in pieces."""
    for index, call in enumerate(TOOL_CALLS):
        function = {"name": call["function"]["name"], "arguments": ""}
        yield {"tool_calls": [{"index": index, "id": call["id"], "type": "function", "function": function}]}
        for piece in divide(call["function"]["arguments"], 3):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def divide(text: str, parts: int) -> list[str]:
    """At most `parts` pieces, none of them empty."""
    size = max(1, -(-len(text) // parts))
    return [text[start : start + size] for start in range(0, len(text), size)]


# Numbers that float32 holds exactly, one that it does not (0.1), and extremes.
VECTORS = [[0.5, -0.25, 0.1], [1e-07, 3.4028234663852886e38, -0.0], [1.0, 2.0, 3.0]]


def base64_of(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def count_inputs(request: RecordedRequest) -> int:
    given = request.json.get("input")
    return len(given) if isinstance(given, list) and given and not isinstance(given[0], int) else 1


def path_of(request: RecordedRequest) -> str:
    return request.target.partition("?")[0]


def is_text_completion(request: RecordedRequest) -> bool:
    return path_of(request).endswith("/completions") and not path_of(request).endswith("/chat/completions")


def is_embeddings(request: RecordedRequest) -> bool:
    return path_of(request).endswith("/embeddings")


def is_models(request: RecordedRequest) -> bool:
    return request.method == "GET" and path_of(request).endswith("/models")


def is_streamed(request: RecordedRequest) -> bool:
    with contextlib.suppress(ValueError):
        return isinstance(request.json, dict) and request.json.get("stream") is True
    return False


def model_of(request: RecordedRequest) -> str:
    with contextlib.suppress(ValueError):
        return str(request.json.get("model"))
    return "unknown"


def error_type(status: int) -> str:
    if status == 429:
        return "rate_limit_error"
    return "invalid_request_error" if status < 500 else "server_error"


def sse(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def head(status: int, fields: list[tuple[str, str]]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return f"HTTP/1.1 {status} Whatever\r\n{lines}\r\n".encode("latin-1")


def response(
    status: int,
    body: bytes,
    fields: list[tuple[str, str]] | None = None,
    content_type: str = "application/json",
    length: int | None = None,
    sent: int | None = None,
) -> bytes:
    """A response with a length; `length` and `sent` make it lie about it, or stop early."""
    own = [("Content-Type", content_type), ("Content-Length", str(len(body) if length is None else length))]
    return head(status, own + (fields or [])) + body[:sent]


def unread_by_peer(connected: socket.socket) -> int | None:
    """How many bytes lie in the receive queue of the other end of a loopback connection; None when that cannot be told."""

    def as_hex(address: tuple[str, int]) -> str:
        return f"{struct.unpack('<I', socket.inet_aton(address[0]))[0]:08X}:{address[1]:04X}"

    try:
        ends = f" {as_hex(connected.getpeername())} {as_hex(connected.getsockname())} "
        with open("/proc/net/tcp", encoding="ascii") as table:
            for line in table:
                if ends in line:
                    return int(line.split()[4].split(":")[1], 16)
    except OSError:
        pass
    return None


async def until_read(connected: socket.socket) -> None:
    """Until the other end has read everything that was sent: two writes then reach it as two reads."""
    while unread_by_peer(connected):
        await asyncio.sleep(0)


# What providers say with an error status: status, code, type and message as documented or recorded. The first of each status is the
# one that a table without further wishes takes.
PROVIDER_ERRORS = {
    "400 context_length_exceeded": (400, "context_length_exceeded", "invalid_request_error",
        "This model's maximum context length is 128000 tokens. However, your messages resulted in 130001 tokens. Please reduce the length of the messages."),
    "400 content_policy_violation": (400, "content_policy_violation", "invalid_request_error",
        "Your request was rejected as a result of our safety system."),
    "400 invalid value": (400, "invalid_value", "invalid_request_error", "Invalid value: 'tool'. Supported values are: 'system', 'user'."),
    "400 unsupported_parameter": (400, "unsupported_parameter", "invalid_request_error",
        "Unsupported parameter: 'temperature' is not supported with this model."),
    "401 invalid_api_key": (401, "invalid_api_key", "invalid_request_error",
        "Incorrect API key provided: sk-fault*****. You can find your API key at https://platform.openai.com/account/api-keys."),
    "402": (402, "billing_hard_limit_reached", "billing_error", "Your credit balance is too low."),
    "403": (403, "insufficient_permissions", "invalid_request_error", "You do not have access to this organization."),
    "404 model_not_found": (404, "model_not_found", "invalid_request_error", "The model `x` does not exist or you do not have access to it."),
    "408": (408, None, "invalid_request_error", "Request timed out."),
    "429 rate_limit_exceeded": (429, "rate_limit_exceeded", "requests",
        "Rate limit reached for gpt-4o in organization org-1 on requests per min (RPM): Limit 500, Used 500, Requested 1."),
    "429 insufficient_quota": (429, "insufficient_quota", "insufficient_quota",
        "You exceeded your current quota, please check your plan and billing details."),
    "500": (500, None, "server_error", "The server had an error while processing your request. Sorry about that!"),
    "502": (502, None, "server_error", "Bad gateway."),
    "503 server_is_overloaded": (503, "server_is_overloaded", "service_unavailable_error", "The engine is currently overloaded, please try again later"),
    "504": (504, None, "server_error", "Gateway timeout."),
    "529": (529, None, "overloaded_error", "Overloaded"),
}  # fmt: skip


def provider_error(name: str, **fields: Any) -> Behaviour:
    status, code, kind, message = PROVIDER_ERRORS[name]
    error = {"message": message, "type": kind, "param": None, "code": code}
    return Behaviour("status", status=status, code=code, message=message, body=json.dumps({"error": error}), **fields)


@contextlib.contextmanager
def refusing_url():
    """A base URL whose port is taken by nobody who listens: connecting to it is refused."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{reserved.getsockname()[1]}/v1"


def unresolvable_url() -> str:
    """A base URL whose name no resolver can know: a label of it is longer than a name may have, so that nobody is even asked."""
    return f"http://{'x' * 64}.invalid/v1"


TLS_HANDSHAKE_FAILURE = b"\x15\x03\x03\x00\x02\x02\x28"


@contextlib.contextmanager
def tls_alert_url():
    """A base URL behind which every TLS handshake ends with an alert, after the client's first message."""

    def serve() -> None:
        while True:
            try:
                connected, _ = listener.accept()
            except OSError:
                return
            with connected, contextlib.suppress(OSError):
                connected.recv(65536)
                connected.sendall(TLS_HANDSHAKE_FAILURE)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"https://127.0.0.1:{listener.getsockname()[1]}/v1"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(30)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--name", default="fault")
    options.add_argument("--default", default="ok", help=f"what a request gets that nothing else decides: {', '.join(KINDS)}")
    arguments = options.parse_args()
    server = FaultServer(arguments.name, arguments.port)
    server.default = Behaviour.of(arguments.default)
    with server, contextlib.suppress(KeyboardInterrupt):
        print(f"fault server on {server.base_url}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
