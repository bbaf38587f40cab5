"""docs/failures.md, written from the table that the tests carry out. WEIR_GOLDEN_UPDATE=1 and a run of the tests write it anew."""

from pathlib import Path

from fault_table import FAULTS, GROUPS, LEFT, Fault

PAGE = Path(__file__).resolve().parents[2] / "docs/failures.md"

HEAD = """\
# What happens when a provider fails

*Written by `tests/faults` from the table that it carries out against the real binary: change `tests/faults/fault_table.py`, not this page.*

Each row is a failure, as a server on real TCP commits it. It is tested streamed and not, with everything that may be left to try:

- **again**: the same target is asked again, as long as `retry.attempts` of the model has room, after a back-off
{other_key}- **next target**: the next target in `steps` is asked, at once
- **nothing left**: what the caller gets where none of these is left, or none of them could help

Where something is left, the caller gets a whole answer and no sign of the failure but the headers `x-weir-target` and `x-weir-attempts`.
Each attempt has its row in the record of the call, with its target, the provider's status and words, the words of the columns `cause` and
`failure`, and a sentence for people: `weir explain last` tells all of it. What follows is decided by the cause alone.
"""

NOTES = {
    "connection": "",
    "status": """\
*Own status and body*: the caller gets what the provider sent, byte for byte. A refusal of the gateway's key is the operator's business and
reaches the caller as 502 `upstream_credentials`, never as a 401 that would look like his own key's.
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
The caller has text, and no other answer may be sewn to it unless it is the same one: whoever is asked next has to repeat what has left,
byte for byte, before the rest passes ([recovery.md](recovery.md)). Where nobody does, the caller gets what came, then one event with an
error object, and no `[DONE]`: the official clients raise an error. The status was sent long ago, so it is 200, and the code stands in the
event. An answer with another text is ended at the first byte that differs, and leaves its row.
""",
}


def yes(value: bool) -> str:
    return "yes" if value else "no"


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
    text = HEAD.format(other_key="- **other key**: the next key of the same provider is asked, at once\n" if "key" in LEFT else "")
    for group, title in GROUPS.items():
        text += f"\n## {title}\n\n{NOTES[group]}" + ("\n" if NOTES[group] else "")
        other_key = [" Other key |", "---|"] if "key" in LEFT else ["", ""]
        text += f"| What happens | Answer | `cause` | Again |{other_key[0]} Next target | Nothing left | `failure` |\n"
        text += f"|---|---|---|---|{other_key[1]}---|---|---|\n"
        for fault in FAULTS:
            if fault.group == group:
                cells = [
                    fault.name, when(fault), f"`{fault.cause}`", yes(fault.repeats),
                    *([yes(fault.other_key)] if "key" in LEFT else []), "for the same text" if group == "content" else yes(fault.moves_on), nothing_left(fault), f"`{fault.failure}`",
                ]  # fmt: skip
                text += f"| {' | '.join(cells)} |\n"
    return text
