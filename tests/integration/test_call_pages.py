"""The lists of calls and the sums of usage over thousands of calls: every page, every filter, while more of them come."""

import collections
import csv
import datetime
import http.client
import io
import json
import threading
import time
import urllib.parse

import pytest

from weir_server import PATIENCE, Weir

ADMIN = "the-admin-key-0001"
KEYS = {"ada": "the-key-of-ada-00001", "bob": "the-key-of-bob-00002"}
CONFIG = f"""
listen: 127.0.0.1:0
data_dir: ./data
store: {{url: "sqlite:weir.db"}}
log: {{level: warn}}
providers:
  m: {{dialect: mock, mock: {{first_token: 0ms, tokens_per_second: 0}}}}
models: {{quick: m/x, other: m/y}}
auth:
  keys:
    - {{name: ada, value: {KEYS["ada"]}, tenant: acme}}
    - {{name: bob, value: {KEYS["bob"]}, tenant: globex}}
"""
CALLS = 2400  # of the four threads together
FORMULA = '=1+1,"x"'
MODELS = ("quick", "other", "quick", FORMULA)  # the last is no model: 404

Made = collections.namedtuple("Made", "id key tenant model status")


def call_many(weir: Weir, who: str, count: int, made: list[Made], stop: threading.Event | None = None) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", weir.port, timeout=PATIENCE)
    for number in range(count):
        if stop is not None and stop.is_set():
            break
        model = MODELS[number % len(MODELS)]
        body = json.dumps({"model": model, "messages": [{"role": "user", "content": "hi"}]})
        connection.request("POST", "/v1/chat/completions", body, {"authorization": f"Bearer {KEYS[who]}"})
        reply = connection.getresponse()
        reply.read()
        made.append(Made(reply.getheader("x-weir-request-id"), f"config:{who}", {"ada": "acme", "bob": "globex"}[who], model, reply.status))
    connection.close()


def ask(weir: Weir, path: str, **query):
    query = {name: value for name, value in query.items() if value is not None}
    return weir.request("GET", f"/admin/v1/{path}?{urllib.parse.urlencode(query)}", None, {"authorization": f"Bearer {ADMIN}"})


def good(weir: Weir, path: str, **query):
    reply = ask(weir, path, **query)
    assert reply.status == 200, reply
    return reply.json


def wait_for(weir: Weir, calls: int) -> None:
    give_up = time.monotonic() + PATIENCE
    while (known := sum(row["requests"] for row in good(weir, "usage")["data"])) < calls:
        assert time.monotonic() < give_up, f"{known} of {calls} calls are in the store"


def pages(weir: Weir, **query) -> list[dict]:
    rows, after = [], None
    while True:
        page = good(weir, "requests", after=after, **query)
        assert page["next"] is None or len(page["data"]) == int(query["limit"]), "a page that is not the last is full"
        rows += page["data"]
        if (after := page["next"]) is None:
            return rows


def came_at(row: dict) -> str:
    """When the call's first byte came, to the millisecond, which its id tells."""
    milliseconds = 0
    for digit in row["id"][4:14]:
        milliseconds = milliseconds * 32 + "0123456789abcdefghjkmnpqrstvwxyz".index(digit)
    return datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.fixture(scope="module")
def weir(tmp_path_factory):
    with Weir(tmp_path_factory.mktemp("weir"), CONFIG, WEIR_ADMIN_KEY=ADMIN) as server:
        yield server


@pytest.fixture(scope="module")
def made(weir) -> list[Made]:
    made: list[Made] = []
    threads = [threading.Thread(target=call_many, args=(weir, who, CALLS // 4, made)) for who in ("ada", "ada", "bob", "ada")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == CALLS and {call.status for call in made} == {200, 404}
    wait_for(weir, CALLS)
    return made


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 137}, {"limit": 1000}, {"limit": 800, "key": "config:ada"}, {"limit": 93, "key": "config:bob", "model": "quick"},
        {"limit": 100, "status": "404"}, {"limit": 200, "status": "4xx", "tenant": "globex"}, {"limit": 150, "status": "complete", "model": "other"},
        {"limit": 50, "model": FORMULA}, {"limit": 10, "key": "config:nobody"}, {"limit": 10, "status": "5xx"},
    ],
)  # fmt: skip
def test_pages_hold_every_call_once_the_newest_first(weir, made, query):
    def wanted(call: Made) -> bool:
        status = {"404": call.status == 404, "4xx": call.status == 404, "5xx": False, "complete": call.status == 200, None: True}[query.get("status")]
        return status and all(query.get(name) in (None, getattr(call, name)) for name in ("key", "tenant", "model"))

    rows = pages(weir, **query)
    ids = [row["id"] for row in rows]
    assert ids == sorted((call.id for call in made if wanted(call)), reverse=True)
    by_id = {call.id: call for call in made}
    for row in rows:
        call = by_id[row["id"]]
        assert (row["key_id"], row["tenant"], row["model"], row["status"]) == call[1:], row
        assert len(row["attempts"]) == (1 if call.status == 200 else 0)


def test_from_is_a_moment_that_belongs_to_it(weir, made):
    rows = pages(weir, limit=1000)
    moment = came_at(rows[len(rows) // 2])
    later = {row["id"] for row in rows if came_at(row) >= moment}
    assert 0 < len(later) < CALLS
    assert {row["id"] for row in pages(weir, limit=500, **{"from": moment})} == later
    assert pages(weir, limit=5, **{"from": "2099-01-01"}) == []


@pytest.mark.parametrize(
    "query, accept, form",
    [
        ("", "text/csv", "text/csv"), ("", "text/csv, */*", "text/csv"), ("", "application/json;q=0.5, text/csv;q=0.6", "text/csv"),
        ("", "*/*", "application/json"), ("", "text/csv;q=0, application/json", "application/json"), ("", "text/csv;q=0", "application/json"),
        ("?format=json", "text/csv", "application/json"), ("?format=csv", "application/json", "text/csv"),
    ],
)  # fmt: skip
def test_the_parameter_says_the_form_of_usage_and_else_accept(weir, query, accept, form):
    reply = weir.request("GET", f"/admin/v1/usage{query}", None, {"authorization": f"Bearer {ADMIN}", "accept": accept})
    assert reply.status == 200 and reply.header("content-type").split(";")[0] == form


@pytest.mark.parametrize("groups", ["", "key", "model", "day", "tenant", "key,model,day", "day,tenant,key,model"])
def test_usage_is_the_sum_of_the_calls_as_json_and_as_csv(weir, made, groups):
    names = [name for name in ("day", "tenant", "key", "model") if name in groups.split(",")]
    rows = good(weir, "usage", group_by=groups)["data"]
    expected = collections.Counter(tuple(getattr(call, name) for name in names if name != "day") for call in made)
    found = collections.Counter()
    for row in rows:
        found[tuple(row[name] for name in names if name != "day")] += row["requests"]
        assert row["input_tokens"] >= 0 and set(names) <= set(row)
    assert found == expected
    assert sum(row["errors"] for row in rows) == sum(call.status != 200 for call in made)
    assert sum(row["attempts"] for row in rows) == sum(call.status == 200 for call in made)

    reply = ask(weir, "usage", group_by=groups, format="csv")
    assert reply.header("content-type").startswith("text/csv")
    table = list(csv.DictReader(io.StringIO(reply.body.decode(), newline="")))
    assert list(table[0]) == [name for name in rows[0]]
    for line, row in zip(table, rows, strict=True):
        for name, value in row.items():
            # What a spreadsheet would take for a formula begins with an apostrophe.
            assert line[name] == ("" if value is None else f"'{value}" if value == FORMULA else str(value)), (name, line)


def test_usage_of_a_span_is_that_of_its_calls(weir, made):
    rows = pages(weir, limit=1000)
    first, last = came_at(rows[3 * len(rows) // 4]), came_at(rows[len(rows) // 4])
    inside = [row for row in rows if first <= came_at(row) < last]
    assert sum(row["requests"] for row in good(weir, "usage", to=last, **{"from": first})["data"]) == len(inside) > 0
    of_ada = good(weir, "usage", key="config:ada", model="quick", group_by="tenant")["data"]
    assert [(row["tenant"], row["requests"]) for row in of_ada] == [("acme", sum(call.key == "config:ada" and call.model == "quick" for call in made))]


def test_pages_stay_whole_while_calls_are_added(weir, made):
    before = {row["id"] for row in pages(weir, limit=1000)}
    stop, more = threading.Event(), []
    threads = [threading.Thread(target=call_many, args=(weir, who, 100_000, more, stop)) for who in KEYS]
    for thread in threads:
        thread.start()
    try:
        give_up = time.monotonic() + PATIENCE
        while not good(weir, "requests", limit=1)["data"][0]["id"] > max(before):
            assert time.monotonic() < give_up, "nothing is added"
        for _ in range(3):
            ids = [row["id"] for row in pages(weir, limit=211)]
            assert ids == sorted(set(ids), reverse=True), "a row came twice or out of its order"
            assert before <= set(ids), "a row is missing"
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    wait_for(weir, len(before) + len(more))
    assert {row["id"] for row in pages(weir, limit=1000)} == before | {call.id for call in more}


@pytest.mark.parametrize(
    ("path", "query", "words"),
    [
        ("requests", "kye=x", 'did you mean "key"'), ("requests", "limit=0", "1 to 1000"), ("requests", "limit=1001", "1 to 1000"),
        ("requests", "limit=ten", "1 to 1000"), ("requests", "status=2000", "5xx"), ("requests", "status=completed", "complete"),
        ("requests", "status=6xx", "5xx"), ("requests", "from=yesterday", "2026-11-21"), ("requests", "from=2026-13-01", "2026-11-21"),
        ("requests", "after=5", "next"), ("requests/last", "story=yes", "true or false"), ("requests", "model=%zz", "escaped"),
        ("usage", "group_by=keys", "day, tenant, key and model"), ("usage", "group_by=key;model", "commas"), ("usage", "form=2026-01-01", 'did you mean "from"'),
        ("usage", "to=2026-1-1", "2026-11-21"), ("usage", "format=xml", "json or csv"), ("usage", "limit=5", "There is no parameter `limit`"),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_refused_with_what_is_allowed(weir, path, query, words):
    reply = weir.request("GET", f"/admin/v1/{path}?{query}", None, {"authorization": f"Bearer {ADMIN}"})
    assert reply.status == 400 and words in reply.json["error"]["message"], reply


def test_a_call_that_nobody_made_is_unknown_and_one_that_runs_has_not_ended(weir, tmp_path):
    unknown = ask(weir, "requests/req_00000000000000000000000000")
    assert unknown.status == 404 and "No call" in unknown.json["error"]["message"] and "there was none" in unknown.json["error"]["message"]
    misspelt = ask(weir, "requests/req_00000000000000000000000000", stroy="true")
    assert misspelt.status == 400 and 'did you mean "story"' in misspelt.json["error"]["message"]
    slow = CONFIG.replace("first_token: 0ms", "first_token: 1h")
    with Weir(tmp_path, slow, WEIR_ADMIN_KEY=ADMIN) as other:
        connection = http.client.HTTPConnection("127.0.0.1", other.port, timeout=PATIENCE)
        body = json.dumps({"model": "quick", "messages": [{"role": "user", "content": "hi"}], "stream": True})
        connection.request("POST", "/v1/chat/completions", body, {"authorization": f"Bearer {KEYS['ada']}"})
        with other.connect() as watch:
            watch.sendall(f"GET /admin/v1/live HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {ADMIN}\r\n\r\n".encode())
            seen = b""
            while b'"id":"req_' not in seen:
                seen += watch.recv(65536)
            running = seen.split(b'"id":"')[1].split(b'"')[0].decode()
        told = ask(other, f"requests/{running}")
        assert told.status == 404 and "has not ended" in told.json["error"]["message"], told
        connection.close()
        give_up = time.monotonic() + PATIENCE
        while (ended := ask(other, f"requests/{running}")).status == 404:
            assert time.monotonic() < give_up, "the caller left, and the call goes on"
        assert ended.json["end_state"] == "client_abort"


def test_every_call_is_found_the_moment_its_caller_has_its_answer(weir, made):
    """Also where more than memory keeps have ended since, and the store does not have it yet."""
    stop, found = threading.Event(), []
    threads = [threading.Thread(target=call_many, args=(weir, "ada", 100_000, [], stop)) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(60):
            mine: list[Made] = []
            call_many(weir, "bob", 3, mine)
            found += [ask(weir, f"requests/{call.id}").json.get("id") == call.id for call in mine]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert all(found) and len(found) == 180
