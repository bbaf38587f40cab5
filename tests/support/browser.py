"""A real Chromium without a window, driven over its DevTools protocol: no driver, no framework.

Every error that a page reports (console, exception, failed request, refused by its policy) is kept in `Page.errors`.
Source: https://chromedevtools.github.io/devtools-protocol/
"""

import base64
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

PATIENCE = 60.0  # how long anything may take before the test is given up

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--no-default-browser-check", "--remote-debugging-port=0", "--remote-allow-origins=*",
)  # fmt: skip


class Page:
    """One tab. `evaluate` and `wait_for` take JavaScript expressions."""

    def __init__(self, browser: "Browser", session: str) -> None:
        self.browser, self.session = browser, session
        self.errors: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.command(f"{domain}.enable")

    def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self.browser.command(method, self.session, **parameters)

    def open(self, url: str) -> None:
        self.command("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'")

    def evaluate(self, expression: str) -> Any:
        answer = self.command("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise AssertionError(f"{details.get('exception', {}).get('description', details['text'])}\nin: {expression}")
        return answer["result"].get("value")

    def wait_for(self, expression: str) -> Any:
        """The expression's value, once it is true. It is looked at again whenever the page changes, and each frame."""
        return self.evaluate(
            f"""new Promise((resolve, reject) => {{
                const until = performance.now() + {PATIENCE * 1000};
                const look = () => {{
                    const value = ({expression});
                    if (value) resolve(value);
                    else if (performance.now() > until)
                        reject(new Error("it did not become true; the page says: " + document.body.innerText.slice(0, 2000)));
                    else setTimeout(look, 10);
                }};
                look();
            }})"""
        )

    def to_front(self) -> None:
        """A page behind another one paints nothing."""
        self.command("Page.bringToFront")

    def size(self, width: int, height: int, scale: float = 1) -> None:
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=width < 600)

    def scheme(self, name: str) -> None:
        self.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def click(self, selector: str) -> None:
        self.evaluate(f"document.querySelector({json.dumps(selector)}).click()")

    def type(self, selector: str, text: str) -> None:
        """Replaces what stands in a field, as a keyboard would."""
        self.evaluate(f"(field => {{ field.focus(); field.select?.(); }})(document.querySelector({json.dumps(selector)}))")
        self.command("Input.insertText", text=text)

    def press(self, key: str, code: int, control: bool = False) -> None:
        for kind in ("rawKeyDown", "keyUp"):
            self.command("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, modifiers=2 if control else 0)

    def screenshot(self, path: Path) -> None:
        self.evaluate("document.fonts.ready.then(() => new Promise(requestAnimationFrame)).then(() => 1)")
        path.write_bytes(base64.b64decode(self.command("Page.captureScreenshot", format="png")["data"]))

    def note(self, method: str, event: dict[str, Any]) -> None:
        if method == "Runtime.exceptionThrown":
            details = event["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Runtime.consoleAPICalled" and event["type"] in ("error", "warning", "assert"):
            self.errors.append(f"console: {event['args']}")
        elif method == "Log.entryAdded" and event["entry"]["level"] in ("error", "warning"):
            self.errors.append(f"{event['entry']['text']} ({event['entry'].get('url', '')})")


class Browser:
    """With nothing kept from before, and nothing kept after."""

    def __enter__(self) -> "Browser":
        program = shutil.which("chromium")
        assert program, "chromium is not there: ./dev setup test"
        self.profile = tempfile.mkdtemp(prefix="weir-browser-")
        self.process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={self.profile}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace",
        )  # fmt: skip
        said = []
        for line in self.process.stderr:
            said.append(line)
            if found := re.search(r"DevTools listening on (ws://\S+)", line):
                break
        else:
            raise AssertionError("chromium did not start:\n" + "".join(said))
        self.connecting = connect(found[1], max_size=None, proxy=None)
        self.socket = self.connecting.__enter__()
        self.pages: dict[str, Page] = {}
        self.last_command = 0
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.command("Browser.close")
            self.process.wait(PATIENCE)
        except Exception:
            self.process.kill()
            self.process.wait()
        self.connecting.__exit__(None, None, None)
        self.process.stderr.close()
        shutil.rmtree(self.profile, ignore_errors=True)

    def page(self, width: int = 1280, height: int = 800, scale: float = 1) -> Page:
        target = self.command("Target.createTarget", url="about:blank")["targetId"]
        session = self.command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        self.pages[session] = page
        page.size(width, height, scale)
        page.scheme("light")
        return page

    def command(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        self.last_command += 1
        number = self.last_command
        message = {"id": number, "method": method, "params": parameters, **({"sessionId": session} if session else {})}
        self.socket.send(json.dumps(message))
        while True:
            answer = json.loads(self.socket.recv(PATIENCE + 10))
            if answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            if page := self.pages.get(answer.get("sessionId", "")):
                page.note(answer["method"], answer.get("params", {}))
