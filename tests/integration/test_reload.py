"""The configuration is loaded again while calls run: by SIGHUP, by a changed file, by the admin endpoint and `weir reload`."""

import json
import os
import re
import signal
import threading

import pytest

from fault_server import Behaviour, FaultServer
from raw_http import RawConnection, post
from weir_server import PATIENCE, Weir, text_of, until

CONFIG = """
listen: 127.0.0.1:0
server: {{workers: 2}}
providers:
  {name}: {{dialect: openai, base_url: "{url}", keys: none}}
  steady: {{dialect: openai, base_url: "{steady}", keys: none}}
models:
  smart: {{steps: [{name}/x]}}
  steady: steady/x
retry: {{attempts: 1}}
auth: {{mode: none}}
circuit_breaker: {{failure_threshold: 1000000}}
"""
RELOADS = 20


def write(weir: Weir, text: str) -> None:
    """As an editor does: a new file in the place of the old one."""
    (weir.directory / "weir.new").write_text(text)
    os.replace(weir.directory / "weir.new", weir.directory / "weir.yaml")


def metrics(weir: Weir) -> dict[str, float]:
    text = weir.request("GET", "/metrics/prometheus").body.decode()
    return {name: float(value) for name, value in re.findall(r"^(\S+) (\S+)$", text, re.MULTILINE) if not name.startswith("#")}


def applied(weir: Weir) -> float:
    return metrics(weir)['weir_config_reloads_total{result="applied"}']


class Caller(threading.Thread):
    """Asks for `smart`, streamed and not in turn, over a kept-alive connection, until it is told to stop."""

    def __init__(self, weir: Weir, stop: threading.Event, number: int) -> None:
        super().__init__()
        self.weir, self.stop, self.number = weir, stop, number
        self.answers, self.problem = 0, None

    def run(self) -> None:
        try:
            with RawConnection(self.weir.port) as raw:
                while not self.stop.is_set():
                    stream = (self.answers + self.number) % 2 == 0
                    raw.send(post(json.dumps({"model": "smart", "stream": stream, "messages": []}).encode()))
                    reply = raw.read_reply()
                    assert reply.status == 200 and text_of(reply).strip(), reply
                    assert not stream or reply.body.endswith(b"data: [DONE]\n\n"), reply
                    self.answers += 1
        except Exception as error:
            self.problem = repr(error)


@pytest.fixture
def servers():
    with FaultServer("a") as a, FaultServer("b") as b, FaultServer("steady") as steady:
        yield a, b, steady


def start(tmp_path, servers, **more):
    a, _, steady = servers
    return Weir(tmp_path, CONFIG.format(name="a", url=a.base_url, steady=steady.base_url), **more)


def test_reloads_under_load_with_changing_targets_lose_no_call(tmp_path, servers):
    a, b, steady = servers
    with start(tmp_path, servers) as weir:
        stop = threading.Event()
        callers = [Caller(weir, stop, number) for number in range(8)]
        for caller in callers:
            caller.start()
        for turn in range(RELOADS):
            # The target moves to the other server, under another name or under the same one; in between the file is broken.
            server, name = (b, "b") if turn % 2 == 0 else (a, "a")
            write(weir, CONFIG.format(name=name if turn % 3 else "a", url=server.base_url, steady=steady.base_url))
            before = len(server.requests)
            if turn % 2 == 0:
                weir.process.send_signal(signal.SIGHUP)
            else:
                assert weir.request("POST", "/admin/v1/reload").status == 200
            server.wait_for(lambda before=before, server=server: len(server.requests) > before + 5, "calls at the new target", PATIENCE)
            if turn % 5 == 4:
                write(weir, "providers: [this is no provider")
                assert weir.request("POST", "/admin/v1/reload").status == 422
        stop.set()
        for caller in callers:
            caller.join(PATIENCE)
        assert [caller.problem for caller in callers if caller.problem] == []
        assert all(caller.answers for caller in callers)
        numbers = metrics(weir)
        assert numbers['weir_config_reloads_total{result="applied"}'] >= RELOADS
        assert numbers['weir_config_reloads_total{result="rejected"}'] >= RELOADS // 5


def test_a_broken_file_changes_nothing_and_every_error_is_told(tmp_path, servers):
    with start(tmp_path, servers) as weir:
        good = (tmp_path / "weir.yaml").read_text()
        loaded_at = metrics(weir)["weir_config_last_load_success_timestamp_seconds"]
        write(weir, good.replace("steps:", "stesp:").replace("steady/x", "stedy/x"))
        reply = weir.request("POST", "/admin/v1/reload")
        assert reply.status == 422 and reply.json["result"] == "rejected"
        assert reply.json["error"]["code"] == "config_rejected"
        errors = "\n".join(reply.json["errors"])
        assert re.search(r'weir\.yaml:8: .*"stesp"|weir\.yaml:8: .*stesp', errors) and "stedy" in errors
        weir.wait_for_output(r'"level":"error","component":"config".*stesp')
        weir.wait_for_output(r'"level":"error","component":"config".*stedy')
        numbers = metrics(weir)
        assert numbers['weir_config_reloads_total{result="rejected"}'] >= 1
        assert numbers['weir_config_reloads_total{result="applied"}'] == 0
        assert numbers["weir_config_last_reload_successful"] == 0
        assert numbers["weir_config_last_load_success_timestamp_seconds"] == loaded_at
        assert text_of(weir.chat("smart")) and text_of(weir.chat("steady"))
        write(weir, good)
        reply = weir.request("POST", "/admin/v1/reload")
        assert reply.status == 200 and reply.json["result"] == "applied" and reply.json["changes"] == []
        numbers = metrics(weir)
        assert numbers["weir_config_last_reload_successful"] == 1
        assert numbers["weir_config_last_load_success_timestamp_seconds"] > loaded_at


def test_a_changed_file_is_loaded_without_being_asked(tmp_path, servers):
    a, b, steady = servers
    config = CONFIG.format(name="a", url="${TARGET}", steady=steady.base_url)
    (tmp_path / ".env").write_text(f"TARGET={a.base_url}\n")
    with Weir(tmp_path, config) as weir:
        assert text_of(weir.chat("smart")) and len(a.requests) == 1
        write(weir, config.replace("smart:", "clever:"))
        until(lambda: applied(weir) == 1, "the reload is counted")
        assert weir.chat("smart").status == 404 and text_of(weir.chat("clever"))
        (tmp_path / ".env").write_text(f"TARGET={b.base_url}\n")
        until(lambda: applied(weir) == 2, "the second reload is counted")
        assert text_of(weir.chat("clever")) and len(b.requests) == 1


def test_a_secret_in_a_file_is_watched_too(tmp_path, servers):
    a, _, steady = servers
    key = tmp_path / "key"
    key.write_text("sk-first\n")
    config = CONFIG.format(name="a", url=a.base_url, steady=steady.base_url).replace("keys: none}", f'keys: ["${{file:{key}}}"]}}', 1)
    with Weir(tmp_path, config) as weir:
        assert weir.chat("smart").status == 200
        assert b"Bearer sk-first" in a.requests[-1].head
        key.write_text("sk-second-one\n")
        until(lambda: applied(weir) == 1, "the reload is counted")
        assert weir.chat("smart").status == 200
        assert b"Bearer sk-second-one" in a.requests[-1].head
        assert "sk-" not in "\n".join(weir.output)


def test_a_call_keeps_what_it_began_with_and_unchanged_providers_keep_their_connections(tmp_path, servers):
    a, b, steady = servers
    with start(tmp_path, servers) as weir:
        assert text_of(weir.chat("steady"))
        a.plan(Behaviour("slow_first_token", seconds=2.0))
        with RawConnection(weir.port) as raw:
            raw.send(post(json.dumps({"model": "smart", "stream": True, "messages": []}).encode()))
            a.wait_for(lambda: len(a.requests) == 1, "the call", PATIENCE)
            write(weir, CONFIG.format(name="b", url=b.base_url, steady=steady.base_url))
            reply = weir.request("POST", "/admin/v1/reload")
            assert reply.status == 200
            assert "providers added: b" in reply.json["changes"] and "providers removed: a" in reply.json["changes"]
            assert text_of(weir.chat("smart")) and len(b.requests) == 1, "new calls go to the new target"
            late = raw.read_reply()
            assert late.status == 200 and text_of(late).strip() and late.body.endswith(b"data: [DONE]\n\n")
        for _ in range(4):  # on either core
            assert text_of(weir.chat("steady"))
        opened = {name: value for name, value in metrics(weir).items() if "opened_total" in name and "steady" in name}
        assert 1 <= sum(opened.values()) <= 2, opened  # at most one for each core
        a.wait_for(lambda: a.open_connections == 0, "the end of the removed provider's connections", PATIENCE)


def test_what_needs_a_restart_is_named_and_the_rest_applies(tmp_path, servers):
    with start(tmp_path, servers) as weir:
        good = (tmp_path / "weir.yaml").read_text()
        write(weir, good.replace("127.0.0.1:0", "127.0.0.1:9").replace("workers: 2", "workers: 3").replace("smart:", "clever:"))
        told = weir.command("reload")
        assert told.returncode == 0, told
        assert re.search(r"needs a restart: listen: 127\.0\.0\.1:0 .*127\.0\.0\.1:9", told.stdout), told.stdout
        assert re.search(r"needs a restart: server\.workers: 2 .*3", told.stdout), told.stdout
        assert weir.chat("smart").status == 404 and text_of(weir.chat("clever"))
        write(weir, "nonsense: 1\n")
        told = weir.command("reload")
        assert told.returncode == 2 and "weir.yaml:1" in told.stderr and "nothing changed" in told.stderr
        assert text_of(weir.chat("clever"))


def test_reload_without_a_running_weir(tmp_path):
    from weir_server import run_weir

    told = run_weir("reload", "--url", "http://127.0.0.1:1", directory=tmp_path)
    assert told.returncode == 1 and "127.0.0.1:1" in told.stderr
