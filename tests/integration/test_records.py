"""Calls are kept over the end of the process: the store, its pages and commands, and what a killed process leaves behind."""

import http.client
import json
import random
import signal
import sqlite3
import stat
import threading
from pathlib import Path

import pytest

from fault_server import FaultServer
from weir_server import PATIENCE, Weir, run_weir, until

CONFIG = """
listen: 127.0.0.1:0
data_dir: {data_dir}
store: {{url: "sqlite:weir.db", journal_segment: 256KiB}}
server: {{workers: 1}}
providers:
  a: {{dialect: openai, base_url: "{a}", keys: none}}
models:
  smart: a/x
  fast: a/y
retry: {{attempts: 1}}
auth: {{mode: none}}
"""


@pytest.fixture(scope="module")
def upstream():
    with FaultServer("a") as server:
        yield server


@pytest.fixture
def a(upstream):
    upstream.forget()
    return upstream


def config(a: FaultServer, data_dir: str = "./data") -> str:
    return CONFIG.format(a=a.base_url, data_dir=data_dir)


def rows(weir: Weir, query: str = "") -> list[dict]:
    reply = weir.request("GET", f"/admin/v1/requests{query}")
    assert reply.status == 200, reply
    return reply.json["data"]


def database(directory: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{directory}/data/weir.db?mode=ro", uri=True)


def test_calls_are_listed_page_by_page_and_found_again_after_a_restart(tmp_path, a):
    with Weir(tmp_path, config(a)) as weir:
        ids = [weir.chat(model, stream=stream).request_id for model in ("smart", "fast") for stream in (False, True)]
        records = {identity: weir.record(identity) for identity in ids}
        assert weir.chat("nobody-knows-this").status == 404
        until(lambda: len(rows(weir)) == 5, "the refusal is recorded too")

        first = weir.request("GET", "/admin/v1/requests?limit=3").json
        rest = weir.request("GET", f"/admin/v1/requests?limit=3&after={first['next']}").json
        assert [row["id"] for row in first["data"] + rest["data"]][1:] == sorted(ids, reverse=True)
        assert rest["next"] is None
        assert {row["id"]: row for row in rows(weir, "?status=200")} == records
        assert [row["model"] for row in rows(weir, "?model=fast")] == ["fast", "fast"]
        assert [row["error_code"] for row in rows(weir, "?status=4xx")] == ["model_not_found"]
        assert rows(weir, "?from=2099-01-01") == [] and rows(weir, "?key=none-such") == []
        refused = weir.request("GET", "/admin/v1/requests?modle=fast")
        assert refused.status == 400 and "model" in refused.json["error"]["message"]

        usage = weir.request("GET", "/admin/v1/usage?group_by=model").json["data"]
        by_model = {row["model"]: row for row in usage}
        assert (by_model["fast"]["requests"], by_model["fast"]["attempts"]) == (2, 2)
        assert by_model["fast"]["cost_usd"] is None and by_model["fast"]["unpriced_requests"] == 2
        assert by_model["nobody-knows-this"]["errors"] == 1
        csv = weir.request("GET", "/admin/v1/usage?group_by=model,day&format=csv")
        assert csv.header("content-type").startswith("text/csv") and csv.body.startswith(b"day,model,requests,")

        table = weir.command("requests", "--model", "fast")
        assert table.returncode == 0 and ids[2] in table.stdout and "MODEL" in table.stdout, table
        assert json.loads(weir.command("requests", "--json").stdout)["next"] is None
        assert "fast" in weir.command("usage", "--group-by", "model").stdout
        assert len(json.loads(weir.command("usage", "--json").stdout)["data"]) == 3
        wrong = weir.command("requests", "--status", "good")
        assert wrong.returncode == 2 and "gateway_error" in wrong.stderr

    # All was shipped: of the journal nothing is left, and nobody else may look into the folder.
    assert list((tmp_path / "data/journal").iterdir()) == []
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "data/weir.db").stat().st_mode) == 0o600
    with Weir(tmp_path, config(a)) as weir:
        assert {row["id"]: row for row in rows(weir, "?status=200")} == records
        assert weir.record(ids[0]) == records[ids[0]]
        assert "smart" in weir.command("explain", ids[0]).stdout


def test_without_a_store_nothing_is_written(tmp_path, a):
    with Weir(tmp_path, config(a).replace("sqlite:weir.db", "none")) as weir:
        identity = weir.chat("smart").request_id
        weir.record(identity)
        assert [row["id"] for row in rows(weir, "?model=smart")] == [identity]
        assert weir.request("GET", "/admin/v1/usage").json["data"][0]["requests"] == 1
    assert not (tmp_path / "data").exists()


def test_without_a_configuration_calls_are_kept_too(tmp_path):
    with Weir(tmp_path, None, WEIR_LISTEN="127.0.0.1:0") as weir:
        weir.wait_for_output("calls are kept in ./weir-data")
        identity = weir.chat("mock/hello").request_id
    with Weir(tmp_path, None, WEIR_LISTEN="127.0.0.1:0") as weir:
        assert weir.record(identity)["model"] == "mock/hello"


def test_without_a_configuration_and_a_folder_calls_are_in_memory(tmp_path):
    (tmp_path / "weir-data").write_text("no folder")
    with Weir(tmp_path, None, WEIR_LISTEN="127.0.0.1:0") as weir:
        weir.wait_for_output("records: in memory alone, as this folder cannot be written")
        weir.wait_for_output("nothing is written to the disk")
        assert weir.record(weir.chat("mock/hello").request_id)["model"] == "mock/hello"


def test_a_data_dir_that_cannot_be_written_stops_the_start_with_the_cure(tmp_path, a):
    (tmp_path / "file").write_text("")
    (tmp_path / "weir.yaml").write_text(config(a, data_dir="./file"))
    started = run_weir("serve", directory=tmp_path)
    assert started.returncode == 1 and "url: none" in started.stderr, started


def test_migrate_and_backup_work_on_the_file(tmp_path, a):
    (tmp_path / "weir.yaml").write_text(config(a))
    assert "there is no store" in run_weir("backup", "copy.db", directory=tmp_path).stderr
    first = run_weir("migrate", directory=tmp_path)
    assert first.returncode == 0 and "applied 0001_initial" in first.stdout, first
    second = run_weir("migrate", directory=tmp_path)
    assert second.returncode == 0 and "as it had before" in second.stdout, second
    with Weir(tmp_path, config(a)) as weir:
        identity = weir.chat("smart").request_id
        until(lambda: rows(weir, "?model=smart"), "the call is in the store")
        copied = weir.command("backup", "copy.db")
        assert copied.returncode == 0, copied
        assert "already" in weir.command("backup", "copy.db").stderr
    copy = sqlite3.connect(tmp_path / "copy.db")
    assert copy.execute("SELECT id, model, provider, status FROM inference_logs").fetchall() == [(identity, "smart", "a", 200)]
    attempts = copy.execute("SELECT request_id, number, end_state, usage_source, tier, price, cause FROM inference_attempts").fetchall()
    assert attempts == [(identity, 1, "complete", "provider", None, None, None)]


def test_migrate_and_backup_say_what_to_do_about_an_admin_key_that_is_a_callers(tmp_path, a):
    key = "the-operator-key-0001"
    text = config(a).replace("auth: {mode: none}", f"auth: {{keys: [{{name: ops, value: {key}, role: operator}}]}}")
    with Weir(tmp_path, text):
        pass
    for command in (["migrate"], ["backup", "copy.db"]):
        failed = run_weir(*command, directory=tmp_path, WEIR_ADMIN_KEY=key)
        assert failed.returncode == 2, failed
        assert f"env -u WEIR_ADMIN_KEY weir {command[0]}" in failed.stderr and key not in failed.stderr
        assert run_weir(*command, directory=tmp_path).returncode == 0


def test_a_locked_store_delays_no_call_and_catches_up(tmp_path, a):
    with Weir(tmp_path, config(a)) as weir:
        weir.chat("smart")
        until(lambda: rows(weir), "the store is there")
        with sqlite3.connect(tmp_path / "data/weir.db", isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            ids = [weir.chat("smart").request_id for _ in range(300)]  # more than a segment holds
            weir.wait_for_output("the store is not available")
            store = weir.request("GET", "/health/detailed").json["checks"]["store"]
            assert (store["status"], store["available"], store["records_lost"]) == ("degraded", False, 0)
            assert "weir_store_up 0" in weir.request("GET", "/metrics/prometheus").body.decode()
            assert weir.chat("smart").status == 200
            other.execute("ROLLBACK")
        weir.wait_for_output("the store is available again")
        until(lambda: len(rows(weir, "?limit=1000")) == 302, "all calls are in the store")
        assert set(ids) <= {row["id"] for row in rows(weir, "?limit=1000")}
        assert weir.request("GET", "/health/detailed").json["checks"]["store"]["status"] == "healthy"


def test_two_processes_share_one_store(tmp_path, a):
    """As they do when one hands over to the next."""
    with Weir(tmp_path, config(a)) as first:
        one = first.chat("smart").request_id
        with Weir(tmp_path, config(a)) as second:
            two = second.chat("fast").request_id
            until(lambda: {row["id"] for row in rows(second)} == {one, two}, "both are listed")
        three = first.chat("smart").request_id
        until(lambda: {row["id"] for row in rows(first)} == {one, two, three}, "the first goes on")


class Load:
    """Callers that ask one after the other until the gateway is gone. Each call has a mark that no other has."""

    def __init__(self, weir: Weir, callers: int, life: int) -> None:
        self.stopped = False
        self.threads = [threading.Thread(target=self._call, args=(weir.port, f"{life}-{caller}"), daemon=True) for caller in range(callers)]
        for thread in self.threads:
            thread.start()

    def _call(self, port: int, name: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        number = 0
        while not self.stopped:
            number += 1
            mark = f"mark-{name}-{number}"
            body = {"model": "smart", "stream": number % 2 == 0, "user": mark, "messages": [{"role": "user", "content": "hi"}]}
            try:
                connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json", "X-Request-Id": mark})
                connection.getresponse().read()
            except (OSError, http.client.HTTPException):
                return

    def join(self) -> None:
        self.stopped = True
        for thread in self.threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()


def test_every_upstream_call_has_exactly_one_row_however_often_the_process_is_killed(tmp_path, a):
    callers, lives = 8, 20
    # A segment holds some 170 calls, and the next is there from the start: most lives see a rotation at most, and none, however slow
    # the machine, fills both before the journal's thread has its turn. What waits in memory would rightly be gone.
    dice = random.Random(20261121)
    for life in range(lives):
        weir = Weir(tmp_path, config(a))
        weir.__enter__()
        load = Load(weir, callers, life)
        seen = len(a.requests) + dice.randrange(5, 220)  # a moment in the work, not on the clock
        until(lambda: len(a.requests) >= seen, "the load runs")
        weir.process.send_signal(signal.SIGKILL)
        weir.process.wait(PATIENCE)
        load.join()
        weir._reader.join(PATIENCE)
    asked = [request.json["user"] for request in a.requests]
    assert len(asked) == len(set(asked)), "weir asked twice"

    with Weir(tmp_path, config(a)) as weir:
        until(lambda: len(list((tmp_path / "data/journal").iterdir())) == 1, "what the dead left is in the store")
        assert "weir_store_unknown_calls_total" in weir.request("GET", "/metrics/prometheus").body.decode()
    with database(tmp_path) as store:
        calls = store.execute("SELECT id, end_state, attempts, client_request_id FROM inference_logs").fetchall()
        attempts = store.execute("SELECT request_id, number, end_state FROM inference_attempts").fetchall()
    marks = {identity: mark for identity, _, _, mark in calls}
    assert len(marks) == len(calls) and len(set(marks.values())) == len(calls), "a call is there twice"
    attempted = [(marks[identity], end) for identity, _, end in attempts]
    assert len({mark for mark, _ in attempted}) == len(attempted), "one attempt was allowed"
    missing = set(asked) - {mark for mark, _ in attempted}
    assert not missing, f"upstream calls without a row: {sorted(missing)[:10]}"
    surplus = [(mark, end) for mark, end in attempted if mark not in set(asked)]
    assert all(end == "unknown" for _, end in surplus), surplus
    unknown = [identity for identity, end, _, _ in calls if end == "unknown"]
    assert 0 < len(unknown) <= callers * lives
