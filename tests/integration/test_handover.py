"""Stopping and starting without losing a request: drain, handover to a new process, sockets from a service manager."""

import http.client
import json
import os
import re
import signal
import socket
import threading

import pytest

from raw_http import RawConnection, get, post
from weir_server import PATIENCE, Weir, text_of

TEXT = "one two three four five six seven eight"
CONFIG = f"""
listen: 127.0.0.1:0
providers:
  mock: {{dialect: mock, mock: {{first_token: 3ms, tokens_per_second: 300, text: "{TEXT}"}}}}
  slow: {{dialect: mock, mock: {{first_token: 0ms, tokens_per_second: 4, text: "{TEXT}"}}}}
models: {{quick: mock/m, slow: slow/m}}
auth: {{mode: none}}
server: {{%s}}
"""
RESTARTS = 20


def chat(model: str = "quick", stream: bool = False) -> bytes:
    return json.dumps({"model": model, "stream": stream, "messages": [{"role": "user", "content": "hi"}]}).encode()


class Caller(threading.Thread):
    """Calls without a pause; any answer that is not whole, and any connection that breaks, is a failure.

    `kept`: over one connection for as long as the server does not say that it closes; else a new one for each call.
    """

    def __init__(self, port: int, stop: threading.Event, kept: bool) -> None:
        super().__init__(daemon=True)
        self.port, self.stop, self.kept = port, stop, kept
        self.answers, self.told_to_close, self.problem = 0, 0, ""

    def run(self) -> None:
        connection = None
        try:
            while not self.stop.is_set():
                if connection is None:
                    connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
                stream = self.answers % 2 == 1
                connection.request("POST", "/v1/chat/completions", chat(stream=stream), {"Content-Type": "application/json"})
                response = connection.getresponse()
                body = response.read()
                assert response.status == 200, (response.status, body)
                if stream:
                    assert body.endswith(b"data: [DONE]\n\n") and b'"error"' not in body, body
                else:
                    assert json.loads(body)["choices"][0]["message"]["content"] == TEXT
                self.answers += 1
                if response.will_close:
                    self.told_to_close += 1
                if response.will_close or not self.kept:
                    connection.close()
                    connection = None
        except Exception as error:  # noqa: BLE001: whatever it is, it is the finding
            self.problem = f"{'kept' if self.kept else 'new'} connection, after {self.answers} answers: {error!r}"


def wait_for_lines(weir: Weir, pattern: str, count: int) -> list[re.Match[str]]:
    """The matches of `pattern` in what weir printed, once there are `count`."""

    def found() -> list[re.Match[str]]:
        return [match for line in weir.output for match in re.finditer(pattern, line)]

    with weir._printed:
        weir._printed.wait_for(lambda: len(found()) >= count or weir._ended, PATIENCE)
    assert len(found()) >= count, f"{pattern!r} came {len(found())} times:\n" + "\n".join(weir.output[-50:])
    return found()


class Successors:
    """Starts one process after the other with SIGUSR2, and ends the last."""

    def __init__(self, weir: Weir) -> None:
        self.weir, self.pid, self.count = weir, weir.process.pid, 0

    def __enter__(self) -> "Successors":
        return self

    def __exit__(self, *_: object) -> None:
        if self.pid != self.weir.process.pid:
            os.kill(self.pid, signal.SIGTERM)
            self.weir.process.wait(PATIENCE)  # it drains by itself; a second signal would cut that short

    def next(self) -> None:
        os.kill(self.pid, signal.SIGUSR2)
        self.count += 1
        self.pid = int(wait_for_lines(self.weir, r"process (\d+) serves", self.count)[-1][1])


def test_restarts_under_load_lose_nothing(tmp_path):
    with Weir(tmp_path, CONFIG % "drain_idle_timeout: 2s", WEIR_LOG__REQUESTS="false") as weir, Successors(weir) as successors:
        stop = threading.Event()
        callers = [Caller(weir.port, stop, kept) for kept in (True, True, True, True, False, False)]
        for caller in callers:
            caller.start()
        with RawConnection(weir.port) as long_stream:
            long_stream.send(post(chat("slow", stream=True)))
            assert long_stream.read_head()[0] == 200
            for _ in range(RESTARTS):
                before = [caller.answers for caller in callers]
                successors.next()
                # Every caller gets an answer between two restarts: each restart meets traffic.
                while any(c.answers == b and not c.problem for c, b in zip(callers, before)):
                    stop.wait(0.005)
                assert [caller.problem for caller in callers if caller.problem] == []
            # The stream that the first process had begun goes on to its end.
            assert long_stream.take_through(b"0\r\n\r\n").endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
        stop.set()
        for caller in callers:
            caller.join(PATIENCE)
        assert [caller.problem for caller in callers if caller.problem] == []
        assert all(caller.told_to_close for caller in callers if caller.kept), "kept connections are told"
        assert weir.process.wait(PATIENCE) == 0, "the first process ended by itself, in good order"


def test_a_successor_that_does_not_start_changes_nothing(tmp_path):
    with Weir(tmp_path, CONFIG % "") as weir, Successors(weir) as successors:
        good = (tmp_path / "weir.yaml").read_text()
        (tmp_path / "weir.yaml").write_text("nonsense: true")
        weir.process.send_signal(signal.SIGUSR2)
        weir.wait_for_output(r"process \d+ did not come to serve \(exit status 2\)")
        assert text_of(weir.chat("quick")) == TEXT
        (tmp_path / "weir.yaml").write_text(good)
        successors.next()
        assert text_of(weir.chat("quick")) == TEXT


def test_a_new_binary_and_new_options_take_effect_with_the_successor(tmp_path):
    with Weir(tmp_path, CONFIG % "body_max: 1KiB") as weir, Successors(weir) as successors:
        large = chat() + b" " * 2000
        assert weir.request("POST", "/v1/chat/completions", large).status == 413
        (tmp_path / "weir.yaml").write_text(CONFIG % "body_max: 1MiB")
        successors.next()
        assert weir.request("POST", "/v1/chat/completions", large).status == 200
        assert weir.process.wait(PATIENCE) == 0


def test_while_draining_answers_say_that_the_connection_closes(tmp_path):
    with Weir(tmp_path, CONFIG % "drain_delay: 1h, drain_idle_timeout: 1h, drain_timeout: 10s") as weir:
        with RawConnection(weir.port) as idle, RawConnection(weir.port) as streaming:
            idle.send(get("/readyz"))
            assert idle.read_reply().status == 200
            streaming.send(post(chat("slow", stream=True)))
            assert streaming.read_head()[0] == 200
            weir.process.send_signal(signal.SIGTERM)
            weir.wait_for_output("stopping")
            # New connections are accepted still, and learn that they should go elsewhere.
            while (reply := weir.request("GET", "/readyz")).status == 200:
                pass
            assert reply.status == 503 and reply.header("connection") == "close"
            assert weir.request("GET", "/healthz").status == 200
            # One that was idle when the drain began is answered.
            idle.send(post(chat()))
            reply = idle.read_reply()
            assert text_of(reply) == TEXT and reply.header("connection") == "close" and idle.at_end()
            # One whose head had left before without the word gets a last answer.
            streaming.take_through(b"0\r\n\r\n")
            streaming.send(post(chat()))
            reply = streaming.read_reply()
            assert text_of(reply) == TEXT and reply.header("connection") == "close" and streaming.at_end()
        weir.process.kill()
        weir.process.wait(PATIENCE)
        weir.process.returncode = 0  # killed on purpose: the delay is an hour


def test_a_stop_ends_idle_connections_after_their_grace(tmp_path):
    with Weir(tmp_path, CONFIG % "drain_idle_timeout: 200ms, drain_timeout: 1h") as weir:
        with RawConnection(weir.port) as idle, RawConnection(weir.port) as silent:
            idle.send(get("/healthz"))
            assert idle.read_reply().status == 200
            weir.process.send_signal(signal.SIGTERM)
            assert idle.at_end() and silent.at_end()
            assert weir.process.wait(PATIENCE) == 0
        with pytest.raises(ConnectionRefusedError):
            weir.connect()


def listening_socket() -> socket.socket:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    return listening


def as_a_service(*sockets: socket.socket) -> tuple[str, ...]:
    """What starts a program with sockets as systemd does it, from descriptor 3 on."""
    moves = " ".join(f"{3 + place}<&{held.fileno()}" for place, held in enumerate(sockets))
    return ("bash", "-c", f'export LISTEN_PID=$$ LISTEN_FDS={len(sockets)}; exec "$@" {moves}', "bash")


def test_sockets_of_a_service_manager_are_used_with_what_waits_in_them(tmp_path):
    with listening_socket() as ours, listening_socket() as other:
        port = ours.getsockname()[1]
        config = (CONFIG % "").replace("127.0.0.1:0", f"127.0.0.1:{port}")
        with RawConnection(port) as early:
            early.send(post(chat()))  # nobody accepts yet
            with Weir(tmp_path, config, prefix=as_a_service(ours, other), pass_fds=(ours.fileno(), other.fileno())) as weir:
                assert weir.port == port
                assert text_of(early.read_reply()) == TEXT
                weir.wait_for_output(rf"the inherited socket 127.0.0.1:{other.getsockname()[1]} is closed: `listen` does not name it")
                assert not any("LISTEN" in line for line in weir.output)
        # The service manager has the socket still: who comes now waits for the next process.
        with RawConnection(port) as early:
            early.send(post(chat()))
            with Weir(tmp_path, config, prefix=as_a_service(ours), pass_fds=(ours.fileno(),)):
                assert text_of(early.read_reply()) == TEXT


def test_variables_meant_for_another_process_are_left_alone(tmp_path):
    with Weir(tmp_path, CONFIG % "", LISTEN_PID="1", LISTEN_FDS="1") as weir:
        assert text_of(weir.chat("quick")) == TEXT


def test_the_service_manager_is_told(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE)
        with Weir(tmp_path / "weir", CONFIG % "", NOTIFY_SOCKET=str(tmp_path / "notify")) as weir, Successors(weir) as successors:
            assert manager.recv(1000).decode() == f"READY=1\nMAINPID={weir.process.pid}"
            successors.next()
            assert manager.recv(1000).decode() == f"READY=1\nMAINPID={successors.pid}"
        assert manager.recv(1000) == b"STOPPING=1"
