"""docs/failures.md, written from the table that the tests carry out. WEIR_GOLDEN_UPDATE=1 and a run of the tests write it anew."""

from pathlib import Path

from fault_table import FAULTS, GROUPS, Fault
from harmless import HARMLESS

PAGE = Path(__file__).resolve().parents[2] / "docs/failures.md"

HEAD = """\
# What happens when a provider fails

*Written by `tests/faults` from the table that it carries out against the real binary: change `tests/faults/fault_table.py`, not this page.*

Each row is a failure, as a server on real TCP commits it. It is tested streamed and not, with everything that may be left to try:

- **again**: the same target is asked again, as long as `retry.attempts` of the model has room, after a back-off
- **other key**: the next key of the same provider is asked, at once, which counts as no attempt
- **next target**: the next target in `steps` is asked, at once
- a model that is named by `on_context_window` or `on_content_policy` is asked instead of the next target, where that is the cause
- **nothing left**: what the caller gets where none of these is left, or none of them could help

Where something is left that helps, the caller gets a whole answer and no sign of the failure but the headers `x-weir-target` and
`x-weir-attempts`.
Each attempt has its row in the record of the call, with its target, the provider's status and words, the words of the columns `cause` and
`failure`, and a sentence for people: `weir explain last` tells all of it. What follows is decided by the cause alone.
"""

NOTES = {
    "connection": "",
    "status": """\
*Own status and body*: the caller gets what the provider sent, byte for byte. A refusal of the gateway's key is the operator's business and
reaches the caller as 502 `upstream_credentials`, never as a 401 that would look like his own key's. A 429 or 503 always tells when to come
back, in whole seconds. Where a refusal of the request, or a 429, has a body that is no JSON, the caller gets its status and words of weir.
""",
    "head": """\
A kept-alive connection that turns out to be closed when the call is written to it is no failure: the call is repeated at once over a new
connection, which is a row of its own (`silent_retry`) and counts as no attempt.
""",
    "answer": """\
Nothing has reached the caller yet: the first events of a stream are held until one bears content, and a whole answer until its JSON is
complete.
""",
    "content": """\
The caller has text already. Weir asks again as for any failure, holds what comes, and goes on only from where the new answer has repeated,
byte for byte, what the caller has ([recovery.md](recovery.md)): he gets one answer, with one id. An answer with another text is cancelled at the
first byte that differs, and has its attempt row all the same. With `recovery: prefill` the target is given what the caller has, and is asked
as usual if it refuses. Within a tool call nothing is tried. Where nothing helps, he gets what came,
then one event with an error object, and no `[DONE]`: the official clients raise an error. The status was sent long ago, so it is 200, and
the code stands in the event.
""",
}

HARMLESS_HEAD = """\
## What only looks broken

In these cases the caller gets a whole answer at the first attempt, and the next call to the same target is none the worse:
"""


def when(fault: Fault) -> str:
    if fault.streamed and fault.whole:
        return "both"
    return "streamed" if fault.streamed else "whole"


def nothing_left(fault: Fault) -> str:
    status, code = fault.alone
    if fault.own_words:
        return f"its own status {status} and body"
    return f"{status}, then an error event: `{code}`" if fault.group == "content" else f"{status} `{code}`"


def page() -> str:
    text = HEAD
    for group, title in GROUPS.items():
        text += f"\n## {title}\n\n{NOTES[group]}" + ("\n" if NOTES[group] else "")
        text += "| What happens | Answer | `cause` | Again | Other key | Next target | Nothing left | `failure` |\n"
        text += "|---|---|---|---|---|---|---|---|\n"
        for fault in FAULTS:
            if fault.group == group:
                again = "if it gives the same text" if group == "content" else "yes"
                cells = [
                    fault.name, when(fault), f"`{fault.cause}`", again if fault.repeats else "no", "yes" if fault.other_key else "no",
                    again if fault.moves_on else "no", nothing_left(fault), f"`{fault.failure}`",
                ]  # fmt: skip
                text += f"| {' | '.join(cells)} |\n"
    text += f"\n{HARMLESS_HEAD}\n"
    for name in dict.fromkeys(case.name for case in HARMLESS):
        kinds = {case.streamed for case in HARMLESS if case.name == name}
        text += f"- {name} ({'streamed and not' if len(kinds) == 2 else 'streamed' if kinds == {True} else 'not streamed'})\n"
    return text
