"""Request bodies that come compressed: what goes up is the plain body, and what cannot be decoded is refused by name."""

import gzip
import json

import pytest

from codings import CODED, zstd_frame
from fault_server import chunk
from raw_http import RawConnection, get, post
from test_http import CHAT, assert_openai_error
from weir_server import text_of


@pytest.mark.parametrize("coding", CODED)
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_coded_body_goes_up_plain(weir, a, coding, framing):
    coded = CODED[coding](CHAT)
    with RawConnection(weir.port) as raw:
        if framing == "length":
            raw.send(post(coded, f"Content-Encoding: {coding}"))
        else:
            pieces = b"".join(chunk(coded[start : start + 9]) for start in range(0, len(coded), 9))
            raw.send(post(b"", f"Content-Encoding: {coding}", "Transfer-Encoding: chunked", length=False) + pieces + b"0\r\n\r\n")
        assert text_of(raw.read_reply()) == a.text
        raw.send(get("/healthz"))
        assert raw.read_reply().status == 200, "the next request begins where the coded body ended"
    (request,) = a.requests
    assert request.body == CHAT.replace(b'"alone"', b'"x"')
    assert request.header("content-encoding") is None and request.header("content-length") == str(len(request.body))


def test_a_large_coded_body_arrives_whole(weir, a):
    body = json.dumps({"model": "alone", "messages": [{"role": "user", "content": "grüß " * 1_000_000}]}).encode()
    reply = weir.request("POST", "/v1/chat/completions", gzip.compress(body, 1), {"Content-Encoding": "gzip"})
    assert text_of(reply) == a.text
    assert len(a.requests[0].body) == len(body) - len("alone") + len("x")


@pytest.mark.parametrize("field", ["compress", "gzip, br", "gzip\r\nContent-Encoding: gzip", "x" * 1000], ids=["unknown", "list", "twice", "long"])
def test_an_unknown_coding_is_refused_before_the_body_is_asked_for(weir, a, field):
    with RawConnection(weir.port) as raw:
        raw.send(post(b"", f"Content-Encoding: {field}", "Expect: 100-continue", "Content-Length: 10", length=False))
        reply = raw.read_reply()
        assert_openai_error(reply, 415, "unsupported_encoding")
        assert reply.header("accept-encoding") == "gzip, deflate, br, zstd"
        assert reply.header("accept-encoding") in reply.json["error"]["message"] and len(reply.body) < 600
        assert raw.at_end()
    assert a.requests == []


BROKEN = {
    "not gzip at all": ("gzip", CHAT),
    "cut": ("gzip", gzip.compress(CHAT)[:-1]),
    "another coding": ("br", gzip.compress(CHAT)),
    "a wrong checksum": ("gzip", gzip.compress(CHAT)[:-8] + b"\0" * 8),
    "bytes behind the end": ("deflate", CODED["deflate"](CHAT) + b"{}"),
    "a window that is too large": ("zstd", zstd_frame((0, len(CHAT), CHAT), window_log=27)),
}


@pytest.mark.parametrize("coding, body", BROKEN.values(), ids=BROKEN.keys())
def test_a_body_that_cannot_be_decoded(weir, a, coding, body):
    with RawConnection(weir.port) as raw:
        raw.send(post(body, f"Content-Encoding: {coding}"))
        reply = raw.read_reply()
        assert_openai_error(reply, 400)
        assert reply.header("connection") == "close" and raw.at_end()
    assert a.requests == []
