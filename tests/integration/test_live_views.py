"""The live page's views of usage, keys and budgets, in a real browser, against a store that remembers.

With WEIR_SCREENSHOTS=FOLDER their pictures are made anew, as in test_live_page.py.
"""

import contextlib
import http.client
import json
import os

import pytest

from browser import Browser, Page
from fault_server import USAGE, FaultServer
from test_live_page import CONTRAST
from weir_server import PATIENCE, ROOT, Weir

ADMIN = "the-admin-key-0001"
FIXED = "sk-a-key-of-the-configuration"
CONFIG = """
listen: 127.0.0.1:0
providers:
  a: {{dialect: openai, base_url: "{a}", keys: none}}
models: {{gpt-4o: a/gpt-4o, small: a/small, unpriced: a/unpriced}}
prices: {{a/gpt-4o: {{input: 1000, output: 0}}, a/small: {{input: 100, output: 0}}}}
data_dir: data
store: {{url: 'sqlite:weir.db'}}
auth: {{keys: [{{name: fixed, value: {fixed}}}]}}
"""
# Of one call to gpt-4o, in dollars.
COST = USAGE["prompt_tokens"] * 0.001


@pytest.fixture(scope="module")
def browser():
    with Browser() as running:
        yield running


@pytest.fixture
def weir(tmp_path):
    with FaultServer("a") as upstream, Weir(tmp_path, CONFIG.format(a=upstream.base_url, fixed=FIXED), WEIR_ADMIN_KEY=ADMIN) as server:
        yield server


def admin(weir, method: str, path: str, body=None):
    reply = weir.request(method, path, None if body is None else json.dumps(body).encode(), {"x-api-key": ADMIN})
    assert reply.status in (200, 201), reply
    return reply.json


def make_key(weir, **fields):
    return admin(weir, "POST", "/admin/v1/keys", fields)


def give(weir, key: dict, **fields) -> None:
    """What it has used already is what the view shows; whether it may go on is another test's."""
    admin(weir, "PATCH", f"/admin/v1/keys/{key['id']}", fields)


def call(weir, key: str, model: str = "gpt-4o"):
    reply = weir.chat(model, headers={"x-api-key": key})
    assert reply.status == 200, reply
    return reply


def used(weir, requests: int):
    """Waits until the store has them."""
    while sum(row["requests"] for row in admin(weir, "GET", "/admin/v1/usage?group_by=day")["data"]) < requests:
        pass


def opened(browser, weir, view: str, width: int = 1280, height: int = 800) -> Page:
    page = browser.page(width, height)
    page.open(f"{weir.url}/ui/#calls")
    page.wait_for("!document.getElementById('admin-key-form').hidden")
    page.type("#admin-key", ADMIN)
    page.click("#admin-key-form button")
    page.wait_for("document.getElementById('connection').dataset.state === 'live'")
    go(page, view)
    return page


def go(page: Page, view: str) -> None:
    page.evaluate(f"location.hash = '#{view}'")
    page.wait_for(f"!document.getElementById('{view}-page').hidden")


def visible(identity: str) -> str:
    return f"!document.getElementById('{identity}').hidden"


def text(page: Page, selector: str) -> str:
    return page.evaluate(f"document.querySelector({json.dumps(selector)}).innerText")


def no_errors(page: Page) -> bool:
    # The first question, without a key, is refused: the browser notes each such answer by itself.
    return [error for error in page.errors if "401" not in error] == []


def test_empty_views_say_what_to_do(browser, weir):
    page = opened(browser, weir, "usage")
    page.wait_for(visible("usage-empty"))
    assert "playground" in text(page, "#usage-empty") and not page.evaluate(visible("usage-found"))
    go(page, "keys")
    page.wait_for(visible("keys-empty"))
    assert "Create one above" in text(page, "#keys-empty")
    go(page, "budgets")
    page.wait_for(visible("budgets-empty"))
    assert "PATCH /admin/v1/keys/{id}" in text(page, "#budgets-empty")
    assert no_errors(page)


def test_usage_is_a_chart_and_a_table_by_key_model_or_day(browser, weir):
    for model in ("gpt-4o", "gpt-4o", "small", "unpriced"):
        call(weir, FIXED, model)
    used(weir, 4)
    page = opened(browser, weir, "usage")
    page.wait_for(visible("usage-found"))
    assert text(page, "#usage-requests") == "4"
    assert float(text(page, "#usage-cost")[1:]) == pytest.approx(2 * COST + 0.1 * COST, abs=0.0001)
    assert "The cost of 1 call is unknown" in text(page, "#usage-unpriced")
    bars = "[...document.querySelectorAll('#usage-chart rect')]"
    assert page.evaluate(f"{bars}.length") == 30
    assert page.evaluate(f"{bars}.filter(bar => bar.getBoundingClientRect().height > 10).length") == 1
    rows = "[...document.querySelectorAll('#usage-table tbody tr')].map(row => [...row.children].map(cell => cell.textContent))"
    assert [row[:2] for row in page.evaluate(rows)][:2] == [["gpt-4o", "2"], ["small", "1"]], "the dearest first"
    page.evaluate("(group => { group.value = 'key'; group.dispatchEvent(new Event('change')); })(document.getElementById('usage-group'))")
    page.wait_for("document.querySelector('#usage-table tbody th').textContent === 'fixed'")
    page.evaluate("(what => { what.value = 'requests'; what.dispatchEvent(new Event('change')); })(document.getElementById('usage-measure'))")
    page.wait_for("document.querySelector('#usage-chart svg').getAttribute('aria-label').startsWith('Requests by day, the highest 4')")
    assert no_errors(page)


def test_a_key_is_made_shown_once_rotated_and_revoked(browser, weir):
    page = opened(browser, weir, "keys")
    page.wait_for(visible("keys-empty"))
    page.click("#key-panel summary")
    page.type("#key-label", "team-b")
    page.type("#key-requests", "100/60s")
    page.type("#key-usd", "1.5")
    page.click("#key-create")
    page.wait_for(visible("secret"))
    secret = text(page, "#secret-text")
    assert secret.startswith("wr-") and page.evaluate("document.activeElement.id") == "secret"
    call(weir, secret)
    made = admin(weir, "GET", "/admin/v1/keys")["data"][0]
    assert made["label"] == "team-b" and made["limits"] == {"requests": "100/60s"}
    assert [(budget["usd"], budget["period"], budget["hard"]) for budget in made["budgets"]] == [(1.5, "month", True)]
    page.click("#secret-done")
    assert not page.evaluate(visible("secret"))
    assert not page.evaluate(f"document.body.innerHTML.includes({json.dumps(secret)})"), "it is nowhere any more"

    row = "document.querySelector('#keys-table tbody tr')"
    page.click("#keys-table tbody button")  # Rotate
    page.wait_for("document.getElementById('confirm').open")
    page.press("Escape", 27)
    page.wait_for("!document.getElementById('confirm').open")
    assert not page.evaluate(visible("secret")), "not agreed"
    page.click("#keys-table tbody button")
    page.click("#confirm-yes")
    page.wait_for(visible("secret"))
    rotated = text(page, "#secret-text")
    assert rotated != secret
    call(weir, rotated)
    call(weir, secret)  # for an hour more

    page.wait_for(f"{row}.querySelectorAll('button').length === 2")
    page.click("#keys-table tbody button:nth-child(2)")  # Revoke
    assert "Revoke team-b?" in text(page, "#confirm-title")
    page.click("#confirm-yes")
    page.wait_for(visible("keys-empty"))
    for dead in (secret, rotated):
        assert weir.chat("gpt-4o", headers={"x-api-key": dead}).status == 401
    page.click("#keys-revoked")
    page.wait_for(f"{row}?.innerText.includes('revoked')")
    assert no_errors(page)


def test_what_is_wrong_with_a_new_key_is_told_in_the_api_s_words(browser, weir):
    page = opened(browser, weir, "keys")
    page.click("#key-panel summary")
    page.type("#key-label", "team-c")
    page.type("#key-requests", "many")
    page.click("#key-create")
    page.wait_for(visible("key-problem"))
    assert "limits.requests" in text(page, "#key-problem")
    assert page.evaluate("document.getElementById('key-label').value") == "team-c", "what was typed is still there"


def test_budgets_have_bars_that_warn_at_80_and_100_percent(browser, weir):
    for label, calls, usd in (("little", 1, 10), ("much", 9, 10), ("all", 10, 10)):
        key = make_key(weir, label=label)
        for _ in range(calls):
            call(weir, key["key"])
        give(weir, key, budgets=[{"usd": round(usd * COST, 6), "period": "day", "hard": False}])
    make_key(weir, label="quota", quotas=[{"tokens": 1000, "period": "month", "count": "total"}])
    used(weir, 20)
    page = opened(browser, weir, "budgets")
    page.wait_for("document.querySelectorAll('#budgets-list li').length === 4")
    meters = page.evaluate(
        "Object.fromEntries([...document.querySelectorAll('#budgets-list li')].map(one => [one.querySelector('h2').firstChild.data,"
        " [one.querySelector('.meter').dataset.level, one.querySelector('b').textContent, one.querySelector('.fill').style.width]]))"
    )
    assert meters["little"] == ["good", "10 %", "10%"] and meters["much"] == ["warn", "90 % used", "90%"]
    assert meters["all"] == ["full", "Used up", "100%"] and meters["quota"][0] == "good"
    assert "today · soft" in text(page, "#budgets-list") and "0 of 1,000 tokens" in text(page, "#budgets-list")
    assert page.evaluate("[...document.querySelectorAll('[role=meter]')].every(one => one.ariaValueText && one.ariaLabel)")
    assert no_errors(page)


def test_budgets_show_what_runs_holds_and_what_the_configuration_gives(browser, tmp_path):
    config = CONFIG + "budgets: {{global: [{{usd: 100, period: month}}], by_model: {{small: [{{usd: 5, period: day, hard: false}}]}}}}"
    with FaultServer("a") as upstream, Weir(tmp_path, config.format(a=upstream.base_url, fixed=FIXED), WEIR_ADMIN_KEY=ADMIN) as weir:
        key = make_key(weir, label="busy", budgets=[{"usd": 1000, "period": "week", "hard": True}])
        idle = make_key(weir, label="idle", budgets=[{"usd": 1, "period": "month", "hard": True}])
        call(weir, key["key"])
        upstream.always("silence")
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", weir.port, timeout=PATIENCE)) as running:
            body = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5})
            running.request("POST", "/v1/chat/completions", body, {"x-api-key": key["key"]})
            while not (rows := {(row["owner"], row["id"]): row for row in admin(weir, "GET", "/admin/v1/budgets")["data"]}) or rows["key", key["id"]]["held"] == 0:
                pass
            assert set(rows) == {("global", None), ("model", "small"), ("key", key["id"])}, "nobody has asked the other key's yet"
            mine = rows["key", key["id"]]
            assert (mine["unit"], mine["period"], mine["hard"], mine["cap"]) == ("usd", "week", True, 1000)
            assert mine["spent"] == pytest.approx(COST) and mine["held"] > 0 and mine["period_end"].endswith("Z")
            assert rows["global", None]["spent"] == pytest.approx(COST) and rows["model", "small"]["spent"] == 0
            page = opened(browser, weir, "budgets")
            page.wait_for("document.querySelectorAll('#budgets-list li').length === 4")
            shown = page.evaluate("Object.fromEntries([...document.querySelectorAll('#budgets-list li')].map(one => [one.querySelector('h2').firstChild.data, one.innerText]))")
            assert set(shown) == {"Everybody together", "small", "busy", "idle"}
            assert "held" in shown["busy"] and "of $1000" in shown["busy"].replace(",", "") and "this week · hard · until" in shown["busy"]
            assert "today · soft · until" in shown["small"] and "held" not in shown["small"] and "$0 of $1" in shown["idle"]
            assert "held" in shown["Everybody together"]
            assert no_errors(page)
        pages, after = [], ""
        while after is not None:
            page = admin(weir, "GET", f"/admin/v1/budgets?limit=1&after={after}")
            pages += [(row["owner"], row["id"]) for row in page["data"]]
            after = page["next"]
        assert sorted(pages, key=str) == sorted(rows, key=str)
        assert [row["id"] for row in admin(weir, "GET", "/admin/v1/budgets?owner=model")["data"]] == ["small"]
        assert idle["id"] not in json.dumps(pages)
        refused = weir.request("GET", "/admin/v1/budgets?owner=nobody", None, {"x-api-key": ADMIN})
        assert refused.status == 400 and "tenant" in refused.json["error"]["message"]


def test_a_period_begins_where_the_budget_says(browser, weir):
    page = opened(browser, weir, "budgets")
    begins = lambda rule, now: page.evaluate(  # noqa: E731
        f"import('./views.js').then(views => views.periodStart({json.dumps(rule)}, new Date('{now}'))?.toISOString() ?? null)"
    )
    for rule, now, begin in (
        ({"period": "forever"}, "2026-07-15T10:00:00Z", None),
        ({"period": "hour"}, "2026-07-15T10:59:59Z", "2026-07-15T10:00:00.000Z"),
        ({"period": "day", "time_zone": "Europe/Berlin"}, "2026-07-15T22:30:00Z", "2026-07-15T22:00:00.000Z"),
        ({"period": "day", "time_zone": "America/New_York"}, "2026-01-01T03:00:00Z", "2025-12-31T05:00:00.000Z"),
        ({"period": "day", "time_zone": "Europe/Berlin"}, "2026-03-29T12:00:00Z", "2026-03-28T23:00:00.000Z"),  # the clocks changed
        ({"period": "week"}, "2026-07-15T10:00:00Z", "2026-07-13T00:00:00.000Z"),
        ({"period": "week", "reset_day": 7}, "2026-07-15T10:00:00Z", "2026-07-12T00:00:00.000Z"),
        ({}, "2026-07-15T10:00:00Z", "2026-07-01T00:00:00.000Z"),
        ({"period": "month", "reset_day": 20}, "2026-07-15T10:00:00Z", "2026-06-20T00:00:00.000Z"),
        ({"period": "month", "reset_day": 31}, "2026-03-01T10:00:00Z", "2026-02-28T00:00:00.000Z"),
        ({"period": "year"}, "2026-07-15T10:00:00Z", "2026-01-01T00:00:00.000Z"),
    ):
        assert begins(rule, now) == begin, rule
    ends = lambda rule, now: page.evaluate(  # noqa: E731
        f"import('./views.js').then(views => views.periodEnd({json.dumps(rule)}, new Date('{now}'))?.toISOString() ?? null)"
    )
    for rule, now, end in (
        ({"period": "forever"}, "2026-07-15T10:00:00Z", None),
        ({"period": "hour"}, "2026-07-15T10:59:59Z", "2026-07-15T11:00:00.000Z"),
        ({"period": "day", "time_zone": "Europe/Berlin"}, "2026-03-29T12:00:00Z", "2026-03-29T22:00:00.000Z"),  # a day of 23 hours
        ({"period": "week", "reset_day": 7}, "2026-07-15T10:00:00Z", "2026-07-19T00:00:00.000Z"),
        ({}, "2026-01-31T10:00:00Z", "2026-02-01T00:00:00.000Z"),
        ({"period": "month", "reset_day": 31}, "2026-02-10T10:00:00Z", "2026-02-28T00:00:00.000Z"),
        ({"period": "year"}, "2028-02-29T10:00:00Z", "2029-01-01T00:00:00.000Z"),
    ):
        assert ends(rule, now) == end, rule


def fill(weir):
    team = make_key(weir, label="team-a", tenant="research", models=["gpt-*"])
    other = make_key(weir, label="batch", expires_at="2030-01-01T00:00:00Z")
    make_key(weir, label="nightly", role="operator", quotas=[{"tokens": 100_000, "period": "month", "count": "total"}])
    for _ in range(4):
        call(weir, team["key"])
    for model in ("gpt-4o", "small", "small", "unpriced"):
        call(weir, other["key"], model)
    give(weir, team, budgets=[{"usd": round(5 * COST, 6), "period": "month", "hard": True}])
    give(weir, other, budgets=[{"usd": round(1.5 * COST, 6), "period": "day", "hard": False}])
    used(weir, 8)


SHOWN = {"usage": visible("usage-found"), "keys": "document.querySelectorAll('#keys-table tbody tr').length === 3", "budgets": "document.querySelectorAll('.meter').length === 3"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_views_are_legible_named_and_fit_a_phone(browser, weir, scheme):
    fill(weir)
    page = opened(browser, weir, "usage")
    page.scheme(scheme)
    for view, shown in SHOWN.items():
        go(page, view)
        page.wait_for(shown)
        if view == "keys":
            page.click("#key-panel summary")
        assert page.evaluate(CONTRAST) == [], (view, page.evaluate(CONTRAST))
    assert page.evaluate("[...document.querySelectorAll('input, select, textarea')].filter(one => one.labels.length === 0).map(one => one.id)") == []
    phone = opened(browser, weir, "usage", 360, 740)
    phone.scheme(scheme)
    for view, shown in SHOWN.items():
        go(phone, view)
        phone.wait_for(shown)
        assert phone.evaluate("document.documentElement.scrollWidth <= 360"), view
    assert no_errors(page) and no_errors(phone)


def make_pictures(browser, weir):
    folder = ROOT / os.environ["WEIR_SCREENSHOTS"]
    fill(weir)
    page = opened(browser, weir, "usage", 1200, 760)
    for view, shown in SHOWN.items():
        go(page, view)
        page.wait_for(shown)
        page.screenshot(folder / f"{view}.png")


if "WEIR_SCREENSHOTS" in os.environ:
    test_pictures = make_pictures
