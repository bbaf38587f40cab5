// The page's frame: which part is shown, the stream of calls, the counters. The list is in calls.js.
import { AdminEvents, setAdminKey } from "./admin.js";
import { showBudgets } from "./budgets.js";
import { CallList, stateOf } from "./calls.js";
import { startKeys } from "./keys.js";
import { startPlayground } from "./playground.js";
import { startUsage } from "./usage.js";

const element = (id) => document.getElementById(id);

// --- which part is shown ---

const views = { calls: null, usage: startUsage(), keys: startKeys(), budgets: showBudgets, playground: null };

function showPage() {
  const asked = location.hash.slice(1);
  const name = Object.hasOwn(views, asked) ? asked : "calls";
  for (const page of Object.keys(views)) {
    element(`${page}-page`).hidden = page !== name;
    const link = document.querySelector(`nav a[href="#${page}"]`);
    if (page === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  views[name]?.();
}
addEventListener("hashchange", showPage);
showPage();

// --- what is known of the calls ---

const keptMost = 500;

/** id -> {record, step, state, began (performance.now at its first byte), order, version} */
const calls = new Map();
let order = 0;
let unlisted = 0; // calls that run and were not told of
let pastTold = false;

/** second -> how many calls began in it and how many of those failed; more calls may come than are kept. */
const seconds = new Map();
function countIn(call, what) {
  const second = Math.floor(call.begunAt / 1000);
  const counted = seconds.get(second) ?? { calls: 0, errors: 0 };
  counted[what] += 1;
  seconds.set(second, counted);
}

function takeCall({ step, at_ms: at, call: record }) {
  const known = calls.get(record.id);
  const ended = step === "ended";
  if (known?.ended && !ended) return; // news from before its end
  if (ended && !known && pastTold && unlisted > 0) unlisted -= 1;
  const call = known ?? { id: record.id, order: order++, version: 0, fresh: pastTold };
  const endsNow = ended && !call.ended;
  call.record = record;
  call.ended = ended;
  call.began = performance.now() - at;
  call.begunAt = Date.parse(record.time);
  call.state = stateOf(record, ended);
  call.stale = false;
  call.version += 1;
  calls.set(record.id, call);
  if (!known) countIn(call, "calls");
  if (endsNow && call.state === "failed") countIn(call, "errors");
  forgetOldest();
  list.changed();
}

function forgetOldest() {
  for (const [id, call] of calls) {
    if (calls.size <= keptMost) return;
    if (call.ended) calls.delete(id);
  }
}

// --- the stream ---

let stream = null;
let retry = 0;
let repair = 0; // a timer, once steps were lost
let repairedAt = -Infinity;
let busy = 0; // a timer, while steps are lost

function setConnection(state, words) {
  const shown = element("connection");
  if (shown.dataset.state !== state) {
    shown.dataset.state = state;
    shown.textContent = words;
    shown.title = words;
  }
}

function disconnect() {
  stream?.close();
  stream = null;
  clearTimeout(retry);
  if (repair) repairedAt = performance.now();
  clearTimeout(repair);
  repair = 0;
}

function connectSoon(milliseconds) {
  disconnect();
  retry = setTimeout(connect, milliseconds);
}

function connect() {
  disconnect();
  const on = {
    hello() {
      element("admin-key-form").hidden = true;
      pastTold = false;
      unlisted = 0;
      for (const call of calls.values()) call.stale = !call.ended;
    },
    call: takeCall,
    unlisted: ({ running }) => (unlisted += running),
    ready() {
      pastTold = true;
      for (const [id, call] of calls) if (call.stale) calls.delete(id);
      if (!busy) setConnection("live", "Live");
      list.changed();
    },
    dropped() {
      clearTimeout(busy);
      setConnection("busy", "Too many to show all");
      busy = setTimeout(() => {
        busy = 0;
        if (stream?.open) setConnection("live", "Live");
      }, 7000);
      // Some steps were lost. A new stream begins with all that runs, so nothing stays wrong for long.
      repair ||= setTimeout(connect, Math.max(1000, repairedAt + 5000 - performance.now()));
    },
    bye() {
      setConnection("lost", "Weir stops");
      connectSoon(1000);
    },
  };
  let refused = false;
  stream = new AdminEvents("/admin/v1/live", {
    on,
    onRefused(error) {
      refused = true;
      askForKey(error);
    },
    onEnd() {
      if (refused) return; // the form connects
      setConnection("lost", "Reconnecting");
      connectSoon(1000);
    },
  });
}

function askForKey({ code, message }) {
  setConnection("lost", "Not let in");
  element("admin-key-form").hidden = false;
  element("admin-key-words").textContent = code === "missing_api_key" ? "" : message;
  element("admin-key").value = "";
}

element("admin-key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  setAdminKey(element("admin-key").value.trim());
  connect();
  showPage(); // asks again what the view before it was refused
});

// A page that nobody looks at does not watch.
let hiddenFor = 0;
document.addEventListener("visibilitychange", () => {
  clearTimeout(hiddenFor);
  if (document.hidden) {
    hiddenFor = setTimeout(() => {
      disconnect();
      setConnection("connecting", "Sleeping");
    }, 30_000);
  } else if (stream === null) {
    connect();
  }
});

// --- the counters ---

function count() {
  let running = unlisted;
  let lately = 0;
  let errors = 0;
  const added = [];
  for (const call of calls.values()) {
    if (!call.ended) running += 1;
    else added.push(call.record.weir_added_ms);
  }
  const minuteAgo = Math.floor(Date.now() / 1000) - 60;
  for (const [second, counted] of seconds) {
    if (second <= minuteAgo) {
      seconds.delete(second);
    } else {
      lately += counted.calls;
      errors += counted.errors;
    }
  }
  element("count-running").textContent = running;
  element("count-minute").textContent = lately;
  element("count-errors").textContent = errors;
  element("count-errors").dataset.alarm = errors > 0;
  added.sort((one, other) => one - other);
  const median = added.length === 0 ? "–" : added[Math.floor((added.length - 1) / 2)].toFixed(2);
  const unit = document.createElement("small");
  unit.textContent = "ms";
  element("count-added").replaceChildren(median, ...(added.length === 0 ? [] : [unit]));
}

// --- filter and pause ---

const list = new CallList(element("calls"), () => calls);
let paused = false;
let pausedAt = 0;

function filterChanged() {
  list.filter = { text: element("filter-text").value.trim().toLowerCase(), state: element("filter-state").value };
  list.changed();
}
element("filter-text").addEventListener("input", filterChanged);
element("filter-state").addEventListener("change", filterChanged);
element("filter").addEventListener("submit", (event) => event.preventDefault());
element("show-all").addEventListener("click", () => {
  element("filter").reset();
  filterChanged();
  element("filter-text").focus();
});
element("pause").addEventListener("click", () => {
  paused = !paused;
  pausedAt = order;
  element("pause").setAttribute("aria-pressed", paused);
  element("pause").textContent = paused ? "Go on" : "Pause";
  element("held").textContent = "";
  list.changed();
});

// --- an empty page says how to begin ---

const model = { name: "mock/hello" };
function tellFirstCall() {
  const base = `${location.origin}/v1`;
  element("base-url").textContent = base;
  element("first-call").textContent =
    `curl -N ${base}/chat/completions -H 'content-type: application/json' ` +
    `-d '{"model":"${model.name}","stream":true,"messages":[{"role":"user","content":"Hi"}]}'`;
}
tellFirstCall();
element("copy-first-call").addEventListener("click", async () => {
  const button = element("copy-first-call");
  try {
    await navigator.clipboard.writeText(element("first-call").textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(element("first-call")); // the browser lets us only select it
    button.textContent = "Selected";
  }
  setTimeout(() => (button.textContent = "Copy"), 1500);
});

// --- ten times a second at most ---

let lastCount = 0;
function tick(now) {
  requestAnimationFrame(tick);
  if (now - list.renderedAt < 100) return;
  if (now - lastCount > 500 || list.isDirty) {
    lastCount = now;
    count();
  }
  if (paused) {
    const newer = order - pausedAt;
    element("held").textContent = newer === 0 ? "" : newer === 1 ? "1 new call" : `${newer} new calls`;
    return;
  }
  const { shown, matching } = list.render(now);
  element("empty").hidden = calls.size > 0 || !pastTold;
  element("no-match").hidden = calls.size === 0 || matching > 0;
  element("kept").hidden = matching <= shown;
  element("kept").textContent = `The newest ${shown} of ${matching} are shown. GET /admin/v1/requests lists the last 1,000.`;
}
requestAnimationFrame(tick);

startPlayground({
  onModels: (name) => {
    model.name = name;
    tellFirstCall();
  },
  showCall: (id) => {
    element("filter").reset();
    filterChanged();
    list.open(id);
  },
});
connect();
