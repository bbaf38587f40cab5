"""What the commands make of an answer: numbers and texts as they are stored, nothing that steers the terminal, and no key where
the answer cannot be read. The other side is a server that says what it is told to."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from weir_server import run_weir

STEERS = "x\u009b31m\u202ey\u001b"


class Stage(ThreadingHTTPServer):
    answer = b"{}"
    status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def respond(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.answer)))
        self.end_headers()
        self.wfile.write(self.server.answer)

    do_GET = do_POST = do_PATCH = respond

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Stage(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            with contextlib.suppress(RuntimeError):
                thread.join()


def test_what_is_stored_is_shown(stage, tmp_path):
    stage.answer = b'{"id":"key_1","label":"half \\ud83d","metadata":{"a":"\\ud800","b":1e400,"c":12345678901234567890123,"d":-0}}'
    shown = run_weir("keys", "show", "key_1", directory=tmp_path, WEIR_URL=stage.url)
    assert shown.returncode == 0 and shown.stderr == "", shown
    assert "half \ufffd" in shown.stdout, shown
    assert r'{"a":"\ud800","b":1e400,"c":12345678901234567890123,"d":-0}' in shown.stdout, shown
    stage.answer = b'{"data":[' + stage.answer + b',{"id":"key_2","label":"whole"}],"next":null}'
    listed = run_weir("keys", "list", directory=tmp_path, WEIR_URL=stage.url)
    assert listed.returncode == 0 and "half \ufffd" in listed.stdout and "whole" in listed.stdout, listed


def test_an_answer_that_cannot_be_read_shows_no_key(stage, tmp_path):
    stage.answer = b'{"id":"key_1","key":"sk-weir-secret","label":"x"'
    for arguments in (("keys", "create"), ("keys", "list"), ("keys", "rotate", "key_1")):
        failed = run_weir(*arguments, directory=tmp_path, WEIR_URL=stage.url)
        assert failed.returncode == 1 and "at byte 48 of 48" in failed.stderr, failed
        assert "sk-weir" not in failed.stdout + failed.stderr, failed
    for stage.status in (200, 502):
        stage.answer = b"<html>" + b"x" * 100_000
        page = run_weir("keys", "list", directory=tmp_path, WEIR_URL=stage.url)
        assert page.returncode == 1 and "<html>" in page.stderr and len(page.stderr) < 500, page


def test_nothing_steers_the_terminal(stage, tmp_path):
    steers = STEERS.replace("\u001b", "\\u001b")
    one = f'{{"id":"key_1","label":"{steers}","target":"{steers}","model":"{steers}","day":"{steers}","notices":["{steers}"]'
    for arguments, answer in (
        (("keys", "show", "key_1"), one + "}"),
        (("keys", "list"), f'{{"data":[{one}}}],"next":"{steers}"}}'),
        (("usage",), f'{{"data":[{one}}}]}}'),
        (("requests",), f'{{"data":[{one}}}]}}'),
        (("breakers",), f'{{"data":[{one}}}]}}'),
        (("reload",), f'{{"changes":["{steers}"],"restart":["{steers}"]}}'),
        (("explain",), one + ',"attempts":[],"skipped":["' + steers + '"]}'),
    ):
        stage.answer = answer.encode()
        shown = run_weir(*arguments, directory=tmp_path, WEIR_URL=stage.url)
        assert shown.returncode == 0 and "x 31m y" in shown.stdout, (arguments, shown)
        assert not set(STEERS) & set("\u009b\u202e\u001b") & set(shown.stdout + shown.stderr), (arguments, shown)
    stage.status, stage.answer = 404, f'{{"error":{{"message":"{steers}"}}}}'.encode()
    refused = run_weir("keys", "list", directory=tmp_path, WEIR_URL=stage.url)
    assert refused.returncode == 1 and "x 31m y" in refused.stderr, refused
