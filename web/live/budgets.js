// The view of budgets: what keys and tenants may spend, and how much of it the present period has used.
import { make } from "./calls.js";
import { ask, askAll, dollars, element, instant, momentText, number, periodStart, showProblem } from "./views.js";

/** What an owner may spend, budgets of money before quotas of tokens. */
function rulesOf(owner) {
  return [
    ...(owner.budgets ?? []).map((budget) => ({ ...budget, cap: budget.usd, show: dollars, of: (row) => row.cost_usd ?? 0 })),
    ...(owner.quotas ?? []).map((quota) => ({
      ...quota, cap: quota.tokens, show: (tokens) => `${number(tokens)} ${quota.count === "total" ? "tokens" : "output tokens"}`,
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

function bar(owner, rule, spent, unknown) {
  const share = rule.cap > 0 ? spent / rule.cap : 1;
  const level = levelOf(share);
  const words = `${rule.usd === undefined ? number(spent) : rule.show(spent)} of ${rule.show(rule.cap)}`;
  const period = { forever: "in all", day: "today" }[rule.period] ?? `this ${rule.period ?? "month"}`;
  const fill = make("i", "fill");
  fill.style.width = `${Math.min(100, share * 100)}%`;
  const meter = make("span", "meter", fill, make("i", "mark"));
  meter.dataset.level = level;
  meter.setAttribute("role", "meter");
  meter.setAttribute("aria-label", `${owner}, ${period}`);
  meter.setAttribute("aria-valuemin", 0);
  meter.setAttribute("aria-valuemax", rule.cap);
  meter.setAttribute("aria-valuenow", Math.min(spent, rule.cap));
  meter.setAttribute("aria-valuetext", `${words}, ${Math.round(share * 100)} %`);
  const notes = [period, rule.hard === false ? "soft" : "hard"];
  if (rule.time_zone && rule.time_zone !== "UTC") notes.push(rule.time_zone);
  if (rule.substitute) notes.push(`then ${rule.substitute}`);
  if (unknown > 0 && rule.usd !== undefined) notes.push(`${number(unknown)} ${unknown === 1 ? "call" : "calls"} of unknown cost`);
  const state = make("b", "", level === "full" ? "Used up" : level === "warn" ? `${Math.round(share * 100)} % used` : `${Math.round(share * 100)} %`);
  state.dataset.level = level;
  return make("div", "budget", make("div", "budget-head", make("span", "", words), state), meter, make("small", "", notes.join(" · ")));
}

export async function showBudgets() {
  const list = element("budgets-list");
  try {
    const [keys, tenants] = await Promise.all([askAll("/admin/v1/keys"), askAll("/admin/v1/tenants")]);
    const owners = [
      ...tenants.map((tenant) => ({ kind: "Tenant", name: tenant.name || tenant.id, rules: rulesOf(tenant), keys: keysOf(tenant, tenants, keys) })),
      ...keys.map((key) => ({ kind: "Key", name: key.label || key.id, rules: rulesOf(key), keys: new Set([key.id]) })),
    ].filter((owner) => owner.rules.length > 0);
    // One question for each moment at which some period began.
    const starts = new Map();
    for (const rule of owners.flatMap((owner) => owner.rules)) {
      const start = periodStart(rule);
      rule.from = start === null ? "" : instant(start);
      starts.set(rule.from, null);
    }
    await Promise.all([...starts.keys()].map(async (from) => {
      starts.set(from, (await ask(`/admin/v1/usage?group_by=key${from === "" ? "" : `&from=${from}`}`)).data);
    }));
    showProblem("budgets-problem", null);
    element("budgets-empty").hidden = owners.length > 0;
    list.replaceChildren(...owners.map((owner) => {
      const bars = owner.rules.map((rule) => {
        const rows = starts.get(rule.from).filter((row) => owner.keys.has(row.key));
        const sum = (of) => rows.reduce((all, row) => all + of(row), 0);
        return bar(owner.name, rule, sum(rule.of), sum((row) => row.unpriced_requests));
      });
      return make("li", "", make("h2", "", owner.name, make("small", "", owner.kind)), ...bars);
    }));
    element("budgets-at").textContent = owners.length === 0 ? "" : `As recorded at ${momentText(Date.now())}. Calls that run are not in it yet.`;
  } catch (problem) {
    list.replaceChildren();
    element("budgets-empty").hidden = true;
    element("budgets-at").textContent = "";
    showProblem("budgets-problem", problem);
  }
}
