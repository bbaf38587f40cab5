"""Unix sockets and IPv6, as places to listen on and as providers."""

import http.client
import json
import os
import signal
import socket
import stat
import tempfile
from pathlib import Path

import pytest

from weir_server import PATIENCE, Reply, Weir, run_weir, text_of

TEXT = "one two three four five"
BACK = f"""
listen: ["127.0.0.1:0", "unix:%s"]
providers: {{mock: {{dialect: mock, mock: {{first_token: 0ms, tokens_per_second: 0, text: "{TEXT}"}}}}}}
models: {{quick: mock/m}}
auth: {{mode: none}}
"""
FRONT = """
listen: 127.0.0.1:0
providers:
  home: {dialect: openai, base_url: "%s", keys: none}
models: {quick: home/quick}
auth: {mode: none}
"""


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(str(self.path))

    def ask(self, method: str, path: str, body: bytes | None = None) -> Reply:
        self.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        response = self.getresponse()
        return Reply(response.status, response.getheaders(), response.read())

    def chat(self, stream: bool = False) -> Reply:
        body = {"model": "quick", "stream": stream, "messages": [{"role": "user", "content": "hi"}]}
        return self.ask("POST", "/v1/chat/completions", json.dumps(body).encode())


@pytest.fixture
def path():
    """Short, wherever the tests' own folders are: a socket's path has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="weir-") as folder:
        yield Path(folder) / "weir.sock"


def test_calls_go_in_and_out_through_unix_sockets(tmp_path, path):
    with Weir(tmp_path / "back", BACK % path) as back:
        back.wait_for_output(f"is listening on unix:{path}")
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        direct = UnixConnection(path)
        assert text_of(direct.chat()) == TEXT
        streamed = direct.chat(stream=True)
        assert text_of(streamed) == TEXT and streamed.events[-1] == "[DONE]"
        record = json.loads(direct.ask("GET", f"/admin/v1/requests/{streamed.request_id}").body)
        assert record["request_id"] == streamed.request_id
        direct.close()
        with Weir(tmp_path / "front", FRONT % f"unix:{path}:/v1") as front:
            for stream in (False, True, True):
                assert text_of(front.chat("quick", stream=stream)) == TEXT
            told = front.command("explain", "last")
            assert told.returncode == 0 and "home" in told.stdout
        # The command line speaks to the socket, too.
        told = run_weir("explain", "last", directory=tmp_path, WEIR_URL=f"unix:{path}")
        assert told.returncode == 0 and "mock" in told.stdout, told.stderr
    assert not path.exists(), "the file goes with its process"


def test_a_proxy_before_a_unix_socket_says_who_the_caller_is(tmp_path, path):
    for trusted, client in (("[]", "unix:"), ("[unix]", "198.51.100.7")):
        with Weir(tmp_path / client.strip(":"), BACK % path + f"server: {{trusted_proxies: {trusted}}}\n"):
            connection = UnixConnection(path)
            body = json.dumps({"model": "quick", "messages": []}).encode()
            connection.request("POST", "/v1/chat/completions", body, {"X-Forwarded-For": "198.51.100.7"})
            answer = connection.getresponse()
            answer.read()
            record = connection.ask("GET", f"/admin/v1/requests/{answer.getheader('x-weir-request-id')}").json
            assert record["client"] == client
            connection.close()


def test_ipv6_is_listened_on_and_called(tmp_path, path):
    with Weir(tmp_path / "back", (BACK % path).replace("127.0.0.1:0", "127.0.0.1:0\", \"[::1]:0")) as back:
        port = int(back.wait_for_output(r"listening on http://\[::1\]:(\d+)")[1])
        with Weir(tmp_path / "front", (FRONT % f"http://[::1]:{port}/v1").replace("127.0.0.1:0", '"[::1]:0"')) as front:
            connection = http.client.HTTPConnection("::1", front.port, timeout=PATIENCE)
            body = {"model": "quick", "messages": [{"role": "user", "content": "hi"}]}
            connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
            assert json.loads(connection.getresponse().read())["choices"][0]["message"]["content"] == TEXT
            connection.close()


def test_a_killed_process_leaves_a_file_that_the_next_one_replaces(tmp_path, path):
    with Weir(tmp_path / "first", BACK % path) as first:
        first.process.kill()
        first.process.wait(PATIENCE)
        first.process.returncode = 0  # killed on purpose
    assert path.exists()
    with Weir(tmp_path / "second", BACK % path):
        assert text_of(UnixConnection(path).chat()) == TEXT
        # Where somebody answers, nobody else listens.
        third = Weir(tmp_path / "third", BACK % path)
        try:
            third.__enter__()
            raise RuntimeError("a second weir listens on the same socket")
        except AssertionError:
            assert any("Address already in use" in line for line in third.output), third.output
        assert text_of(UnixConnection(path).chat()) == TEXT


def test_a_handover_keeps_the_socket_and_the_last_process_removes_it(tmp_path, path):
    with Weir(tmp_path, BACK % path) as weir:
        number = path.stat().st_ino
        before = UnixConnection(path)
        assert text_of(before.chat()) == TEXT
        weir.process.send_signal(signal.SIGUSR2)
        successor = int(weir.wait_for_output(r"process (\d+) serves")[1])
        answer = before.chat()  # drained: answered, and told to go elsewhere
        assert text_of(answer) == TEXT and answer.header("connection") == "close"
        assert weir.process.wait(PATIENCE) == 0
        assert path.stat().st_ino == number
        assert text_of(UnixConnection(path).chat()) == TEXT
        os.kill(successor, signal.SIGTERM)
        weir._reader.join(PATIENCE)  # its output ends with it
    assert not path.exists()
