"""The tree keeps its own rules. test_rules.py shows that each rule is able to fail."""

from pathlib import Path

import pytest

import rules

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("rule", rules.ALL, ids=lambda rule: rule.__name__)
def test_the_tree_has_no(rule):
    findings = rule(ROOT)
    assert not findings, "\n" + "\n".join(findings)


def test_every_folder_with_sources_is_in_the_order():
    with_sources = {path.relative_to(ROOT / "src").parts[0] for path in rules.source_files(ROOT)}
    assert with_sources <= set(rules.folder_order(ROOT))
    assert "base" == rules.folder_order(ROOT)[0], "base/ has nothing of ours below it"
