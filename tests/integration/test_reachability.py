"""Free checks of the providers' addresses: a connection now and then, no request, and no word in what calls are given."""

import socket

from fault_server import FaultServer
from weir_server import Weir, text_of, until

CONFIG = """
listen: 127.0.0.1:0
health: {{check: {check}, interval: 1s, timeout: 5s}}
providers:
  good: {{dialect: openai, base_url: "{good}", keys: none}}
  bad: {{dialect: openai, base_url: "http://127.0.0.1:{port}/v1", keys: none}}
  secure: {{dialect: openai, base_url: "https://127.0.0.1:{plain}/v1", keys: none}}
  mock: {{dialect: mock}}
models: {{m: good/x}}
auth: {{mode: none}}
store: {{url: none}}
"""


def found(weir, provider):
    return weir.request("GET", "/health/providers").json["providers"][provider]["reachability"]


def wait_for(weir, provider, reachable):
    def seen():
        last = found(weir, provider)
        return last if last is not None and last["reachable"] is reachable else None

    return until(seen, f"{provider} {'is' if reachable else 'cannot be'} reached")


def start(directory, good, listener, check):
    plain = good.base_url.rsplit(":", 1)[1].split("/")[0]
    return Weir(directory, CONFIG.format(check=check, good=good.base_url, port=listener.getsockname()[1], plain=plain))


def test_a_connection_is_made_now_and_then_and_nothing_is_asked(tmp_path):
    with FaultServer("a") as good, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))  # and does not listen: connections are refused
        with start(tmp_path, good, listener, "connect") as weir:
            assert wait_for(weir, "good", True)["seconds"] >= 0
            assert wait_for(weir, "bad", False)["failure"] == "refused"
            assert wait_for(weir, "secure", True), "the handshake was not asked for"
            assert found(weir, "mock") is None
            metrics = weir.request("GET", "/metrics/prometheus").body.decode()
            assert 'weir_provider_reachable{provider="good"} 1' in metrics and 'weir_provider_reachable{provider="bad"} 0' in metrics
            assert 'weir_provider_checks_total{provider="bad",outcome="failed"}' in metrics
            weir.wait_for_output("the provider bad cannot be reached")
            assert good.requests == []
            health = weir.request("GET", "/health/providers").json
            assert health["status"] == "healthy" and health["providers"]["bad"]["breaker"] == "closed"
            assert weir.request("GET", "/readyz").status == 200 and text_of(weir.chat("m")) == good.text

            listener.listen()
            wait_for(weir, "bad", True)  # by itself, at the next check
            weir.wait_for_output("the provider bad can be reached again")

            path = tmp_path / "weir.yaml"
            path.write_text(path.read_text().replace("check: connect", "check: none"))
            assert weir.request("POST", "/admin/v1/reload").status == 200
            assert found(weir, "bad") is None and found(weir, "good") is None
            path.write_text(path.read_text().replace("check: none", "check: connect"))
            assert weir.request("POST", "/admin/v1/reload").status == 200
            wait_for(weir, "bad", True)


def test_tls_is_checked_with_the_handshake_where_that_is_asked_for(tmp_path):
    with FaultServer("a") as good, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        with start(tmp_path, good, listener, "tls") as weir:
            wait_for(weir, "good", True)
            assert wait_for(weir, "secure", False)["failure"], "a plain server has no handshake"


def test_without_the_option_nobody_is_checked(tmp_path):
    with FaultServer("a") as good, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        with start(tmp_path, good, listener, "none") as weir:
            assert text_of(weir.chat("m")) == good.text
            assert found(weir, "good") is None and "weir_provider_reachable" not in weir.request("GET", "/metrics/prometheus").body.decode()
