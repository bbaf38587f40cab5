"""What a call cost: in its record, in the metrics, in the words of `weir explain`."""

import re

import pytest

from fault_server import FaultServer
from weir_server import Weir, run_weir

CONFIG = """
listen: 127.0.0.1:0
providers:
  a: {{dialect: openai, base_url: "{a}", keys: none}}
  b: {{dialect: openai, base_url: "{a}", keys: none}}
  mock: {{dialect: mock}}
models: {{priced: a/x, other: a/other, heard: a/heard, unpriced: b/gpt-4o, fallback: {{steps: [a/x, a/other]}}}}
prices:
  "a/*": {{input: 2, output: 10}}
  a/x: {{input: 1.5, cached_input: 0.25, output: 3, flex: {{input: 0.75, output: 1}}, priority: {{input: 3}}}}
  a/heard: {{input: 1, cache_write: 2, cache_write_1h: 3, audio_input: 40, image_input: 1.5, output: 10, audio_output: 80}}
retry: {{attempts: 1}}
auth: {{mode: none}}
"""


@pytest.fixture(scope="module")
def upstream():
    with FaultServer("a") as server:
        yield server


@pytest.fixture(scope="module")
def weir(upstream, tmp_path_factory):
    with Weir(tmp_path_factory.mktemp("weir"), CONFIG.format(a=upstream.base_url)) as server:
        yield server


def cost(tokens: dict, price_in: float, price_out: float) -> float:
    return (tokens["tokens_in"] * price_in + tokens["tokens_out"] * price_out) / 1e6


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model, price_in, price_out, price", [("priced", 1.5, 3, "a/x"), ("other", 2, 10, "a/*")])
def test_a_call_has_its_cost(weir, upstream, model, price_in, price_out, price, stream):
    upstream.forget()
    record = weir.record(weir.chat(model, stream=stream).request_id)
    assert record["tokens_in"] > 0 and record["tokens_out"] > 0 and not record.get("tokens_cached")
    assert record["cost_usd"] == pytest.approx(cost(record, price_in, price_out), abs=1e-12)
    assert record["attempts"][0]["cost_usd"] == record["cost_usd"] and record["attempts"][0]["price"] == price


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "asked, given, price_in, price_out, tier",
    [
        ("flex", "flex", 0.75, 1, "flex"),
        ("auto", "priority", 3, 3, "priority"),
        ("priority", "default", 1.5, 3, None),  # what was given counts
        ("flex", None, 0.75, 1, "flex"),  # it does not say
        (None, None, 1.5, 3, None),
    ],
)
def test_a_call_is_charged_by_the_tier_that_it_was_given(weir, upstream, asked, given, price_in, price_out, tier, stream):
    upstream.forget()
    upstream.always("ok", tier=given)
    reply = weir.chat("priced", stream=stream, **({"service_tier": asked} if asked else {}))
    upstream.always("ok")
    record = weir.record(reply.request_id)
    assert record["cost_usd"] == pytest.approx(cost(record, price_in, price_out), abs=1e-12)
    assert record["attempts"][0].get("tier") == tier


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "model, dollars",
    [
        # 20 of text, 4 of which are written for five minutes and 6 for an hour; 30 heard; 50 seen. 7 of text, 3 said.
        ("heard", (10 * 1 + 4 * 2 + 6 * 3 + 30 * 40 + 50 * 1.5 + 7 * 10 + 3 * 80) / 1e6),
        ("priced", None),  # audio has no price there, which is not that of text
    ],
)
def test_what_is_heard_seen_and_kept_has_prices_of_its_own(weir, upstream, model, dollars, stream):
    upstream.forget()
    prompt = {"cached_tokens": 0, "audio_tokens": 30, "image_tokens": 50, "cache_write_tokens": 10, "cache_creation_token_details": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 6}}
    upstream.always("ok", used={"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110, "prompt_tokens_details": prompt, "completion_tokens_details": {"audio_tokens": 3}})
    record = weir.record(weir.chat(model, stream=stream).request_id)
    upstream.always("ok")
    assert record["cost_usd"] == (None if dollars is None else pytest.approx(dollars, abs=1e-12))


@pytest.mark.parametrize(
    "off_peak, words",
    [
        ('{from: "16:30", to: "00:30", input: 1}', None),
        ('{from: "24:00", to: "00:30", input: 1}', 'prices.a/*.off_peak.from: "24:00" is no time of day; write it as 16:30'),
        ('{from: "16:30", input: 1}', "prices.a/*.off_peak.to: is missing"),
        ('{from: "16:30", to: "16:30"}', "begins when it ends"),
        ('{from: "16:30", to: "00:30", inputs: 1}', 'did you mean "input"'),
    ],
)
def test_prices_by_the_time_of_day_are_checked(tmp_path, off_peak, words):
    (tmp_path / "weir.yaml").write_text(CONFIG.format(a="http://127.0.0.1:9/v1").replace('"a/*": {', f'"a/*": {{off_peak: {off_peak}, '))
    checked = run_weir("check", directory=tmp_path)
    assert (checked.returncode == 0) == (words is None), checked
    assert words is None or words in checked.stdout + checked.stderr


def test_a_failed_attempt_is_free_and_the_next_is_charged(weir, upstream):
    upstream.forget()
    upstream.plan("status", "ok")
    record = weir.record(weir.chat("fallback").request_id)
    first, second = record["attempts"]
    assert first["cost_usd"] == 0 and second["cost_usd"] == record["cost_usd"] == pytest.approx(cost(second, 2, 10), abs=1e-12)
    assert f"Cost: ${record['cost_usd']}" in weir.command("explain", record["id"]).stdout


def test_no_price_is_not_price_zero(weir, upstream):
    # A server of one's own that serves a model of a well-known name is not that company.
    upstream.forget()
    before = metric(weir, 'weir_unpriced_attempts_total{target="b/gpt-4o",missing="price"}')
    record = weir.record(weir.chat("unpriced").request_id)
    assert record["cost_usd"] is None and record["attempts"][0]["cost_usd"] is None and "price" not in record["attempts"][0]
    assert metric(weir, 'weir_unpriced_attempts_total{target="b/gpt-4o",missing="price"}') == before + 1
    assert "Cost: unknown" in weir.command("explain", record["id"]).stdout


def test_refused_calls_and_the_mock_cost_nothing(weir):
    assert weir.record(weir.chat("no-such-model").request_id)["cost_usd"] == 0
    assert weir.record(weir.chat("mock/x").request_id)["cost_usd"] == 0


def test_the_metric_is_the_sum(weir, upstream):
    upstream.forget()
    before = metric(weir, 'weir_cost_usd_total{target="a/x"}')
    record = weir.record(weir.chat("priced").request_id)
    assert metric(weir, 'weir_cost_usd_total{target="a/x"}') - before == pytest.approx(record["cost_usd"], abs=1e-12)


def metric(weir, name: str) -> float:
    page = weir.request("GET", "/metrics/prometheus").body.decode()
    found = re.search(rf"^{re.escape(name)} (\S+)$", page, re.MULTILINE)
    return float(found[1]) if found else 0.0
