"""Memory with as many targets and keys as weir promises to hold, after what is rare and large."""

import contextlib
import hmac
import http.client
import json
import sqlite3
from pathlib import Path

import pytest

from weir_server import BINARY, PATIENCE, Weir, until

ADMIN = "the-admin-key-0001"
KEYS, PROVIDERS, MODELS = 10_000, 50, 10
RESIDENT_MAX_KIB = 64 * 1024


def configuration() -> str:
    provider = "{dialect: mock, mock: {first_token: 0ms, tokens_per_second: 0, text: Hello.}}"
    providers = "".join(f"  p{number}: {provider}\n" for number in range(PROVIDERS))
    models = "".join(f"  m{number}: p{number % PROVIDERS}/x{number}\n" for number in range(PROVIDERS * MODELS))
    return f'listen: 127.0.0.1:0\nlog: {{requests: false}}\nprices: {{"*/*": {{input: 1, output: 1}}}}\nproviders:\n{providers}models:\n{models}'


KEY = {
    "label": "laptop",
    "models": ["m*", "gpt-*"],
    "limits": {"requests": "100/60s", "tokens": ["50000/1m", "1000000/1d"], "in_flight": 8},
    "budgets": [{"usd": 1.00, "period": "day"}],
    "quotas": [{"tokens": 100000, "period": "month", "count": "total"}],
    "metadata": {"cost_center": 17},
}


def multiply(directory: Path, made: dict) -> list[str]:
    """The texts of as many keys like that one, written into the store of a weir that has ended: each made by weir itself
    would take twenty times as long."""
    master_key = bytes.fromhex((directory / "weir-data/master.key").read_text().strip())
    hashed = lambda text: hmac.digest(master_key, text.encode(), "sha256")
    texts = [f"wr-{number:040d}" for number in range(KEYS)]
    with contextlib.closing(sqlite3.connect(directory / "weir-data/weir.db")) as store, store:
        names = [column[1] for column in store.execute("PRAGMA table_info(api_keys)")]
        row = dict(zip(names, store.execute("SELECT * FROM api_keys WHERE id = ?", [made["id"]]).fetchone(), strict=True))
        assert row["key_hash"] == hashed(made["key"])
        rows = [
            {**row, "id": f"key_{number:026d}", "key_hash": hashed(text), "tenant_id": f"tenant-{number % 200}", "user_id": f"user{number}@example.com"}
            for number, text in enumerate(texts)
        ]
        store.executemany(f"INSERT INTO api_keys VALUES ({','.join(':' + name for name in names)})", rows)
    return texts


class Asking:
    """One connection that stays open."""

    def __init__(self, weir: Weir) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", weir.port, timeout=PATIENCE)

    def __call__(self, method: str, path: str, document: dict | None = None, key: str = ADMIN) -> bytes:
        body = None if document is None else json.dumps(document)
        self.connection.request(method, path, body, {"Authorization": f"Bearer {key}"})
        reply = self.connection.getresponse()
        answer = reply.read()
        assert reply.status in (200, 201), answer
        return answer


def resident_kib(weir: Weir) -> int:
    status = Path(f"/proc/{weir.process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))


def is_instrumented() -> bool:
    """A sanitizer's shadow counts as resident, and its allocator keeps what is freed."""
    return b"__asan_" in BINARY.read_bytes() or b"__tsan_" in BINARY.read_bytes()


@pytest.mark.skipif(is_instrumented(), reason="the memory of a sanitizer's build is the sanitizer's")
def test_five_hundred_targets_and_ten_thousand_used_keys_take_no_more_than_promised(tmp_path):
    with Weir(tmp_path, configuration(), WEIR_ADMIN_KEY=ADMIN) as weir:
        made = json.loads(Asking(weir)("POST", "/admin/v1/keys", KEY))
    keys = multiply(tmp_path, made)
    with Weir(tmp_path, configuration(), WEIR_ADMIN_KEY=ADMIN) as weir:
        ask = Asking(weir)
        for number, key in enumerate(keys):
            ask("POST", "/v1/chat/completions", {"model": f"m{number % (PROVIDERS * MODELS)}", "messages": []}, key)
        used = resident_kib(weir)
        scraped = len(ask("GET", "/metrics/prometheus"))
        after_scrape = resident_kib(weir)
        ask("GET", "/admin/v1/usage?group_by=key")
        ask("POST", "/admin/v1/keys", {"label": "one more"})
        until(lambda: resident_kib(weir) <= RESIDENT_MAX_KIB, f"{resident_kib(weir)} KiB fall to {RESIDENT_MAX_KIB}")
        assert scraped > 500_000
        assert after_scrape - used < 16 * scraped / 1024, "a scrape takes a few times what it says"
