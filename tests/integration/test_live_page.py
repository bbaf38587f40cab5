"""The live page in a real browser: calls that are seen before they end, the playground, a phone, a dark screen.

With WEIR_SCREENSHOTS=FOLDER the pictures of the docs are made anew: WEIR_SCREENSHOTS=docs/images ./dev test integration
-- -k pictures.
"""

import contextlib
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from browser import PATIENCE, Browser, Page
from fault_server import FaultServer, refusing_url
from weir_server import ROOT, Weir

CONFIG = """
listen: 127.0.0.1:0
providers:
  first: {{dialect: openai, base_url: "{faulty}", keys: none}}
  second: {{dialect: openai, base_url: "{gated}", keys: none}}
  gone: {{dialect: openai, base_url: "{gone}", keys: none}}
  cloud: {{dialect: mock, mock: {{first_token: 180ms, tokens_per_second: 90, text: "A weir is a low barrier across a river."}}}}
  local: {{dialect: mock, mock: {{first_token: 60ms, tokens_per_second: 60, text: "Water, kept level."}}}}
models:
  smart: {{steps: [first/chat, second/chat]}}
  gated: second/chat
  gpt-4o: cloud/gpt-4o
  llama-3.1-8b: {{steps: [gone/llama, local/llama-3.1-8b]}}
  busy: first/chat
  broken: cloud/gpt-4o,fault=cut,after_events=3
  recovered: {{steps: ["cloud/gpt-4o,fault=cut,after_events=3", cloud/gpt-4o]}}
  limited: {{steps: ["cloud/gpt-4o,fault=status,status=429", local/llama-3.1-8b]}}
retry: {{attempts: 1}}
auth: {{mode: none}}
circuit_breaker: {{failure_threshold: 1000000}}
"""


class GatedServer:
    """A model server that streams one word and goes on when the test says so."""

    def __enter__(self) -> "GatedServer":
        self.gate = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                with contextlib.suppress(ConnectionError):  # whoever asked may leave
                    self.answer()

            def answer(self) -> None:
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.end_headers()
                self.chunk({"role": "assistant", "content": ""})
                self.chunk({"content": "Opened "})
                assert outer.gate.wait(PATIENCE)
                self.chunk({"content": "and done."})
                self.chunk({}, "stop")
                self.wfile.write(b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13}}\n\n')
                self.wfile.write(b"data: [DONE]\n\n")

            def chunk(self, delta: dict, finish: str | None = None) -> None:
                choice = {"index": 0, "delta": delta, "finish_reason": finish}
                self.wfile.write(b"data: " + json.dumps({"id": "c", "choices": [choice]}).encode() + b"\n\n")

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/v1"


@pytest.fixture(scope="module")
def browser():
    with Browser() as running:
        yield running


@pytest.fixture
def gated():
    with GatedServer() as server:
        yield server


@pytest.fixture
def weir(gated, tmp_path):
    with FaultServer("first") as faulty, refusing_url() as gone:
        faulty.always("status", retry_after=None)
        with Weir(tmp_path, CONFIG.format(faulty=faulty.base_url, gated=gated.base_url, gone=gone)) as server:
            yield server


def row(model: str, inner: str = "") -> str:
    """A JavaScript expression: the newest row of that model, or what is inside of it."""
    found = f"[...document.querySelectorAll('#calls > li')].find(one => one.querySelector('.model').textContent === '{model}')"
    return f"({found})?.querySelector('{inner}')" if inner else f"({found})"


def live(page: Page, weir: Weir) -> None:
    page.open(f"{weir.url}/ui/")
    page.wait_for("document.getElementById('connection').dataset.state === 'live'")


class Asking(threading.Thread):
    """A call that runs beside the test; join it to have its reply."""

    def __init__(self, weir: Weir, model: str) -> None:
        super().__init__(daemon=True)
        self.weir, self.model = weir, model
        self.start()

    def run(self) -> None:
        self.reply = self.weir.chat(self.model, stream=True)

    def ended(self):
        self.join(PATIENCE)
        assert not self.is_alive(), "the call did not end"
        return self.reply


def test_an_empty_page_tells_how_to_send_a_first_call(browser, weir):
    page = browser.page()
    live(page, weir)
    page.wait_for("!document.getElementById('empty').hidden")
    command = page.evaluate("document.getElementById('first-call').textContent")
    assert f"{weir.url}/v1/chat/completions" in command and command.startswith("curl -N ")
    assert page.errors == []


def test_with_an_admin_key_the_page_asks_for_it(browser, gated, tmp_path):
    text = "listen: 127.0.0.1:0\nproviders: {cloud: {dialect: mock}}\nmodels: {gpt-4o: cloud/gpt-4o}\n"
    with Weir(tmp_path, text, WEIR_ADMIN_KEY="the-admin-key-0001") as weir:
        weir.chat("gpt-4o")
        page = browser.page()
        page.open(f"{weir.url}/ui/")
        page.wait_for("!document.getElementById('admin-key-form').hidden")
        assert not page.evaluate(f"!!{row('gpt-4o')}"), "nothing is shown before"
        page.type("#admin-key", "a-wrong-key")
        page.click("#admin-key-form button")
        page.wait_for("document.getElementById('admin-key-words').textContent.includes('not known')")
        page.type("#admin-key", "the-admin-key-0001")
        page.click("#admin-key-form button")
        page.wait_for("document.getElementById('connection').dataset.state === 'live'")
        assert page.evaluate("document.getElementById('admin-key-form').hidden")
        page.wait_for(row("gpt-4o"))
        page.click("#calls .call-head")
        page.wait_for("document.body.innerText.includes('The caller got the whole answer')")
        # A page that is loaded anew in the same tab still has it.
        live(page, weir)


def test_a_call_that_falls_back_is_seen_before_it_ends(browser, weir, gated):
    page = browser.page()
    live(page, weir)
    asking = Asking(weir, "smart")
    # The second target has sent one word and is held: the call runs, and its waterfall is there.
    page.wait_for(f"{row('smart')}?.querySelectorAll('.attempt').length === 2 && {row('smart', '[data-kind=tokens]')}")
    assert asking.is_alive() and page.evaluate(f"{row('smart')}.dataset.state") == "running"
    assert page.evaluate("document.getElementById('count-running').textContent") == "1"
    targets = page.evaluate(f"[...{row('smart')}.querySelectorAll('.target')].map(one => one.textContent)")
    assert targets == ["first/chat", "second/chat"]
    first, second = (f"{row('smart')}.querySelectorAll('.attempt')[{number}]" for number in (0, 1))
    assert "503" in page.evaluate(f"{first}.querySelector('.outcome').textContent"), "why the first was left, in words"
    assert page.evaluate(f"!!{first}.querySelector('[data-kind=failed]')")
    kinds = page.evaluate(f"[...{second}.querySelectorAll('.seg')].map(one => one.dataset.kind)")
    assert kinds[-1] == "tokens" and "failed" not in kinds
    # Its bar grows while nothing comes.
    width = page.evaluate(f"{second}.querySelector('[data-kind=tokens]').getBoundingClientRect().width")
    page.wait_for(f"{second}.querySelector('[data-kind=tokens]').getBoundingClientRect().width > {width} + 1")

    gated.gate.set()
    reply = asking.ended()
    page.wait_for(f"{row('smart')}.dataset.state === 'ok'")
    assert page.evaluate(f"{row('smart', '.numbers')}.textContent").count("9 → 4") == 1, "the provider's own tokens"
    page.click("#calls .call-head")
    page.wait_for(f"{row('smart', '.story pre')}?.textContent.includes('The caller got the whole answer')")
    told = page.evaluate(f"{row('smart', '.story pre')}.textContent")
    assert told.strip() == weir.command("explain", reply.request_id).stdout.strip()
    assert page.evaluate("document.querySelector('.call-head').getAttribute('aria-expanded')") == "true"
    assert page.errors == []


def test_why_an_attempt_was_left_is_told_by_its_cause(browser, weir):
    page = browser.page()
    live(page, weir)
    assert weir.chat("limited").status == 200
    page.wait_for(f"{row('limited')}?.dataset.state === 'ok'")
    outcome = f"{row('limited')}.querySelector('.attempt .outcome')"
    assert page.evaluate(f"{outcome}.textContent") == "429 rate limited"
    assert page.evaluate(f"{outcome}.title").endswith("(cause: rate)")
    assert page.errors == []


def test_a_stream_that_was_gone_on_with_is_seen_as_such(browser, weir):
    page = browser.page()
    live(page, weir)
    assert weir.chat("recovered", stream=True).events[-1] == "[DONE]"
    page.wait_for(f"{row('recovered')}?.dataset.state === 'ok'")
    outcomes = page.evaluate(f"[...{row('recovered')}.querySelectorAll('.outcome')].map(one => one.textContent)")
    assert len(outcomes) == 2 and outcomes[1].startswith("went on"), outcomes
    page.click("#calls .call-head")
    page.wait_for(f"{row('recovered', '.story pre')}?.textContent.includes('and went on')")
    assert "Recovered from" in page.evaluate(f"{row('recovered', '.facts')}.textContent")
    assert page.errors == []


def test_who_comes_later_sees_what_runs_and_what_ended(browser, weir, gated):
    weir.chat("gpt-4o")
    assert weir.chat("busy").status == 503
    asking = Asking(weir, "gated")
    early = browser.page()
    live(early, weir)
    early.wait_for(f"{row('gated', '[data-kind=tokens]')}")
    late = browser.page()
    live(late, weir)
    late.wait_for("document.querySelectorAll('#calls > li').length === 3")
    assert late.evaluate("[...document.querySelectorAll('#calls > li')].map(one => one.dataset.state)") == ["running", "failed", "ok"]
    assert "server_is_overloaded" in late.evaluate(f"{row('busy', '.why')}.textContent") or "503" in late.evaluate(f"{row('busy', '.why')}.textContent")
    assert late.evaluate("document.getElementById('count-errors').textContent") == "1"
    gated.gate.set()
    asking.ended()
    for page in (early, late):
        page.to_front()
        page.wait_for(f"{row('gated')}.dataset.state === 'ok'")
        assert page.errors == []


def test_filter_and_pause(browser, weir):
    page = browser.page()
    live(page, weir)
    for model in ("gpt-4o", "llama-3.1-8b", "busy"):
        weir.chat(model)
    page.wait_for("document.querySelectorAll('#calls > li:not([data-state=running])').length === 3")
    models = "[...document.querySelectorAll('#calls > li .model')].map(one => one.textContent).join()"
    page.type("#filter-text", "LOCAL/")
    page.wait_for(f"{models} === 'llama-3.1-8b'")
    page.evaluate("(select => { select.value = 'failed'; select.dispatchEvent(new Event('change')); })(document.getElementById('filter-state'))")
    page.wait_for("!document.getElementById('no-match').hidden")
    page.click("#show-all")
    page.wait_for(f"{models} === 'busy,llama-3.1-8b,gpt-4o'")
    page.evaluate("(select => { select.value = 'fallback'; select.dispatchEvent(new Event('change')); })(document.getElementById('filter-state'))")
    page.wait_for(f"{models} === 'llama-3.1-8b'")
    page.evaluate("(select => { select.value = 'all'; select.dispatchEvent(new Event('change')); })(document.getElementById('filter-state'))")
    page.wait_for(f"{models} === 'busy,llama-3.1-8b,gpt-4o'")
    page.click("#pause")
    weir.chat("gpt-4o")
    page.wait_for("document.getElementById('held').textContent === '1 new call'")
    assert page.evaluate(models) == "busy,llama-3.1-8b,gpt-4o"
    page.click("#pause")
    page.wait_for(f"{models} === 'gpt-4o,busy,llama-3.1-8b,gpt-4o'")
    assert page.errors == []


def test_the_page_finds_a_gateway_that_was_started_again(browser, tmp_path):
    page = browser.page()
    with Weir(tmp_path / "one", None, WEIR_LISTEN="127.0.0.1:0") as weir:
        live(page, weir)
        port = weir.port
    page.wait_for("document.getElementById('connection').dataset.state === 'lost'")
    with Weir(tmp_path / "two", None, WEIR_LISTEN=f"127.0.0.1:{port}") as weir:
        page.wait_for("document.getElementById('connection').dataset.state === 'live'")
        weir.chat("mock/again")
        page.wait_for(f"{row('mock/again')}?.dataset.state === 'ok'")


def test_the_playground_streams_an_answer_and_stops_when_asked(browser, weir, gated):
    page = browser.page()
    page.open(f"{weir.url}/ui/#playground")
    page.wait_for("document.querySelectorAll('#models option').length > 3")
    page.type("#ask-model", "gated")
    page.type("#ask-prompt", "Go on.")
    page.press("Enter", 13, control=True)
    page.wait_for("document.getElementById('answer-text').textContent === 'Opened '")
    assert page.evaluate("document.getElementById('answer-state').textContent") == "Streaming …"
    gated.gate.set()
    page.wait_for("document.getElementById('answer-state').textContent.startsWith('Whole, after')")
    fact = lambda name: page.evaluate(f"document.getElementById('fact-{name}').textContent")
    assert page.evaluate("document.getElementById('answer-text').textContent") == "Opened and done."
    assert (fact("target"), fact("tokens"), fact("attempts")) == ("second/chat", "9, 4", "1")
    assert fact("first").endswith("s") and fact("total").endswith("s")
    page.click("#to-call")
    page.wait_for(f"{row('gated', '.story pre')}?.textContent.includes('second/chat')")

    page.evaluate("location.hash = '#playground'")
    gated.gate.clear()
    page.click("#ask-send")
    page.wait_for("document.getElementById('answer-text').textContent === 'Opened '")
    page.click("#ask-stop")
    page.wait_for("document.getElementById('answer-state').textContent === 'Stopped by you'")
    page.wait_for(f"{row('gated')}.dataset.state === 'left'")
    assert page.errors == []


def test_the_playground_says_what_went_wrong_and_keeps_the_key_in_its_tab(browser, weir):
    page = browser.page()
    page.open(f"{weir.url}/ui/#playground")
    page.type("#ask-key", "sk-mine")
    page.evaluate("document.getElementById('ask-key').dispatchEvent(new Event('change'))")
    assert page.evaluate("sessionStorage.getItem('weir-key')") == "sk-mine"
    assert page.evaluate("Object.keys(localStorage).length + document.cookie.length") == 0
    page.type("#ask-model", "no/such-model")
    page.click("#ask-send")
    page.wait_for("!document.getElementById('answer-error').hidden")
    assert "404 · model_not_found" in page.evaluate("document.getElementById('answer-error').textContent")
    page.type("#ask-model", "broken")
    page.click("#ask-send")
    page.wait_for("document.getElementById('answer-error').textContent.includes('incomplete')")
    assert page.evaluate("document.getElementById('answer-text').textContent") != "", "what had come stays"
    page.errors = [error for error in page.errors if "404" not in error]  # the browser's own word on the first answer
    assert page.errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_everything_without_scrolling_sideways(browser, weir, scheme):
    page = browser.page(360, 740)
    page.scheme(scheme)
    live(page, weir)
    fits = "document.documentElement.scrollWidth <= 360 && [...document.querySelectorAll('main:not([hidden]) *')].every(one => one.getBoundingClientRect().right <= 360.5 || one.closest('.unseen'))"
    assert page.evaluate(fits), "the empty page"
    for model in ("gpt-4o", "llama-3.1-8b", "busy", "broken"):
        weir.chat(model, stream=True)
    page.wait_for("document.querySelectorAll('#calls > li:not([data-state=running])').length === 4")
    page.click("#calls > li:nth-child(2) .call-head")
    page.wait_for("document.querySelector('.story pre')?.textContent.length > 20")
    assert page.evaluate(fits), "the list"
    page.evaluate("location.hash = '#playground'")
    page.wait_for("!document.getElementById('playground-page').hidden")
    assert page.evaluate(fits), "the playground"
    assert page.errors == []


# Of each text that is shown, how it stands out from what is behind it (WCAG 2.2, 1.4.3: 4.5 for text of this size).
CONTRAST = """(() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (css) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = css; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (one) => { for (; one; one = one.parentElement) { const c = rgba(getComputedStyle(one).backgroundColor); if (c[3] === 255) return c; } return [255, 255, 255]; };
  const poor = [];
  for (const one of document.querySelectorAll('body *')) {
    const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !one.checkVisibility() || one.closest('.unseen, :disabled, .is-new') || getComputedStyle(one).fontSize === '0px') continue;
    const [a, b] = [light(rgba(getComputedStyle(one).color)), light(behind(one))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) poor.push(`${one.className || one.tagName} "${one.textContent.trim().slice(0, 30)}": ${ratio.toFixed(2)}`);
  }
  return poor;
})()"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_light_and_dark_and_every_field_has_a_name(browser, weir, scheme):
    page = browser.page()
    page.scheme(scheme)
    for model in ("gpt-4o", "llama-3.1-8b", "busy", "broken"):
        weir.chat(model, stream=True)
    live(page, weir)
    page.wait_for("document.querySelectorAll('#calls > li').length === 4")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(int(part) for part in ground[4:-1].split(",")) > 382) == (scheme == "light"), ground
    page.click("#calls > li:nth-child(2) .call-head")
    page.wait_for("document.querySelector('.story pre')?.textContent.length > 20")
    assert page.evaluate(CONTRAST) == []
    page.evaluate("location.hash = '#playground'")
    page.wait_for("!document.getElementById('playground-page').hidden")
    assert page.evaluate(CONTRAST) == []
    nameless = "[...document.querySelectorAll('input, select, textarea')].filter(one => one.labels.length === 0).map(one => one.id)"
    assert page.evaluate(nameless) == []
    assert page.errors == []


def make_pictures(browser, weir, gated):
    folder = ROOT / os.environ["WEIR_SCREENSHOTS"]
    folder.mkdir(parents=True, exist_ok=True)
    for model in ("gpt-4o", "broken", "gpt-4o", "llama-3.1-8b", "busy", "gpt-4o", "llama-3.1-8b"):
        weir.chat(model, stream=True)
    asking = Asking(weir, "smart")
    for name, size, scheme in (("live-light", (1200, 760), "light"), ("live-dark", (1200, 760), "dark"), ("live-phone", (360, 740), "light")):
        page = browser.page(*size)
        page.scheme(scheme)
        live(page, weir)
        page.wait_for(f"{row('smart', '[data-kind=tokens]')}?.getBoundingClientRect().width > 20")
        if name == "live-dark":
            page.click("#calls > li:nth-child(2) .call-head")
            page.wait_for("document.querySelector('.story pre')?.textContent.length > 20")
        page.screenshot(folder / f"{name}.png")
    gated.gate.set()
    asking.ended()
    page = browser.page(1200, 760)
    page.open(f"{weir.url}/ui/#playground")
    page.type("#ask-model", "gpt-4o")
    page.type("#ask-prompt", "What is a weir?")
    page.click("#ask-send")
    page.wait_for("document.getElementById('answer-state').textContent.startsWith('Whole, after')")
    page.evaluate("document.activeElement.blur()")
    page.screenshot(folder / "playground.png")


if "WEIR_SCREENSHOTS" in os.environ:
    test_pictures = make_pictures
