// The view of keys: who may call. A key's text is shown once, when it was made or rotated, and kept nowhere.
import { make } from "./calls.js";
import { ask, askAll, dayText, element, momentText, showProblem, table } from "./views.js";

let keys = [];

function stateOf(key) {
  if (key.revoked_at) return ["revoked", "bad"];
  if (!key.active) return ["off", "warn"];
  if (key.expires_at && new Date(key.expires_at) <= new Date()) return ["expired", "bad"];
  return ["active", "good"];
}

function shown(key) {
  const [state, level] = stateOf(key);
  const chip = make("span", "state-chip", state);
  chip.dataset.level = level;
  const name = make("span", "key-name", make("b", "", key.label || key.id), make("small", "", key.prefix ? `${key.prefix}…` : key.id));
  const who = [key.tenant, key.user].filter(Boolean).join(" / ");
  const models = key.models.includes("*") ? "all" : key.models.join(", ");
  const buttons = make("span", "row-actions");
  if (!key.revoked_at) {
    const button = (words, title, act) => {
      const made = make("button", "", words);
      made.type = "button";
      made.setAttribute("aria-label", `${words} the key ${key.label || key.id}`);
      made.title = title;
      made.addEventListener("click", act);
      buttons.append(made);
    };
    button("Rotate", "A new text; the old one opens for an hour more", () => confirm("rotate", key));
    button("Revoke", "Dead at once, and for good", () => confirm("revoke", key));
  }
  return [name, chip, key.role, who, models, key.expires_at ? dayText(key.expires_at) : "never", momentText(key.last_used_at), buttons];
}

export async function showKeys() {
  try {
    const all = await askAll(`/admin/v1/keys${element("keys-revoked").checked ? "?revoked=true" : ""}`);
    keys = all.filter((key) => key.source !== "config"); // those cannot be changed here
    showProblem("keys-problem", null);
  } catch (problem) {
    keys = [];
    showProblem("keys-problem", problem);
    element("keys-empty").hidden = true;
    element("keys-table").replaceChildren();
    return;
  }
  element("keys-empty").hidden = keys.length > 0;
  const columns = ["Key", "State", "Role", "Tenant", "Models", "Ends", "Last used", "Actions"].map((title) => ({ title }));
  element("keys-table").replaceChildren(...(keys.length === 0 ? [] : [table("Keys, the newest first", columns, keys.map(shown))]));
}

// --- one is asked about before it is changed, and its text is shown ---

let agreed = null;

function confirm(what, key) {
  const name = key.label || key.id;
  element("confirm-title").textContent = what === "revoke" ? `Revoke ${name}?` : `Rotate ${name}?`;
  element("confirm-words").textContent =
    what === "revoke"
      ? "It is dead at once, and for good. Calls that run go on to their end."
      : "It gets a new text, which is shown once. The old text opens for an hour more.";
  element("confirm-yes").textContent = what === "revoke" ? "Revoke" : "Rotate";
  agreed = async () => {
    try {
      const path = `/admin/v1/keys/${encodeURIComponent(key.id)}`;
      const changed = what === "revoke" ? await ask(path, { method: "DELETE" }) : await ask(`${path}/rotate`, { method: "POST", body: {} });
      if (changed.key) showSecret(changed);
    } catch (problem) {
      showProblem("keys-problem", problem);
      return;
    }
    await showKeys();
  };
  element("confirm").showModal();
}

function showSecret(key) {
  element("secret-name").textContent = key.label || key.id;
  element("secret-text").textContent = key.key;
  element("secret-notices").textContent = (key.notices ?? []).join(" ");
  element("secret").hidden = false;
  element("secret").focus();
}

function hideSecret() {
  element("secret-text").textContent = "";
  element("secret").hidden = true;
}

/** The form as the API takes it; what was left empty is left out. */
function formDocument() {
  const text = (id) => element(id).value.trim();
  const made = { label: text("key-label"), role: text("key-role") };
  if (text("key-tenant") !== "") made.tenant = text("key-tenant");
  if (text("key-user") !== "") made.user = text("key-user");
  const models = text("key-models").split(",").map((name) => name.trim()).filter(Boolean);
  if (models.length > 0) made.models = models;
  const limits = {};
  if (text("key-requests") !== "") limits.requests = text("key-requests");
  if (text("key-tokens") !== "") limits.tokens = text("key-tokens");
  if (text("key-flight") !== "") limits.in_flight = Number(text("key-flight"));
  if (Object.keys(limits).length > 0) made.limits = limits;
  if (text("key-usd") !== "") made.budgets = [{ usd: Number(text("key-usd")), period: text("key-period"), hard: element("key-hard").checked }];
  if (text("key-expires") !== "") made.expires_at = `${text("key-expires")}T00:00:00Z`;
  return made;
}

async function create() {
  element("key-create").disabled = true;
  try {
    const made = await ask("/admin/v1/keys", { method: "POST", body: formDocument() });
    showProblem("key-problem", null);
    element("key-form").reset();
    element("key-panel").open = false;
    showSecret(made);
    await showKeys();
  } catch (problem) {
    showProblem("key-problem", problem);
  } finally {
    element("key-create").disabled = false;
  }
}

export function startKeys() {
  element("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    create();
  });
  element("keys-revoked").addEventListener("change", showKeys);
  element("confirm-yes").addEventListener("click", () => {
    element("confirm").close();
    agreed();
  });
  element("confirm-no").addEventListener("click", () => element("confirm").close());
  element("secret-done").addEventListener("click", hideSecret);
  element("secret-copy").addEventListener("click", async () => {
    const button = element("secret-copy");
    try {
      await navigator.clipboard.writeText(element("secret-text").textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(element("secret-text"));
      button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
  addEventListener("hashchange", hideSecret); // who leaves the view has it
  return showKeys;
}
