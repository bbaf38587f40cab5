"""Hostile clients: each is refused clearly, memory stays flat, and another caller does not notice.

Memory is the resident set that the kernel tells; the bounds are far above noise and far below what the attack asks for.
"""

import json
import re
import resource
import socket
import threading
from contextlib import ExitStack

import pytest

from codings import zstd_bomb
from fault_server import Behaviour, head
from raw_http import RawConnection, get, post
from test_http import CHAT, NOT_HTTP, assert_openai_error
from weir_server import PATIENCE, Weir, text_of

MIB = 1 << 20
CONFIG = """
listen: 127.0.0.1:0
providers:
  a: {{dialect: openai, base_url: "{a}", keys: none}}
  mock: {{dialect: mock, mock: {{first_token: 0ms, tokens_per_second: 0, text: "Hello from the mock."}}}}
models: {{alone: a/x, quick: mock/m}}
auth: {{mode: none}}
circuit_breaker: {{failure_threshold: 1000000}}
server: {{workers: 1, head_timeout: 400ms, body_timeout: 400ms, write_timeout: 400ms, worker_connections: 15000}}
"""


@pytest.fixture(scope="module")
def weir(a_running, tmp_path_factory):
    with Weir(tmp_path_factory.mktemp("weir"), CONFIG.format(a=a_running.base_url), WEIR_LOG__REQUESTS="false") as server:
        yield server


def memory(weir: Weir, what: str = "VmRSS") -> int:
    status = open(f"/proc/{weir.process.pid}/status").read()
    return int(re.search(rf"^{what}:\s+(\d+) kB", status, re.MULTILINE)[1]) << 10


def forget_peak(weir: Weir) -> None:
    with open(f"/proc/{weir.process.pid}/clear_refs", "w") as file:
        file.write("5")


class Bystander(threading.Thread):
    """Another caller, who calls all the time that the attack lasts; every call must be answered."""

    def __init__(self, weir: Weir) -> None:
        super().__init__(daemon=True)
        self.weir, self.over, self.answers, self.problem = weir, threading.Event(), 0, None

    def run(self) -> None:
        try:
            while not self.over.is_set():
                assert text_of(self.weir.chat("quick")) == "Hello from the mock."
                self.answers += 1
        except Exception as error:  # noqa: BLE001: whatever it is, it is the finding
            self.problem = error

    def __enter__(self) -> "Bystander":
        self.start()
        self.served()
        return self

    def served(self, count: int = 1) -> None:
        """Waits until so many more calls were answered."""
        goal = self.answers + count
        while self.answers < goal and self.problem is None:
            self.over.wait(0.002)
        assert self.problem is None, self.problem

    def __exit__(self, failure: type | None, *_: object) -> None:
        if failure is None:
            self.served(2)
        self.over.set()
        self.join(PATIENCE)
        assert failure or self.problem is None, self.problem


@pytest.fixture
def bystander(weir):
    weir.chat("quick")
    with Bystander(weir) as other:
        yield other


def refusal(weir: Weir, request: bytes):
    with RawConnection(weir.port) as raw:
        raw.send(request)
        return raw.read_reply()


# --- bodies -----------------------------------------------------------------------------------------------------------


def test_json_that_nests_thousands_deep(weir, bystander):
    before = memory(weir)
    bodies = [
        b'{"model":"quick","messages":' + b"[" * 3000 + b"]" * 3000 + b"}",
        b'{"model":"quick","messages":[],"tools":' + b'{"a":' * 3000 + b"1" + b"}" * 3000 + b"}",
        b"[" * (20 * MIB),
    ]
    for body in bodies:
        reply = refusal(weir, post(body))
        assert_openai_error(reply, 400)
        assert re.search("inside one another|JSON", reply.json["error"]["message"]), reply.body
    assert memory(weir) - before < 64 * MIB


def test_a_small_body_that_decodes_to_a_huge_one(weir, bystander):
    bomb = zstd_bomb(512 * MIB)
    assert len(bomb) < 17 << 10
    refusal(weir, post(bomb, "Content-Encoding: zstd"))
    before = memory(weir)
    forget_peak(weir)
    for _ in range(20):
        assert_openai_error(refusal(weir, post(bomb, "Content-Encoding: zstd")), 413, "body_too_large")
    assert memory(weir, "VmHWM") - before < 96 * MIB, "not much more than the 32 MiB that are allowed"
    assert memory(weir) - before < 48 * MIB
    bystander.served()


def test_many_bombs_at_once_fit_the_memory_that_is_set_aside(weir, bystander):
    bomb = zstd_bomb(512 * MIB)
    statuses = set()
    with ExitStack() as stack:
        attackers = [stack.enter_context(RawConnection(weir.port)) for _ in range(10)]
        for attacker in attackers:
            attacker.send(post(bomb, "Content-Encoding: zstd"))
        for attacker in attackers:
            reply = attacker.read_reply()
            # Together they want more than one address may hold.
            assert_openai_error(reply, reply.status, {413: "body_too_large", 503: "server_is_overloaded"}[reply.status])
            statuses.add(reply.status)
        assert 413 in statuses
    bystander.served()


# --- framing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("request_bytes", NOT_HTTP.values(), ids=NOT_HTTP.keys())
def test_framing_that_two_servers_could_read_in_two_ways(weir, bystander, request_bytes):
    with RawConnection(weir.port) as raw:
        raw.send(request_bytes + post(CHAT))
        reply = raw.read_reply()
        assert_openai_error(reply, 400)
        assert reply.header("connection") == "close" and raw.at_end()


def test_a_head_without_an_end(weir, bystander):
    before = memory(weir)
    for _ in range(20):
        with RawConnection(weir.port) as raw:
            raw.send(b"GET /healthz HTTP/1.1\r\nHost: a\r\n")
            raw.send((b"X-More: " + b"x" * 8000 + b"\r\n") * 9)
            assert_openai_error(raw.read_reply(), 431, "head_too_large")
            with pytest.raises(ConnectionError):  # who goes on is not listened to for long
                while True:
                    raw.socket.sendall(b"X-More: " + b"x" * 8000 + b"\r\n")
    assert memory(weir) - before < 16 * MIB


# --- time -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["head", "body"])
def test_one_byte_at_a_time(weir, bystander, part):
    """200 clients that send a byte now and then, as long as one lets them."""
    whole = post(b" " * 2000)
    start = 20 if part == "head" else len(whole) - 1990
    with ExitStack() as stack:
        slow = [stack.enter_context(RawConnection(weir.port)) for _ in range(200)]
        for raw in slow:
            raw.send(whole[:start])
        left, place = set(slow), start
        while left:
            bystander.served()
            for raw in sorted(left, key=id):
                raw.socket.setblocking(False)
                try:
                    raw._fill()
                except BlockingIOError:
                    raw.socket.setblocking(True)
                    raw.socket.sendall(whole[place : place + 1])
                    continue
                raw.socket.setblocking(True)
                reply = raw.read_reply()
                assert_openai_error(reply, 408, "request_timeout")
                assert reply.header("connection") == "close"
                left.discard(raw)
            place += 1
            assert place < len(whole), "they were let go on to the end"


def test_ten_thousand_idle_connections(weir, bystander):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 12_000:
        pytest.skip("this machine grants fewer than 12,000 open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    before = memory(weir)
    try:
        with ExitStack() as stack:
            connections = [stack.enter_context(socket.create_connection(("127.0.0.1", weir.port), PATIENCE)) for _ in range(10_000)]
            bystander.served(20)
            held = weir.request("GET", "/metrics/prometheus").body.decode()
            assert float(re.search(r'^weir_client_connections{state="idle"} (\S+)', held, re.MULTILINE)[1]) >= 10_000
            assert (memory(weir) - before) / 10_000 < 8 << 10, "bytes for each"
            connections[5_000].sendall(get("/healthz"))
            assert connections[5_000].recv(15).startswith(b"HTTP/1.1 200")
        bystander.served(20)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_clients_that_never_read(weir, a, bystander):
    start = head(200, [("Content-Type", "application/json"), ("Content-Length", str(64 * MIB))])
    a.always(Behaviour("raw", pieces=(start, *[b"x" * MIB] * 64)))
    before = memory(weir)
    with ExitStack() as stack:
        for _ in range(20):
            deaf = stack.enter_context(socket.socket())
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(("127.0.0.1", weir.port))
            deaf.sendall(post(CHAT))
        a.wait_for(lambda: len(a.requests) == 20, "20 calls")
        bystander.served(20)
        # What a client does not take is not read from the provider: 20 answers are 1,280 MiB.
        assert memory(weir) - before < 20 * 4 * MIB
        # They are given up after their time, and the provider is told.
        a.wait_for(lambda: all(request.state == "cancelled" for request in a.requests), "the cancellations")


# --- text that wants to be more ---------------------------------------------------------------------------------------


def test_text_does_not_become_headers_or_events(weir, a, bystander):
    evil = "no\r\nX-Evil: 1\r\n\r\ndata: evil\n\n"
    for reply in (weir.chat(evil), weir.chat(evil, stream=True)):
        assert_openai_error(reply, 404, "model_not_found")
        assert reply.header("x-evil") is None
    reply = weir.chat("alone", headers={"X-Request-Id": "a\tb"}, stream=True)
    assert reply.header("x-evil") is None
    # A provider's error words inside a stream that has begun.
    a.always(Behaviour("error_event", after=2, message="bad\n\ndata: [DONE]\n\nevent: evil\ndata: x"))
    reply = weir.chat("alone", stream=True)
    assert reply.status == 200 and "[DONE]" not in reply.events and b"\nevent:" not in reply.body
    assert all(json.loads(event) for event in reply.events)
    # A provider's header with a line break in it breaks its own head, and becomes no header of ours.
    for value in ("a\nX-Evil: 1", "a\rX-Evil: 1", "a\0b"):
        a.always(Behaviour("ok", headers=(("X-Vendor", value),)))
        assert weir.chat("alone").header("x-evil") is None
    # A header that would end early in a caller's request is refused.
    for line in (b"X-A: a\rX-Evil: 1", b"X-A: a\nX-Evil: 1", b"X-A\r\n : 1"):
        assert_openai_error(refusal(weir, b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + line + b"\r\n\r\n"), 400)
