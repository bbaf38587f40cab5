"""What looks broken and is not: the caller gets a whole answer, at the first attempt, and the next call is none the worse."""

import gzip
from dataclasses import dataclass

from fault_server import Behaviour, chunk, head
from raw_answers import ANSWER, DONE, FINISH, JSON, LAST_CHUNK, ROLE, STREAM, USAGE_EVENT, WHOLE, WORDS, answer, data, event, raw, stream, zipped

HEARTBEATS = b": still here\n\n" * 2000
STALE = WHOLE.replace(b"Hello", b"STALE")
TIMEOUT_408 = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


@dataclass(frozen=True)
class Harmless:
    name: str
    behaviour: Behaviour
    streamed: bool = True

    @property
    def id(self) -> str:
        return f"{'streamed' if self.streamed else 'whole'}.{self.name.replace(' ', '-').replace(',', '')}"


HARMLESS = [
    Harmless("interim answers before the head", raw(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
             head(200, STREAM), *map(chunk, ANSWER), LAST_CHUNK)),
    Harmless("[DONE] twice", stream(*ANSWER, DONE)),
    Harmless("words behind [DONE]", stream(*ANSWER, event({"content": "STALE"}), DONE)),
    Harmless("[DONE] spelt in another way", stream(ROLE, *WORDS, FINISH, data(' "[done]"'))),
    Harmless("no [DONE]", Behaviour("missing_done")),
    Harmless("silence behind [DONE]", Behaviour("held_after_done")),
    Harmless("silence behind the finish reason", Behaviour("held_after_finish")),
    Harmless("FIN behind the finish reason", stream(ROLE, *WORDS, FINISH, tail=b"", end="fin")),
    Harmless("RST behind the finish reason", stream(ROLE, *WORDS, FINISH, tail=b"", end="rst")),
    Harmless("FIN within an event behind the finish reason", stream(ROLE, *WORDS, FINISH, b'data: {"id":', tail=b"", end="fin")),
    Harmless("a broken event behind the finish reason", stream(ROLE, *WORDS, FINISH, data('{"id": '), DONE)),
    Harmless("usage before the finish reason", stream(ROLE, *WORDS, USAGE_EVENT, FINISH, DONE)),
    Harmless("events without data", stream(b"data:\n\n", ROLE, b"event: ping\n\n", WORDS[0], b"data: \n\n", WORDS[1], FINISH, DONE)),
    Harmless("thousands of heartbeats before the first word", stream(HEARTBEATS, ROLE, HEARTBEATS, *WORDS, FINISH, DONE)),
    Harmless("thousands of heartbeats between two words", stream(ROLE, WORDS[0], HEARTBEATS, WORDS[1], FINISH, DONE)),
    Harmless("a byte order mark", stream(b"\xef\xbb\xbf" + ROLE, *WORDS, FINISH, DONE)),
    Harmless("ids and reconnection times", stream(b"retry: 10\nid: 5\n" + ROLE, *WORDS, FINISH, DONE)),
    Harmless("trailers", stream(*ANSWER, tail=b"0\r\nX-Trailer: 1\r\nGrpc-Status: 0\r\n\r\n")),
    Harmless("chunk extensions", raw(head(200, STREAM), *[b"%x;a=b\r\n%s\r\n" % (len(one), one) for one in ANSWER], LAST_CHUNK)),
    Harmless("a compressed stream", raw(head(200, [*STREAM, ("Content-Encoding", "gzip")]), chunk(gzip.compress(b"".join(ANSWER))), LAST_CHUNK)),
    Harmless("no content type", raw(head(200, STREAM[1:]), *map(chunk, ANSWER), LAST_CHUNK)),
    Harmless("HTTP/1.0", raw(b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", *ANSWER, end="fin")),
    Harmless("a second answer that nobody asked for", raw(head(200, STREAM), b"".join(map(chunk, ANSWER)) + LAST_CHUNK + head(200, STREAM)
             + chunk(event({"content": "STALE"})))),
    Harmless("a 408 for the idle connection", raw(head(200, STREAM), b"".join(map(chunk, ANSWER)) + LAST_CHUNK, TIMEOUT_408, end="fin")),
    Harmless("a close that nobody announced", Behaviour("ok", close=True)),

    Harmless("interim answers before the head", raw(b"HTTP/1.1 100 Continue\r\n\r\n", head(200, [JSON, ("Content-Length", str(len(WHOLE)))]) + WHOLE),
             streamed=False),
    Harmless("a whole answer that calls itself HTML", answer(200, WHOLE, ("Content-Type", "text/html")), streamed=False),
    Harmless("no content type", answer(200, WHOLE), streamed=False),
    Harmless("a compressed answer", zipped(200, WHOLE), streamed=False),
    Harmless("a megabyte of blanks before the answer", answer(200, b" " * 1_000_000 + WHOLE, JSON), streamed=False),
    Harmless("HTTP/1.0", raw(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n", WHOLE, end="fin"), streamed=False),
    Harmless("a second answer that nobody asked for", raw(head(200, [JSON, ("Content-Length", str(len(WHOLE)))]) + WHOLE
             + head(200, [JSON, ("Content-Length", str(len(STALE)))]) + STALE), streamed=False),
    Harmless("a 408 for the idle connection", raw(head(200, [JSON, ("Content-Length", str(len(WHOLE)))]) + WHOLE, TIMEOUT_408, end="fin"), streamed=False),
    Harmless("a close that nobody announced", Behaviour("ok", close=True), streamed=False),
    Harmless("cookies, and promises about the host", answer(200, WHOLE, JSON, ("Set-Cookie", "a=b"), ("Alt-Svc", 'h3=":443"'),
             ("Strict-Transport-Security", "max-age=1"), ("X-Weir-Target", "a lie")), streamed=False),
]  # fmt: skip
