"""Keys, tenants and the audit log: the admin API and the commands on the real binary."""

import json
import re
import sqlite3

import pytest

from weir_server import Weir

ADMIN = "the-admin-key-0001"
CONFIG = """
listen: 127.0.0.1:0
data_dir: ./data
store: {url: "STORE"}
providers:
  m: {dialect: mock, mock: {first_token: 0ms, tokens_per_second: 0}}
models: {quick: m/x}
auth:
  keys:
    - {name: watcher, value: the-operator-key-0002, role: operator}
"""
# As the issue and docs/keys.md show it.
DOCUMENT = {
    "label": "laptop",
    "role": "user",
    "tenant": "acme",
    "user": "ada",
    "models": ["*"],
    "limits": {"requests": "100/60s", "tokens": "50000/1m", "in_flight": 8},
    "budgets": [{"usd": 1.00, "period": "day", "hard": True}],
    "quotas": [{"tokens": 100000, "period": "month", "count": "total"}],
    "expires_at": "2099-01-31T09:30:00Z",
    "ip_allow": ["127.0.0.0/8"],
    "metadata": {"team": ["é", 1.5, None]},
}


def config(store: str = "sqlite:weir.db") -> str:
    return CONFIG.replace("STORE", store)


@pytest.fixture(scope="module")
def weir(tmp_path_factory):
    with Weir(tmp_path_factory.mktemp("weir"), config(), WEIR_ADMIN_KEY=ADMIN) as server:
        yield server


def ask(weir: Weir, method: str, path: str, document=None, key: str = ADMIN):
    body = None if document is None else json.dumps(document).encode()
    return weir.request(method, f"/admin/v1{path}", body, {"Authorization": f"Bearer {key}"})


def make(weir: Weir, path: str, **document):
    reply = ask(weir, "POST", path, document)
    assert reply.status == 201, reply
    return reply.json


def test_what_is_written_is_what_is_read_back_and_the_key_is_shown_once(weir):
    made = make(weir, "/keys", **DOCUMENT)
    text = made.pop("key")
    assert text.startswith("wr-") and len(text) == 52 and made["prefix"] == text[:8]
    assert "acme" in made.pop("notices")[0], "there is no such tenant yet"
    assert {name: made[name] for name in DOCUMENT} == DOCUMENT
    assert ask(weir, "GET", f"/keys/{made['id']}").json == made
    listed = ask(weir, "GET", "/keys?label=laptop").json
    assert listed["data"] == [made] and listed["next"] is None
    for path in (f"/keys/{made['id']}", "/keys", "/audit"):
        assert text not in ask(weir, "GET", path).body.decode()


def test_a_substitute_that_is_no_model_yet_is_told(weir):
    key = make(weir, "/keys", label="sub", quotas=[{"tokens": 0, "substitute": "nosuch"}])
    assert ["`nosuch`" in notice for notice in key["notices"]] == [True]
    refused = weir.chat("quick", {"X-API-Key": key["key"]})
    assert refused.status == 402 and "The quota of this key is 0" in refused.json["error"]["message"], refused
    tenant = make(weir, "/tenants", name="sub", quotas=[{"tokens": 1, "substitute": "nosuch"}])
    assert ["`nosuch`" in notice for notice in tenant["notices"]] == [True]
    for path in (f"/keys/{key['id']}", "/tenants/sub"):
        assert "`nosuch`" in ask(weir, "PATCH", path, {"limits": {"in_flight": 2}}).json["notices"][0]
        assert "notices" not in ask(weir, "PATCH", path, {"budgets": None, "quotas": None}).json


def test_a_key_is_changed_rotated_and_revoked(weir):
    made = make(weir, "/keys", label="changed", limits={"in_flight": 2})
    path = f"/keys/{made['id']}"
    changed = ask(weir, "PATCH", path, {"limits": {"requests": ["5/1s", "100/1m"]}, "user": "bob", "active": False}).json
    assert changed["limits"] == {"requests": ["5/1s", "100/1m"]} and changed["user"] == "bob"
    assert changed["active"] is False and changed["label"] == "changed"
    assert ask(weir, "GET", path).json == changed
    assert ask(weir, "PATCH", path, {"limits": None, "user": None}).json["limits"] == {}

    rotated = ask(weir, "POST", f"{path}/rotate", {"overlap": "10m"})
    assert rotated.status == 200 and rotated.json["key"].startswith("wr-")
    assert rotated.json["key"] != made["key"] and rotated.json["previous_key_expires_at"]
    assert "key" not in ask(weir, "GET", path).json
    assert ask(weir, "POST", f"{path}/rotate").json["key"] != rotated.json["key"], "a body is not needed"

    revoked = ask(weir, "DELETE", path)
    assert revoked.status == 200 and revoked.json["revoked_at"] and revoked.json["active"] is False
    assert ask(weir, "DELETE", path).json == revoked.json
    assert ask(weir, "GET", path).json == revoked.json
    assert ask(weir, "GET", "/keys?label=changed").json["data"] == []
    assert ask(weir, "GET", "/keys?label=changed&revoked=true").json["data"] == [revoked.json]
    for refused in (ask(weir, "PATCH", path, {"active": True}), ask(weir, "POST", f"{path}/rotate")):
        assert refused.status == 409 and refused.json["error"]["code"] == "conflict"


@pytest.mark.parametrize(
    ("document", "param", "words"),
    [
        ({"lable": "x"}, "lable", 'did you mean "label"'),
        ({"role": "root"}, "role", "operator"),
        ({"limits": {"request": "1/1s"}}, "limits.request", 'did you mean "requests"'),
        ({"limits": {"requests": "lots"}}, "limits.requests", "100/60s"),
        ({"budgets": [{"usd": "much"}]}, "budgets[0].usd", "1.00"),
        ({"quotas": [{"tokens": 1, "period": "dya"}]}, "quotas[0].period", 'did you mean "day"'),
        ({"ip_allow": ["here"]}, "ip_allow[0]", "10.0.0.0/8"),
        ({"expires_at": "soon"}, "expires_at", "2027-01-31"),
        ({"models": "gpt-4o"}, "models", "list of strings"),
        ([], None, "JSON object"),
    ],
)
def test_a_wrong_document_is_refused_with_its_path_and_what_is_allowed(weir, document, param, words):
    before = ask(weir, "GET", "/keys?limit=1").json
    refused = ask(weir, "POST", "/keys", document)
    error = refused.json["error"]
    assert refused.status == 400 and error["type"] == "invalid_request_error"
    assert error["param"] == param and words in error["message"], error
    assert ask(weir, "GET", "/keys?limit=1").json == before


def test_keys_of_the_configuration_are_shown_and_changed_there_alone(weir):
    listed = ask(weir, "GET", "/keys?role=operator&label=watcher").json
    assert [(key["id"], key["source"], key["prefix"], key["last_used_at"]) for key in listed["data"]] == [("config:watcher", "config", "", None)]
    assert ask(weir, "GET", "/keys/config:watcher").json == listed["data"][0]
    made = make(weir, "/keys", label="beside")
    assert made["source"] == "store"
    ids = [key["id"] for key in ask(weir, "GET", "/keys?limit=1000").json["data"]]
    assert made["id"] in ids and ids[-2:] == ["config:watcher", "config:admin_key"]
    for method, path, document in (("PATCH", "", {"active": False}), ("DELETE", "", None), ("POST", "/rotate", {})):
        refused = ask(weir, method, f"/keys/config:watcher{path}", document)
        assert (refused.status, refused.json["error"]["code"]) == (409, "conflict"), refused
        assert "auth.keys" in refused.json["error"]["message"] and "weir reload" in refused.json["error"]["message"]
        assert "WEIR_ADMIN_KEY" in ask(weir, method, f"/keys/config:admin_key{path}", document).json["error"]["message"]
        assert ask(weir, method, f"/keys/config:gone{path}", document).status == 404
    assert ask(weir, "GET", "/keys", key="the-operator-key-0002").status == 200, "it opens as before"
    for text in (ADMIN, "the-operator-key-0002"):
        assert text not in ask(weir, "GET", "/keys?limit=1000").body.decode()
    table = weir.command("keys", "list", WEIR_ADMIN_KEY=ADMIN).stdout
    assert "SOURCE" in table and "config:watcher" in table
    revoke = weir.command("keys", "revoke", "watcher", WEIR_ADMIN_KEY=ADMIN)
    assert revoke.returncode == 1 and "auth.keys" in revoke.stderr


def test_a_wish_that_is_not_known_is_refused_before_anything_is_done(weir):
    made = make(weir, "/keys", label="wished")
    path = f"/keys/{made['id']}"
    before = ask(weir, "GET", "/audit?limit=1").json["data"]
    for method, at, document in (
        ("DELETE", f"{path}?dry_run=true", None), ("PATCH", f"{path}?foo=1", {"label": "other"}), ("GET", f"{path}?foo=1", None),
        ("POST", f"{path}/rotate?foo=1", None), ("POST", "/keys?foo=1", {"label": "wished"}), ("POST", "/reload?foo=1", None),
    ):  # fmt: skip
        refused = ask(weir, method, at, document)
        assert refused.status == 400 and refused.json["error"]["param"] == at.split("?")[1].split("=")[0], refused
    assert ask(weir, "GET", path).json == {name: value for name, value in made.items() if name != "key"}
    refused = ask(weir, "POST", "/reload", {"force": True})
    assert refused.status == 400 and refused.json["error"]["param"] == "force"
    assert ask(weir, "GET", "/audit?limit=1").json["data"] == before
    assert ask(weir, "POST", "/reload", {}).status == 200


def test_keys_are_listed_page_by_page(weir):
    ids = [make(weir, "/keys", label="paged", tenant="pages")["id"] for _ in range(5)]
    seen, after = [], ""
    while after is not None:
        page = ask(weir, "GET", f"/keys?tenant=pages&limit=2&after={after}").json
        seen += [key["id"] for key in page["data"]]
        after = page["next"]
    assert seen == sorted(ids, reverse=True), "ids sort by the millisecond in which they were made"
    wrong = ask(weir, "GET", "/keys?tenat=pages")
    assert wrong.status == 400 and 'did you mean "tenant"' in wrong.json["error"]["message"]


@pytest.mark.parametrize(
    "path",
    ["keys?role=boss", "keys?after=zzz", "keys?after=key_zzz", "tenants?after=a%20b", "requests?after=req_zzz", "budgets?after=key:a", "keys?limit=0", "keys?active=perhaps", "keys?user=%zz", "tenants?limit=x", "audit?from=x", "audit?after=x", "budgets?owner=nobody",
     "requests?status=good", "requests/last?story=perhaps", "usage?from=x", "usage?format=xml", "usage?group_by=week"],
)  # fmt: skip
def test_a_wrong_parameter_is_named(weir, path):
    refused = ask(weir, "GET", f"/{path}")
    assert refused.status == 400 and refused.json["error"]["param"] == re.search(r"\?(\w+)", path)[1], refused


def test_a_path_that_there_is_not_is_told_the_way(weir):
    identity = make(weir, "/keys", label="nowhere")["id"]
    refused = ask(weir, "GET", f"/keys/{identity}/rotate")
    assert refused.status == 405 and refused.header("allow") == "POST", refused
    assert ask(weir, "DELETE", f"/keys/{identity}/rotate").status == 405 and ask(weir, "GET", f"/keys/{identity}").json["revoked_at"] is None
    assert "/openapi.json" in ask(weir, "GET", "/nope").json["error"]["message"]
    assert 'did you mean "/admin/v1/tenants"' in ask(weir, "GET", "/tenant/acme").json["error"]["message"]


def test_a_page_goes_on_behind_a_row_that_is_gone(weir):
    for name in ("gone-1", "gone-2", "gone-3"):
        make(weir, "/tenants", id=name)
    assert ask(weir, "DELETE", "/tenants/gone-2").status == 200
    assert [row["id"] for row in ask(weir, "GET", "/tenants?after=gone-2&limit=1").json["data"]] == ["gone-3"]
    older, newer = sorted(make(weir, "/keys", label="going")["id"] for _ in range(2))
    assert ask(weir, "DELETE", f"/keys/{newer}").status == 200
    assert [row["id"] for row in ask(weir, "GET", f"/keys?label=going&after={newer}").json["data"]] == [older]
    budgets = ask(weir, "GET", "/budgets?after=tenant:a:b:usd:month")
    assert budgets.status == 200 and ask(weir, "GET", "/keys?after=config:gone").status == 200


def test_tenants_are_a_tree(weir):
    document = {"id": "globex", "name": "Globex Corp", "limits": {"in_flight": 50}, "budgets": [{"usd": 10, "period": "month"}], "metadata": {"a": 1}}
    made = make(weir, "/tenants", **document)
    assert {name: made[name] for name in document} == document
    assert ask(weir, "GET", "/tenants/globex").json == made
    assert make(weir, "/tenants", name="The Lab", parent="globex")["id"] == "the-lab"
    assert [row["id"] for row in ask(weir, "GET", "/tenants?parent=globex").json["data"]] == ["the-lab"]
    assert ask(weir, "POST", "/tenants", {"id": "globex"}).status == 409
    circle = ask(weir, "PATCH", "/tenants/globex", {"parent": "the-lab"})
    assert circle.status == 400 and circle.json["error"]["param"] == "parent"
    misspelt = ask(weir, "POST", "/tenants", {"id": "x", "parent": "globx"})
    assert misspelt.status == 400 and 'did you mean "globex"' in misspelt.json["error"]["message"]
    key = make(weir, "/keys", tenant="the-lab")
    assert "notices" not in key
    assert ask(weir, "DELETE", "/tenants/globex").status == 409
    assert key["id"] in ask(weir, "DELETE", "/tenants/the-lab").json["error"]["message"]
    assert ask(weir, "DELETE", f"/keys/{key['id']}").status == 200
    assert ask(weir, "DELETE", "/tenants/the-lab").status == 200
    assert ask(weir, "GET", "/tenants/the-lab").status == 404


def test_every_change_is_in_the_audit_log(weir):
    key = make(weir, "/keys", label="audited")
    path = f"/keys/{key['id']}"
    ask(weir, "PATCH", path, {"label": "renamed"})
    assert ask(weir, "PATCH", path, {"role": "root"}).status == 400
    rotated = ask(weir, "POST", f"{path}/rotate")
    ask(weir, "DELETE", path)
    entries = ask(weir, "GET", f"/audit?object=key&object_id={key['id']}").json["data"]
    assert [entry["action"] for entry in entries] == ["revoke", "rotate", "update", "create"]
    update = entries[2]
    assert (update["actor"], update["actor_role"]) == ("admin key", "bootstrap")
    assert update["address"].startswith("127.0.0.1")
    assert (update["before"]["label"], update["after"]["label"]) == ("audited", "renamed")
    assert entries[1]["request_id"] == rotated.request_id and entries[3]["before"] is None
    page = ask(weir, "GET", "/audit?limit=1").json
    following = ask(weir, "GET", f"/audit?limit=1&after={page['next']}").json
    assert following["data"][0]["id"] < page["data"][0]["id"]
    assert ask(weir, "GET", "/audit?from=2099-01-01").json == {"object": "list", "data": [], "next": None}
    assert ask(weir, "GET", "/audit?from=today").status == 400


def test_what_is_not_there_is_told(weir):
    for method, path in (("GET", "/keys/key_none"), ("PATCH", "/keys/key_none"), ("DELETE", "/keys/key_none"), ("POST", "/keys/key_none/rotate"), ("GET", "/tenants/none")):
        reply = ask(weir, method, path, {} if method == "PATCH" else None)
        assert reply.status == 404 and "There is no" in reply.json["error"]["message"], (method, path, reply)
    wrong = ask(weir, "PUT", "/keys")
    assert wrong.status == 405 and set(wrong.header("allow").split(", ")) == {"POST", "GET", "HEAD"}


def test_only_administrators_change_anything(weir):
    watcher = "the-operator-key-0002"
    assert ask(weir, "GET", "/keys", key=watcher).status == 200
    assert ask(weir, "GET", "/audit", key=watcher).status == 200
    for method, path in (("POST", "/keys"), ("POST", "/tenants"), ("PATCH", "/keys/x"), ("DELETE", "/keys/x"), ("POST", "/keys/x/rotate")):
        refused = ask(weir, method, path, {}, key=watcher)
        assert refused.status == 403 and refused.json["error"]["code"] == "insufficient_permissions", (method, path)
    assert weir.request("GET", "/admin/v1/keys").status == 401


def test_nothing_secret_is_in_the_database_or_the_log(tmp_path):
    with Weir(tmp_path, config(), WEIR_ADMIN_KEY=ADMIN) as weir:
        key = make(weir, "/keys", label="secret one")
        rotated = ask(weir, "POST", f"/keys/{key['id']}/rotate").json
    with Weir(tmp_path, config(), WEIR_ADMIN_KEY=ADMIN) as weir:
        assert ask(weir, "GET", f"/keys/{key['id']}").json["label"] == "secret one", "kept over a restart"
    rows = sqlite3.connect(tmp_path / "data/weir.db").execute("SELECT label, role, length(key_hash), length(previous_hash) FROM api_keys").fetchall()
    assert rows == [("secret one", "user", 32, 32)]
    kept = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()) + "".join(weir.output).encode()
    for text in (key["key"], rotated["key"]):
        assert text.encode() not in kept and text[3:20].encode() not in kept


def test_without_a_store_keys_live_as_long_as_the_process(tmp_path):
    with Weir(tmp_path, config("none"), WEIR_ADMIN_KEY=ADMIN) as weir:
        made = make(weir, "/keys", label="short")
        assert "gone when weir ends" in made["notices"][0]
        assert ask(weir, "GET", f"/keys/{made['id']}").json["label"] == "short"
        assert [entry["action"] for entry in ask(weir, "GET", "/audit").json["data"]] == ["create"]


def test_the_commands_do_the_same(weir):
    def run(*arguments: str):
        return weir.command(*arguments, WEIR_ADMIN_KEY=ADMIN)

    assert run("tenants", "create", "cli", "--name", "By hand", "--in-flight", "9", "--budget", "5/month").returncode == 0
    tenant = json.loads(run("tenants", "show", "cli", "--json").stdout)
    assert tenant["limits"] == {"in_flight": 9} and tenant["budgets"] == [{"usd": 5, "period": "month", "hard": True}]
    assert run("tenants", "update", "cli", "--name", "Renamed").returncode == 0
    assert "Renamed" in run("tenants", "list").stdout

    made = run("keys", "create", "--label", "cli key", "--tenant", "cli", "--model", "quick", "--model", "gpt-*", "--requests", "5/1s", "--quota", "100/day", "--expires", "2099-01-01")
    assert made.returncode == 0 and "shown only now" in made.stdout and "\nwr-" in made.stdout, made
    listed = json.loads(run("keys", "list", "--label", "cli key", "--json").stdout)["data"]
    assert listed[0]["models"] == ["quick", "gpt-*"] and listed[0]["limits"] == {"requests": "5/1s"}
    assert listed[0]["quotas"] == [{"tokens": 100, "period": "day", "count": "output"}]
    identity = listed[0]["id"]
    table = run("keys", "list", "--tenant", "cli")
    assert "LABEL" in table.stdout and identity in table.stdout and "active" in table.stdout
    assert "quick" in run("keys", "show", "cli key").stdout, "a label is as good where one key has it"
    assert run("keys", "update", identity, "--deactivate").returncode == 0
    assert "inactive" in run("keys", "list", "--tenant", "cli").stdout
    assert "\nwr-" in run("keys", "rotate", identity, "--overlap", "5m").stdout
    assert run("keys", "revoke", identity).returncode == 0
    assert identity not in run("keys", "list").stdout and "revoked" in run("keys", "list", "--revoked").stdout
    assert run("tenants", "delete", "cli").returncode == 0

    for arguments, words in (
        (("keys", "show", "nobody"), "weir keys list"),
        (("keys", "show", "key_none"), "There is no key"),
        (("keys", "create", "--role", "root"), "operator"),
        (("keys", "create", "--budget", "5"), "1.00/day"),
        (("keys", "create", "--metadata", "[]"), "JSON object"),
        (("tenants", "create", "a b"), "letters"),
        (("tenants", "show", "nobody"), "There is no tenant"),
    ):
        failed = run(*arguments)
        assert failed.returncode != 0 and words in failed.stderr and not failed.stdout, failed
    refused = weir.command("keys", "list")
    assert refused.returncode == 1 and "WEIR_ADMIN_KEY" in refused.stderr
