"""Two workers, real loopback, callers that come, leave and break off, and a stop in the middle of it.

Its place is the ThreadSanitizer build (./dev test tsan): a data race anywhere in the gateway ends it with a report. In the
release build it shows that nothing is lost under load.
"""

import json
import random
import signal
import socket
import threading

from fault_server import Behaviour, FaultServer
from raw_http import RawConnection, get, post
from weir_server import PATIENCE, Weir, text_of

CONFIG = """
listen: 127.0.0.1:0
server: {{workers: 2, drain_timeout: 30s}}
providers:
  a: {{dialect: openai, base_url: "{a}", keys: none}}
  b: {{dialect: openai, base_url: "{b}", keys: none}}
  mock: {{dialect: mock, mock: {{first_token: 0ms, tokens_per_second: 0, text: "Hello from the mock, which talks a little longer."}}}}
models:
  smart: {{steps: [a/x, b/x]}}
retry: {{attempts: 2, backoff: 1ms, backoff_max: 2ms}}
auth: {{mode: none}}
circuit_breaker: {{failure_threshold: 1000000}}
caching: {{exact: {{enabled: false}}}}
store: {{url: none}}
"""
RELOADED = """
timeouts: {{first_token: 9s}}
http_client: {{pool_limits: {{keepalive_timeout: {seconds}s}}}}
"""
CALLS = 4000  # that reach the first provider; about twice as many are made
FAULTS = ["ok", "ok", "reset_before_head", "cut_rst", "status", "malformed", Behaviour("cut_fin", after=2), "tools"]


def body(model: str, stream: bool) -> bytes:
    return json.dumps({"model": model, "stream": stream, "messages": [{"role": "user", "content": "hi"}]}).encode()


class Caller(threading.Thread):
    """Calls until it is told to stop: keep-alive, short connections, pipelining, leaving in mid-answer, by a seed of its own."""

    def __init__(self, seed: int, weir: Weir, stop: threading.Event) -> None:
        super().__init__(name=f"caller {seed}")
        self.choose, self.weir, self.stop = random.Random(seed), weir, stop
        self.answers = 0
        self.problem: str | None = None

    def run(self) -> None:
        try:
            while not self.stop.is_set():
                with RawConnection(self.weir.port) as raw:
                    for _ in range(self.choose.randint(1, 20)):
                        if not self.one_call(raw):
                            break
        except (OSError, EOFError) as error:
            if not self.stop.is_set():
                self.problem = f"{self.name}: {error!r}"
        except Exception as error:
            self.problem = f"{self.name}: {error!r}"

    def one_call(self, raw: RawConnection) -> bool:
        model, stream = self.choose.choice(["smart", "mock/m"]), self.choose.random() < 0.6
        way = self.choose.random()
        if way < 0.1:
            raw.send(post(body(model, stream))[: self.choose.randint(1, 200)])
            return False
        if way < 0.2:
            raw.send(post(body(model, stream)))
            raw.take(self.choose.randint(1, 60))
            if self.choose.random() < 0.5:
                raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            return False
        if way < 0.22:
            raw.send(get("/admin/v1/live"))  # watches for a while, and leaves
            raw.take(self.choose.randint(1, 20_000))
            return False
        if way < 0.3:
            raw.send(get("/metrics/prometheus") + get("/v1/models") + get("/admin/v1/requests/last") + post(body(model, stream)))
            for _ in range(3):
                assert raw.read_reply().status in (200, 404)
        else:
            raw.send(post(body(model, stream)))
        reply = raw.read_reply()
        assert reply.status == 200, reply
        if b'"error"' in reply.body:
            assert stream and b"[DONE]" not in reply.body
        elif stream:
            assert reply.body.endswith(b"data: [DONE]\n\n")
        else:
            text_of(reply)
        self.answers += 1
        return True


class Reloads(threading.Thread):
    """Gives the gateway another configuration again and again: each replaces both providers on both cores."""

    def __init__(self, weir: Weir, config: str, stop: threading.Event) -> None:
        super().__init__(name="reloads")
        self.weir, self.config, self.stop = weir, config, stop
        self.applied, self.problem = 0, None

    def run(self) -> None:
        try:
            while not self.stop.is_set():
                text = self.config + RELOADED.format(seconds=1 + self.applied % 7)
                (self.weir.directory / "weir.yaml").write_text(text)
                reply = self.weir.request("POST", "/admin/v1/reload")
                assert reply.status == 200, reply
                self.applied += 1
        except Exception as error:
            if not self.stop.is_set():
                self.problem = f"{self.name}: {error!r}"


def test_load_faults_reloads_and_a_stop_on_two_cores(tmp_path):
    with FaultServer("a") as a, FaultServer("b") as b:
        config = CONFIG.format(a=a.base_url, b=b.base_url)
        with Weir(tmp_path, config) as weir:
            stop = threading.Event()
            reloads = Reloads(weir, config, stop)
            callers = [Caller(seed, weir, stop) for seed in range(16)]
            a.plan_in_turns(*FAULTS)
            for thread in (*callers, reloads):
                thread.start()
            a.wait_for(lambda: len(a.requests) >= CALLS or any(thread.problem for thread in (*callers, reloads)), f"{CALLS} calls", 100)
            stop.set()
            weir.process.send_signal(signal.SIGTERM)  # while the last calls run
            for thread in (*callers, reloads):
                thread.join(PATIENCE)
            assert [thread.problem for thread in (*callers, reloads) if thread.problem] == []
            assert reloads.applied > 0
            assert all(caller.answers for caller in callers)
            assert weir.process.wait(PATIENCE) == 0
            assert not any("ThreadSanitizer" in line for line in weir.output), "\n".join(weir.output)
