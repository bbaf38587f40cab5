"""Paid probes: weir itself asks a target that is due for a trial, within a cap, and it stands in the record."""

import signal

from fault_server import FaultServer, provider_error
from weir_server import PATIENCE, Weir, text_of, until

CONFIG = """
listen: 127.0.0.1:0
health: {{{health}}}
providers:
  a: {{dialect: openai, base_url: "{a}", keys: none}}
  mock: {{dialect: mock}}
models: {{m: a/x, fake: mock/x}}
retry: {{attempts: 1}}
circuit_breaker: {{failure_threshold: 1, recovery_timeout: 1s, half_open_max_calls: 2}}
auth: {{mode: none}}
store: {{url: none}}
prices:
  a/x: {{input: 10, output: 30}}
"""


def provider(weir):
    return weir.request("GET", "/health/providers").json["providers"]["a"]


def start(directory, server, health):
    return Weir(directory, CONFIG.format(a=server.base_url, health=health))


def fail_once(weir, server):
    server.plan(provider_error("500"))
    assert weir.chat("m").status == 500


def metrics(weir):
    return weir.request("GET", "/metrics/prometheus").body.decode()


def test_a_probe_closes_the_breaker_and_no_caller_is_asked_to(tmp_path):
    with FaultServer("a") as server, start(tmp_path, server, "probe: true") as weir:
        fail_once(weir, server)
        until(lambda: provider(weir)["breaker"] == "closed", "the breaker closes")
        assert len(server.requests) == 3, "two trials were asked for"
        for request in server.requests[1:]:
            assert request.json["model"] == "x" and request.json["max_tokens"] == 1
        until(lambda: provider(weir)["probes"].get("a/x", {}).get("succeeded") == 2, "two probes succeed")
        assert provider(weir)["probes"]["a/x"]["answered"] is True
        assert 'weir_probes_total{target="a/x",outcome="ok"} 2' in metrics(weir)
        calls = weir.request("GET", "/admin/v1/requests").json["data"]
        probes = [call for call in calls if call.get("key") == "weir-probe"]
        assert len(probes) == 2 and len(calls) == 3
        full = weir.request("GET", f"/admin/v1/requests/{probes[0]['id']}").json
        assert full["cost_usd"] and float(full["cost_usd"]) > 0 and full["attempts"][0]["trial"] is True
        assert text_of(weir.chat("m")) == server.text


def test_the_days_cap_ends_them_and_calls_are_trials_again(tmp_path):
    with FaultServer("a") as server, start(tmp_path, server, "probe: true, probes_per_day: 2") as weir:
        server.always(provider_error("500"))
        assert weir.chat("m").status == 500
        weir.wait_for_output("has had the 2 probes of today")
        assert len(server.requests) == 3 and provider(weir)["probes"]["a/x"]["failed"] == 2
        assert 'weir_probes_total{target="a/x",outcome="failed"} 2' in metrics(weir)
        until(lambda: provider(weir)["breaker"] == "half_open", "the breaker tries again")
        weir.chat("m")
        assert len(server.requests) == 4


def test_a_probe_that_says_nothing_is_not_repeated(tmp_path):
    with FaultServer("a") as server, start(tmp_path, server, "probe: true") as weir:
        server.plan(provider_error("500"))
        assert weir.chat("m").status == 500
        server.always(provider_error("400 unsupported_parameter"))  # a target that takes no chat
        until(lambda: provider(weir)["probes"].get("a/x"), "a probe is told of")
        weir.chat("m")  # the second and last trial: the breaker stays where it is
        assert len(server.requests) == 3 and provider(weir)["probes"]["a/x"]["failed"] == 1


def test_nobody_is_asked_without_the_option(tmp_path):
    with FaultServer("a") as server, start(tmp_path, server, "probe: false") as weir:
        fail_once(weir, server)
        until(lambda: provider(weir)["breaker"] == "half_open", "the breaker tries again")
        assert provider(weir)["probes"] == {} and len(server.requests) == 1


def test_a_probe_that_hangs_does_not_hold_up_the_end(tmp_path):
    with FaultServer("a") as server, start(tmp_path, server, "probe: true") as weir:
        server.plan(provider_error("500"))
        assert weir.chat("m").status == 500
        server.always("silence")
        server.wait_for(lambda: len(server.requests) == 2, "the probe", PATIENCE)
        weir.process.send_signal(signal.SIGTERM)
        assert weir.process.wait(PATIENCE) == 0
        server.wait_for(lambda: server.requests[1].state == "cancelled", "the probe's end")
