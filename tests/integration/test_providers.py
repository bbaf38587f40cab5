"""What differs between providers and does not reach the caller: presets, encoded replies, sloppy streams, long silences."""

import gzip
import json
import zlib

import openai
import pytest

from fault_server import Behaviour, FaultServer
from weir_server import Weir, text_of

CONFIG = """
listen: 127.0.0.1:0
providers:
  a: {{dialect: openai, base_url: "{a}", keys: none}}
  b: {{dialect: openai, base_url: "{b}", keys: none}}
  hasty: {{dialect: openai, base_url: "{a}", keys: none, timeouts: {{first_token: 900ms}}}}
  mistral: {{dialect: mistral, base_url: "{a}", keys: [sk-mistral]}}
  llama: {{dialect: llama-server, base_url: "{a}"}}
  team:
    dialect: openai
    base_url: "{a}/?api-version=2024-10-21"
    keys: [sk-key]
    organization: org-1
    project: proj_2
    headers: {{Authorization: "Basic abc", accept-encoding: gzip}}
models:
  smart: {{steps: [hasty/x, b/x]}}
  "*": "a/*"
  "mistral/*": "mistral/*"
  "llama/*": "llama/*"
  "team/*": "team/*"
retry: {{attempts: 1, backoff: 1ms, backoff_max: 2ms}}
keep_alive: {{after: 300ms, every: 100ms}}
"""
ALIVE = b": keep-alive\n\n"


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    with FaultServer("a") as a, FaultServer("b") as b:
        with Weir(tmp_path_factory.mktemp("weir"), CONFIG.format(a=a.base_url, b=b.base_url)) as weir:
            yield a, b, weir


@pytest.fixture
def a(servers):
    servers[0].forget()
    servers[1].forget()
    return servers[0]


@pytest.fixture
def b(a, servers):
    return servers[1]


@pytest.fixture
def weir(a, servers):
    return servers[2]


def raw(body: bytes, content_type: str, *headers: str, status: str = "200 OK") -> Behaviour:
    """The body as it is, framed by the end of the connection."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {content_type}", *headers, "", ""]
    return Behaviour("raw", pieces=("\r\n".join(lines).encode() + body,), end="fin")


# --- presets ----------------------------------------------------------------------------------------------------------


def test_a_preset_that_refuses_the_usage_option_does_not_get_it(weir, a):
    for model, options in (("mistral/m", {}), ("mistral/m", {"include_usage": True}), ("a/m", {})):
        reply = weir.chat(model, stream=True, **({"stream_options": options} if options else {}))
        assert reply.status == 200 and text_of(reply) == a.text
    with_option = ["stream_options" in request.json for request in a.requests]
    assert with_option == [False, False, True], "only a plain openai provider is asked for usage"
    assert a.requests[0].header("authorization") == "Bearer sk-mistral"


def test_a_header_that_would_keep_a_generation_alive_is_withheld(weir, a):
    for model in ("llama/m", "a/m"):
        assert weir.chat(model, headers={"X-Conversation-Id": "c1"}).status == 200
    assert [request.header("x-conversation-id") for request in a.requests] == [None, "c1"]


def test_organization_project_query_and_own_headers_go_up_once(weir, a):
    headers = {"OpenAI-Organization": "the-callers", "Accept-Encoding": "br"}
    assert weir.request("POST", "/v1/chat/completions?x=1", b'{"model":"team/m","messages":[]}', headers).status == 200
    request = a.requests[0]
    assert request.target == "/v1/chat/completions?api-version=2024-10-21&x=1"
    expected = {"openai-organization": "org-1", "openai-project": "proj_2", "authorization": "Basic abc", "accept-encoding": "gzip"}
    assert {name: request.header(name) for name in expected} == expected


# --- encoded replies --------------------------------------------------------------------------------------------------

CODINGS = {"gzip": gzip.compress, "deflate": zlib.compress}
REPLY = json.dumps({"id": "c", "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}]}).encode()
STREAM = (
    b'data: {"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":"hi"},"finish_reason":null}]}\n\n'
    b'data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b"data: [DONE]\n\n"
)


@pytest.mark.parametrize("coding", CODINGS)
def test_an_encoded_reply_goes_down_plain(weir, a, coding):
    a.plan(
        raw(CODINGS[coding](REPLY), "application/json", f"Content-Encoding: {coding}"),
        raw(CODINGS[coding](STREAM), "text/event-stream", f"Content-Encoding: {coding}"),
        raw(CODINGS[coding](b'{"error":{"message":"slow down"}}'), "application/json", f"Content-Encoding: {coding}", "Retry-After: 7", status="429 Too Many Requests"),
    )  # fmt: skip
    whole, streamed, refused = (weir.chat("m", stream=stream) for stream in (False, True, False))
    assert (whole.body, streamed.body, refused.json) == (REPLY, STREAM, {"error": {"message": "slow down"}})
    assert (whole.status, streamed.status, refused.status) == (200, 200, 429)
    assert refused.header("retry-after") == "7"
    assert all(reply.header("content-encoding") is None for reply in (whole, streamed, refused))


def test_an_encoded_event_is_not_held_until_the_next(weir, a):
    """The server flushes its encoder behind each event and then waits for the caller to have seen it."""
    encoder = zlib.compressobj(wbits=31)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n\r\n"
    first, *_ = STREAM.split(b"\n\n")
    piece = encoder.compress(first + b"\n\n") + encoder.flush(zlib.Z_SYNC_FLUSH)
    a.plan(Behaviour("raw", pieces=(head + piece,), end="hold"))
    with weir.client().chat.completions.create(model="m", messages=[], stream=True) as stream:
        assert next(iter(stream)).choices[0].delta.content == "hi"
    a.wait_for(lambda: a.requests[0].state == "cancelled", "letting go of the held connection")


def test_a_reply_that_cannot_be_decoded_is_the_providers_failure(weir, a, b):
    a.plan(*[raw(b"plain text", "application/json", f"Content-Encoding: {coding}") for coding in ("gzip", "compress")])
    for _ in range(2):
        reply = weir.chat("smart")
        assert reply.status == 200 and text_of(reply) == b.text
        assert weir.record(reply.request_id)["attempts"][0]["failure"] == "upstream_malformed"


# --- sloppy streams ---------------------------------------------------------------------------------------------------


def sloppy_stream() -> bytes:
    """Whole calls without index or id, an empty role, "stop" at the end, usage without choices."""
    call = {"type": "function", "function": {"name": "weather", "arguments": '{"city": "Köln"}'}}
    deltas = [
        {"role": "", "content": "Let me look. "},
        {"tool_calls": [call, call]},
        {"tool_calls": [{**call, "function": {"name": "time", "arguments": {}}}]},
    ]
    base = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    events = [{**base, "choices": [{"delta": delta, "finish_reason": ""}]} for delta in deltas]
    events.append({**base, "choices": [{"delta": None, "finish_reason": "stop"}]})
    events.append({**base, "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}})
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events) + b"data: [DONE]\n\n"


def accumulated(client: openai.OpenAI):
    with client.chat.completions.stream(model="m", messages=[], stream_options={"include_usage": True}) as stream:
        for _ in stream:
            pass
        return stream.get_final_completion()


def test_the_official_client_understands_a_sloppy_server_through_weir(weir, a):
    a.plan(*[raw(sloppy_stream(), "text/event-stream")] * 2)
    with pytest.raises(Exception):
        accumulated(openai.OpenAI(base_url=a.base_url, api_key="x", max_retries=0))
    answer = accumulated(weir.client())
    choice = answer.choices[0]
    assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", "Let me look. ", "tool_calls")
    calls = [(call.function.name, json.loads(call.function.arguments)) for call in choice.message.tool_calls]
    assert calls == [("weather", {"city": "Köln"}), ("weather", {"city": "Köln"}), ("time", {})]
    assert len({call.id for call in choice.message.tool_calls}) == 3
    assert answer.usage.total_tokens == 3

    record = weir.record("last")
    assert record["attempts"][0]["mended"]["tool_index"] == 2 and record["attempts"][0]["mended"]["choices"] == 1
    assert "events put right" in weir.command("explain", "last").stdout
    metrics = weir.request("GET", "/metrics/prometheus").body.decode()
    assert 'weir_mended_events_total{target="a/*",what="tool_index"} 2' in metrics


# --- long silences ----------------------------------------------------------------------------------------------------


def test_a_silence_is_filled_until_the_first_content(weir, a):
    a.plan(Behaviour("slow_first_token", seconds=1.0))
    reply = weir.chat("m", stream=True)
    assert reply.status == 200 and text_of(reply) == a.text and reply.events[-1] == "[DONE]"
    assert reply.body.startswith(ALIVE * 2) and reply.body.rfind(ALIVE) < reply.body.find(b"data:")
    assert reply.header("x-weir-target") is None and reply.header("x-weir-attempts") is None
    record = weir.record(reply.request_id)
    assert record["keep_alives"] == reply.body.count(ALIVE) and record["target"] == "a/m"


def test_keep_alives_go_on_over_a_fallback(weir, a, b):
    a.plan(Behaviour("silence"))
    b.plan(Behaviour("slow_first_token", seconds=0.5))
    reply = weir.chat("smart", stream=True)
    assert text_of(reply) == b.text and reply.body.count(ALIVE) >= 3
    assert [attempt["target"] for attempt in weir.record(reply.request_id)["attempts"]] == ["hasty/x", "b/x"]


def test_a_failure_after_keep_alives_is_an_error_event_that_the_sdk_raises(weir, a, b):
    for number in range(2):
        a.plan(Behaviour("silence"))
        b.plan(Behaviour("status", status=400, code="context_length_exceeded", message="too long"))
        if number == 0:
            reply = weir.chat("smart", stream=True)
            assert reply.status == 200 and reply.body.startswith(ALIVE)
            assert json.loads(reply.events[-1])["error"]["code"] == "context_length_exceeded"
            assert b"[DONE]" not in reply.body
            assert weir.record(reply.request_id)["status"] == 200
        else:
            with pytest.raises(openai.APIError, match="too long"):
                list(weir.client().chat.completions.create(model="smart", messages=[], stream=True))


def test_a_whole_reply_waits_without_a_head(weir, a):
    a.plan(Behaviour("slow_first_token", seconds=1.0), Behaviour("status", status=429, code="x"))
    assert text_of(weir.chat("m")) == a.text
    assert weir.chat("m").status == 429
