// The view of usage: a chart by day, and a table by whatever is asked for, from GET /admin/v1/usage.
import { adminFetch } from "./admin.js";
import { make } from "./calls.js";
import { ask, askAll, dollars, element, instant, number, short, showProblem, table } from "./views.js";

const shownMost = 200;
const measures = {
  cost: { words: "Cost", of: (row) => row.cost_usd ?? 0, show: dollars },
  tokens: { words: "Tokens", of: (row) => row.input_tokens + row.output_tokens, show: short },
  requests: { words: "Requests", of: (row) => row.requests, show: short },
};

function since() {
  const days = Number(element("usage-days").value);
  const today = new Date();
  return new Date(Date.UTC(today.getUTCFullYear(), today.getUTCMonth(), today.getUTCDate() - days + 1));
}

const pathOf = (groups) => `/admin/v1/usage?group_by=${groups}&from=${instant(since())}`;

const drawn = (tag, attributes) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
};

/** Bars, one for each day of the span, also for those without a call. The table beside it says the same in text. */
function chart(rows, measure) {
  const byDay = new Map(rows.map((row) => [row.day, measure.of(row)]));
  const days = [];
  for (let day = since(); day <= new Date(); day = new Date(day.getTime() + 24 * 3600e3)) days.push(day.toISOString().slice(0, 10));
  const most = Math.max(...days.map((day) => byDay.get(day) ?? 0));
  const width = Math.max(280, element("usage-chart").clientWidth - 40); // a unit is a pixel, as long as the window stays
  const [height, left, bottom, top] = [190, 64, 24, 12];
  const room = height - bottom - top;
  const step = (width - left) / days.length;
  const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${measure.words} by day, the highest ${measure.show(most)}` });
  for (const share of [0, 0.5, 1]) {
    const y = top + room * (1 - share);
    svg.append(drawn("line", { class: "grid", x1: left, x2: width, y1: y, y2: y }));
    const label = drawn("text", { class: "axis", x: left - 8, y: y + 4, "text-anchor": "end" });
    label.textContent = measure.show(most * share);
    svg.append(label);
  }
  days.forEach((day, at) => {
    const value = byDay.get(day) ?? 0;
    const tall = most === 0 ? 0 : Math.max(value > 0 ? 2 : 0, (value / most) * room);
    const bar = drawn("rect", { class: "bar-day", x: left + at * step + step * 0.12, width: Math.max(1, step * 0.76), y: top + room - tall, height: tall, rx: 2 });
    const title = drawn("title", {});
    title.textContent = `${day}: ${measure.show(value)}`;
    bar.append(title);
    svg.append(bar);
    if (at % Math.ceil(days.length / Math.floor(width / 80)) === 0) {
      const label = drawn("text", { class: "axis", x: left + (at + 0.5) * step, y: height - 6, "text-anchor": "middle" });
      label.textContent = day.slice(5);
      svg.append(label);
    }
  });
  return svg;
}

const groupWords = { key: "Key", model: "Model", day: "Day" };

function rowsOf(rows, groups, measure, labels) {
  const sorted = groups.includes("day") ? [...rows].reverse() : [...rows].sort((one, other) => measure.of(other) - measure.of(one));
  return sorted.slice(0, shownMost).map((row) => [
    ...groups.map((group) => (group === "key" ? (row.key === "" ? "without a key" : labels.get(row.key) ?? row.key) : row[group])),
    number(row.requests), number(row.errors), number(row.input_tokens), number(row.output_tokens),
    row.unpriced_requests > 0 && row.cost_usd !== null ? `${dollars(row.cost_usd)}, and ${number(row.unpriced_requests)} unknown` : dollars(row.cost_usd),
  ]);
}

function showTotals(days) {
  const sum = (of) => days.reduce((all, row) => all + of(row), 0);
  const unpriced = sum((row) => row.unpriced_requests);
  element("usage-requests").textContent = short(sum((row) => row.requests));
  element("usage-in").textContent = short(sum((row) => row.input_tokens));
  element("usage-out").textContent = short(sum((row) => row.output_tokens));
  element("usage-cost").textContent = dollars(sum((row) => row.cost_usd ?? 0));
  element("usage-unpriced").textContent =
    unpriced === 0 ? "" : `The cost of ${number(unpriced)} ${unpriced === 1 ? "call is" : "calls is"} unknown and not in these sums: give their targets a price (prices).`;
}

let asked = 0;

async function show() {
  const turn = ++asked;
  const groups = element("usage-group").value.split(",");
  const measure = measures[element("usage-measure").value];
  try {
    const [days, rows, keys] = await Promise.all([
      ask(pathOf("day")), ask(pathOf(groups.join(","))),
      groups.includes("key") ? askAll("/admin/v1/keys?revoked=true").catch(() => []) : [],
    ]);
    if (turn !== asked) return; // something else was chosen meanwhile
    const labels = new Map(keys.map((key) => [key.id, key.label === "" ? key.id : key.label]));
    const empty = days.data.length === 0;
    showProblem("usage-problem", null);
    element("usage-empty").hidden = !empty;
    element("usage-found").hidden = empty;
    showTotals(days.data);
    element("usage-chart").replaceChildren(chart(days.data, measure));
    const columns = [
      ...groups.map((group) => ({ title: groupWords[group] })),
      ...["Requests", "Failed", "Tokens in", "Tokens out", "Cost"].map((title) => ({ title, numeric: true })),
    ];
    element("usage-table").replaceChildren(table(`Usage by ${groups.join(" and ")}`, columns, rowsOf(rows.data, groups, measure, labels)));
    element("usage-more").hidden = rows.data.length <= shownMost;
    element("usage-more").textContent = `The first ${shownMost} of ${number(rows.data.length)} rows are shown. The CSV has all of them.`;
  } catch (problem) {
    if (turn !== asked) return;
    element("usage-found").hidden = true;
    element("usage-empty").hidden = true;
    showProblem("usage-problem", problem);
  }
}

async function save() {
  const reply = await adminFetch(`${pathOf(element("usage-group").value)}&format=csv`);
  const link = make("a");
  link.href = URL.createObjectURL(await reply.blob());
  link.download = "weir-usage.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

export function startUsage() {
  for (const id of ["usage-days", "usage-group", "usage-measure"]) element(id).addEventListener("change", show);
  element("usage-form").addEventListener("submit", (event) => event.preventDefault());
  element("usage-csv").addEventListener("click", () => save().catch((problem) => showProblem("usage-problem", problem)));
  return show;
}
