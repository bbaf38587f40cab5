// What the views of usage, keys and budgets have in common.
import { adminFetch } from "./admin.js";
import { make } from "./calls.js";

export const element = (id) => document.getElementById(id);

/** A reply's JSON; an Error with the API's own words where it is no success. */
export async function ask(path, { method = "GET", body } = {}) {
  let reply;
  try {
    reply = await adminFetch(path, { method, cache: "no-store", ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  } catch {
    throw new Error("Weir does not answer. Is it still running?");
  }
  const told = await reply.json().catch(() => ({}));
  if (reply.ok) return told;
  const problem = new Error(told.error?.message ?? `The answer was ${reply.status}.`);
  problem.status = reply.status;
  throw problem;
}

/** All items of a list that comes in pages, up to `most`. */
export async function askAll(path, most = 2000) {
  const items = [];
  let after = "";
  while (items.length < most) {
    const page = await ask(`${path}${path.includes("?") ? "&" : "?"}limit=500${after === "" ? "" : `&after=${encodeURIComponent(after)}`}`);
    items.push(...page.data);
    if (!page.next) break;
    after = page.next;
  }
  return items;
}

/** What a view shows of what went wrong; nothing where nothing did. */
export function showProblem(id, problem) {
  element(id).textContent = problem ? problem.message : "";
  element(id).hidden = !problem;
}

const whole = new Intl.NumberFormat("en");
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
export const number = (value) => whole.format(value);
export const short = (value) => (value < 10_000 ? whole.format(value) : compact.format(value));
/** "$0.00472", "$12.34": never rounded to nothing. */
export function dollars(value) {
  if (value === null || value === undefined) return "unknown";
  if (value === 0) return "$0";
  const digits = value >= 1 ? 2 : Math.min(12, 2 - Math.floor(Math.log10(value)));
  return `$${value.toFixed(digits).replace(/(\.\d\d\d*?)0+$/, "$1")}`;
}

const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
/** What the browser cannot read as a moment is shown as it is. */
const asText = (form) => (text) => (!text ? "–" : Number.isNaN(new Date(text).getTime()) ? String(text) : form.format(new Date(text)));
export const dayText = asText(day);
export const momentText = asText(moment);

/** A table with a caption for those who do not see it; `columns`: {title, numeric}. Cells are texts or nodes. */
export function table(caption, columns, rows) {
  const head = make("tr", "", ...columns.map(({ title, numeric }) => {
    const cell = make("th", numeric ? "numeric" : "", title);
    cell.scope = "col";
    return cell;
  }));
  const body = rows.map((cells) => make("tr", "", ...cells.map((cell, at) => {
    const first = at === 0;
    const made = make(first ? "th" : "td", columns[at].numeric ? "numeric" : "", cell);
    if (first) made.scope = "row";
    return made;
  })));
  const made = make("table", "", make("caption", "unseen", caption), make("thead", "", head), make("tbody", "", ...body));
  return made;
}

const lengths = { hour: 3600e3, day: 24 * 3600e3 };

/** How far the wall clock of a time zone is ahead of UTC, in milliseconds. */
function offsetOf(zone, at) {
  const parts = new Intl.DateTimeFormat("en-US", {
    timeZone: zone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric",
  }).formatToParts(at);
  const of = (type) => Number(parts.find((part) => part.type === type).value);
  const wall = Date.UTC(of("year"), of("month") - 1, of("day"), of("hour"), of("minute"), of("second"));
  return wall - Math.floor(at.getTime() / 1000) * 1000;
}

/** When the period began that `now` is in: {period, reset_day, time_zone} as a budget is written. Null: it has no begin. */
export function periodStart(budget, now = new Date()) {
  const period = budget.period ?? "month";
  if (period === "forever") return null;
  const zone = budget.time_zone ?? "UTC";
  const wall = new Date(now.getTime() + offsetOf(zone, now)); // its UTC members are the zone's
  let begin;
  if (period === "hour") {
    begin = Math.floor(wall.getTime() / lengths.hour) * lengths.hour;
  } else {
    const [year, month, date] = [wall.getUTCFullYear(), wall.getUTCMonth(), wall.getUTCDate()];
    if (period === "day") {
      begin = Date.UTC(year, month, date);
    } else if (period === "week") {
      const first = (budget.reset_day ?? 1) % 7; // 1: Monday
      begin = Date.UTC(year, month, date - ((wall.getUTCDay() - first + 7) % 7));
    } else if (period === "month") {
      const reset = budget.reset_day ?? 1;
      // A month that is too short begins on its last day.
      const of = (inMonth) => Date.UTC(year, inMonth, Math.min(reset, new Date(Date.UTC(year, inMonth + 1, 0)).getUTCDate()));
      begin = of(month) <= wall.getTime() ? of(month) : of(month - 1);
    } else {
      begin = Date.UTC(year, 0, 1);
    }
  }
  const guess = new Date(begin - offsetOf(zone, now));
  return new Date(begin - offsetOf(zone, guess));
}

/** When that period ends. Null: never. */
export function periodEnd(budget, now = new Date()) {
  const begin = periodStart(budget, now);
  const middle = { hour: 1.5 / 24, day: 1.5, week: 10, month: 45, year: 540 }[budget.period ?? "month"]; // of the next one, in days
  return begin === null ? null : periodStart(budget, new Date(begin.getTime() + middle * lengths.day));
}

/** As the API takes a moment. */
export const instant = (date) => date.toISOString().replace(/\.\d+Z$/, "Z");
