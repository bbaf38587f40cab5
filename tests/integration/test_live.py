"""What stands behind the live page: the stream of calls, the list of the last ones, the page's files and who gets them."""

import json
import re
import signal
import time

import pytest

from raw_http import RawConnection
from weir_server import PATIENCE, Weir

CONFIG = """
listen: 127.0.0.1:0
providers:
  mock: {dialect: mock, mock: {first_token: 5ms, tokens_per_second: 0, text: "An answer that is nobody's business."}}
  cut: {dialect: mock, mock: {first_token: 5ms, tokens_per_second: 0, fault: {kind: status, status: 503}}}
models:
  smart: {steps: [cut/x, mock/y]}
retry: {attempts: 1}
auth: {mode: none}
"""


@pytest.fixture
def weir(tmp_path):
    with Weir(tmp_path, CONFIG) as server:
        yield server


class Watching(RawConnection):
    """One who reads /admin/v1/live."""

    def __init__(self, weir: Weir) -> None:
        super().__init__(weir.port)
        self.socket.settimeout(PATIENCE)
        self.send(b"GET /admin/v1/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.status, self.fields = self.read_head()
        self.text = b""
        self.raw = b""

    def event(self) -> tuple[str, dict]:
        while True:
            while b"\n\n" not in self.text:
                size = int(self.take_through(b"\r\n"), 16)
                if size == 0:
                    raise EOFError("the stream ended")
                self.text += self.take(size)
                assert self.take(2) == b"\r\n"
            block, self.text = self.text.split(b"\n\n", 1)
            self.raw += block
            lines = [line for line in block.decode().split("\n") if not line.startswith((":", "retry:"))]
            if lines:
                assert [line.partition(": ")[0] for line in lines] == ["event", "data"], lines
                return lines[0].removeprefix("event: "), json.loads(lines[1].removeprefix("data: "))

    def until(self, name: str) -> list[tuple[str, dict]]:
        events = [self.event()]
        while events[-1][0] != name:
            events.append(self.event())
        return events

    def call_until_its_end(self, identity: str) -> list[dict]:
        steps = []
        while not steps or steps[-1]["step"] != "ended":
            name, data = self.event()
            if name == "call" and data["call"]["id"] == identity:
                steps.append(data)
        return steps


def metric(weir: Weir, name: str) -> float:
    return float(re.search(rf"^{name} (\S+)$", weir.request("GET", "/metrics/prometheus").body.decode(), re.MULTILINE)[1])


def test_every_step_of_a_call_is_told_and_no_word_of_it(weir):
    with Watching(weir) as watching:
        assert watching.status == 200 and ("content-type", "text/event-stream; charset=utf-8") in watching.fields
        assert [name for name, _ in watching.until("ready")] == ["hello", "ready"]
        reply = weir.request(
            "POST", "/v1/chat/completions",
            json.dumps({"model": "smart", "stream": True, "messages": [{"role": "user", "content": "a secret question"}]}).encode(),
            {"Authorization": "Bearer sk-the-callers-own"},
        )  # fmt: skip
        steps = watching.call_until_its_end(reply.request_id)
        told = [one["step"] for one in steps if one["step"] != "progress"]
        assert told == [
            "began", "attempt_began", "connected", "answered", "attempt_ended", "attempt_began", "connected", "answered", "first_content", "ended",
        ]  # fmt: skip
        assert steps[0]["call"]["end_state"] == "open" and steps[0]["call"]["attempts"] == []
        assert [one["at_ms"] for one in steps] == sorted(one["at_ms"] for one in steps)
        assert steps[-1]["call"] == weir.record(reply.request_id)
        for word in (b"secret question", b"nobody's business", b"callers-own"):
            assert word not in watching.raw


def test_who_comes_later_is_told_the_past_first_and_no_call_twice(weir):
    first, second = weir.chat("smart").request_id, weir.chat("nobody-has-this").request_id
    weir.record(second)
    with Watching(weir) as watching:
        past = watching.until("ready")[1:-1]
        assert [(name, data["step"], data["call"]["id"]) for name, data in past] == [("call", "ended", first), ("call", "ended", second)]


def test_watchers_are_counted_bounded_and_never_waited_for(weir):
    watchers = [Watching(weir) for _ in range(32)]
    assert {one.status for one in watchers} == {200}
    assert metric(weir, "weir_live_watchers") == 32
    refused = weir.request("GET", "/admin/v1/live")
    assert refused.status == 503 and refused.json["error"]["message"].startswith("32 watch already")
    assert refused.header("retry-after")
    weir.chat("smart")  # nobody of them reads
    for one in watchers:
        one.socket.close()
    give_up = time.monotonic() + PATIENCE
    while metric(weir, "weir_live_watchers") != 0:
        assert time.monotonic() < give_up, "those who left still count"
    assert metric(weir, "weir_live_events_dropped_total") == 0
    with Watching(weir) as watching:
        assert watching.status == 200


def test_a_gateway_that_stops_does_not_wait_for_those_who_watch(weir):
    with Watching(weir) as watching:
        watching.until("ready")
        weir.process.send_signal(signal.SIGTERM)
        assert watching.event() == ("bye", {})
        with pytest.raises(EOFError, match="the stream ended"):
            watching.event()
        assert weir.process.wait(PATIENCE) == 0  # server.drain_timeout is 30 s


def test_the_last_calls_are_listed_with_the_newest_first(weir):
    assert weir.request("GET", "/admin/v1/requests").json == {"object": "list", "data": [], "next": None}
    ids = [weir.chat("smart").request_id for _ in range(3)]
    records = [weir.record(identity) for identity in reversed(ids)]
    assert weir.request("GET", "/admin/v1/requests").json == {"object": "list", "data": records, "next": None}
    assert weir.request("GET", "/admin/v1/requests?limit=2").json["data"] == records[:2]
    for limit in ("0", "1001", "-1", "two", "", "1x"):
        refused = weir.request("GET", f"/admin/v1/requests?limit={limit}")
        assert refused.status == 400 and "from 1 to 1000" in refused.json["error"]["message"], limit


def test_the_story_is_the_one_that_explain_tells(weir):
    identity = weir.chat("smart").request_id
    told = weir.record(identity)
    assert "story" not in told
    with_story = weir.request("GET", f"/admin/v1/requests/{identity}?story=true").json
    assert with_story.pop("story") == weir.command("explain", identity).stdout
    assert with_story == told


def test_the_page_comes_with_everything_and_lets_nothing_else_in(weir):
    moved = weir.request("GET", "/ui")
    assert (moved.status, moved.header("location")) == (308, "/ui/")
    page = weir.request("GET", "/ui/")
    assert page.status == 200 and page.header("content-type") == "text/html; charset=utf-8"
    types = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
    names = set(re.findall(r'(?:href|src)="([a-z.]+)"', page.body.decode()))
    assert names == {"live.css", "live.js", "icon.svg"}
    for module in ("live.js", "playground.js"):
        names |= set(re.findall(r'from "\./([a-z.]+)"', weir.request("GET", f"/ui/{module}").body.decode()))
    for name in sorted(names) + ["index.html"]:
        file = weir.request("GET", f"/ui/{name}")
        assert file.status == 200 and file.body, name
        assert file.header("content-type") == types.get(name.rpartition(".")[2], "text/html; charset=utf-8")
        assert not re.search(rb"https?://(?!www\.w3\.org/2000/svg)", file.body), f"{name} names another place"
        assert not re.search(rb"innerHTML|\bon[a-z]+=\"|\bstyle=\"", file.body), name
        policy = file.header("content-security-policy")
        assert policy.startswith("default-src 'none';") and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert file.header("x-content-type-options") == "nosniff" and file.header("cache-control") == "no-cache"
        again = weir.request("GET", f"/ui/{name}", headers={"If-None-Match": file.header("etag")})
        assert (again.status, again.body, again.header("etag")) == (304, b"", file.header("etag"))
        changed = weir.request("GET", f"/ui/{name}", headers={"If-None-Match": '"0123456789abcdef"'})
        assert (changed.status, changed.body) == (200, file.body)
    head = weir.request("HEAD", "/ui/")
    assert (head.status, head.body, head.header("content-length")) == (200, b"", str(len(page.body)))
    for missing in ("/ui/nothing.js", "/ui/../weir.yaml", "/ui/%2e%2e/weir.yaml", "/ui/live.js/"):
        reply = weir.request("GET", missing)
        assert reply.status == 404 and reply.json["error"]["message"], missing


@pytest.mark.parametrize("path", ["/ui", "/ui/", "/ui/live.js", "/admin/v1/live", "/admin/v1/requests", "/admin/v1/requests/last"])
def test_pages_from_elsewhere_see_nothing(weir, path):
    for headers in ({"Host": "weir.example"}, {"Origin": "https://evil.example"}, {"Host": "127.evil.example"}, {"Origin": "null"}):
        refused = weir.request("GET", path, headers=headers)
        assert refused.status == 403 and "loopback" in refused.json["error"]["message"], headers


def test_the_start_says_where_the_page_is(weir):
    address = weir.wait_for_output(r"Calls as they run: http://127\.0\.0\.1:(\d+)(/ui/)$")
    assert int(address[1]) == weir.port and weir.request("GET", address[2]).status == 200
