"""What is written to the admin API is what is read back, member by member and to the last digit: generated documents."""

import json
import random
import signal
import time
from dataclasses import dataclass

import pytest

from weir_server import PATIENCE, Weir

ADMIN = "the-admin-key-0001"
CONFIG = """
listen: 127.0.0.1:0
data_dir: ./data
store: {url: "sqlite:weir.db"}
providers:
  m: {dialect: mock, mock: {first_token: 0ms, tokens_per_second: 0}}
models: {quick: m/x, small: m/y}
auth:
  keys:
    - {name: fixed, value: a-key-of-the-configuration, limits: {requests: [100/60s, 5000/1h], tokens: 50000/60s, in_flight: 8}}
    - {name: plain, value: another-key-of-the-configuration, limits: {requests: 300/60s}}
"""
DOCUMENTS = 60  # of keys, and half as many of tenants


@dataclass(frozen=True)
class Number:
    """As it was written: 1.00 is not 1."""

    text: str


def written(value) -> str:
    if isinstance(value, Number):
        return value.text
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)}: {written(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return json.dumps(value, ensure_ascii=isinstance(value, str) and len(value) % 2 == 0)


def read(text: str | bytes):
    return json.loads(text, parse_int=Number, parse_float=Number)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("weir")


@pytest.fixture(scope="module")
def weir(folder):
    with Weir(folder, CONFIG, WEIR_ADMIN_KEY=ADMIN) as server:
        yield server


def ask(weir: Weir, method: str, path: str, body: str | None = None):
    return weir.request(method, f"/admin/v1{path}", None if body is None else body.encode(), {"Authorization": f"Bearer {ADMIN}"})


class Documents:
    """Valid documents of every form that is allowed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.count = 0

    def one_of(self, *choices):
        return self.random.choice(choices)

    def name(self) -> str:
        self.count += 1
        return self.one_of("plain", "ünïcødé 🙂", 'say "hi"', "a/b\\c", "=1+1", " spaced ", "名前", "null", "0") + f" {self.count}"

    def tenant_id(self) -> str:
        self.count += 1
        return self.one_of("plain", "Not.there_yet", "0", "-", "null") + f"-{self.count}"

    def amount(self) -> Number:
        return Number(self.one_of("1", "1.0", "1.00", "0.60", "2.5e-06", "1E2", "0.000000000001", "1000000", "0"))

    def whole(self) -> Number:
        return Number(self.one_of("1", "100000", "1e5", "7.0", "0", "999999999999"))

    def windows(self, unit: int):
        spans = self.random.sample(["1s", "60s", "2m", "90s", "1h", "3600000ms", "1d", "s", "30m", "0.5s"], k=self.one_of(1, 1, 2, 3))
        lengths = {"s": 1, "1s": 1, "60s": 60, "2m": 120, "90s": 90, "1h": 3600, "3600000ms": 3600, "1d": 86400, "30m": 1800, "0.5s": 0.5}
        texts = list({lengths[span]: f"{self.random.randint(1, 10**6)}/{span}" for span in spans}.values())
        return self.one_of(texts, texts[0]) if unit or len(texts) == 1 else texts

    def limits(self):
        made = {}
        for name in self.random.sample(["requests", "tokens", "in_flight"], k=self.random.randint(0, 3)):
            made[name] = self.one_of(None, Number(self.one_of("8", "1", "8.0", "1e3"))) if name == "in_flight" else self.one_of(None, self.windows(0), self.windows(1))
        return made

    def period(self) -> dict:
        period = self.one_of("hour", "day", "week", "month", "year", "forever")
        made = {"period": period}
        if period in ("month", "week") and self.random.random() < 0.5:
            made["reset_day"] = Number(str(self.random.randint(1, 7)))
        if self.random.random() < 0.3:
            made["time_zone"] = self.one_of("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata")
        if self.random.random() < 0.7:
            made["hard"] = self.one_of(True, False)
        if self.random.random() < 0.2:
            made["substitute"] = "small"
        return made

    def each_period_once(self, rules: list[dict]) -> list[dict]:
        kept = {}
        for rule in rules:
            kept[rule.get("period"), str(rule.get("reset_day")), rule.get("time_zone"), rule.get("count")] = rule
        # Two spellings of one period, and a quota counts output where it does not say, so one of each length is enough.
        return list({rule["period"]: rule for rule in kept.values()}.values())

    def budgets(self) -> list[dict]:
        return self.each_period_once([{"usd": self.amount(), **self.period()} for _ in range(self.random.randint(0, 3))])

    def quotas(self) -> list[dict]:
        made = self.each_period_once([{**self.period(), "tokens": self.whole()} for _ in range(self.random.randint(0, 3))])
        for quota in made:
            if self.random.random() < 0.7:
                quota["count"] = self.one_of("output", "total")
        return made

    def anything(self, depth: int = 0):
        if depth < 5 and self.random.random() < 0.4:
            if self.random.random() < 0.5:
                return [self.anything(depth + 1) for _ in range(self.random.randint(0, 3))]
            return {self.name(): self.anything(depth + 1) for _ in range(self.random.randint(0, 3))}
        return self.one_of(None, True, False, "", self.name(), Number("123456789012345678901234567890"), Number("-0.0"), Number("1e999"), Number("0.1"), "\u2028\ud7ff\x7f\t", [], {})

    def moment(self) -> str:
        return self.one_of(
            "2099-01-31T09:30:00Z", "2099-01-31T09:30:00.5Z", "2099-01-31T09:30:00.123456789Z", "2099-01-31T09:30:00+05:30",
            "2099-01-31T23:59:59-08:00", "2099-01-31t09:30:00z", "2099-01-31 09:30:00Z", "2099-02-28", "2099-01-31T09:30:00.000Z",
        )  # fmt: skip

    def rules(self) -> dict:
        return {"limits": self.limits(), "budgets": self.budgets(), "quotas": self.quotas(), "metadata": {self.name(): self.anything() for _ in range(3)}}

    def some_of(self, members: dict, nullable) -> dict:
        """Some of them, in any order, now and then null."""
        names = self.random.sample(list(members), k=self.random.randint(1, len(members)))
        return {name: None if name in nullable and self.random.random() < 0.1 else members[name] for name in names}

    def key(self) -> dict:
        members = {
            "label": self.name(), "role": self.one_of("user", "operator", "admin"), "tenant": self.tenant_id(), "user": self.name(),
            "active": self.one_of(True, False), "models": self.one_of([], ["*"], ["gpt-*", "quick", self.name()]),
            "endpoints": self.one_of([], ["*"], ["/v1/*", "/v1/embeddings"]), "expires_at": self.moment(),
            "ip_allow": self.one_of([], ["10.0.0.0/8"], ["127.0.0.1", "::1", "fd00::/8", "192.0.2.7/32"]), **self.rules(),
        }  # fmt: skip
        return self.some_of(members, KEY_DEFAULTS)

    def tenant(self, identity: str) -> dict:
        return {"id": identity, **self.some_of({"name": self.name(), **self.rules()}, RULE_DEFAULTS)}


RULE_DEFAULTS = {"limits": {}, "budgets": [], "quotas": [], "metadata": {}}
KEY_DEFAULTS = {
    "label": "", "role": "user", "tenant": "default", "user": None, "active": True, "models": ["*"], "endpoints": ["*"],
    "expires_at": None, "ip_allow": [], **RULE_DEFAULTS,
}  # fmt: skip


def as_read(document: dict, defaults: dict) -> dict:
    """A null is the default."""
    return {name: defaults.get(name) if value is None and name in defaults else read(written(value)) for name, value in document.items()}


def members(shown: dict, names) -> dict:
    return {name: shown[name] for name in names}


def good(reply, status: int = 200):
    assert reply.status == status, reply
    return read(reply.body)


@pytest.fixture(scope="module")
def seed():
    chosen = random.randrange(10**9)
    print(f"the documents' seed: {chosen}")
    return chosen


def test_keys_are_read_back_as_they_were_written(weir, seed):
    documents = Documents(seed)
    expected = {}
    for _ in range(DOCUMENTS):
        document = documents.key()
        made = good(ask(weir, "POST", "/keys", written(document)), 201)
        wanted = {**KEY_DEFAULTS, **as_read(document, KEY_DEFAULTS)}
        assert members(made, wanted) == wanted, written(document)
        path = f"/keys/{made['id']}"
        if documents.random.random() < 0.5:
            change = documents.key()
            wanted |= as_read(change, KEY_DEFAULTS)
            assert members(good(ask(weir, "PATCH", path, written(change))), wanted) == wanted, (written(document), written(change))
        assert members(good(ask(weir, "GET", path)), wanted) == wanted
        expected[made["id"]] = wanted
    listed = {key["id"]: key for key in good(ask(weir, "GET", "/keys?limit=1000"))["data"]}
    for identity, wanted in expected.items():
        assert members(listed[identity], wanted) == wanted
    weir_id, wanted = next(iter(expected.items()))
    shown = weir.command("keys", "show", weir_id, "--json", WEIR_ADMIN_KEY=ADMIN)
    assert members(read(shown.stdout), wanted) == wanted
    created = good(ask(weir, "GET", "/audit?action=create&object=key&limit=1000"))["data"]
    assert {entry["object_id"] for entry in created} >= set(expected)


def test_tenants_are_read_back_as_they_were_written(weir, seed):
    documents = Documents(seed + 1)
    expected = {}
    for number in range(DOCUMENTS // 2):
        document = documents.tenant(f"tenant-{number}")
        if number > 2:
            document["parent"] = documents.one_of(None, "tenant-0", "tenant-1")
        made = good(ask(weir, "POST", "/tenants", written(document)), 201)
        wanted = {"name": document["id"], "parent": None, **RULE_DEFAULTS, **as_read(document, RULE_DEFAULTS)}
        assert members(made, wanted) == wanted, written(document)
        change = documents.some_of(documents.rules(), RULE_DEFAULTS)
        wanted |= as_read(change, RULE_DEFAULTS)
        path = f"/tenants/{document['id']}"
        assert members(good(ask(weir, "PATCH", path, written(change))), wanted) == wanted, (written(document), written(change))
        assert members(good(ask(weir, "GET", path)), wanted) == wanted
        expected[document["id"]] = wanted
    listed = {tenant["id"]: tenant for tenant in good(ask(weir, "GET", "/tenants?limit=1000"))["data"]}
    assert {identity: members(listed[identity], wanted) for identity, wanted in expected.items()} == expected
    shown = weir.command("tenants", "show", "tenant-0", "--json", WEIR_ADMIN_KEY=ADMIN)
    assert members(read(shown.stdout), expected["tenant-0"]) == expected["tenant-0"]


def test_the_commands_keep_the_words_too(weir):
    document = {"limits": {"requests": "100/60s"}, "metadata": {"n": Number("123456789012345678901234567890"), "ü": Number("1.00")}, "budgets": [{"usd": Number("2.50"), "period": "day"}]}
    made = weir.command("keys", "create", "--body", written(document), "--label", "in words", "--json", WEIR_ADMIN_KEY=ADMIN)
    assert made.returncode == 0, made
    assert members(read(made.stdout), document) == document
    changed = weir.command("keys", "update", "in words", "--budget", "1.00/month", "--requests", "90/90s", "--json", WEIR_ADMIN_KEY=ADMIN)
    assert members(read(changed.stdout), ["budgets", "limits", "metadata"]) == {
        "budgets": [{"usd": Number("1.00"), "period": "month", "hard": True}], "limits": {"requests": "90/90s"}, "metadata": document["metadata"],
    }  # fmt: skip


def test_keys_of_the_configuration_are_shown_in_its_words(weir):
    assert good(ask(weir, "GET", "/keys/config:fixed"))["limits"] == {"requests": ["100/60s", "5000/1h"], "tokens": "50000/60s", "in_flight": Number("8")}
    assert good(ask(weir, "GET", "/keys/config:plain"))["limits"] == {"requests": "300/60s"}


def test_it_is_the_same_after_a_restart(folder, tmp_path_factory):
    directory = tmp_path_factory.mktemp("again")
    written_by_the_first, seen = {}, {}
    documents = Documents(7)
    for run in range(2):
        with Weir(directory, CONFIG, WEIR_ADMIN_KEY=ADMIN) as server:
            if run == 0:
                for _ in range(10):
                    made = good(ask(server, "POST", "/keys", written(documents.key())), 201)
                    written_by_the_first[made["id"]] = {name: value for name, value in made.items() if name not in ("key", "notices")}
            seen[run] = {identity: good(ask(server, "GET", f"/keys/{identity}")) for identity in written_by_the_first}
    assert seen[0] == seen[1] == written_by_the_first


@pytest.mark.parametrize(
    ("path", "document", "param", "words"),
    [
        ("/keys", {"lable": "x"}, "lable", 'did you mean "label"'),
        ("/keys", {"limits": {"tokns": "1/1s"}}, "limits.tokns", 'did you mean "tokens"'),
        ("/keys", {"budgets": [{"usd": 1}, {"usd": 1, "perod": "day"}]}, "budgets[1].perod", 'did you mean "period"'),
        ("/keys", {"quotas": [{"tokens": 1, "cuont": "total"}]}, "quotas[0].cuont", 'did you mean "count"'),
        ("/tenants", {"id": "x", "parnet": "y"}, "parnet", 'did you mean "parent"'),
        ("/tenants", {"id": "x", "limits": {"inflight": 1}}, "limits.inflight", 'did you mean "in_flight"'),
        ("/tenants", {"id": "x", "budgets": [{"eur": 1}]}, "budgets[0].eur", "is not known"),
        ("/keys", {"label": 5}, "label", "string"),
        ("/keys", {"label": "a\u0000b"}, "label", "character"),
        ("/keys", {"role": True}, "role", "string"),
        ("/keys", {"role": "admn"}, "role", 'did you mean "admin"'),
        ("/keys", {"tenant": ""}, "tenant", "empty"),
        ("/keys", {"user": ""}, "user", "empty"),
        ("/keys", {"active": "yes"}, "active", "true nor false"),
        ("/keys", {"models": [5]}, "models[0]", "string"),
        ("/keys", {"models": ["*", None]}, "models[1]", "null"),
        ("/keys", {"endpoints": ["v1/x"]}, "endpoints[0]", "/v1/embeddings"),
        ("/keys", {"ip_allow": ["10.0.0.0/8", "10.0.0.0/33"]}, "ip_allow[1]", "10.0.0.0/8"),
        ("/keys", {"expires_at": 1900000000}, "expires_at", "2027-01-31"),
        ("/keys", {"expires_at": "2027-02-30"}, "expires_at", "2027-01-31"),
        ("/keys", {"expires_at": "2027-01-31T09:30:00"}, "expires_at", "2027-01-31"),
        ("/keys", {"metadata": "x"}, "metadata", "object"),
        ("/keys", {"limits": []}, "limits", "object"),
        ("/keys", {"limits": {"requests": 100}}, "limits.requests", "100/60s"),
        ("/keys", {"limits": {"requests": ["5/1s", "6/1000ms"]}}, "limits.requests", "same span"),
        ("/keys", {"limits": {"in_flight": "8"}}, "limits.in_flight", "number of calls"),
        ("/keys", {"budgets": {"usd": 1}}, "budgets", "list of objects"),
        ("/keys", {"budgets": [5]}, "budgets[0]", "object"),
        ("/keys", {"budgets": [{"usd": -1}]}, "budgets[0].usd", "1.00"),
        ("/keys", {"budgets": [{"usd": 1, "hard": "yes"}]}, "budgets[0].hard", "true nor false"),
        ("/keys", {"budgets": [{"usd": 1, "period": "dya"}]}, "budgets[0].period", 'did you mean "day"'),
        ("/keys", {"budgets": [{"usd": 1, "reset_day": 0}]}, "budgets[0].reset_day", "between 1 and 31"),
        ("/keys", {"budgets": [{"usd": 1, "period": "week", "reset_day": 8}]}, "budgets[0].reset_day", "between 1 and 7"),
        ("/keys", {"budgets": [{"usd": 1, "time_zone": "Europe/Berlln"}]}, "budgets[0].time_zone", "Europe/Berlin"),
        ("/keys", {"quotas": [{"tokens": "many"}]}, "quotas[0].tokens", "number of tokens"),
        ("/keys", {"quotas": [{"tokens": 1, "count": "input"}]}, "quotas[0].count", "output nor total"),
        ("/keys", {"quotas": [{"period": "day"}]}, "quotas[0]", "tokens is missing"),
        ("/keys", {"id": "key_mine"}, "id", "set by weir"),
        ("/tenants", {"id": "a b"}, "id", "letters"),
        ("/tenants", {"id": "x", "name": ""}, "name", "empty"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(weir, path, document, param, words):
    refused = ask(weir, "POST", path, json.dumps(document))
    error = refused.json["error"]
    assert (refused.status, error["param"]) == (400, param) and words in error["message"], error


def test_a_document_says_each_thing_once_and_is_json(weir):
    for body in ('{"label":"a","label":"b"}', '{"limits":{"in_flight":1,"in_flight":2}}', '{"label":"a"', '{"label":"\ud800"}'.encode("utf-8", "surrogatepass"), b'{"label":"\xff"}', "", "[]"):
        reply = weir.request("POST", "/admin/v1/keys", body if isinstance(body, bytes) else body.encode(), {"Authorization": f"Bearer {ADMIN}"})
        assert (reply.status, reply.json["error"]["type"]) == (400, "invalid_request_error"), body


@pytest.mark.parametrize("body", ['{"state":"open","secnods":600}', '{"state":"ajar"}', '{"seconds":5}', '{"state":"closed","seconds":5}', '{"state":"open","seconds":0}', "[]"])
def test_a_breaker_is_not_opened_by_a_slip_of_the_hand(weir, body):
    refused = ask(weir, "POST", "/breakers/m/x", body)
    assert refused.status == 400, refused
    if "secnods" in body:
        assert refused.json["error"]["param"] == "secnods" and 'did you mean "seconds"' in refused.json["error"]["message"]
    else:
        assert "JSON object" in refused.json["error"]["message"] or '"seconds":600' in refused.json["error"]["message"]
    assert all(one["state"] == "closed" for one in ask(weir, "GET", "/breakers").json["data"])


def test_changes_by_hand_and_reloads_are_in_the_audit_log(weir):
    assert ask(weir, "POST", "/breakers/m/x", '{"state":"open","seconds":600}').status == 200
    assert ask(weir, "POST", "/breakers/m/x", '{"state":"closed"}').status == 200
    closed, opened = ask(weir, "GET", "/audit?object=breaker&object_id=m/x").json["data"]
    assert [entry["action"] for entry in (opened, closed)] == ["open", "close"]
    assert opened["before"]["state"] == "closed" and opened["after"]["state"] == "open" and opened["after"]["by_hand"]
    reloaded = ask(weir, "POST", "/reload")
    assert reloaded.status == 200
    entry = ask(weir, "GET", "/audit?action=reload").json["data"][0]
    assert (entry["object"], entry["after"]["result"], entry["request_id"]) == ("configuration", "applied", reloaded.request_id)
    for one in (opened, closed, entry):
        assert (one["actor"], one["actor_key_id"], one["actor_role"]) == ("admin key", "config:admin_key", "bootstrap")
        assert one["address"].startswith("127.0.0.1")

    weir.process.send_signal(signal.SIGHUP)
    give_up = time.monotonic() + PATIENCE
    while not (hung_up := ask(weir, "GET", "/audit?actor=SIGHUP").json["data"]):
        assert time.monotonic() < give_up, "the reload is not in the audit log"
    assert (hung_up[0]["action"], hung_up[0]["after"]["result"], hung_up[0]["address"]) == ("reload", "applied", None)

    listed = weir.command("audit", "--object", "breaker", "--limit", "1", WEIR_ADMIN_KEY=ADMIN)
    assert listed.returncode == 0 and "ACTOR" in listed.stdout and "admin key" in listed.stdout and "close" in listed.stdout, listed
    assert "There are more: --after " in listed.stderr
    asked = weir.command("audit", "--action", "reload", "--actor", "admin key", "--json", WEIR_ADMIN_KEY=ADMIN)
    assert json.loads(asked.stdout)["data"][0] == entry
    wrong = weir.command("audit", "--from", "yesterday", WEIR_ADMIN_KEY=ADMIN)
    assert wrong.returncode != 0 and "2026-11-21" in wrong.stderr
