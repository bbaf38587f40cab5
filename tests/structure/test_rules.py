"""Each rule finds the fault that is planted for it, names file and line, and is content with a good tree."""

from pathlib import Path

import pytest

import rules


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    write(tmp_path, "src/CMakeLists.txt", "add_subdirectory(base)\nadd_subdirectory(platform)\nadd_subdirectory(http)\n")
    for folder in ("base", "platform", "http"):
        write(tmp_path, f"src/{folder}/README.md", f"# {folder}\n[the order](../CMakeLists.txt)\n")
    write(tmp_path, "src/base/result.hpp", "#pragma once\n#include <expected>\n")
    write(tmp_path, "src/platform/timer.hpp", "#pragma once\n#include <boost/asio/steady_timer.hpp>\n")
    write(
        tmp_path,
        "src/http/server.cpp",
        '#include "http/head.hpp"\n\n#include "base/result.hpp"\n#include "platform/timer.hpp"\n'
        'const char* url = "http://x";  // asio::io_context stays in net/\n/* #include "http/../x"\n asio::post */\n',
    )
    return tmp_path


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def test_a_good_tree_has_no_findings(tree):
    assert [finding for rule in rules.ALL for finding in rule(tree)] == []


PLANTED = [
    # rule, file, its text, how the finding begins
    (rules.includes_against_the_order, "src/base/x.cpp", '\n#include "http/server.hpp"\n', "src/base/x.cpp:2: base/ may not include http/"),
    (rules.includes_against_the_order, "src/base/x.cpp", '#include <platform/timer.hpp>\n', "src/base/x.cpp:1: base/ may not"),
    (rules.includes_against_the_order, "src/http/a/b.hpp", '#  include "../server.hpp"\n', "src/http/a/b.hpp:1: includes are written from src/"),
    (rules.includes_against_the_order, "src/http/x.cpp", '#include "gateway/x.hpp"\n', "src/http/x.cpp:1: gateway/x.hpp is in no folder"),
    (rules.includes_against_the_order, "src/extra/x.cpp", "int x;\n", "src/extra/x.cpp:1: stands in no folder"),
    (rules.machine_outside_its_doors, "src/http/x.cpp", "#include <boost/asio.hpp>\n", "src/http/x.cpp:1: Asio"),
    (rules.machine_outside_its_doors, "src/http/x.cpp", "int a;\nvoid f(boost::asio::io_context&);\n", "src/http/x.cpp:2: Asio"),
    (rules.machine_outside_its_doors, "src/base/x.hpp", "#pragma once\n#include <sys/socket.h>\n", "src/base/x.hpp:2: sockets"),
    (rules.machine_outside_its_doors, "src/base/x.cpp", "#include <sys/epoll.h>\n", "src/base/x.cpp:1: sockets"),
    (rules.machine_outside_its_doors, "src/base/x.cpp", "auto e = ::getaddrinfo(a, b, c, d);\n", "src/base/x.cpp:1: sockets"),
    (rules.machine_outside_its_doors, "src/http/x_test.cpp", "std::this_thread::sleep_for(1ms);\n", "src/http/x_test.cpp:1: sleeping"),
    (rules.machine_outside_its_doors, "src/http/x.cpp", "/* why */ usleep(5);\n", "src/http/x.cpp:1: sleeping"),
    (rules.machine_outside_its_doors, "src/http/x.cpp", "auto t = std::chrono::steady_clock::now();\n", "src/http/x.cpp:1: the machine's clock"),
    (rules.machine_outside_its_doors, "src/http/x.cpp", "std::random_device seed;\n", "src/http/x.cpp:1: the machine's randomness"),
    (rules.headers_without_pragma_once, "src/http/x.hpp", "int f();\n", "src/http/x.hpp:1: has no #pragma once"),
    (rules.machine_paths, "docs/x.md", "one\nsee /wor" + "k/main/src\n", "docs/x.md:2: a path of one machine"),
    (rules.machine_paths, "docs/x.md", "run it in /tm" + "p/weir\n", "docs/x.md:1: a path of one machine"),
    (rules.machine_paths, "src/http/x.cpp", "// from /hom" + "e/someone/weir\n", "src/http/x.cpp:1: a path of one machine"),
    (rules.dead_links, "docs/x.md", "[a](../README.md) [b](x.md#part)\n", "docs/x.md:1: the link leads nowhere: ../README.md"),
    (rules.error_codes_without_entry, "src/http/x.cpp", 'case A: return {400, kind, "odd"};\n', "src/http/x.cpp:1: docs/errors.md has no row for `odd`"),
    (rules.error_codes_without_entry, "src/http/x.cpp", '\nrefuse({.code = "odd"});\n', "src/http/x.cpp:2: docs/errors.md has no row for `odd`"),
    (rules.error_codes_without_entry, "src/http/x.cpp", 'refuse({"Words.", "invalid_x", "model"});\n', "src/http/x.cpp:1: docs/errors.md has no row"),
    (rules.described_error_codes_that_nobody_answers, "docs/errors.md", "| `odd` | 400 |\n", "docs/errors.md:1: nothing in src/ answers `odd`"),
]


@pytest.mark.parametrize("rule, path, text, beginning", PLANTED, ids=[f"{row[0].__name__}-{n}" for n, row in enumerate(PLANTED)])
def test_a_planted_fault_is_found(tree, rule, path, text, beginning):
    write(tree, path, text)
    findings = rule(tree)
    assert len(findings) == 1 and findings[0].startswith(beginning), findings


def test_a_missing_readme_is_found(tree):
    (tree / "src/http/README.md").unlink()
    assert rules.folders_without_readme(tree)[0].startswith("src/http/README.md:1: is missing")
