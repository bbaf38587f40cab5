// The view of budgets: who may spend how much, what of it the present period has used, and what calls that run hold.
import { make } from "./calls.js";
import { ask, askAll, dollars, element, instant, momentText, number, periodEnd, periodStart, showProblem } from "./views.js";

const showTokens = (total) => (tokens) => `${number(tokens)} ${total ? "tokens" : "output tokens"}`;

/** What tells budgets of an owner apart. */
const nameOf = (owner, id, { unit, period }) => [owner, id ?? "", unit, period ?? "month"].join(" ");

/** What an owner may spend, budgets of money before quotas of tokens. */
function rulesOf(owner) {
  return [
    ...(owner.budgets ?? []).map((budget) => ({ ...budget, unit: "usd", cap: Number(budget.usd), show: dollars, of: (row) => row.cost_usd ?? 0 })),
    ...(owner.quotas ?? []).map((quota) => ({
      ...quota, unit: quota.count === "total" ? "tokens" : "output_tokens", cap: Number(quota.tokens), show: showTokens(quota.count === "total"),
      of: (row) => row.output_tokens + (quota.count === "total" ? row.input_tokens : 0),
    })),
  ];
}

/** Of a tenant: the ids of its keys, and of those of the tenants below it. */
function keysOf(tenant, tenants, keys) {
  const below = new Set([tenant.id]);
  for (let grown = true; grown; ) {
    grown = false;
    for (const one of tenants) {
      if (one.parent && below.has(one.parent) && !below.has(one.id)) {
        below.add(one.id);
        grown = true;
      }
    }
  }
  return new Set(keys.filter((key) => below.has(key.tenant)).map((key) => key.id));
}

const levelOf = (share) => (share >= 1 ? "full" : share >= 0.8 ? "warn" : "good");

/** `at`: {spent, held, unknown}: how the budget stands. */
function bar(owner, rule, { spent, held, unknown }) {
  const share = rule.cap > 0 ? spent / rule.cap : 1;
  const level = levelOf(share);
  const bare = (amount) => (rule.unit === "usd" ? rule.show(amount) : number(amount));
  const words = `${bare(spent)} of ${rule.show(rule.cap)}${held > 0 ? `, ${bare(held)} held` : ""}`;
  const period = { forever: "in all", day: "today" }[rule.period] ?? `this ${rule.period ?? "month"}`;
  const fill = make("i", "fill");
  fill.style.width = `${Math.min(100, share * 100)}%`;
  const hold = make("i", "held");
  hold.style.left = fill.style.width;
  hold.style.width = `${rule.cap > 0 ? Math.min(100 - Math.min(100, share * 100), (held / rule.cap) * 100) : 0}%`;
  const meter = make("span", "meter", fill, hold, make("i", "mark"));
  meter.dataset.level = level;
  meter.setAttribute("role", "meter");
  meter.setAttribute("aria-label", `${owner}, ${period}`);
  meter.setAttribute("aria-valuemin", 0);
  meter.setAttribute("aria-valuemax", rule.cap);
  meter.setAttribute("aria-valuenow", Math.min(spent, rule.cap));
  meter.setAttribute("aria-valuetext", `${words}, ${Math.round(share * 100)} %`);
  const notes = [period, rule.hard === false ? "soft" : "hard"];
  const end = rule.period_end ?? periodEnd(rule);
  if (end) notes.push(`until ${momentText(end)}`);
  if (rule.time_zone && rule.time_zone !== "UTC") notes.push(rule.time_zone);
  if (rule.substitute) notes.push(`then ${rule.substitute}`);
  if (unknown > 0 && rule.unit === "usd") notes.push(`${number(unknown)} ${unknown === 1 ? "call" : "calls"} of unknown cost`);
  const state = make("b", "", level === "full" ? "Used up" : level === "warn" ? `${Math.round(share * 100)} % used` : `${Math.round(share * 100)} %`);
  state.dataset.level = level;
  return make("div", "budget", make("div", "budget-head", make("span", "", words), state), meter, make("small", "", notes.join(" · ")));
}

const kinds = { global: "All callers", tenant: "Tenant", user: "User", key: "Key", model: "Model" };

/** The budgets that stand in no document of a key or tenant: those that the configuration gives. */
function othersOf(standings, known, owners) {
  const others = new Map();
  for (const one of standings.values()) {
    // What a document does not have any more, it had before.
    if (known.has(nameOf(one.owner, one.id, one)) || owners.has(`${one.owner} ${one.id}`)) continue;
    const owner = `${one.owner} ${one.id}`;
    if (!others.has(owner)) others.set(owner, { kind: kinds[one.owner], name: one.id ?? "Everybody together", rules: [] });
    others.get(owner).rules.push({ ...one, show: one.unit === "usd" ? dollars : showTokens(one.unit === "tokens"), standing: one });
  }
  return [...others.values()];
}

export async function showBudgets() {
  const list = element("budgets-list");
  try {
    const [keys, tenants, live] = await Promise.all([askAll("/admin/v1/keys"), askAll("/admin/v1/tenants"), askAll("/admin/v1/budgets")]);
    const standings = new Map(live.map((one) => [nameOf(one.owner, one.id, one), one]));
    const owners = [
      ...tenants.map((tenant) => ({ owner: "tenant", id: tenant.id, name: tenant.name || tenant.id, rules: rulesOf(tenant), keys: keysOf(tenant, tenants, keys) })),
      ...keys.map((key) => ({ owner: "key", id: key.id, name: key.label || key.id, rules: rulesOf(key), keys: new Set([key.id]) })),
    ].filter((owner) => owner.rules.length > 0);
    const known = new Set();
    for (const owner of owners) {
      owner.kind = kinds[owner.owner];
      for (const rule of owner.rules) {
        const name = nameOf(owner.owner, owner.id, rule);
        known.add(name);
        rule.standing = standings.get(name);
      }
    }
    // Of those that nobody asked since weir began, the store knows; one question for each moment at which a period began.
    const starts = new Map();
    for (const rule of owners.flatMap((owner) => owner.rules).filter((one) => one.standing === undefined)) {
      const start = periodStart(rule);
      rule.from = start === null ? "" : instant(start);
      starts.set(rule.from, null);
    }
    await Promise.all([...starts.keys()].map(async (from) => {
      starts.set(from, (await ask(`/admin/v1/usage?group_by=key${from === "" ? "" : `&from=${from}`}`)).data);
    }));
    const standingOf = (owner, rule) => {
      if (rule.standing !== undefined) return { ...rule.standing, unknown: 0 };
      const rows = starts.get(rule.from).filter((row) => owner.keys.has(row.key));
      const sum = (of) => rows.reduce((all, row) => all + of(row), 0);
      return { spent: sum(rule.of), held: 0, unknown: sum((row) => row.unpriced_requests) };
    };
    const labels = new Map(keys.map((key) => [key.id, key.label || key.id]));
    const shown = [...othersOf(standings, known, new Set(owners.map((one) => `${one.owner} ${one.id}`))), ...owners];
    showProblem("budgets-problem", null);
    element("budgets-empty").hidden = shown.length > 0;
    list.replaceChildren(...shown.map((owner) => {
      const name = owner.kind === kinds.key ? labels.get(owner.name) ?? owner.name : owner.name;
      const bars = owner.rules.map((rule) => bar(name, rule, standingOf(owner, rule)));
      return make("li", "", make("h2", "", name, make("small", "", owner.kind)), ...bars);
    }));
    element("budgets-at").textContent = shown.length === 0 ? "" : `At ${momentText(Date.now())}. Calls that run hold the most that they may cost.`;
  } catch (problem) {
    list.replaceChildren();
    element("budgets-empty").hidden = true;
    element("budgets-at").textContent = "";
    showProblem("budgets-problem", problem);
  }
}
