"""Bytes stay bytes: the provider gets the caller's body with only the edited spans replaced, the caller gets the provider's."""

import json

import pytest

from fault_server import Behaviour, response
from weir_server import text_of

# Odd but valid bodies. MODEL stands where the model's JSON string stands, quotes included.
ODD_BODIES = {
    "plain": b'{"model":MODEL,"messages":[{"role":"user","content":"hi"}]}',
    "spaces everywhere": b' \n{ "model" :\tMODEL , \r\n "messages" : [ { "role" : "user" , "content" : "hi" } ] } \n\n',
    "model last": b'{"messages":[{"role":"user","content":"hi"}],"model":MODEL}',
    "model in the middle, after a nested one": b'{"metadata":{"model":"gpt-4"},"model":MODEL,"messages":[]}',
    "model spelt in a message": b'{"messages":[{"role":"user","content":"\\"model\\":\\"smart\\""}],"model":MODEL}',
    "numbers as written": b'{"model":MODEL,"messages":[],"temperature":0.70,"top_p":1E-0,"seed":-0,"x":1.0e+2,"y":100000000000000000000000000001}',
    "a number beyond double": b'{"model":MODEL,"messages":[],"logit_bias":{"1":1e999}}',
    "a lone surrogate": b'{"model":MODEL,"messages":[{"role":"user","content":"\\ud83d"}]}',
    "escapes as written": b'{"model":MODEL,"messages":[{"role":"user","content":"\\u0041\\/\\u00e9\\n\\ud83e\\udda6"}]}',
    "raw unicode": '{"model":MODEL,"messages":[{"role":"user","content":"grüß Gott 你好 🦦 \u2028 \u007f"}]}'.encode(),
    "unknown keys": b'{"model":MODEL,"messages":[],"x_vendor":{"a":[1,2,{"b":null}]},"":1," ":true}',
    "null everywhere": b'{"model":MODEL,"messages":[],"stop":null,"tools":null,"stream":null,"stream_options":null}',
    "empty containers": b'{"model":MODEL,"messages":[],"metadata":{},"stop":[]}',
    "deep": b'{"model":MODEL,"messages":[],"x":' + b"[" * 200 + b"]" * 200 + b"}",
    "repeated unknown keys": b'{"model":MODEL,"messages":[],"x":1,"x":2}',
    "a long string": b'{"model":MODEL,"messages":[{"role":"user","content":"' + b"weir " * 40_000 + b'"}]}',
    "stream false, spelt out": b'{"stream" : false,"model":MODEL,"messages":[]}',
    "tools with odd schemas": b'{"model":MODEL,"messages":[],"tools":[{"type":"function","function":{"name":"f","parameters":{"enum":[1e0,"1",null]}}}]}',
}

ODD_MODELS = {"plain": b'"alone"', "escaped": b'"al\\u006fne"', "escaped whole": b'"\\u0061\\u006c\\u006f\\u006e\\u0065"'}


@pytest.mark.parametrize("spelling", ODD_MODELS.values(), ids=ODD_MODELS.keys())
@pytest.mark.parametrize("body", ODD_BODIES.values(), ids=ODD_BODIES.keys())
def test_an_odd_body_arrives_with_only_the_model_replaced(weir, a, body, spelling):
    reply = weir.request("POST", "/v1/chat/completions", body.replace(b"MODEL", spelling))
    assert reply.status == 200, reply
    assert a.requests[0].body == body.replace(b"MODEL", b'"x"')


INVALID = {
    "not JSON": b"hello",
    "empty": b"",
    "cut": b'{"model":"alone","messages":[',
    "trailing bytes": b'{"model":"alone","messages":[]} x',
    "two values": b'{"model":"alone","messages":[]}{}',
    "an array": b'["alone"]',
    "bad UTF-8": b'{"model":"alone","messages":[{"role":"user","content":"\xff\xfe"}]}',
    "a control character in a string": b'{"model":"alone","messages":[{"role":"user","content":"a\x01b"}]}',
    "single quotes": b"{'model':'alone'}",
    "a trailing comma": b'{"model":"alone","messages":[],}',
    "NaN": b'{"model":"alone","messages":[],"temperature":NaN}',
    "a leading zero": b'{"model":"alone","messages":[],"n":01}',
    "a broken escape": b'{"model":"alone","messages":[],"user":"\\x41"}',
    "the model twice": b'{"model":"alone","messages":[],"model":"paid"}',
    "the model twice, once escaped": b'{"model":"alone","messages":[],"mod\\u0065l":"paid"}',
    "stream twice": b'{"model":"alone","stream":false,"messages":[],"stream":true}',
    "a model that is no string": b'{"model":7,"messages":[]}',
}


@pytest.mark.parametrize("body", INVALID.values(), ids=INVALID.keys())
def test_an_invalid_body_is_refused_and_goes_nowhere(weir, a, body):
    reply = weir.request("POST", "/v1/chat/completions", body)
    assert reply.status == 400 and reply.json["error"]["type"] == "invalid_request_error", reply
    assert reply.request_id and a.requests == []


ODD_ANSWERS = {
    "plain": b'{"id":"1","object":"chat.completion","created":1,"model":"x","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}',
    "spaced, unknown keys, escapes": b' {\n "choices" : [ {"message":{"content":"\\u0041\\/","x":1e999,"role":"assistant"},"finish_reason":"stop","index":0} ],"id":"1","vendor":{"deep":[[[]]]},"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2,"cost":0.0000012} }\n',
    "raw unicode": '{"choices":[{"index":0,"message":{"role":"assistant","content":"grüß 🦦"},"finish_reason":"stop"}],"id":"1"}'.encode(),
    "large": b'{"id":"1","choices":[{"index":0,"message":{"role":"assistant","content":"' + b"weir " * 30_000 + b'"},"finish_reason":"stop"}]}',
}  # fmt: skip


@pytest.mark.parametrize("answer", ODD_ANSWERS.values(), ids=ODD_ANSWERS.keys())
def test_the_answers_bytes_are_the_providers(weir, a, answer):
    a.plan(Behaviour("raw", pieces=(response(200, answer),)))
    reply = weir.chat("alone")
    assert reply.status == 200 and reply.body == answer
    assert reply.header("content-type") == "application/json"


def test_an_answer_beyond_what_is_held_is_streamed_through(weir, a):
    a.always("ok", text="weir " * 500_000)
    assert text_of(weir.chat("alone")) == "weir " * 500_000


def test_request_headers_pass_except_those_that_belong_to_one_hop(weir, a):
    weir.chat(
        "alone",
        headers={
            "OpenAI-Organization": "org-1", "OpenAI-Beta": "assistants=v2", "X-Custom": "ä b;c".encode().decode("latin-1"),
            "User-Agent": "tester/1", "X-Stainless-Lang": "python", "traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01",
            "Cookie": "a=b", "Connection": "keep-alive, X-Hop", "X-Hop": "1", "Keep-Alive": "timeout=5", "TE": "trailers",
            "Proxy-Authorization": "Basic x", "Authorization": "Bearer sk-caller", "X-API-Key": "sk-caller", "api-key": "sk-caller",
            "X-Forwarded-For": "1.2.3.4", "X-Forwarded-Host": "evil", "Forwarded": "for=1.2.3.4", "Accept-Encoding": "gzip, br",
            "X-Weir-Anything": "1", "x-mock-not": "kept",
        },
    )  # fmt: skip
    request = a.requests[0]
    for name, value in {
        "openai-organization": "org-1", "openai-beta": "assistants=v2", "x-custom": "ä b;c".encode().decode("latin-1"),
        "user-agent": "tester/1", "x-stainless-lang": "python", "x-mock-not": "kept", "content-type": "application/json",
    }.items():  # fmt: skip
        assert request.header(name) == value, name
    for name in ("cookie", "x-hop", "keep-alive", "te", "proxy-authorization", "authorization", "x-api-key", "api-key",
                 "x-forwarded-for", "x-forwarded-host", "forwarded"):  # fmt: skip
        assert request.header(name) is None, name
    assert request.header("host") == f"127.0.0.1:{a.port}"
    assert request.header("accept-encoding") in (None, "identity")
    assert request.header("content-length") == str(len(request.body)) and request.header("transfer-encoding") is None
    assert (request.header("traceparent") or "").split("-")[1] == "1" * 32, "the trace goes on"


def test_the_query_string_passes(weir, a):
    body = json.dumps({"model": "alone", "messages": []}).encode()
    assert weir.request("POST", "/v1/chat/completions?api-version=1&x=%20y", body).status == 200
    assert a.requests[0].target == "/v1/chat/completions?api-version=1&x=%20y"


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_reply_headers_pass_except_those_that_belong_to_one_hop(weir, a, stream):
    extra = (
        ("openai-version", "2020-10-01"), ("X-Vendor", "a, b"), ("x-ratelimit-remaining-tokens", "149984"), ("Keep-Alive", "timeout=5"),
        ("Connection", "X-Secret-Hop"), ("X-Secret-Hop", "1"), ("Date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("x-weir-target", "forged/x"), ("x-weir-request-id", "forged"),
    )  # fmt: skip
    a.always("ok", headers=extra)
    reply = weir.chat("alone", stream=stream)
    assert reply.header("openai-version") == "2020-10-01" and reply.header("x-vendor") == "a, b"
    assert reply.header("x-ratelimit-remaining-tokens") == "149984" and reply.header("openai-processing-ms") == "42"
    assert reply.header("keep-alive") is None and reply.header("x-secret-hop") is None
    assert reply.header("date") == "Sun, 06 Nov 1994 08:49:37 GMT", "once, and the origin's"
    assert reply.header("x-weir-target") == "a/x" and reply.request_id != "forged"
    assert "dur=" in reply.header("server-timing"), "what weir itself added is on every response"


def test_request_ids(weir, a, b):
    """x-weir-request-id is always ours; x-request-id is the provider's where it sent one, else ours; the caller's is recorded."""
    reply = weir.chat("alone", headers={"x-request-id": "from-the-caller"})
    assert reply.header("x-request-id") == "req_a_0" and reply.request_id != "req_a_0"
    record = weir.record(reply.request_id)
    assert record["client_request_id"] == "from-the-caller" and record["attempts"][0]["upstream_request_id"] == "req_a_0"

    for own in (weir.chat("no-such-model"), weir.chat("alone-nobody")):
        assert own.status >= 400 and own.header("x-request-id") == own.request_id


def test_the_injected_usage_option_is_seen_by_the_provider_only(weir, a):
    reply = weir.chat("alone", stream=True)
    assert a.requests[0].json["stream_options"] == {"include_usage": True}
    assert all(json.loads(event)["choices"] for event in reply.events[:-1]), "the extra chunk is ours alone"
    assert b'"usage"' not in reply.body, "not even the null that OpenAI puts into every chunk once it is asked"
    record = weir.record(reply.request_id)
    assert record["usage_source"] == "provider" and (record["tokens_in"], record["tokens_out"]) == (12, 7)


@pytest.mark.parametrize("options", [{"include_usage": False}, {}, None, {"include_obfuscation": False}], ids=str)
def test_a_caller_who_says_no_to_usage_sees_none_whatever_else_the_options_say(weir, a, options):
    reply = weir.chat("alone", stream=True, stream_options=options)
    sent = a.requests[0].json["stream_options"]
    assert sent["include_usage"] is True and {key: value for key, value in sent.items() if key != "include_usage"} == {
        key: value for key, value in (options or {}).items() if key != "include_usage"
    }
    assert b'"usage"' not in reply.body and all(json.loads(event)["choices"] for event in reply.events[:-1])


def test_a_caller_who_asks_for_usage_gets_the_providers_bytes(weir, a):
    weir.chat("alone", stream=True, stream_options={"include_usage": True})
    body = json.dumps({"messages": [], "model": "alone", "stream": True, "stream_options": {"include_usage": True}}).encode()
    reply = weir.request("POST", "/v1/chat/completions", body)
    assert a.requests[1].body == body.replace(b'"alone"', b'"x"')
    assert json.loads(reply.events[-2])["usage"]["total_tokens"] == 19
