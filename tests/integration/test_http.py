"""HTTP/1.1 as seen on the wire: framing, connections, refusals. Every byte is ours to send and to judge."""

import json
import re

import pytest

from fault_server import Behaviour, chunk, head
from raw_http import RawConnection, get, post
from weir_server import text_of

CHAT = b'{"model":"alone","messages":[{"role":"user","content":"hi"}]}'
STREAM = b'{"model":"patient","stream":true,"messages":[{"role":"user","content":"hi"}]}'


@pytest.fixture
def raw(weir):
    with RawConnection(weir.port) as connection:
        yield connection


def assert_openai_error(reply, status, code=None):
    assert reply.status == status, reply
    assert reply.header("content-type") == "application/json"
    error = reply.json["error"]
    assert set(error) >= {"message", "type", "param", "code"} and error["message"]
    assert code is None or error["code"] == code
    assert re.fullmatch(r"[\w-]{8,}", reply.request_id)


# --- connections ------------------------------------------------------------------------------------------------------


def test_a_connection_carries_one_call_after_the_other(raw, a):
    for body in (CHAT, STREAM, CHAT, STREAM):
        raw.send(post(body))
        assert text_of(raw.read_reply()) == a.text
    raw.send(get("/healthz"))
    assert raw.read_reply().status == 200


def test_connection_close_is_kept(raw, a):
    raw.send(post(STREAM, "Connection: close"))
    reply = raw.read_reply()
    assert text_of(reply) == a.text and reply.header("connection") == "close"
    assert raw.at_end()


def test_http_1_0_gets_an_answer_and_a_close(raw):
    raw.send(get("/healthz", version="HTTP/1.0"))
    assert raw.read_reply().status == 200
    assert raw.at_end()


def test_an_http_1_0_stream_is_framed_by_the_close(raw, a):
    raw.send(b"POST /v1/chat/completions HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s" % (len(STREAM), STREAM))
    status, fields = raw.read_head()
    assert status == 200 and not {"transfer-encoding", "content-length"} & {name.lower() for name, _ in fields}
    body = raw.take_through(b"data: [DONE]\n\n")
    assert "".join(re.findall(r'"content":"([^"]*)"', body.decode())) == a.text
    assert raw.at_end()


def test_pipelined_requests_are_answered_in_order(raw, a):
    a.plan({"kind": "ok", "text": "first"}, {"kind": "ok", "text": "second"})
    raw.send(post(CHAT) + get("/healthz") + post(STREAM) + get("/v1/none") + get("/readyz"))
    assert text_of(raw.read_reply()) == "first"
    assert raw.read_reply().status == 200
    assert text_of(raw.read_reply()) == "second"
    assert raw.read_reply().status == 404
    assert raw.read_reply().status == 200


def test_a_request_line_may_follow_one_empty_line(raw):
    raw.send(b"\r\n" + get("/healthz"))
    assert raw.read_reply().status == 200


# --- framing ----------------------------------------------------------------------------------------------------------


def test_a_chunked_request_body(raw, a):
    raw.send(post(b"", "Transfer-Encoding: chunked", length=False), chunk(CHAT[:7]), chunk(CHAT[7:8]), chunk(CHAT[8:]) + b"0\r\n\r\n")
    assert text_of(raw.read_reply()) == a.text
    assert a.requests[0].body == CHAT.replace(b'"alone"', b'"x"')
    assert a.requests[0].header("content-length") == str(len(a.requests[0].body))


def test_chunk_extensions_and_trailers_are_read_over(raw, a):
    body = b"%x;name=value\r\n%s\r\n0\r\nX-Trailer: 1\r\n\r\n" % (len(CHAT), CHAT)
    raw.send(post(b"", "Transfer-Encoding: chunked", length=False) + body + get("/healthz"))
    assert text_of(raw.read_reply()) == a.text
    assert raw.read_reply().status == 200
    assert a.requests[0].header("x-trailer") is None


def test_expect_100_continue(raw, a):
    raw.send(post(b"", "Expect: 100-continue", f"Content-Length: {len(CHAT)}", length=False))
    assert raw.read_head() == (100, [])
    raw.send(CHAT)
    assert text_of(raw.read_reply()) == a.text
    assert a.requests[0].header("expect") is None


def test_a_body_that_will_be_refused_is_not_asked_for(raw):
    raw.send(post(b"", "Expect: 100-continue", "Content-Length: 99999999999", length=False))
    assert_openai_error(raw.read_reply(), 413)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/v1/models", "/metrics/prometheus", "/nowhere"])
def test_head_answers_like_get_without_the_body(raw, path):
    raw.send(get(path))
    whole = raw.read_reply()
    raw.send(get(path, method="HEAD"))
    bare = raw.read_reply(to_head=True)
    assert bare.status == whole.status and bare.header("content-type") == whole.header("content-type")
    if path not in ("/metrics/prometheus", "/nowhere"):  # numbers move, and an error names the method
        assert bare.header("content-length") == whole.header("content-length")
    raw.send(get("/healthz"))
    assert raw.read_reply().status == 200, "no byte of a body came"


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_unknown_paths_and_methods(raw):
    raw.send(get("/nowhere"))
    assert_openai_error(raw.read_reply(), 404)
    raw.send(get("/v1/chat/completions"))
    reply = raw.read_reply()
    assert_openai_error(reply, 405)
    assert "POST" in reply.header("allow")
    raw.send(get("/healthz", method="BREW"))
    assert raw.read_reply().status in (405, 501)


def test_a_body_over_the_limit(raw):
    raw.send(post(b"", f"Content-Length: {(32 << 20) + 1}", length=False))
    assert_openai_error(raw.read_reply(), 413)


def test_a_chunked_body_over_the_limit(raw):
    raw.send(post(b"", "Transfer-Encoding: chunked", length=False) + b"%x\r\n" % ((32 << 20) + 1) + b" " * ((32 << 20) + 1))
    assert_openai_error(raw.read_reply(), 413)


def test_a_head_over_the_limit(raw):
    raw.send(get("/healthz", "X-Long: " + "a" * (64 << 10)))
    assert_openai_error(raw.read_reply(), 431)
    assert raw.at_end()


NOT_HTTP = {
    "no request line": b"hello\r\n\r\n",
    "two hosts": b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "a folded header": b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n",
    "a space before the colon": b"GET /healthz HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n",
    "a bare line feed": b"GET /healthz HTTP/1.1\nHost: a\n\n",
    "two lengths": b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a list of lengths": b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 2, 2\r\n\r\n{}",
    "length and coding": b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a negative length": b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: -2\r\n\r\n",
    "a null in a value": b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
    "a broken chunk size": b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a broken chunk end": b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}xx0\r\n\r\n",
}


@pytest.mark.parametrize("request_bytes", NOT_HTTP.values(), ids=NOT_HTTP.keys())
def test_what_two_parsers_could_read_in_two_ways_is_refused(raw, a, request_bytes):
    raw.send(request_bytes + get("/healthz"))
    reply = raw.read_reply()
    assert_openai_error(reply, 400)
    assert reply.header("connection") == "close" and raw.at_end(), "what follows is not trusted"
    assert a.requests == []


def test_other_versions_and_codings(weir):
    for request_bytes, status in (
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\nContent-Length: 2\r\n\r\n{}", 417),
    ):
        with RawConnection(weir.port) as raw:
            raw.send(request_bytes)
            assert_openai_error(raw.read_reply(), status)


def test_a_client_that_leaves_in_the_middle_of_its_request_harms_nobody(weir, a):
    whole = post(CHAT)
    for cut in range(0, len(whole), 7):
        with RawConnection(weir.port) as raw:
            raw.send(whole[:cut])
    assert text_of(weir.chat("alone")) == a.text
    assert len(a.requests) == 1


# --- cut anywhere -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [CHAT, STREAM], ids=["whole", "streamed"])
def test_a_request_cut_at_every_byte(weir, a, body):
    whole = post(body, "X-Custom: kept")
    with RawConnection(weir.port) as raw:
        for cut in range(1, len(whole)):
            raw.send(whole[:cut], whole[cut:])
            assert text_of(raw.read_reply()) == a.text, cut
    assert {request.header("x-custom") for request in a.requests} == {"kept"}
    assert len({(request.body) for request in a.requests}) == 1 and len(a.requests) == len(whole) - 1


def test_a_chunked_request_cut_at_every_byte(weir, a):
    whole = post(b"", "Transfer-Encoding: chunked", length=False) + chunk(CHAT[:9]) + chunk(CHAT[9:]) + b"0\r\n\r\n"
    with RawConnection(weir.port) as raw:
        for cut in range(1, len(whole)):
            raw.send(whole[:cut], whole[cut:])
            assert text_of(raw.read_reply()) == a.text, cut
    assert {request.body for request in a.requests} == {CHAT.replace(b'"alone"', b'"x"')}


def test_a_request_byte_by_byte(raw, a):
    raw.send(*(bytes([byte]) for byte in post(STREAM)))
    assert text_of(raw.read_reply()) == a.text


CHUNKS = [
    '{"id":"c1","object":"chat.completion.chunk","created":1,"model":"x","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}',
    '{"id":"c1","object":"chat.completion.chunk","created":1,"model":"x","choices":[{"index":0,"delta":{"content":"grüß 🦦"},"finish_reason":null}]}',
    '{"id":"c1","object":"chat.completion.chunk","created":1,"model":"x","choices":[{"index":0,"delta":{"content":"\\u0041 b"},"finish_reason":null}],"vendor":{"x":1e999}}',
    '{"id":"c1","object":"chat.completion.chunk","created":1,"model":"x","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}',
    "[DONE]",
]  # fmt: skip
CORPUS = {
    "line feeds": "".join(f"data: {event}\n\n" for event in CHUNKS),
    "carriage returns and line feeds": "".join(f"data: {event}\r\n\r\n" for event in CHUNKS),
    "no space after the colon": "".join(f"data:{event}\n\n" for event in CHUNKS),
    "comments and other fields": "".join(f": tick\nevent: message\ndata: {event}\n\n" for event in CHUNKS),
    # None before the first content: a heartbeat that comes while there is no answer yet is of no use to the caller.
    "heartbeats between events": "\n\n: tick\n\n".join(f"data: {event}" for event in CHUNKS[1:]) + "\n\n",
    "events over several lines": "".join("data: " + event.replace(',"choices"', ',\ndata: "choices"') + "\n\n" for event in CHUNKS),
}


def assert_same_stream(received: bytes, sent: bytes) -> None:
    """The same bytes; only the LF of the very last CRLF may be missing, because the answer is over with its CR."""
    assert received == sent or (sent.endswith(b"\r\n") and received == sent[:-1])


@pytest.mark.parametrize("corpus", CORPUS.values(), ids=CORPUS.keys())
def test_a_stream_cut_at_every_byte_comes_out_as_it_went_in(weir, a, corpus):
    """Cut in two writes at each byte, which is also a chunk boundary; the caller's bytes are the provider's."""
    body = corpus.encode()
    start = head(200, [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")])
    with RawConnection(weir.port) as raw:
        for cut in range(1, len(body)):
            a.plan(Behaviour("raw", pieces=(start + chunk(body[:cut]), chunk(body[cut:]) + b"0\r\n\r\n")))
            raw.send(post(STREAM))
            assert_same_stream(raw.read_reply().body, body)


def test_a_streams_wire_bytes_cut_anywhere(weir, a):
    """Here the cut goes through head, chunk sizes and chunk ends as well."""
    body = CORPUS["line feeds"].encode()
    wire = head(200, [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")])
    wire += b"".join(chunk(body[start : start + 50]) for start in range(0, len(body), 50)) + b"0\r\n\r\n"
    with RawConnection(weir.port) as raw:
        for cut in range(1, len(wire)):
            a.plan(Behaviour("raw", pieces=(wire[:cut], wire[cut:])))
            raw.send(post(STREAM))
            assert raw.read_reply().body == body, cut


def test_a_stream_byte_by_byte(weir, a):
    body = CORPUS["carriage returns and line feeds"].encode()
    start = head(200, [("Content-Type", "text/event-stream"), ("Connection", "close")])
    a.plan(Behaviour("raw", pieces=(start, *(bytes([byte]) for byte in body)), end="fin"))
    with RawConnection(weir.port) as raw:
        raw.send(post(STREAM))
        assert_same_stream(raw.read_reply().body, body)


def test_a_last_event_without_its_blank_line_is_made_whole(weir, a):
    """A client drops an event that no blank line ends; the provider sent it, so the caller gets it with one."""
    body = CORPUS["line feeds"].encode()
    start = head(200, [("Content-Type", "text/event-stream"), ("Connection", "close")])
    for cut in (1, 2):
        a.plan(Behaviour("raw", pieces=(start + body[:-cut],), end="fin"))
        with RawConnection(weir.port) as raw:
            raw.send(post(STREAM))
            assert raw.read_reply().body == body


def test_a_whole_answer_cut_at_every_byte(weir, a):
    body = b'{"id":"1","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}'
    wire = head(200, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]) + body
    with RawConnection(weir.port) as raw:
        for cut in range(1, len(wire)):
            a.plan(Behaviour("raw", pieces=(wire[:cut], wire[cut:])))
            raw.send(post(CHAT))
            assert raw.read_reply().body == body, cut


def test_each_event_leaves_as_its_own_write_at_once(weir, a):
    """The provider's next event is sent only after the caller has read the last one: a gateway that waits would never end."""
    body = CORPUS["line feeds"].encode()
    events = re.findall(rb".*?\n\n", body, re.DOTALL)
    start = head(200, [("Content-Type", "text/event-stream"), ("Connection", "close")])
    a.plan(Behaviour("raw", pieces=(start + events[0] + events[1],), end="hold"))
    with RawConnection(weir.port) as raw:
        raw.send(post(STREAM))
        assert raw.read_head()[0] == 200
        assert raw.take_through(events[1]).count(b"data:") == 2, "the first content brings what was held before it"
    a.wait_for(lambda: a.requests[0].state == "cancelled", "the cancellation")


# --- the small endpoints ----------------------------------------------------------------------------------------------


def test_health_readiness_and_models(weir):
    for path in ("/healthz", "/readyz"):
        reply = weir.request("GET", path)
        assert reply.status == 200 and reply.header("content-type") == "application/json"
    models = weir.request("GET", "/v1/models").json
    assert models["object"] == "list" and {"id", "object", "created", "owned_by"} <= set(models["data"][0])
    assert_openai_error(weir.request("GET", "/v1/models/none"), 404, "model_not_found")


def test_metrics_tell_what_happened(weir, a, b):
    def values() -> list[float]:
        text = weir.request("GET", "/metrics/prometheus").body.decode()

        def of(name: str, *labels: str) -> float:
            lines = (line for line in text.splitlines() if line.startswith(name + "{") and all(label in line for label in labels))
            return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

        return [
            of("weir_requests_total", 'route="smart"', 'status="200"'),
            of("weir_attempts_total", 'target="a/x"', 'outcome="upstream_error"'),
            of("weir_attempts_total", 'target="b/x"', 'outcome="complete"'),
            of("weir_fallbacks_total", 'from="a/x"', 'to="b/x"'),
            of("weir_tokens_total", 'target="b/x"'),
        ]

    before = values()
    a.always(Behaviour("status", status=503))
    weir.record(weir.chat("smart").request_id)
    assert [after - earlier for after, earlier in zip(values(), before)] == [1, 1, 1, 1, 19]
    reply = weir.request("GET", "/metrics/prometheus")
    assert reply.header("content-type").startswith("text/plain; version=0.0.4")
    assert b"# TYPE weir_requests_total counter" in reply.body
    weir.chat("no-such-model")
    assert b"no-such" not in weir.request("GET", "/metrics/prometheus").body, "only configured names become labels"


def test_ids_and_timing_are_on_every_response(weir, a):
    replies = [
        weir.chat("alone"), weir.chat("alone", stream=True), weir.chat("none"), weir.request("GET", "/healthz"),
        weir.request("GET", "/nowhere"), weir.request("GET", "/v1/models"), weir.request("POST", "/v1/chat/completions", b"{"),
    ]  # fmt: skip
    assert len({reply.request_id for reply in replies}) == len(replies)
    for reply in replies:
        assert "dur=" in (reply.header("server-timing") or ""), reply


def test_the_admin_api_listens_to_loopback_names_only(weir, a):
    identity = weir.chat("alone").request_id
    weir.record(identity)
    path = f"/admin/v1/requests/{identity}"
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
        assert weir.request("GET", path, headers=headers).status == 403, headers
    assert weir.request("GET", path, headers={"Host": f"localhost:{weir.port}"}).status == 200


def test_a_record_holds_no_prompt_no_answer_and_no_key(weir, a):
    a.always("ok", text="the secret answer")
    body = {"model": "paid", "messages": [{"role": "user", "content": "the secret prompt"}]}
    reply = weir.request("POST", "/v1/chat/completions", json.dumps(body).encode(), {"Authorization": "Bearer sk-secret"})
    record = json.dumps(weir.record(reply.request_id))
    printed = "\n".join(weir.output)
    for secret in ("secret prompt", "secret answer", "sk-secret", "sk-provider-secret"):
        assert secret not in record and secret not in printed
    weir.wait_for_output(reply.request_id)
