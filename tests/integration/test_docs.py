"""The documents tell the truth: their snippets run, and print what stands under them.

WEIR_GOLDEN_UPDATE=1 writes what the sessions print today into the documents; look at the difference.
"""

import os
import re
import textwrap

import pytest

from doc_snippets import agrees, replay, run, snippets, update
from weir_server import ROOT, Weir, run_weir

RUNNABLE = {"python", "js", "sh"}


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory):
    """The gateway as somebody without any configuration has it."""
    with Weir(tmp_path_factory.mktemp("newcomer"), None, WEIR_LISTEN="127.0.0.1:0") as server:
        yield server


RUN = [snippet for document in ("docs/clients.md", "docs/endpoints.md", "docs/keys.md") for snippet in snippets(document) if snippet.language in RUNNABLE]


@pytest.mark.parametrize("snippet", RUN, ids=str)
def test_a_clients_snippet_prints_what_stands_under_it(newcomer, snippet):
    assert run(snippet, newcomer).strip() == (snippet.output or "").strip()


def sessions(document: str) -> list:
    return [snippet for snippet in snippets(document) if snippet.language == "console"]


def check_sessions(document: str, weir: Weir) -> None:
    """They follow each other as a reader types them: `weir explain last` is about the call before it."""
    for session in sessions(document):
        today = replay(session, weir)
        same = agrees(today, session.text)
        if not same and os.environ.get("WEIR_GOLDEN_UPDATE") == "1":
            update(session, today)
        else:
            assert same, f"{document}, {session.heading}:\n{today}"


def test_the_sessions_of_troubleshooting(tmp_path):
    (config,) = [snippet.text for snippet in snippets("docs/troubleshooting.md") if snippet.language == "yaml"]
    with Weir(tmp_path, config, WEIR_LISTEN="127.0.0.1:0") as weir:
        check_sessions("docs/troubleshooting.md", weir)


# What the fragments of these pages speak of and do not hold.
ELSEWHERE = {
    "providers": """providers:
  openai: {dialect: openai, keys: [sk-openai]}
  deepseek: {dialect: deepseek, keys: [sk-deepseek]}
  home: {dialect: openai, base_url: "http://127.0.0.1:9/v1", keys: none}
""",
    "models": "models: {gpt-4o: openai/gpt-4o, small: openai/gpt-4o-mini}\n",
}
FRAGMENTS = [
    pytest.param(textwrap.dedent(text), id=f"{page}-{number}")
    for page in ("limits", "budgets", "prices", "providers")
    for number, text in enumerate(re.findall(r"^ *```yaml\n(.*?)^ *```$", (ROOT / f"docs/{page}.md").read_text(), re.MULTILINE | re.DOTALL))
]


@pytest.mark.parametrize("fragment", FRAGMENTS)
def test_a_fragment_of_a_configuration_is_good(tmp_path, fragment):
    (tmp_path / "secret").write_text("sk-from-a-file")
    text = fragment.replace("/run/secrets/openai", str(tmp_path / "secret"))
    if "on_context_window: long" in text:
        text += "  long: home/long\n  open: home/open\n"
    sections = re.findall(r"^(\w+):", text, re.MULTILINE)
    text += "".join(rest for name, rest in ELSEWHERE.items() if name not in sections and "providers" not in sections)
    (tmp_path / "weir.yaml").write_text(text)
    keys = {"BATCH_KEY": "the-batch-key-0001", "GROQ_API_KEY": "sk-groq", "OPENAI_API_KEY": "sk-openai"}
    checked = run_weir("check", directory=tmp_path, **keys)
    assert checked.returncode == 0 and not checked.stderr, checked


def test_the_session_of_operations(tmp_path):
    (config,) = [snippet.text for snippet in snippets("docs/operations.md") if snippet.text.startswith("listen: 0.0.0.0")]
    (session,) = [snippet.text for snippet in sessions("docs/operations.md")]
    (tmp_path / "bad.yaml").write_text(config)
    command, *printed = session.splitlines()
    assert run_weir(*command.split()[2:], directory=tmp_path).stderr.splitlines() == printed


def test_the_sessions_of_the_readme(newcomer):
    assert len(sessions("README.md")) >= 3
    check_sessions("README.md", newcomer)
