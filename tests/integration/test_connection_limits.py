"""Who the caller is behind a proxy, and how many connections one address may open."""

import re
from contextlib import ExitStack

from raw_http import RawConnection, get
from weir_server import Weir

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
