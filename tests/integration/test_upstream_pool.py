"""Connections to providers: how many may be open over all cores, who waits, the probes of the system, names."""

import re
import threading

import pytest

from fault_server import Behaviour, FaultServer
from raw_http import RawConnection, get
from weir_server import Weir, text_of

CONFIG = """
listen: 127.0.0.1:0
server: {{workers: 2}}
providers:
  far: {{dialect: openai, base_url: "{url}", keys: none}}
models: {{m: far/x}}
http_client: {{{client}}}
retry: {{attempts: 1}}
auth: {{mode: none}}
circuit_breaker: {{failure_threshold: 1000000}}
"""


@pytest.fixture
def far():
    with FaultServer("far") as server:
        yield server


def start(tmp_path, url: str, client: str) -> Weir:
    return Weir(tmp_path, CONFIG.format(url=url, client=client))


def metric(weir: Weir, name: str, labels: str = "") -> float:
    text = weir.request("GET", "/metrics/prometheus").body.decode()
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name + "{") and labels in line)


class Calls:
    """Calls on threads of their own; each connection lands on the core with the fewest."""

    def __init__(self, weir: Weir, count: int, **fields) -> None:
        self.replies = []
        self.threads = [threading.Thread(target=lambda: self.replies.append(weir.chat("m", **fields))) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def join(self) -> list:
        for thread in self.threads:
            thread.join()
        return self.replies


def stalled_connections(weir: Weir, far: FaultServer, count: int) -> list[RawConnection]:
    """Streams that hold a connection each until their callers leave."""
    far.plan(*[Behaviour("stall", after=1)] * count)
    held = []
    for _ in range(count):
        raw = RawConnection(weir.port)
        body = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}'
        raw.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        assert raw.read_head()[0] == 200
        held.append(raw)
    return held


def test_no_more_connections_are_open_than_may_be_and_further_calls_wait(tmp_path, far):
    with start(tmp_path, far.base_url, "pool_limits: {max_connections: 2}") as weir:
        held = stalled_connections(weir, far, 2)
        waiting = Calls(weir, 6)
        while metric(weir, "weir_upstream_connections_pending") < 6:
            pass
        assert far.open_connections == 2 and metric(weir, "weir_upstream_connections_active") == 2
        pool = weir.request("GET", "/metrics").json["connection_pool"]
        assert (pool["active"], pool["pending"]) == (2, 6)
        for raw in held:
            raw.socket.close()
        assert [text_of(reply) for reply in waiting.join()] == [far.text] * 6
        assert metric(weir, "weir_upstream_connections_pending") == 0
        pool = weir.request("GET", "/metrics").json["connection_pool"]
        assert pool["active"] == 0 and pool["pending"] == 0 and pool["idle"] <= 2


def test_a_wait_that_is_too_long_is_told_with_the_name_of_the_option(tmp_path, far):
    with start(tmp_path, far.base_url, "pool_limits: {max_connections: 1}") as weir:
        (held,) = stalled_connections(weir, far, 1)
        (tmp_path / "weir.yaml").write_text((tmp_path / "weir.yaml").read_text() + "timeouts: {attempt: 100ms}\n")
        assert weir.command("reload").returncode == 0
        reply = weir.chat("m")
        assert (reply.status, reply.json["error"]["code"]) == (503, "server_is_overloaded")
        assert "http_client.pool_limits.max_connections" in reply.json["error"]["message"]
        held.socket.close()


def test_a_reload_changes_how_many_may_be_open(tmp_path, far):
    with start(tmp_path, far.base_url, "pool_limits: {max_connections: 1}") as weir:
        held = stalled_connections(weir, far, 1)
        waiting = Calls(weir, 1)
        while metric(weir, "weir_upstream_connections_pending") < 1:
            pass
        (tmp_path / "weir.yaml").write_text(CONFIG.format(url=far.base_url, client="pool_limits: {max_connections: 3}"))
        assert weir.command("reload").returncode == 0
        assert [text_of(reply) for reply in waiting.join()] == [far.text], "who waited has his place now"
        assert text_of(weir.chat("m")) == far.text
        held[0].socket.close()


def timers(port: int) -> set[str]:
    """Which timers run on the established connections to `port` (tcp: 2 is the keep-alive)."""
    found = set()
    for line in open("/proc/net/tcp").read().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "01" and int(fields[2].split(":")[1], 16) == port:
            found.add(fields[5].split(":")[0])
    return found


@pytest.mark.parametrize("on", [True, False])
def test_silent_connections_are_probed_where_that_is_wanted(on, tmp_path, far):
    client = "tcp_keepalive: true, tcp_keepalive_idle: 1h" if on else "tcp_keepalive: false"
    with start(tmp_path, far.base_url, client) as weir:
        assert text_of(weir.chat("m")) == far.text
        while "01" in timers(far.port):
            pass  # something is still to be acknowledged
        assert timers(far.port) == ({"02"} if on else {"00"})


def test_the_addresses_of_a_name_are_remembered(tmp_path, far):
    url = far.base_url.replace("127.0.0.1", "localhost")
    for client, lookups in (("dns_cache_ttl: 1h", 1), ("dns_cache_ttl: 0s", 3)):
        with start(tmp_path, url, f"pool_limits: {{max_keepalive_connections: 0}}, {client}") as weir:
            with RawConnection(weir.port) as one_core:
                for _ in range(3):
                    body = b'{"model":"m","messages":[]}'
                    one_core.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                    assert one_core.read_reply().status == 200
                one_core.send(get("/metrics/prometheus"))
                text = one_core.read_reply().body.decode()
            asked = re.search(r'^weir_dns_lookups_total\{outcome="asked"\} (\d+)', text, re.MULTILINE)
            assert int(asked[1]) == lookups
            cached = re.search(r'^weir_dns_lookups_total\{outcome="cached"\} (\d+)', text, re.MULTILINE)
            assert int(cached[1]) == 3 - lookups
