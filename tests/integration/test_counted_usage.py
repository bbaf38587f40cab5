"""What a call used where its provider does not tell: counted beside the request threads, or estimated, and marked so."""

import json
import re
import threading

import pytest

from fault_server import FaultServer
from weir_server import Weir

CONFIG = """
listen: 127.0.0.1:0
server: {{body_max: 64MiB, workers: 1}}
providers:
  a: {{dialect: openai, base_url: "{a}", keys: none}}
models: {{known: a/gpt-4o, older: a/gpt-4, unknown: a/llama-3, vectors: a/text-embedding-3-small}}
prices: {{"a/*": {{input: 2, output: 10}}, "a/text-embedding-3-small": {{input: 0.02, output: 0}}}}
store: {{url: none}}
auth: {{mode: none}}
"""

# Counted with tiktoken 1.0.22: the texts of ../shared/reference/tokenizers.md, section 9.
MESSAGES = [{"role": "system", "content": "Réponds en français."}, {"role": "user", "content": "你好"}]
MESSAGES += [{"role": "assistant", "content": "Bonjour !"}, {"role": "user", "content": "Merci 🙂"}]
ANSWER, ANSWER_TOKENS = "hello world, tokenizers", {"known": 2 + 1 + 2, "older": 2 + 1 + 2}


@pytest.fixture(scope="module")
def upstream():
    with FaultServer("a") as server:
        yield server


@pytest.fixture(scope="module")
def weir(upstream, tmp_path_factory):
    with Weir(tmp_path_factory.mktemp("weir"), CONFIG.format(a=upstream.base_url)) as server:
        yield server


@pytest.fixture(autouse=True)
def silent_about_usage(upstream):
    upstream.forget()
    upstream.always("ok", usage=False, text=ANSWER)


def call(weir, model, messages=MESSAGES, stream=False):
    body = json.dumps({"model": model, "messages": messages, "stream": stream}).encode()
    return weir.request("POST", "/v1/chat/completions", body)


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_without_a_word_is_counted_too(upstream, weir, stream):
    upstream.always("ok", usage=False, text="")
    record = weir.record(call(weir, "known", stream=stream).request_id)
    assert (record["usage_source"], record["tokens_in"], record["tokens_out"]) == ("counted", 30, 0)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model, prompt", [("known", 30), ("older", 32)])
def test_a_known_model_is_counted_as_its_provider_would(weir, model, prompt, stream):
    reply = call(weir, model, stream=stream)
    assert reply.status == 200
    record = weir.record(reply.request_id)
    assert record["usage_source"] == record["attempts"][0]["usage_source"] == "counted"
    assert (record["tokens_in"], record["tokens_out"]) == (prompt, ANSWER_TOKENS[model])
    assert record["cost_usd"] == pytest.approx((prompt * 2 + ANSWER_TOKENS[model] * 10) / 1e6, abs=1e-12)
    told = weir.command("explain", record["id"]).stdout
    assert "as weir counted them: the provider told no usage" in told and f"Cost: ${record['cost_usd']}" in told


def test_an_unknown_model_is_estimated(weir):
    record = weir.record(call(weir, "unknown").request_id)
    assert record["usage_source"] == "estimated"
    assert 20 <= record["tokens_in"] <= 60 and 3 <= record["tokens_out"] <= 12
    assert record["cost_usd"] == pytest.approx((record["tokens_in"] * 2 + record["tokens_out"] * 10) / 1e6, abs=1e-12)
    assert "as weir estimates them" in weir.command("explain", record["id"]).stdout
    assert metric(weir, 'weir_usage_not_told_total{target="a/llama-3",source="estimated"}') >= 1


def test_embeddings_are_counted(weir):
    reply = weir.request("POST", "/v1/embeddings", json.dumps({"model": "vectors", "input": ["hello world", "hello"]}).encode())
    record = weir.record(reply.request_id)
    assert (record["usage_source"], record["tokens_in"]) == ("counted", 3) and "tokens_out" not in record
    assert record["cost_usd"] == pytest.approx(3 * 0.02 / 1e6, abs=1e-12)


def test_what_a_provider_tells_is_taken(weir, upstream):
    upstream.always("ok", text=ANSWER)
    for stream in (False, True):
        record = weir.record(call(weir, "known", stream=stream).request_id)
        assert record["usage_source"] == "provider" and "usage_source" not in record["attempts"][0]


def test_a_word_of_ten_megabytes_delays_nobody(weir):
    """One request thread: while it counted, it could answer nobody. The word takes many seconds in a debug build, where
    its record comes with the estimate after the bound; an optimised one counts it in time."""
    large = call(weir, "known", [{"role": "user", "content": "a" * 10_000_000}])
    assert large.status == 200
    sources = []
    lock = threading.Lock()

    def one():
        # The unknown model is estimated at once: its record waits behind nothing.
        reply = call(weir, "unknown")
        source = weir.record(reply.request_id)["usage_source"]
        with lock:
            sources.append((reply.status, source))

    threads = [threading.Thread(target=one) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sources == [(200, "estimated")] * 20
    listed = weir.record(large.request_id)
    # The vocabulary has runs of eight letters; the estimate says a quarter of the letters.
    assert listed["usage_source"] in {"counted", "estimated"}
    assert listed["tokens_in"] == pytest.approx(1_250_000 if listed["usage_source"] == "counted" else 2_500_000, rel=0.01)


def metric(weir, name: str) -> float:
    page = weir.request("GET", "/metrics/prometheus").body.decode()
    found = re.search(rf"^{re.escape(name)} (\S+)$", page, re.MULTILINE)
    return float(found[1]) if found else 0.0
