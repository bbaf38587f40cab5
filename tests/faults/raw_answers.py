"""Answers that are written byte by byte: what no well-meaning server sends, and what only looks as if."""

import dataclasses
import gzip
import json
from typing import Any

from fault_server import USAGE, Behaviour, chunk, head, sse

TEXT = "Hello, 你好"
STREAM = [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")]
JSON = ("Content-Type", "application/json")
LAST_CHUNK = b"0\r\n\r\n"


def event(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return sse({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], **more})


def data(text: str) -> bytes:
    return f"data: {text}\n\n".encode()


ROLE = event({"role": "assistant", "content": ""})
WORDS = [event({"content": TEXT[:3]}), event({"content": TEXT[3:]})]
FINISH = event({}, "stop")
DONE = data("[DONE]")
USAGE_EVENT = sse({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage": USAGE})
ANSWER = [ROLE, *WORDS, FINISH, DONE]

WHOLE = json.dumps(
    {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m", "usage": USAGE,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT}, "logprobs": None, "finish_reason": "stop"}],
    },
    ensure_ascii=False,
).encode()  # fmt: skip
ERROR = {"error": {"message": "The server had an error while processing your request", "type": "server_error", "param": None, "code": None}}


def raw(*pieces: bytes, end: str = "keep", status: int = 200) -> Behaviour:
    return Behaviour("raw", pieces=pieces, end=end, status=status)


def stream(*events: bytes, tail: bytes = LAST_CHUNK, end: str = "keep") -> Behaviour:
    return raw(head(200, STREAM), *map(chunk, events), tail, end=end)


def answer(status: int, body: bytes, *fields: tuple[str, str], end: str = "keep") -> Behaviour:
    return raw(head(status, [*fields, ("Content-Length", str(len(body)))]) + body, end=end, status=status)


def zipped(status: int, body: bytes) -> Behaviour:
    return dataclasses.replace(answer(status, gzip.compress(body), JSON, ("Content-Encoding", "gzip")), body=body.decode())
