"""Who is asked, who is left alone, who is full: circuit breakers, balance and max_in_flight with the real binary."""

import collections
import contextlib
import json
import re
import time

import pytest

from doc_snippets import snippets
from fault_server import Behaviour, FaultServer
from raw_http import RawConnection, post
from weir_server import PATIENCE, Weir, run_weir, text_of

# No time of these is reached by a test: what opens stays open, what runs goes on, until the test ends it.
CONFIG = """
listen: 127.0.0.1:0
server: {{workers: 2}}
providers:
  a: {{dialect: openai, base_url: "{a}", keys: none}}
  b: {{dialect: openai, base_url: "{b}", keys: none}}
  narrow: {{dialect: openai, base_url: "{a}", keys: none, max_in_flight: 2}}
  mock: {{dialect: mock, mock: {{first_token: 0ms, tokens_per_second: 0, text: "hi"}}}}
models:
  smart: {{steps: [a/x, b/x]}}
  alone: a/x
  narrow: narrow/x
  shared:
    steps:
      - any_of: [{{target: a/y, weight: 9}}, {{target: b/y, weight: 1}}]
  sticky:
    steps:
      - any_of: [a/z, b/z]
        sticky: user
  priced:
    steps:
      - any_of: [{{target: a/dear, weight: 99}}, b/cheap, a/unknown]
        balance: cheapest
  nine-to-one:
    steps:
      - any_of: [{{target: mock/nine, weight: 9}}, {{target: mock/one, weight: 1}}]
  equal:
    steps:
      - any_of: [mock/one, mock/two, mock/three]
  tagged:
    steps:
      - any_of: [a/z, b/z]
        sticky: x-team
retry: {{attempts: 1}}
circuit_breaker: {{failure_threshold: 3, recovery_timeout: 1h, half_open_max_calls: 2}}
auth: {{mode: none}}
store: {{url: none}}
prices:
  a/dear: {{input: 10, output: 30}}
  b/cheap: {{input: 1, output: 3}}
"""

STREAMED = {"model": "narrow", "stream": True, "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture(scope="module")
def servers():
    with FaultServer("a") as a, FaultServer("b") as b:
        yield a, b


@pytest.fixture
def weir(servers, tmp_path):
    a, b = servers
    a.forget(), b.forget()
    with Weir(tmp_path, CONFIG.format(a=a.base_url, b=b.base_url)) as server:
        yield server


def breaker(weir: Weir, target: str) -> dict:
    (found,) = [one for one in weir.request("GET", "/admin/v1/breakers").json["data"] if one["target"] == target]
    return found


def make_ill(weir: Weir, a: FaultServer) -> None:
    a.always(Behaviour("status", status=503))
    for _ in range(3):
        assert weir.chat("smart").status == 200
    assert len(a.requests) == 3


def test_who_failed_three_times_is_left_alone_and_everything_says_so(weir, servers):
    a, b = servers
    make_ill(weir, a)
    reply = weir.chat("smart")
    assert (reply.status, text_of(reply)) == (200, b.text)
    assert len(a.requests) == 3, "it was not asked again"

    record = weir.record(reply.request_id)
    assert [attempt["target"] for attempt in record["attempts"]] == ["b/x"]
    assert re.fullmatch(r"a/x: its circuit breaker is open for another [\d.]+ s", record["skipped"][0])
    assert "not asked: a/x: its circuit breaker is open" in weir.command("explain", reply.request_id).stdout

    state = breaker(weir, "a/x")
    assert (state["state"], state["trips"], state["by_hand"]) == ("open", 1, False)
    assert 0 < state["retry_after_seconds"] <= 3600 and state["open_until"].endswith("Z")
    health = weir.request("GET", "/health/providers").json["providers"]
    assert health["a"]["breaker"] == "open" and health["a"]["targets"]["a/x"]["breaker"] == "open"
    assert health["a"]["targets"]["a/y"]["breaker"] == "closed", "another model of the same provider"
    assert health["b"]["breaker"] == "closed"
    metrics = weir.request("GET", "/metrics/prometheus").body.decode()
    assert 'weir_breaker_state{target="a/x"} 2' in metrics and 'weir_breaker_trips_total{target="a/x"} 1' in metrics
    assert 'weir_fallbacks_total{from="a/x",to="b/x"} 3' in metrics


def test_who_is_alone_gets_a_few_trials_and_then_the_caller_hears_when_to_come_back(weir, servers):
    a, _ = servers
    make_ill(weir, a)
    for _ in range(2):
        reply = weir.chat("alone")
        assert reply.status == 503 and reply.json["error"]["code"] == "server_is_overloaded", "the provider's own words"
        assert weir.record(reply.request_id)["attempts"][0]["trial"] is True
    reply = weir.chat("alone")
    assert (reply.status, reply.json["error"]["code"]) == (503, "upstream_unavailable")
    assert 3500 < int(reply.header("retry-after")) <= 3600
    assert len(a.requests) == 5


def test_a_callers_mistake_or_a_refused_key_opens_nothing(weir, servers):
    a, _ = servers
    for status in (400, 401, 429) * 4:
        a.always(Behaviour("status", status=status, code=None))
        weir.chat("smart")
    assert breaker(weir, "a/x")["state"] == "closed"


def test_a_reload_keeps_an_open_breaker(weir, servers):
    a, _ = servers
    make_ill(weir, a)
    path = weir.directory / "weir.yaml"
    path.write_text(path.read_text().replace("weight: 9", "weight: 8"))
    assert weir.command("reload").returncode == 0
    assert breaker(weir, "a/x")["state"] == "open"
    assert weir.chat("smart").status == 200
    assert len(a.requests) == 3


def test_by_hand_from_the_command_line(weir, servers):
    a, b = servers
    opened = weir.command("breakers", "open", "a/x")
    assert opened.returncode == 0 and "open by hand" in opened.stdout, opened
    assert text_of(weir.chat("smart")) == b.text
    assert len(a.requests) == 0
    reply = weir.chat("alone")
    assert (reply.status, reply.json["error"]["code"]) == (503, "upstream_unavailable") and reply.header("retry-after")
    listed = weir.command("breakers").stdout
    assert re.search(r"^a/x +open by hand", listed, re.MULTILINE) and re.search(r"^b/x +closed", listed, re.MULTILINE)
    assert "closed" in weir.command("breakers", "close", "a/x").stdout
    assert weir.chat("alone").status == 200

    unknown = weir.command("breakers", "open", "a/nothing")
    assert unknown.returncode == 1 and "there is no target" in unknown.stderr
    wrong = weir.request("POST", "/admin/v1/breakers/a/x", json.dumps({"state": "ajar"}).encode())
    assert wrong.status == 400


def test_the_caller_hears_of_the_target_that_is_back_soonest(weir, servers):
    a, b = servers

    def told():
        reply = weir.chat("smart")
        assert (reply.status, reply.json["error"]["code"]) == (503, "upstream_unavailable")
        return int(reply.header("retry-after"))

    def open_for(target, *time):
        assert weir.command("breakers", "open", target, *time).returncode == 0

    open_for("a/x"), open_for("b/x")
    assert told() == 60, "nobody knows: a minute"
    open_for("a/x", "--for", "2h")
    assert 7000 < told() <= 7200
    open_for("b/x", "--for", "1h")
    assert 3500 < told() <= 3600
    assert "open by hand for" in weir.command("breakers").stdout
    assert "opened by hand, for another" in weir.record(weir.chat("smart").request_id)["skipped"][0]
    assert a.requests == [] and b.requests == []
    # One that opened by itself, for an hour, and one that is back before.
    assert weir.command("breakers", "close", "a/x").returncode == 0
    open_for("b/x", "--for", "30m")
    a.always(Behaviour("status", status=500))
    for _ in range(5):  # three open it, and two more may try it
        assert weir.chat("smart").status == 500
    assert 1700 < told() <= 1800


@pytest.fixture
def with_fallback(servers, tmp_path):
    a, b = servers
    a.forget(), b.forget()
    text = CONFIG.replace("  narrow: narrow/x\n", "  narrow: narrow/x\n  spare: b/spare\n  proud: {{steps: [a/x], fallback: none}}\n  modest: {{steps: [a/x], fallback: shared}}\n")
    text = text.replace("a: {{dialect: openai,", "a: {{dialect: openai, unknown_models: forward,") + "fallback: spare\n"
    with Weir(tmp_path, text.format(a=a.base_url, b=b.base_url)) as server:
        yield server


def targets_of(weir, reply):
    return [attempt["target"] for attempt in weir.record(reply.request_id)["attempts"]]


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_behind_the_last_step_stands_the_fallback_of_all(with_fallback, servers, stream):
    weir, (a, b) = with_fallback, servers
    a.always(Behaviour("status", status=503))
    for model in ("alone", "alone", "a/made-up"):
        reply = weir.chat(model, stream=stream)
        assert reply.status == 200 and text_of(reply) == b.text and reply.header("x-weir-target") == "b/spare"
    assert targets_of(weir, weir.chat("alone", stream=stream)) == ["a/x", "b/spare"]
    assert targets_of(weir, weir.chat("alone", stream=stream)) == ["b/spare"], "also where nobody else takes the call"
    metrics = weir.request("GET", "/metrics/prometheus").body.decode()
    assert 'weir_fallbacks_total{from="a/x",to="b/spare"} 3' in metrics
    proud = weir.chat("proud", stream=stream)
    assert proud.status == 503 and not any(target.startswith("b/") for target in targets_of(weir, proud)), "it says none"
    modest = weir.chat("modest", stream=stream)
    assert text_of(modest) == b.text and modest.header("x-weir-target") == "b/y", "or another one"


def test_the_fallback_is_not_asked_where_the_caller_is_at_fault_and_its_own_failure_is_told(with_fallback, servers):
    weir, (a, b) = with_fallback, servers
    a.always(Behaviour("status", status=400, code="invalid_value", message="no such thing"))
    refused = weir.chat("alone")
    assert refused.status == 400 and refused.json["error"]["message"] == "no such thing" and b.requests == []
    a.always(Behaviour("status", status=500)), b.always(Behaviour("status", status=500))
    failed = weir.chat("alone")
    assert failed.status == 500 and targets_of(weir, failed) == ["a/x", "b/spare"]
    assert targets_of(weir, weir.chat("spare")) == ["b/spare"], "it is no fallback of itself"


def test_check_explains_where_every_value_comes_from(tmp_path):
    (tmp_path / "weir.yaml").write_text("""
providers:
  a:
    dialect: openai
    base_url: http://127.0.0.1:9
    keys: [{name: main, value: sk-1, weight: 3}, {name: spare, value: sk-2}]
    key_choice: weighted
    max_in_flight: 7
models:
  long: a/long
  smart:
    steps:
      - any_of: [{target: a/x, weight: 9}, a/y]
        balance: fastest
        max_in_flight: 4
    on_context_window: long
  plain: a/x
fallback: long
on_content_policy: long
""")
    out = run_weir("check", "--explain", "smart", directory=tmp_path).stdout

    def lines(option):
        return re.findall(rf"^ +{re.escape(option)}  +(.*?)  +(\S+)$", out, re.MULTILINE)

    assert lines("on_context_window") == [("long", "weir.yaml:16")]
    assert lines("on_content_policy") == [("long", "weir.yaml:19")] and lines("fallback") == [("long", "weir.yaml:18")]
    assert lines("weight") == [("9", "weir.yaml:13"), ("1", "default")]
    assert lines("balance") == [("fastest", "weir.yaml:14")] * 2 and lines("max_in_flight") == [("4", "weir.yaml:15")] * 2
    assert lines("providers.a.keys") == [("main (weight 3, priority 0), spare (weight 1, priority 0)", "weir.yaml:6")] * 2
    assert lines("providers.a.key_choice") == [("weighted", "weir.yaml:7")] * 2
    assert lines("providers.a.max_in_flight") == [("7", "weir.yaml:8")] * 2
    assert lines("circuit_breaker.success_rate_window") == [("1m", "default")] * 2
    assert "sk-" not in out
    plain = run_weir("check", "--explain", "plain", directory=tmp_path).stdout
    assert re.search(r"on_context_window +the next step +default", plain) and re.search(r"fallback +long +weir.yaml:18", plain)

    (tmp_path / "weir.yaml").write_text("providers: {a: {dialect: mock}}\nmodels: {m: a/x}\nfallback: lang\n")
    wrong = run_weir("check", directory=tmp_path)
    assert wrong.returncode != 0 and 'fallback: no model is named "lang"' in wrong.stdout + wrong.stderr


def test_a_full_provider_refuses_with_retry_after_until_a_place_is_free(weir, servers):
    a, _ = servers
    a.always(Behaviour("stall", after=1))
    running = []
    for _ in range(2):
        connection = RawConnection(weir.port)
        connection.send(post(json.dumps(STREAMED).encode()))
        connection.take_through(b"data:")  # the content is there, and more will come
        running.append(connection)
    reply = weir.chat("narrow")
    assert (reply.status, reply.json["error"]["code"]) == (429, "queue_full")
    assert reply.header("retry-after") == "1"
    assert breaker(weir, "narrow/x")["in_flight"] == 2
    running.pop().socket.close()
    a.always(Behaviour())
    give_up = time.monotonic() + PATIENCE
    while (reply := weir.chat("narrow")).status == 429:  # that he left is noticed by another thread
        assert time.monotonic() < give_up
    assert reply.status == 200
    for connection in running:
        connection.socket.close()


def asked(weir: Weir, calls: int, **more) -> collections.Counter:
    return collections.Counter(weir.chat(**more).header("x-weir-target") for _ in range(calls))


def test_weights_hold_over_two_threads(weir):
    got = asked(weir, 200, model="shared")
    assert 170 <= got["a/y"] <= 190, got


def asked_at_once(weir: Weir, model: str, calls: int) -> collections.Counter:
    """Many calls over few connections, twenty at a time on each."""
    one = post(json.dumps({"model": model, "messages": [{"role": "user", "content": "hi"}]}).encode())
    got: collections.Counter = collections.Counter()
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(weir.connect()) for _ in range(4)]
        for number in range(calls // 20):
            connection, heads = connections[number % 4], b""
            connection.sendall(one * 20)
            while len(targets := re.findall(rb"x-weir-target: ([^\r]+)\r\n", heads)) < 20:
                heads += connection.recv(1 << 20)
            got.update(target.decode() for target in targets)
            # The rest of the last answer, so that nothing of it is taken for the next.
            while not heads.endswith(b"}"):
                heads += connection.recv(1 << 20)
    assert sum(got.values()) == calls
    return got


def test_shares_over_ten_thousand_calls(weir):
    """Nine to one within two per cent, and equal ones as good as equal."""
    got = asked_at_once(weir, "nine-to-one", 2_000)
    assert abs(got["mock/nine"] / 2_000 - 0.9) < 0.02, got
    got = asked_at_once(weir, "equal", 10_000)
    assert len(got) == 3 and max(got.values()) / min(got.values()) < 1.2, got


def test_the_cheapest_is_asked_and_who_has_no_price_last(weir, servers):
    assert asked(weir, 10, model="priced") == {"b/cheap": 10}
    _, b = servers
    b.always(Behaviour("status", status=503))
    attempts = weir.record(weir.chat("priced").request_id)["attempts"]
    assert [attempt["target"] for attempt in attempts] == ["b/cheap", "a/dear"]


def test_the_same_user_gets_the_same_member(weir):
    members = set()
    for user in range(12):
        got = asked(weir, 3, model="sticky", user=f"user-{user}")
        assert len(got) == 1, got
        members |= set(got)
    assert members == {"a/z", "b/z"}
    for team in ("red", "blue"):
        assert len(asked(weir, 4, model="tagged", headers={"x-team": team})) == 1


def test_the_example_of_the_document_is_a_configuration(tmp_path):
    (config,) = [snippet.text for snippet in snippets("docs/routing.md") if snippet.language == "yaml"]
    (tmp_path / "weir.yaml").write_text(config)
    checked = run_weir("check", directory=tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "not built yet" not in checked.stdout + checked.stderr
