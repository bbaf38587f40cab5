"""The documents tell the truth: their snippets run, and print what stands under them."""

import pytest

from doc_snippets import run, snippets
from weir_server import Weir

RUNNABLE = {"python", "js", "sh"}


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory):
    """The gateway as somebody without any configuration has it."""
    with Weir(tmp_path_factory.mktemp("newcomer"), None, WEIR_LISTEN="127.0.0.1:0") as server:
        yield server


@pytest.mark.parametrize("snippet", [snippet for snippet in snippets("docs/clients.md") if snippet.language in RUNNABLE], ids=str)
def test_a_clients_snippet_prints_what_stands_under_it(newcomer, snippet):
    assert run(snippet, newcomer).strip() == (snippet.output or "").strip()
