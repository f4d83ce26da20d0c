"""Draws the journal as a page: which roles were used when, as a timeline, and a table to filter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from awsudo_py.html_page import document

if TYPE_CHECKING:
    from collections.abc import Iterable

    from awsudo_py.sessions.journal import Entry

_BODY = """
<h1>awsudo history</h1>
<p class="dim" id="summary"></p>
<p id="empty" hidden>No sessions have been used yet. Run a command as a role, for example: <code>awsudo prod aws s3 ls</code></p>
<div id="content">
<p><input id="filter" type="search" placeholder="Filter: every word must match" aria-label="Filter" autofocus>
<span class="dim" id="count"></span></p>
<h2>Timeline</h2>
<svg id="timeline" role="img" aria-label="Uses of each role over time"></svg>
<h2>Sessions</h2>
<table><thead><tr id="head"></tr></thead><tbody id="rows"></tbody></table>
<p><button class="button" id="more" hidden>Show more</button></p>
</div>
"""
_STYLE = """
#timeline { width: 100%; display: block; } #timeline text { fill: var(--text); font-size: 12px; }
#timeline .axis { fill: var(--dim); } #timeline line { stroke: var(--line); } #timeline circle { fill: var(--accent); opacity: .55; }
@media (max-width: 700px) { .wide { display: none; } }
"""
_SCRIPT = """
const COLUMNS = [["time", "When", "time"], ["target", "Target", "long"], ["role", "Role", "long"], ["account", "Account", "nowrap"],
  ["caller", "From", "wide"], ["session_name", "Session", "wide long"], ["how", "How", "wide nowrap"], ["command", "Command", "mono nowrap"],
  ["reason", "Reason", "long"]];
const PAGE = 200, LANES = 20;
const at = id => document.getElementById(id);
const svg = name => document.createElementNS("http://www.w3.org/2000/svg", name);
const local = time => { const d = new Date(time), p = n => String(n).padStart(2, "0");
  return isNaN(d) ? time : `${d.getFullYear()}-${p(d.getMonth() + 1)}-${p(d.getDate())} ${p(d.getHours())}:${p(d.getMinutes())}`; };
const short = role => role.includes(":role/") ? role.slice(role.indexOf(":role/") + 6) : role;
const entries = DATA.map(entry => ({...entry, moment: Date.parse(entry.time),
  text: COLUMNS.map(([name]) => entry[name]).join(" ").toLowerCase()})).reverse();
let order = "time", down = true, shown = PAGE, matching = entries;

for (const [name, title, kind] of COLUMNS) {
  const cell = document.createElement("th"), button = document.createElement("button");
  cell.className = kind.replace("mono", ""); button.textContent = title;
  button.onclick = () => { down = order === name ? !down : name === "time"; order = name; draw(); };
  cell.append(button); at("head").append(cell);
}
function draw() {
  const words = at("filter").value.toLowerCase().split(/\\s+/).filter(Boolean);
  matching = entries.filter(entry => words.every(word => entry.text.includes(word)));
  const sign = down ? -1 : 1;
  matching.sort((a, b) => sign * (a[order] < b[order] ? -1 : a[order] > b[order] ? 1 : 0));
  at("count").textContent = `${matching.length.toLocaleString()} of ${entries.length.toLocaleString()}`;
  rows(); timeline();
}
function rows() {
  const body = document.createDocumentFragment();
  for (const entry of matching.slice(0, shown)) {
    const row = document.createElement("tr");
    for (const [name, , kind] of COLUMNS) {
      const cell = document.createElement("td");
      cell.className = kind;
      cell.textContent = name === "time" ? local(entry.time) : name === "role" ? short(entry.role) : entry[name];
      if (name === "role" || name === "time") cell.title = entry[name];
      row.append(cell);
    }
    body.append(row);
  }
  at("rows").replaceChildren(body);
  at("more").hidden = matching.length <= shown;
}
function timeline() {
  const uses = new Map();
  for (const entry of matching) {
    const lane = entry.role || entry.target;
    if (!uses.has(lane)) uses.set(lane, []);
    uses.get(lane).push(entry.moment);
  }
  const lanes = [...uses].sort((a, b) => b[1].length - a[1].length), drawn = lanes.slice(0, LANES);
  const left = 330, width = Math.max(at("timeline").clientWidth, 480), right = width - 12, height = drawn.length * 22 + 44;
  let first = Infinity, last = -Infinity;
  for (const entry of matching) { if (entry.moment < first) first = entry.moment; if (entry.moment > last) last = entry.moment; }
  if (!(last > first)) { first -= 3600e3; last = first + 7200e3; }
  const x = moment => left + (moment - first) / (last - first) * (right - left);
  const picture = document.createDocumentFragment();
  const put = (name, attributes, text) => { const node = svg(name);
    for (const key in attributes) node.setAttribute(key, attributes[key]);
    if (text !== undefined) node.textContent = text; picture.append(node); return node; };
  drawn.forEach(([lane, moments], number) => {
    const y = number * 22 + 14, name = short(lane);
    put("line", {x1: left, x2: right, y1: y, y2: y});
    const label = put("text", {x: 0, y: y + 4}, (name.length > 26 ? name.slice(0, 25) + "\\u2026" : name) + `  ${lane.split(":")[4] || ""} (${moments.length})`);
    const title = svg("title"); title.textContent = lane; label.append(title);
    const columns = new Map();
    for (const moment of moments) { const column = Math.round(x(moment)); columns.set(column, (columns.get(column) || 0) + 1); }
    for (const [column, count] of columns)
      put("circle", {cx: column, cy: y, r: Math.min(3 + Math.log2(count), 9).toFixed(1)});
  });
  const ends = [[first, "start", left], [(first + last) / 2, "middle", (left + right) / 2], [last, "end", right]];
  for (const [moment, anchor, place] of ends)
    put("text", {x: place, y: drawn.length * 22 + 20, "text-anchor": anchor, class: "axis"}, local(new Date(moment).toISOString()));
  if (lanes.length > LANES)
    put("text", {x: 0, y: drawn.length * 22 + 20, class: "axis"}, `and ${lanes.length - LANES} more roles`);
  at("timeline").setAttribute("viewBox", `0 0 ${width} ${height}`);
  at("timeline").setAttribute("height", height);
  at("timeline").replaceChildren(picture);
}
at("filter").oninput = () => { shown = PAGE; draw(); };
at("more").onclick = () => { shown += PAGE; rows(); };
addEventListener("resize", timeline);
const roles = new Set(entries.map(entry => entry.role || entry.target)).size;
at("summary").textContent = entries.length ? `${entries.length.toLocaleString()} uses of ${roles.toLocaleString()} ` +
  `role${roles === 1 ? "" : "s"}, ${local(entries[entries.length - 1].time)} to ${local(entries[0].time)}` : "";
at("empty").hidden = entries.length > 0; at("content").hidden = !entries.length;
if (entries.length) draw();
"""


def history_page(entries: Iterable[Entry]) -> str:
    """The page of these entries, which are the oldest first."""
    data = [{**entry._asdict(), "account": entry.account} for entry in entries]
    return document("awsudo history", data, _BODY, _SCRIPT, _STYLE)
