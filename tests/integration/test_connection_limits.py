"""Who the caller is behind a proxy, and how many connections one address may open."""

import json
import re
import select
import socket
from contextlib import ExitStack

from fault_server import unread_by_peer
from raw_http import RawConnection, get, post
from weir_server import PATIENCE, Weir

CONFIG = """
listen: 127.0.0.1:0
providers: {{mock: {{dialect: mock, mock: {{first_token: 0ms, tokens_per_second: 0, text: hi}}}}}}
models: {{quick: mock/m}}
auth: {{mode: none}}
server: {{workers: 2, {server}}}
"""


def test_the_record_names_the_caller_and_not_the_proxy(tmp_path):
    with Weir(tmp_path, CONFIG.format(server="trusted_proxies: [127.0.0.0/8]")) as weir:
        for field, expected in (("1.1.1.1, 198.51.100.7", "198.51.100.7"), ("198.51.100.7, 127.0.0.9", "198.51.100.7"), ("junk", None)):
            reply = weir.chat("quick", headers={"X-Forwarded-For": field})
            client = weir.record(reply.request_id)["client"]
            assert client == expected if expected else client.startswith("127.0.0.1:")


def test_nobody_is_believed_unless_configured(tmp_path):
    with Weir(tmp_path, CONFIG.format(server="")) as weir:
        reply = weir.chat("quick", headers={"X-Forwarded-For": "198.51.100.7"})
        assert weir.record(reply.request_id)["client"].startswith("127.0.0.1:")


def test_one_address_opens_so_many_connections_over_all_workers(tmp_path):
    with Weir(tmp_path, CONFIG.format(server="connections_per_ip: 3")) as weir, ExitStack() as stack:
        held = [stack.enter_context(RawConnection(weir.port)) for _ in range(3)]
        for raw in held:
            raw.send(get("/healthz"))
            assert raw.read_reply().status == 200
        with RawConnection(weir.port) as fourth:
            assert fourth.at_end()
        held[0].send(get("/metrics/prometheus"))
        text = held[0].read_reply().body.decode()
        assert re.search(r'^weir_client_connections_refused_total\{reason="address"\} 1', text, re.MULTILINE)
        held[1].socket.close()
        while True:  # until the server has seen it go
            with RawConnection(weir.port) as next_one:
                try:
                    next_one.send(get("/healthz"))
                    assert next_one.read_reply().status == 200
                    break
                except (EOFError, ConnectionError):
                    continue


def test_who_comes_when_all_places_are_taken_is_told_so_in_the_callers_words(tmp_path):
    config = CONFIG.format(server="worker_connections: 2").replace("workers: 2", "workers: 1")
    with Weir(tmp_path, config) as weir, ExitStack() as stack:
        held = [stack.enter_context(RawConnection(weir.port)) for _ in range(2)]
        for raw in held:
            raw.send(get("/healthz"))
            assert raw.read_reply().status == 200
        for _ in range(3):
            with RawConnection(weir.port) as late:
                late.send(post(b'{"model": "quick", "messages": []}'))
                reply = late.read_reply()
                assert (reply.status, reply.json["error"]["code"]) == (503, "server_is_overloaded")
                assert reply.header("retry-after") and reply.header("connection") == "close" and reply.request_id
                assert late.at_end()
        held[0].send(get("/metrics/prometheus"))
        text = held[0].read_reply().body.decode()
        assert re.search(r'^weir_client_connections_refused_total\{reason="full"\} 3', text, re.MULTILINE)
        assert re.search(r'^weir_client_connections\{state="active"\} 1', text, re.MULTILINE)


def test_large_bodies_of_one_address_leave_room_for_the_others(tmp_path):
    """An address may hold half of the 512 MiB that all request bodies have."""
    size = 30 << 20
    piece = b" " * (256 << 10)
    with Weir(tmp_path, CONFIG.format(server="body_timeout: 10m, worker_connections: 100")) as weir, ExitStack() as stack:

        def upload() -> RawConnection:
            """All but the last byte; ends early where an answer comes."""
            raw = stack.enter_context(RawConnection(weir.port))
            raw.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (size + 1))
            for _ in range(size // len(piece)):
                raw.socket.sendall(piece)
                while unread_by_peer(raw.socket) and not answered(raw):
                    pass
                if answered(raw):
                    break
            return raw

        def answered(raw: RawConnection) -> bool:
            return bool(select.select([raw.socket], [], [], 0)[0])

        def held() -> float:
            text = weir.request("GET", "/metrics/prometheus").body.decode()
            return float(re.search(r'^weir_request_body_bytes\{kind="held"\} (\S+)', text, re.MULTILINE)[1])

        for number in range(1, 9):
            upload()
            while held() < number * size:
                pass
        reply = upload().read_reply()
        assert (reply.status, reply.json["error"]["code"]) == (503, "server_is_overloaded")
        assert "this address" in reply.json["error"]["message"] and reply.header("retry-after")
        # The same body from somebody else, who is no worse off than before.
        with socket.create_connection(("127.0.0.1", weir.port), PATIENCE, source_address=("127.0.0.2", 0)) as other:
            message = {"role": "user", "content": "x" * size}
            other.sendall(post(json.dumps({"model": "quick", "messages": [message]}).encode(), "Connection: close"))
            answer = b""
            while part := other.recv(65536):
                answer += part
            assert answer.startswith(b"HTTP/1.1 200 "), answer[:200]
        # And small calls of the greedy one go on.
        assert weir.chat("quick").status == 200
