// What the page asks of /admin: with the admin key, once one was wanted and typed in. It is kept for this tab alone.
const keyName = "weir-admin-key";

export function setAdminKey(key) {
  sessionStorage.setItem(keyName, key);
}

export function adminFetch(path, options = {}) {
  const key = sessionStorage.getItem(keyName);
  return fetch(path, { ...options, headers: key === null ? {} : { "x-api-key": key } });
}

/** Gives {name, data} of each event of a streamed body. */
export async function* namedEventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  while (true) {
    const { value, done } = await reader.read();
    rest += value ?? "";
    for (let end = rest.indexOf("\n\n"); end >= 0; end = rest.indexOf("\n\n")) {
      const event = { name: "message", data: "" };
      for (const line of rest.slice(0, end).split("\n")) {
        if (line.startsWith("event:")) event.name = line.slice(6).trim();
        if (line.startsWith("data:")) event.data += line.slice(5);
      }
      rest = rest.slice(end + 2);
      if (event.data !== "") yield event;
    }
    if (done) return;
  }
}

/** A stream of events that sends the admin key, which an EventSource cannot. It does not connect again by itself. */
export class AdminEvents {
  constructor(path, { on, onRefused, onEnd }) {
    this.aborter = new AbortController();
    this.open = false;
    this.follow(path, on, onRefused).catch(() => {}).finally(() => {
      this.open = false;
      if (!this.aborter.signal.aborted) onEnd();
    });
  }

  async follow(path, on, onRefused) {
    const reply = await adminFetch(path, { signal: this.aborter.signal, cache: "no-store" });
    if (!reply.ok) {
      if (reply.status === 401 || reply.status === 403) onRefused((await reply.json()).error);
      return;
    }
    this.open = true;
    for await (const { name, data } of namedEventsOf(reply.body)) {
      if (this.aborter.signal.aborted) return;
      on[name]?.(JSON.parse(data));
    }
  }

  close() {
    this.aborter.abort();
  }
}
