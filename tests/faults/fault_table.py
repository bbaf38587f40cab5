"""Every way a provider can fail, and what follows: the one place where it is decided. docs/failures.md is written from it."""

import json
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

from fault_server import Behaviour, chunk, head, provider_error
from raw_answers import ANSWER, DONE, ERROR, FINISH, JSON, ROLE, STREAM, WHOLE, answer, data, event, raw, stream, zipped

# Limits that a failure is meant to run into, on the provider that has it.
SHORT_TIMEOUTS = {
    "head": "{first_token: 2s, attempt: 2s}",
    "answer": "{first_token: 2s, attempt: 2s}",
    "content": "{between_events: 2s}",
}

GROUPS = {
    "connection": "No connection",
    "status": "An error status",
    "head": "No answer, or none that is HTTP",
    "answer": "An answer that breaks before its first content",
    "content": "An answer that breaks after content has left",
}


@dataclass(frozen=True)
class Fault:
    name: str
    group: str
    cause: str                          # what it is taken for: everything else follows from it
    failure: str                        # `failure` of the attempt's row
    alone: tuple[int, str]              # what the caller gets where nothing is left to try: status and code
    behaviour: Behaviour | None = None  # None: there is nobody to behave; `where` says what is there instead
    where: str = ""                     # instead of the fault server: refused, unresolvable, tls_alert, untrusted
    streamed: bool = True               # it can happen to a streamed answer
    whole: bool = True                  # and to one that is not
    repeats: bool = True                # the same target is asked again, where `retry.attempts` allows
    other_key: bool = False             # the next key of the same target is asked, which counts as no attempt
    moves_on: bool = True               # the next target is asked
    own_words: bool = False             # the caller gets the provider's own status and body
    slow: bool = False                  # it is a limit of ours that ends it
    finished: bool = False              # the provider had said that the answer was finished

    @property
    def about_request(self) -> bool:
        """The provider did what it should: it is the request that cannot be answered, or not by this model."""
        return self.cause in {"callers_fault", "content_policy", "context_window", "unsupported"}

    @property
    def come_back(self) -> tuple[int, int]:
        """The least and the most seconds that a 429 or 503 tells the caller to wait."""
        an_hour = self.behaviour.retry_after == "3600" or self.behaviour.headers == AN_HOUR_AWAY
        return (3500, 3600) if an_hour else (1, 1)

    @property
    def id(self) -> str:
        return "".join(letter if letter.isalnum() else "-" for letter in self.name.lower()).strip("-")


def status(name: str, cause: str, alone: tuple[int, str], failure: str = "upstream_error", label: str = "", **fields: Any) -> Fault:
    """An error status with the body that a provider sends with it."""
    behaviour = fields.pop("behaviour", None) or provider_error(name)
    return Fault(label or name, "status", cause, failure, alone, behaviour, **fields)


AN_HOUR_AWAY = (("Date", formatdate(1_800_000_000, usegmt=True)), ("Retry-After", formatdate(1_800_003_600, usegmt=True)))
UNREADABLE = {"is negative": "-1", "has 20 digits": "9" * 20, "is a word": "soon"}
THOUGHTS = "First I think, and then I say it."


def page(status: int) -> Behaviour:
    return answer(status, b"<html><h1>Something else</h1></html>", ("Content-Type", "text/html"))


CREDENTIALS = {"alone": (502, "upstream_credentials"), "failure": "upstream_credentials", "repeats": False, "other_key": True}
CALLERS = {"repeats": False, "moves_on": False, "own_words": True}
AT_THE_TARGET = {"own_words": True}

FAULTS = [
    Fault("the name does not resolve", "connection", "transport", "unreachable", (502, "upstream_unreachable"), where="unresolvable"),
    Fault("the connection is refused", "connection", "transport", "refused", (502, "upstream_unreachable"), where="refused"),
    Fault("TLS ends with an alert", "connection", "transport", "unreachable", (502, "upstream_unreachable"), where="tls_alert"),
    Fault("a certificate that nobody vouches for", "connection", "transport", "upstream_certificate", (502, "upstream_certificate"), where="untrusted"),

    status("400 invalid value", "callers_fault", (400, "invalid_value"), label="400 for a value in the request", **CALLERS),
    status("400", "callers_fault", (400, "upstream_error"), label="400 with a page of HTML", behaviour=page(400), repeats=False, moves_on=False),
    status("400", "callers_fault", (400, "upstream_error"), label="400 without a body", behaviour=answer(400, b""), repeats=False, moves_on=False),
    status("413", "callers_fault", (413, "upstream_error"), label="413 with a page of HTML", behaviour=page(413), repeats=False, moves_on=False),
    status("400 content_policy_violation", "content_policy", (400, "content_policy_violation"), **CALLERS),
    status("400 context_length_exceeded", "context_window", (400, "context_length_exceeded"), repeats=False, own_words=True),
    status("400 unsupported_parameter", "unsupported", (400, "unsupported_parameter"), repeats=False, own_words=True),
    status("401 invalid_api_key", "credential", **CREDENTIALS),
    status("403", "credential", label="403", **CREDENTIALS),
    status("402", "key_quota", label="402", **CREDENTIALS),
    status("404 model_not_found", "model_missing", (404, "model_not_found"), repeats=False, **AT_THE_TARGET),
    status("408", "slow", (408, ""), label="408", **AT_THE_TARGET),
    status("429 rate_limit_exceeded", "rate", (429, "rate_limit_exceeded"), other_key=True, **AT_THE_TARGET),
    status("429 rate_limit_exceeded", "rate", (429, "rate_limit_exceeded"), label="429, to come back in a second",
           behaviour=provider_error("429 rate_limit_exceeded", retry_after="1"), other_key=True, **AT_THE_TARGET),
    status("429 rate_limit_exceeded", "rate", (429, "rate_limit_exceeded"), label="429, to come back in an hour",
           behaviour=provider_error("429 rate_limit_exceeded", retry_after="3600"), repeats=False, other_key=True, **AT_THE_TARGET),
    status("429 rate_limit_exceeded", "rate", (429, "rate_limit_exceeded"), label="429, to come back at a date that is an hour away",
           behaviour=provider_error("429 rate_limit_exceeded", headers=AN_HOUR_AWAY), repeats=False, other_key=True, **AT_THE_TARGET),
    *(status("429 rate_limit_exceeded", "rate", (429, "rate_limit_exceeded"), label=f"429 whose Retry-After {what}",
             behaviour=provider_error("429 rate_limit_exceeded", retry_after=value), other_key=True, **AT_THE_TARGET)
      for what, value in UNREADABLE.items()),
    status("429", "rate", (429, "upstream_error"), label="429 with a page of HTML", behaviour=page(429), other_key=True),
    status("429 insufficient_quota", "key_quota", **CREDENTIALS),
    status("500", "overload", (500, ""), label="500", **AT_THE_TARGET),
    status("502", "overload", (502, ""), label="502", **AT_THE_TARGET),
    status("502", "overload", (502, "upstream_error"), label="502 with a page of HTML",
           behaviour=Behaviour("status", status=502, body="<html><h1>Bad Gateway</h1></html>")),
    status("503 server_is_overloaded", "overload", (503, "server_is_overloaded"), label="503", **AT_THE_TARGET),
    status("503 server_is_overloaded", "overload", (503, "server_is_overloaded"), label="503, to come back in an hour",
           behaviour=provider_error("503 server_is_overloaded", retry_after="3600"), repeats=False, **AT_THE_TARGET),
    status("503 server_is_overloaded", "overload", (503, "server_is_overloaded"), label="503, to come back at a date that is an hour away",
           behaviour=provider_error("503 server_is_overloaded", headers=AN_HOUR_AWAY), repeats=False, **AT_THE_TARGET),
    status("504", "overload", (504, ""), label="504", **AT_THE_TARGET),
    status("529", "overload", (529, ""), label="529", **AT_THE_TARGET),
    status("500", "overload", (500, ""), label="500 whose body is compressed", behaviour=zipped(500, json.dumps(ERROR).encode()), **AT_THE_TARGET),
    status("500", "overload", (502, "upstream_error"), label="500 as a stream of events",
           behaviour=answer(500, data(json.dumps(ERROR)), STREAM[0])),
    status("500", "overload", (502, "upstream_error"), label="500 that ends within its body",
           behaviour=raw(head(500, [JSON, ("Content-Length", "500")]) + b'{"error":', end="fin", status=500)),
    status("307", "overload", (502, "upstream_error"), label="a redirect",
           behaviour=answer(307, b'{"moved":true}', JSON, ("Location", "http://127.0.0.1:9/v1")), repeats=False),

    Fault("RST before the head", "head", "transport", "reset", (502, "upstream_broken"), Behaviour("reset_before_head")),
    Fault("FIN before the head", "head", "transport", "end_of_stream", (502, "upstream_broken"), Behaviour("close_before_head")),
    Fault("bytes that are no HTTP", "head", "malformed", "upstream_malformed", (502, "upstream_malformed"), Behaviour("garbage")),
    Fault("interim answers and then RST", "head", "transport", "reset", (502, "upstream_broken"),
          raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 50, end="rst")),
    Fault("a switch to another protocol", "head", "malformed", "upstream_malformed", (502, "upstream_malformed"),
          raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", end="hold")),
    Fault("a head with two lengths", "head", "malformed", "upstream_malformed", (502, "upstream_malformed"),
          raw(head(200, [JSON, ("Content-Length", "5"), ("Content-Length", str(len(WHOLE)))]) + WHOLE, end="fin")),
    Fault("a head without end", "head", "malformed", "upstream_malformed", (502, "upstream_malformed"),
          raw(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 300_000, end="hold")),
    Fault("no byte at all", "head", "slow", "timeout", (504, "upstream_timeout"), Behaviour("silence"), repeats=False, slow=True),

    Fault("200 with a page of HTML", "answer", "malformed", "upstream_malformed", (502, "upstream_malformed"), Behaviour("html")),
    Fault("200 with broken JSON", "answer", "malformed", "upstream_malformed", (502, "upstream_malformed"), Behaviour("bad_json")),
    Fault("200 and nothing, not streamed", "answer", "malformed", "upstream_malformed", (502, "upstream_malformed"), Behaviour("empty"), streamed=False),
    Fault("200 and no event", "answer", "transport", "end_of_stream", (502, "upstream_broken"), Behaviour("empty"), whole=False),
    Fault("200 with an error object", "answer", "overload", "upstream_error", (502, "upstream_error"), Behaviour("error_event"), streamed=False),
    Fault("an error in the first event", "answer", "overload", "upstream_error", (502, "upstream_error"), Behaviour("error_event", role=False), whole=False),
    Fault("an error in the second event", "answer", "overload", "upstream_error", (502, "upstream_error"), Behaviour("error_event"), whole=False),
    Fault("an error object that is called a stream", "answer", "overload", "upstream_error", (502, "upstream_error"),
          stream(json.dumps(ERROR, indent=1).encode()), whole=False),
    Fault("a whole answer where a stream was asked for", "answer", "malformed", "upstream_malformed", (502, "upstream_malformed"),
          answer(200, WHOLE, JSON), whole=False),
    Fault("a stream where a whole answer was asked for", "answer", "malformed", "upstream_malformed", (502, "upstream_malformed"),
          stream(*ANSWER), streamed=False),
    Fault("204, no content", "answer", "transport", "end_of_stream", (502, "upstream_broken"), raw(head(204, []), end="fin"), whole=False),
    Fault("[DONE] and nothing else", "answer", "malformed", "upstream_malformed", (502, "upstream_malformed"), stream(DONE), whole=False),
    Fault("a role and [DONE]", "answer", "malformed", "upstream_malformed", (502, "upstream_malformed"), stream(ROLE, DONE), whole=False),
    Fault("an error beside a choice that it ended", "answer", "overload", "upstream_error", (502, "upstream_error"),
          stream(event({"content": ""}, "error", **ERROR), DONE), whole=False),
    Fault("a first event that is no UTF-8", "answer", "malformed", "upstream_malformed", (502, "upstream_malformed"),
          stream(ROLE, event({"content": "?"}).replace(b"?", b"\xff\xfe"), FINISH, DONE), whole=False),
    Fault("a first event without end", "answer", "malformed", "upstream_malformed", (502, "upstream_malformed"),
          raw(head(200, STREAM), chunk(b"data: " + b"x" * 2_000_000), end="hold"), whole=False),
    Fault("a chunk whose size is no number", "answer", "malformed", "upstream_malformed", (502, "upstream_malformed"),
          raw(head(200, STREAM) + b"zz\r\n", *ANSWER, end="fin"), whole=False),
    Fault("heartbeats and no content", "answer", "slow", "timeout", (504, "upstream_timeout"),
          Behaviour("ok", wait=50, keep_alive="comment"), whole=False, repeats=False, slow=True),
    Fault("a broken first event", "answer", "malformed", "upstream_malformed", (502, "upstream_malformed"), Behaviour("malformed", role=False), whole=False),
    Fault("RST right after the head", "answer", "transport", "reset", (502, "upstream_broken"), Behaviour("cut_rst", role=False), whole=False),
    Fault("RST after the first event", "answer", "transport", "reset", (502, "upstream_broken"), Behaviour("cut_rst"), whole=False),
    Fault("RST within the body", "answer", "transport", "reset", (502, "upstream_broken"), Behaviour("cut_rst"), streamed=False),
    Fault("FIN right after the head", "answer", "transport", "end_of_stream", (502, "upstream_broken"), Behaviour("cut_fin", role=False), whole=False),
    Fault("FIN after the first event", "answer", "transport", "end_of_stream", (502, "upstream_broken"), Behaviour("cut_fin"), whole=False),
    Fault("FIN within the body", "answer", "transport", "end_of_stream", (502, "upstream_broken"), Behaviour("cut_fin"), streamed=False),
    Fault("an end without a finish reason", "answer", "transport", "end_of_stream", (502, "upstream_broken"), Behaviour("end_early"), whole=False),
    Fault("a length that is too long", "answer", "transport", "end_of_stream", (502, "upstream_broken"), Behaviour("short_body"), streamed=False),
    Fault("a length that is too short", "answer", "malformed", "upstream_malformed", (502, "upstream_malformed"), Behaviour("long_body"), streamed=False),
    Fault("FIN inside a chunk", "answer", "transport", "end_of_stream", (502, "upstream_broken"), Behaviour("truncated_chunk")),
    Fault("no content after the first event", "answer", "slow", "timeout", (504, "upstream_timeout"), Behaviour("stall"), whole=False, repeats=False, slow=True),
    Fault("half a body and no more", "answer", "slow", "timeout", (504, "upstream_timeout"), Behaviour("stall"), streamed=False, repeats=False, slow=True),
    Fault("a first event that trickles in too slowly", "answer", "slow", "timeout", (504, "upstream_timeout"),
          Behaviour("trickle", after=10_000, seconds=0.05), repeats=False, slow=True),

    Fault("RST after content", "content", "transport", "reset", (200, "upstream_broken"), Behaviour("cut_rst", after=2), whole=False),
    Fault("FIN after content", "content", "transport", "end_of_stream", (200, "upstream_broken"), Behaviour("cut_fin", after=2), whole=False),
    Fault("FIN of a body that only FIN ends", "content", "transport", "end_of_stream", (200, "upstream_broken"),
          Behaviour("cut_fin", after=2, framing="close"), whole=False),
    Fault("an end without a finish reason, after content", "content", "transport", "end_of_stream", (200, "upstream_broken"),
          Behaviour("end_early", after=2), whole=False),
    Fault("FIN within a character", "content", "transport", "end_of_stream", (200, "upstream_broken"), Behaviour("cut_event", after=2), whole=False),
    Fault("FIN within the reasoning", "content", "transport", "end_of_stream", (200, "upstream_broken"),
          Behaviour("cut_fin", reasoning=THOUGHTS), whole=False),
    Fault("FIN after reasoning and content", "content", "transport", "end_of_stream", (200, "upstream_broken"),
          Behaviour("cut_fin", after=2, reasoning=THOUGHTS), whole=False),
    Fault("RST after the last word", "content", "transport", "reset", (200, "upstream_broken"), Behaviour("cut_rst", after=4), whole=False),
    Fault("a broken event after content", "content", "malformed", "upstream_malformed", (200, "upstream_malformed"), Behaviour("malformed", after=2), whole=False),
    Fault("an error event after content", "content", "overload", "upstream_error", (200, "upstream_error"), Behaviour("error_event", after=2), whole=False),
    Fault("an error event after the finish reason", "content", "overload", "upstream_error", (200, "upstream_error"),
          Behaviour("error_after_finish", after=4), whole=False, finished=True),
    Fault("FIN within a tool call", "content", "transport", "end_of_stream", (200, "upstream_broken"), Behaviour("cut_fin", after=3, tools=True),
          whole=False, repeats=False, moves_on=False),
    Fault("silence after content", "content", "slow", "timeout", (200, "upstream_timeout"), Behaviour("stall", after=2), whole=False, repeats=False, slow=True),
    Fault("an event that trickles in without end, after content", "content", "slow", "timeout", (200, "upstream_timeout"),
          Behaviour("drip", after=2, seconds=0.05), whole=False, repeats=False, slow=True),
]  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One failure in one situation. `left` is what weir may still try."""

    fault: Fault
    stream: bool
    left: str  # see LEFT

    @property
    def id(self) -> str:
        return f"{self.fault.id}.{'streamed' if self.stream else 'whole'}.{self.left}"

    @property
    def answered_by(self) -> str | None:
        """Whose answer is the caller's, or its end: the same target's, the other one's, its twin's, or nobody's."""
        again = (self.left == "retry" and self.fault.repeats) or (self.left == "key" and self.fault.other_key)
        if again:
            return "same"
        if self.left in {"twin", "prefill", "refused"} and self.fault.moves_on:
            return "twin"
        if self.left == "model":
            return "other"
        # Another text is no end of an answer that has begun.
        return "other" if self.left == "target" and self.fault.moves_on and self.fault.group != "content" else None


# What is left to try.
LEFT = {
    "nothing": "no other target, no attempt, no key",
    "retry": "the same target may be asked again, and then gives a whole answer with the same text",
    "key": "there is another key for the same target, which is not refused",
    "target": "another target gives an answer with another text",
    "twin": "another target gives an answer with the same text",
    "prefill": "another target takes what the caller has as the beginning of its answer",
    "refused": "another target refuses that, and then gives an answer with the same text",
    "model": "a model is named for this cause, and gives an answer with another text",
}


def can_be(fault: Fault, left: str) -> bool:
    if fault.where and left in {"retry", "key"}:
        return False  # nobody is there the second time either
    if left == "model":
        return fault.cause in {"context_window", "content_policy"}
    if left in {"prefill", "refused"}:
        # There must be a text to go on with, and a rest of it.
        return fault.group == "content" and fault.moves_on and not fault.behaviour.reasoning and fault.behaviour.after < fault.behaviour.events
    return fault.group == "content" or left != "twin"  # before content any text will do


def all_cases() -> list[Case]:
    return [
        Case(fault, stream, left)
        for fault in FAULTS
        for stream in (True, False)
        if (fault.streamed if stream else fault.whole)
        for left in LEFT
        if can_be(fault, left)
    ]
