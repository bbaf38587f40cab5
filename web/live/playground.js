// The playground: one question to one model, as any client would ask it.
import { make, time } from "./calls.js";

const element = (id) => document.getElementById(id);
const keyName = "weir-key";

/** Gives the data of each event of a streamed body. */
export async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  while (true) {
    const { value, done } = await reader.read();
    rest = (rest + (value ?? "")).replaceAll("\r\n", "\n");
    for (let end = rest.indexOf("\n\n"); end >= 0; end = rest.indexOf("\n\n")) {
      const lines = rest.slice(0, end).split("\n");
      rest = rest.slice(end + 2);
      const data = lines.filter((line) => line.startsWith("data:")).map((line) => line.slice(5).replace(/^ /, ""));
      if (data.length > 0) yield data.join("\n");
    }
    if (done) return;
  }
}

export function startPlayground({ onModels, showCall }) {
  const text = element("answer-text");
  const reasoning = element("answer-reasoning");
  const facts = (values) => {
    for (const [name, value] of Object.entries(values)) element(`fact-${name}`).textContent = value;
  };
  let running = null; // of the answer that is being received

  function headers() {
    const key = element("ask-key").value.trim();
    return { "content-type": "application/json", ...(key === "" ? {} : { "x-api-key": key }) };
  }

  async function loadModels() {
    try {
      const reply = await fetch("/v1/models", { headers: headers() });
      const names = (await reply.json()).data.map((model) => model.id);
      element("models").replaceChildren(...names.map((name) => {
        const option = make("option");
        option.value = name;
        return option;
      }));
      const plain = names.find((name) => !name.includes("*"));
      // "mock/*" takes any name behind the slash.
      const first = plain ?? (names.includes("mock/*") ? "mock/hello" : (names[0] ?? "").replace("*", ""));
      if (element("ask-model").value === "") element("ask-model").value = first;
      if (first !== "") onModels(first);
    } catch {
      // The name can be typed all the same.
    }
  }

  function request() {
    const messages = [];
    if (element("ask-system").value.trim() !== "") messages.push({ role: "system", content: element("ask-system").value });
    messages.push({ role: "user", content: element("ask-prompt").value });
    const body = { model: element("ask-model").value.trim(), messages, stream: true, stream_options: { include_usage: true } };
    const temperature = element("ask-temperature").value;
    const tokens = element("ask-tokens").value;
    if (temperature !== "") body.temperature = Number(temperature);
    if (tokens !== "") body.max_tokens = Number(tokens);
    return body;
  }

  function showError(title, words) {
    const box = element("answer-error");
    box.replaceChildren(make("b", "", title), words);
    box.hidden = false;
  }

  async function ask() {
    const aborter = new AbortController();
    running = aborter;
    const began = performance.now();
    let first = null;
    let usage = null;
    let whole = false;
    let failed = false;
    text.textContent = "";
    reasoning.textContent = "";
    element("answer-thoughts").hidden = true;
    element("answer-error").hidden = true;
    element("to-call").hidden = true;
    element("ask-send").disabled = true;
    element("ask-stop").disabled = false;
    text.classList.add("is-streaming");
    facts({ target: "–", first: "–", total: "–", tokens: "–", speed: "–", attempts: "–" });
    const state = element("answer-state");
    state.textContent = "Waiting for the first token …";

    try {
      const reply = await fetch("/v1/chat/completions", { method: "POST", headers: headers(), body: JSON.stringify(request()), signal: aborter.signal });
      const id = reply.headers.get("x-weir-request-id");
      if (id) {
        element("to-call").hidden = false;
        element("to-call").onclick = () => showCall(id);
      }
      facts({ target: reply.headers.get("x-weir-target") ?? "–", attempts: reply.headers.get("x-weir-attempts") ?? "–" });
      if (!reply.ok) {
        const error = (await reply.json().catch(() => ({}))).error ?? {};
        failed = true;
        showError(`${reply.status}${error.code ? ` · ${error.code}` : ""}`, error.message ?? reply.statusText);
        return;
      }
      for await (const data of eventsOf(reply.body)) {
        if (data === "[DONE]") {
          whole = true;
          break;
        }
        const event = JSON.parse(data);
        if (event.error) {
          failed = true;
          showError(event.error.code ?? "The answer broke off", event.error.message ?? "");
          break;
        }
        usage = event.usage ?? usage;
        const delta = event.choices?.[0]?.delta ?? {};
        const thought = delta.reasoning_content ?? delta.reasoning ?? "";
        const content = (delta.content ?? "") + (delta.refusal ?? "");
        if ((thought || content) && first === null) {
          first = performance.now() - began;
          facts({ first: time(first) });
          state.textContent = "Streaming …";
        }
        if (thought) {
          element("answer-thoughts").hidden = false;
          reasoning.append(thought);
        }
        if (content) {
          const atEnd = text.scrollHeight - text.scrollTop - text.clientHeight < 40;
          text.append(content);
          if (atEnd) text.scrollTop = text.scrollHeight;
        }
      }
    } catch (problem) {
      failed = !aborter.signal.aborted;
      if (failed) showError("The connection to weir broke", String(problem.message ?? problem));
    } finally {
      const total = performance.now() - began;
      running = null;
      text.classList.remove("is-streaming");
      element("ask-send").disabled = false;
      element("ask-stop").disabled = true;
      facts({ total: time(total) });
      if (usage) {
        facts({ tokens: `${usage.prompt_tokens ?? "–"}, ${usage.completion_tokens ?? "–"}` });
        if (first !== null && total > first && usage.completion_tokens > 1) {
          facts({ speed: ((usage.completion_tokens - 1) / ((total - first) / 1000)).toFixed(1) });
        }
      }
      state.textContent = whole ? `Whole, after ${time(total)}` : failed ? "Failed" : aborter.signal.aborted ? "Stopped by you" : "Ended early";
    }
  }

  element("ask-key").value = sessionStorage.getItem(keyName) ?? "";
  element("ask-key").addEventListener("change", () => {
    const key = element("ask-key").value.trim();
    if (key === "") sessionStorage.removeItem(keyName);
    else sessionStorage.setItem(keyName, key);
    loadModels();
  });
  element("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    if (running === null) ask();
  });
  element("ask").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) element("ask").requestSubmit();
  });
  element("ask-stop").addEventListener("click", () => running?.abort());
  loadModels();
}
