"""Tenants that are made while weir runs bind those who belong to them, from the change on, over reloads and restarts."""

import json
import re
import signal
import time

from fault_server import USAGE, FaultServer
from weir_server import PATIENCE, Reply, Weir

ADMIN = "the-admin-key-0001"
# A call of model m that asks for 1000 tokens may cost $0.60; one costs a few cents of that.
CONFIG = """
listen: 127.0.0.1:0
data_dir: data
store: {{url: "sqlite:weir.db"}}
providers:
  a: {{dialect: openai, base_url: "{a}", keys: none}}
  mock: {{dialect: mock, mock: {{first_token: 0ms, tokens_per_second: 0, text: "Hello."}}}}
models: {{m: a/x, free: mock/x}}
prices: {{"a/*": {{input: 0, output: 600}}}}
retry: {{attempts: 1}}
{rest}
"""
COST = USAGE["completion_tokens"] * 600e-6
COMPANY = "tenants: {company: {limits: {requests: 3/1h}}}"


def configured(upstream: FaultServer | None = None, rest: str = "") -> str:
    return CONFIG.format(a=upstream.base_url if upstream else "http://127.0.0.1:9/v1", rest=rest)


def admin(weir: Weir, method: str, path: str, **document) -> Reply:
    body = json.dumps(document).encode() if method != "GET" else None
    return weir.request(method, f"/admin/v1{path}", body, {"Authorization": f"Bearer {ADMIN}"})


def done(reply: Reply):
    assert reply.status in (200, 201), reply
    return reply.json


def tenant(weir: Weir, name: str, **document):
    return done(admin(weir, "POST", "/tenants", id=name, **document))


def key_of(weir: Weir, name: str) -> str:
    return done(admin(weir, "POST", "/keys", label=f"of {name}", tenant=name))["key"]


def ask(weir: Weir, key: str, model: str = "free", **fields) -> Reply:
    return weir.chat(model, headers={"Authorization": f"Bearer {key}"}, **{"max_tokens": 1000, **fields})


def code(reply: Reply) -> str:
    return "200" if reply.status == 200 else reply.json["error"]["code"]


def reload(weir: Weir, text: str) -> None:
    (weir.directory / "weir.yaml").write_text(text)
    done(admin(weir, "POST", "/reload"))


def test_a_limit_holds_from_the_moment_it_is_set_until_it_is_taken_away(tmp_path):
    for store in ("sqlite:weir.db", "none"):
        text = configured().replace("sqlite:weir.db", store)
        with Weir(tmp_path / store.split(":")[0], text, WEIR_ADMIN_KEY=ADMIN) as weir:
            early = key_of(weir, "acme")  # before there is such a tenant
            tenant(weir, "acme", limits={"requests": "2/1h"})
            key = key_of(weir, "acme")
            other = key_of(weir, "globex")
            assert [code(ask(weir, key)) for _ in range(2)] == ["200"] * 2
            refused = ask(weir, early)
            assert code(refused) == "rate_limit_exceeded", "the keys of a tenant share what it may use"
            assert "limit of this tenant is 2 requests per 3600 s" in refused.json["error"]["message"]
            assert code(ask(weir, other)) == "200"
            done(admin(weir, "PATCH", "/tenants/acme", limits={"requests": "4/1h"}))
            outcomes = [code(ask(weir, key)) for _ in range(3)]
            assert outcomes == ["200"] * 2 + ["rate_limit_exceeded"], "at once, and what was counted counts on"
            done(admin(weir, "PATCH", "/tenants/acme", limits=None))
            assert code(ask(weir, key)) == "200"
            done(admin(weir, "PATCH", "/tenants/acme", limits={"requests": "1/1h"}))
            assert code(ask(weir, key)) == "rate_limit_exceeded"
            for row in done(admin(weir, "GET", "/keys?tenant=acme"))["data"]:
                done(admin(weir, "PATCH", f"/keys/{row['id']}", tenant="initech"))
            assert code(ask(weir, key)) == "200", "it belongs to another one now"
            done(admin(weir, "DELETE", "/tenants/acme"))
            for row in done(admin(weir, "GET", "/keys?tenant=initech"))["data"]:
                done(admin(weir, "PATCH", f"/keys/{row['id']}", tenant="acme"))
            assert code(ask(weir, key)) == "200", "a tenant that is gone limits nobody"


def test_a_parent_s_limit_holds_for_all_below_together(tmp_path):
    with Weir(tmp_path, configured(rest=COMPANY), WEIR_ADMIN_KEY=ADMIN) as weir:
        tenant(weir, "group", limits={"requests": "6/1h"}, parent="company")  # of the configuration
        tenant(weir, "one", parent="group")
        tenant(weir, "two", parent="group")
        one, two = key_of(weir, "one"), key_of(weir, "two")
        assert [code(ask(weir, key)) for key in (one, two, one, two)] == ["200"] * 3 + ["rate_limit_exceeded"]
        reload(weir, configured(rest=COMPANY.replace("3/1h", "100/1h")))
        assert [code(ask(weir, key)) for key in (one, two, one, two)] == ["200"] * 3 + ["rate_limit_exceeded"], (
            "the configuration gave more, and the store's own six still hold"
        )
        done(admin(weir, "PATCH", "/tenants/one", parent=None))
        assert (code(ask(weir, one)), code(ask(weir, two))) == ("200", "rate_limit_exceeded")


def test_a_parent_s_hard_budget_holds_for_all_below_together(tmp_path):
    with FaultServer("a") as upstream, Weir(tmp_path, configured(upstream), WEIR_ADMIN_KEY=ADMIN) as weir:
        tenant(weir, "group", budgets=[{"usd": 0.60, "period": "month"}])
        for name in ("one", "two", "free"):
            tenant(weir, name, **({"parent": "group"} if name != "free" else {}))
        one, two, free = (key_of(weir, name) for name in ("one", "two", "free"))
        assert code(ask(weir, one, "m")) == "200"
        spent = ask(weir, two, "m")
        assert (spent.status, code(spent)) == (402, "quota_exhausted")
        assert "budget of this tenant is $0.6 per month" in spent.json["error"]["message"]
        assert code(ask(weir, one, "m")) == "quota_exhausted"
        assert code(ask(weir, free, "m")) == "200"
        done(admin(weir, "PATCH", "/tenants/group", budgets=[{"usd": 10, "period": "month"}]))
        assert [code(ask(weir, key, "m")) for key in (one, two)] == ["200"] * 2
        page = weir.request("GET", "/metrics/prometheus").body.decode()
        assert 'weir_budget_limit{owner="tenant",name="group",unit="usd",period="month"} 10' in page


def test_a_reload_and_a_restart_keep_what_the_store_says_and_the_configuration_s_word_is_first(tmp_path):
    tight = "tenants: {acme: {limits: {requests: 1/1h}}}"
    with Weir(tmp_path, configured(), WEIR_ADMIN_KEY=ADMIN) as weir:
        tenant(weir, "acme", limits={"requests": "2/1h"})
        key = key_of(weir, "acme")
        reload(weir, configured(rest="limits: {global: {in_flight: 50}}"))
        assert [code(ask(weir, key)) for _ in range(3)] == ["200"] * 2 + ["rate_limit_exceeded"]
        done(admin(weir, "PATCH", "/tenants/acme", limits={"requests": "50/1h"}))
        reload(weir, configured(rest=tight))
        assert code(ask(weir, key)) == "rate_limit_exceeded", "the configuration's tenant stands in its place"
        told = done(admin(weir, "PATCH", "/tenants/acme", limits={"requests": "60/1h"}))
        assert "configuration has a tenant `acme`" in told["notices"][0]
        assert code(ask(weir, key)) == "rate_limit_exceeded"
        reload(weir, configured())
        assert code(ask(weir, key)) == "200"
        done(admin(weir, "PATCH", "/tenants/acme", limits={"requests": "1/1h"}))
    with Weir(tmp_path, configured(), WEIR_ADMIN_KEY=ADMIN) as weir:
        assert [code(ask(weir, key)) for _ in range(2)] == ["200", "rate_limit_exceeded"]


def test_a_new_budget_counts_what_was_spent_without_it(tmp_path):
    with FaultServer("a") as upstream, Weir(tmp_path, configured(upstream), WEIR_ADMIN_KEY=ADMIN) as weir:
        tenant(weir, "counted", budgets=[{"usd": 5, "period": "month"}])
        tenant(weir, "group")
        tenant(weir, "late", parent="group")
        counted, late = key_of(weir, "counted"), key_of(weir, "late")
        assert [code(ask(weir, key, "m")) for key in (counted, late, late)] == ["200"] * 3
        give_up = time.monotonic() + PATIENCE
        while len(done(admin(weir, "GET", "/requests?tenant=late"))["data"]) < 2:
            assert time.monotonic() < give_up, "its calls come to the store"
        done(admin(weir, "PATCH", "/tenants/group", budgets=[{"usd": 0.60, "period": "month"}]))
        assert code(ask(weir, late)) == "200", "what is free always fits"
        used = re.compile(r'^weir_budget_used\{owner="tenant",name="group",unit="usd",period="month"\} (\S+)$', re.MULTILINE)
        while float(used.search(weir.request("GET", "/metrics/prometheus").body.decode())[1]) < 1.9 * COST:
            assert time.monotonic() < give_up, "the ledger is read"
        assert code(ask(weir, late, "m")) == "quota_exhausted"
        assert code(ask(weir, counted, "m")) == "200"


def test_what_a_tenant_has_spent_is_known_after_a_kill(tmp_path):
    with FaultServer("a") as upstream:
        killed = Weir(tmp_path, configured(upstream), WEIR_ADMIN_KEY=ADMIN)
        killed.__enter__()
        tenant(killed, "group", budgets=[{"usd": 0.60, "period": "month"}])
        tenant(killed, "one", parent="group")
        tenant(killed, "two", parent="group")
        one, two = key_of(killed, "one"), key_of(killed, "two")
        answered = ask(killed, one, "m")
        assert code(answered) == "200"
        give_up = time.monotonic() + PATIENCE
        while admin(killed, "GET", f"/requests/{answered.request_id}").status != 200:  # the caller has his answer before that
            assert time.monotonic() < give_up, "the call has no end"
        killed.process.send_signal(signal.SIGKILL)
        killed.process.wait(30)
        with Weir(tmp_path, configured(upstream), WEIR_ADMIN_KEY=ADMIN) as weir:
            give_up = time.monotonic() + PATIENCE
            while (outcome := code(ask(weir, two, "m"))) == "store_unavailable":
                assert time.monotonic() < give_up, "it is still reading"
            assert outcome == "quota_exhausted"


def test_a_tenant_of_the_configuration_says_where_it_stands_and_can_be_named(tmp_path):
    fixed = 'tenants: {"R&D é": {limits: {requests: 3/1h}}}'
    with Weir(tmp_path, configured(rest=fixed), WEIR_ADMIN_KEY=ADMIN) as weir:
        for method, status in (("GET", 404), ("PATCH", 409), ("DELETE", 409)):
            reply = admin(weir, method, "/tenants/R%26D%20%C3%A9")
            assert reply.status == status and "stands in the configuration" in reply.json["error"]["message"], reply
        assert code(ask(weir, key_of(weir, "R&D é"))) == "200"
        refused = admin(weir, "POST", "/keys", tenant="R&D")
        assert refused.status == 400 and refused.json["error"]["param"] == "tenant"


def test_tenants_that_stand_deeper_than_they_may_be_put_stay_bounded(tmp_path):
    shallow = "tenants: {c1: {}}"
    deep = "tenants: {c0: {limits: {requests: 2/1h}}, c1: {parent: c0, limits: {requests: 50/1h}}}"
    text = configured(rest=shallow)
    with Weir(tmp_path, text, WEIR_ADMIN_KEY=ADMIN) as weir:
        for level in range(1, 8):
            tenant(weir, f"s{level}", parent=f"s{level - 1}" if level > 1 else "c1")
        key = key_of(weir, "s7")
        (weir.directory / "weir.yaml").write_text(configured(rest=deep))
        refused = admin(weir, "POST", "/reload")
        assert (refused.status, refused.json["result"]) == (422, "rejected"), refused
        assert "stand at most 8 deep" in refused.json["errors"][0] and " s7;" in refused.json["errors"][0]
        assert [code(ask(weir, key)) for _ in range(3)] == ["200"] * 3, "nothing changed"
        (weir.directory / "weir.yaml").write_text(configured())
        orphaned = done(admin(weir, "POST", "/reload"))
        assert orphaned["changes"] == ["tenants removed: c1"]
        assert orphaned["notices"] == ["tenants: s1: its parent c1 is no tenant, so nothing above it holds"]
    with Weir(tmp_path, configured(rest=deep), WEIR_ADMIN_KEY=ADMIN) as weir:
        assert [code(ask(weir, key)) for _ in range(3)] == ["200"] * 2 + ["rate_limit_exceeded"]
        weir.wait_for_output("s7: 9 deep, where at most 8 are meant to be")
