// The list of calls: one row each, a bar for each attempt, and the story of the one that is opened.
import { adminFetch } from "./admin.js";

const shownMost = 100;

export function make(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** "0.63 ms", "412 ms", "1.08 s" */
export function time(milliseconds) {
  if (milliseconds === undefined || milliseconds === null) return "–";
  if (milliseconds >= 59_950) return `${Math.floor(milliseconds / 60_000)} min ${Math.round((milliseconds % 60_000) / 1000)} s`;
  if (milliseconds >= 1000) return `${(milliseconds / 1000).toFixed(2)} s`;
  return `${milliseconds >= 10 ? milliseconds.toFixed(0) : milliseconds.toFixed(2)} ms`;
}

export function stateOf(record, ended) {
  if (!ended) return "running";
  if (record.end_state === "client_abort") return "left";
  return record.end_state === "complete" && record.status < 400 ? "ok" : "failed";
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });

function chipOf({ state, record }) {
  if (state === "running" || state === "left") return state;
  return state === "failed" && record.status === 200 ? "broke off" : String(record.status);
}

/** What went wrong with a call, in words; empty where nothing did. */
function why(call) {
  const { record, state } = call;
  if (state === "left") return "The caller left before the end.";
  if (state !== "failed") return "";
  const message = record.error_message || record.attempts.at(-1)?.reason || "";
  return [record.error_code, message].filter(Boolean).join(": ");
}

const shortWords = {
  refused: "connection refused",
  reset: "connection reset",
  unreachable: "unreachable",
  end_of_stream: "closed too early",
  timeout: "took too long",
};

const causeWords = {
  credential: "key refused",
  key_quota: "quota spent",
  rate: "rate limited",
  context_window: "too long for it",
  content_policy: "against its policy",
  unsupported: "not supported",
  model_missing: "no such model",
};

/** How an attempt stands, in a few words. */
function outcome(attempt, ended) {
  if (attempt.end_state === "complete") {
    const tokens = attempt.tokens_out ?? attempt.events;
    const unit = attempt.tokens_out === undefined ? "event" : "token";
    const status = attempt.recovery ? "went on" : attempt.status;
    return tokens > 0 ? `${status} · ${tokens} ${unit}${tokens === 1 ? "" : "s"}` : `${status}`;
  }
  if (attempt.end_state === "open" && !ended) {
    if (attempt.first_token_ms !== undefined) return attempt.events > 0 ? `${attempt.events} events …` : "answering …";
    return attempt.connected_ms === undefined ? "connecting …" : "waiting for the first token …";
  }
  if (attempt.end_state === "client_abort") return "the caller left";
  if (attempt.recovery && attempt.end_state === "gateway_error") return "did not go on";
  if (causeWords[attempt.cause]) return `${attempt.status || ""} ${causeWords[attempt.cause]}`.trim();
  return shortWords[attempt.failure] ?? (attempt.reason.replace(/^it answered /, "") || attempt.failure);
}

/** The parts of an attempt's bar as [kind, from, to] in milliseconds of the call; `now` is how long the call has run. */
export function segments(attempt, now, isLast, callEnded) {
  const start = attempt.started_ms ?? now;
  const open = attempt.ended_ms === undefined;
  const end = open ? now : attempt.ended_ms;
  const connected = attempt.connected_ms ?? end;
  const first = attempt.first_token_ms ?? end;
  const parts = [
    ["wait", start - attempt.backoff_ms, start],
    ["connect", start, connected],
    ["first", connected, first],
    ["tokens", first, end],
  ];
  const failed = !open && attempt.end_state !== "complete";
  if (failed) parts.push(["failed", end, end]);
  if (failed && isLast && !callEnded) parts.push(["wait", end, now]); // before the next try
  return parts.filter(([kind, from, to]) => to > from || kind === "failed");
}

class Bar {
  constructor() {
    this.target = make("span", "target");
    this.bar = make("span", "bar");
    this.outcome = make("span", "outcome");
    this.root = make("span", "attempt", this.target, this.bar, this.outcome);
  }
  update(attempt, total, now, isLast, call) {
    this.target.textContent = attempt.target;
    this.target.title = attempt.key ? `${attempt.target}, key ${attempt.key}` : attempt.target;
    const words = outcome(attempt, call.ended);
    if (this.outcome.textContent !== words) {
      this.outcome.textContent = words;
      this.outcome.title = attempt.cause ? `${attempt.reason} (cause: ${attempt.cause})` : attempt.reason || words;
      this.outcome.className = `outcome${attempt.end_state === "upstream_error" || attempt.end_state === "gateway_error" ? " is-bad" : ""}`;
    }
    const parts = segments(attempt, now, isLast, call.ended);
    while (this.bar.children.length > parts.length) this.bar.lastChild.remove();
    parts.forEach(([kind, from, to], index) => {
      const part = this.bar.children[index] ?? this.bar.appendChild(make("i"));
      part.className = `seg ${kind}`;
      part.dataset.kind = kind;
      // What ends at the right edge is placed from there, so that its least width stays inside.
      const left = (100 * from) / total;
      const width = (100 * (to - from)) / total;
      if (left + width > 99) {
        part.style.left = "auto";
        part.style.right = `${Math.max(0, 100 - left - width)}%`;
      } else {
        part.style.left = `${left}%`;
        part.style.right = "auto";
      }
      part.style.width = `${width}%`;
    });
  }
}

class Row {
  constructor(call, list) {
    this.call = call;
    this.bars = [];
    this.version = 0;
    this.chip = make("span", "chip");
    this.model = make("span", "model");
    this.under = make("span", "under");
    this.attempts = make("span", "attempts");
    this.numbers = ["time", "tokens", "added"].map((word) => {
      const value = make("b");
      return { value, root: make("span", "", value, make("small", "", word)) };
    });
    this.why = make("span", "why");
    this.head = make(
      "button",
      "call-head",
      make("span", "who", make("span", "name", this.model, this.chip), this.under),
      this.attempts,
      make("span", "numbers", ...this.numbers.map((number) => number.root)),
      this.why,
    );
    this.head.type = "button";
    this.head.setAttribute("aria-expanded", "false");
    this.head.addEventListener("click", () => list.toggle(call.id));
    this.root = make("li", call.fresh ? "call is-new" : "call", this.head);
    this.root.dataset.id = call.id;
  }

  /** `now`: how long it has run. */
  update(now) {
    const { call } = this;
    const { record } = call;
    const total = Math.max(call.ended ? record.duration_ms : now, 0.001);
    if (this.version !== call.version) {
      this.version = call.version;
      this.root.dataset.state = call.state;
      this.model.textContent = record.model || "default model";
      this.model.title = this.model.textContent;
      this.chip.textContent = chipOf(call);
      this.under.textContent = `${clock.format(call.begunAt)}${record.stream ? " · streamed" : ""}`;
      this.under.title = `${record.time}, ${record.client}`;
      this.why.textContent = why(call);
      this.why.hidden = this.why.textContent === "";
      const events = record.attempts.at(-1)?.events ?? 0;
      this.numbers[1].value.textContent =
        record.tokens_out !== undefined ? `${record.tokens_in ?? "–"} → ${record.tokens_out}` : events > 0 ? `~${events}` : "–";
      this.numbers[2].value.textContent = call.ended ? `+${time(record.weir_added_ms)}` : "–";
      while (this.bars.length < record.attempts.length) {
        const bar = new Bar();
        this.bars.push(bar);
        this.attempts.append(bar.root);
      }
      const tries = record.attempts.length;
      this.head.setAttribute(
        "aria-label",
        `${this.model.textContent}, ${this.chip.textContent}, ${tries} attempt${tries === 1 ? "" : "s"}${call.ended ? `, ${time(record.duration_ms)}` : ""}${this.why.hidden ? "" : `, ${this.why.textContent}`}`,
      );
      if (this.story && call.ended && !this.storyTold) this.tell();
    }
    this.numbers[0].value.textContent = time(total);
    record.attempts.forEach((attempt, index) => {
      this.bars[index].update(attempt, total, total, index === record.attempts.length - 1, call);
    });
  }

  toggle() {
    if (this.story) {
      this.story.remove();
      this.story = null;
      this.storyTold = false;
    } else {
      this.story = make("div", "story");
      this.story.id = `story-${this.call.id}`;
      this.root.append(this.story);
      this.head.setAttribute("aria-controls", this.story.id);
      this.tell();
    }
    this.head.setAttribute("aria-expanded", String(this.story !== null));
  }

  async tell() {
    const { call, story } = this;
    if (!call.ended) {
      story.replaceChildren(make("p", "", "It still runs. Its whole story is told when it has ended."));
      return;
    }
    this.storyTold = true;
    const words = make("pre", "", "…");
    story.replaceChildren(words, facts(call.record));
    try {
      const reply = await adminFetch(`/admin/v1/requests/${encodeURIComponent(call.id)}?story=true`);
      const told = await reply.json();
      words.textContent = told.story ?? told.error?.message ?? "Nothing is known of it any more.";
    } catch {
      words.textContent = "Weir did not answer. Close this and open it again.";
    }
  }
}

function facts(record) {
  const list = make("dl", "facts");
  const fact = (name, value) => {
    if (value !== undefined && value !== "") list.append(make("div", "", make("dt", "", name), make("dd", "", String(value))));
  };
  fact("Request id", record.id);
  fact("Caller", record.client);
  fact("Caller's own id", record.client_request_id);
  fact("Endpoint", record.endpoint);
  fact("Route", record.route);
  fact("Recovered from", record.recovered_from);
  fact("Not asked", record.skipped?.join("; "));
  fact("First token", record.ttft_ms === undefined ? undefined : time(record.ttft_ms));
  fact("Bytes in, out", `${record.request_bytes}, ${record.response_bytes}`);
  fact("Cached tokens", record.tokens_cached);
  fact("Reasoning tokens", record.tokens_reasoning);
  fact("Trace", record.trace_id);
  return list;
}

export class CallList {
  constructor(root, calls) {
    this.root = root;
    this.calls = calls;
    this.rows = new Map();
    this.filter = { text: "", state: "all" };
    this.isDirty = true;
    this.renderedAt = 0;
    this.counts = { shown: 0, matching: 0 };
  }

  changed() {
    this.isDirty = true;
  }

  toggle(id) {
    this.rows.get(id)?.toggle();
  }

  /** Opens a call that may not be there yet. */
  open(id) {
    this.opening = id;
    this.isDirty = true;
  }

  matches(call) {
    const { text, state } = this.filter;
    const { record } = call;
    if (state === "fallback") {
      if (record.attempts.length < 2) return false;
    } else if (state !== "all" && call.state !== state) {
      return false;
    }
    return text === "" || [record.model, record.id, ...record.attempts.map((one) => one.target)].some((name) => name.toLowerCase().includes(text));
  }

  render(now) {
    this.renderedAt = now;
    if (this.isDirty) {
      this.isDirty = false;
      this.arrange();
    }
    for (const row of this.rows.values()) {
      if (!row.call.ended || row.version !== row.call.version) row.update(now - row.call.began);
    }
    return this.counts;
  }

  arrange() {
    const matching = [...this.calls().values()].filter((call) => this.matches(call));
    matching.sort((one, other) => other.begunAt - one.begunAt || other.order - one.order);
    const shown = matching.slice(0, shownMost);
    this.counts = { shown: shown.length, matching: matching.length };
    const ids = new Set(shown.map((call) => call.id));
    for (const [id, row] of this.rows) {
      if (!ids.has(id)) {
        row.root.remove();
        this.rows.delete(id);
      }
    }
    let before = null;
    for (const call of shown) {
      let row = this.rows.get(call.id);
      if (row === undefined) {
        row = new Row(call, this);
        this.rows.set(call.id, row);
      }
      const place = before === null ? this.root.firstChild : before.nextSibling;
      if (row.root !== place) this.root.insertBefore(row.root, place);
      before = row.root;
    }
    const wanted = this.opening && this.rows.get(this.opening);
    if (wanted) {
      this.opening = null;
      if (!wanted.story) wanted.toggle();
      wanted.root.scrollIntoView({ block: "nearest" });
      wanted.head.focus();
    }
  }
}
