"use strict";
// Sorting, filtering and choosing; without it everything is there to be read.
function made(tag, text, parent) {
  const element = document.createElement(tag);
  if (text) element.textContent = text;
  if (parent) parent.append(element);
  return element;
}
function labelled(name, control, parent) {
  made("label", name + " ", parent).append(control);
  return control;
}
function key(cell) {
  const written = cell.dataset.sort ?? cell.textContent.trim();
  const number = parseFloat(written.replace(/,/g, "").replace("<", ""));
  return Number.isNaN(number) ? written.toLowerCase() : number;
}
function compare(a, b) {
  if (a === "" || b === "") return a === b ? 0 : a === "" ? 1 : -1;
  if (typeof a === typeof b) return a < b ? -1 : a > b ? 1 : 0;
  return typeof a === "number" ? -1 : 1;
}
function sort(table, head, place) {
  const up = head.getAttribute("aria-sort") === "descending";
  for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  for (const body of table.tBodies) {
    const rows = [...body.rows].filter((row) => row.className !== "group");
    const keyed = rows.map((row) => [key(row.cells[place]), row]);
    keyed.sort(([a], [b]) => (a === "" || b === "" || up ? compare(a, b) : compare(b, a)));
    for (const [, row] of keyed) body.append(row);
  }
}
for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((head, place) => {
    const button = made("button");
    button.append(...head.childNodes);
    button.title = "sort by this column";
    head.append(button);
    button.addEventListener("click", () => sort(table, head, place));
  });
  const search = made("input");
  search.type = "search";
  const bar = table.closest("figure")?.querySelector(".switches") ?? made("div");
  if (!bar.parentNode) { bar.className = "switches"; table.parentNode.before(bar); }
  labelled("rows with", search, bar);
  search.addEventListener("input", () => {
    const wanted = search.value.toLowerCase();
    for (const row of table.querySelectorAll("tbody tr:not(.group)"))
      row.hidden = !row.textContent.toLowerCase().includes(wanted);
  });
}
if (matchMedia("(max-width: 700px)").matches)
  for (const box of document.querySelectorAll(".t-more, .t-interval")) box.checked = false;

// A cell that is pressed shows the command that explains it, and its runs in the store.
const STORE = "../../../"; // where the page lies in it: grids/NAME/tables
const runs = JSON.parse(document.getElementById("runs")?.textContent ?? "{}");
function quoted(word) {
  return /^[\w.-]+$/.test(word) ? word : "'" + word.replace(/'/g, "'\\''") + "'";
}
function explained(cell) {
  const table = cell.closest("table"), figure = cell.closest("figure");
  let line = figure.querySelector("div.command");
  if (!line) { line = made("div"); line.className = "command"; line.setAttribute("role", "status"); table.parentNode.after(line); }
  const names = [table.dataset.table, cell.parentNode.dataset.row, cell.dataset.column];
  line.textContent = "python -m harness explain grid.yaml " + names.map(quoted).join(" ");
  if (cell.title) made("span", " — not testable: " + cell.title, line);
  const own = runs[[table.dataset.table, cell.parentNode.dataset.row, cell.dataset.column].join("\t")];
  if (!own) return;
  const list = made("ul", "", line);
  for (const [seeds, state, score, answers] of own) {
    const item = made("li", "seeds " + seeds + ": " + state + " ", list);
    if (score) linked("score", score + "/scores.json", item);
    if (answers) linked("answers", answers + "/predictions.parquet", item);
  }
}
function linked(text, path, parent) {
  made("a", text, parent).href = STORE + path.split("/").map(encodeURIComponent).join("/");
  parent.append(" ");
}
for (const cell of document.querySelectorAll("td[data-column]")) {
  cell.tabIndex = -1;
  cell.addEventListener("click", () => explained(cell));
  cell.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Enter") explained(cell);
    if (move) { cell.parentNode.cells[cell.cellIndex + move]?.focus(); event.preventDefault(); }
    const rows = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (rows) {
      const all = [...cell.closest("table").querySelectorAll("tr[data-row]")];
      all[all.indexOf(cell.parentNode) + rows]?.cells[cell.cellIndex].focus();
      event.preventDefault();
    }
  });
}
for (const table of document.querySelectorAll("table[data-table]")) {
  const first = table.querySelector("td[data-column]");
  if (first) first.tabIndex = 0;
}

// A pointer over a curve reads its values there; so do the arrow keys where the drawing has focus.
function reading(box, panels) {
  const svg = box.querySelector("svg"), said = made("output");
  const areas = [...svg.querySelectorAll("g[id*='axes_']")].map((one) => one.querySelector("path"));
  const count = Math.min(areas.length, panels.length), at = { panel: 0, share: 1 };
  if (!count) return;
  said.className = "reading";
  said.textContent = "Point at a curve, or focus it and use the arrow keys, to read its values.";
  box.after(said);
  svg.setAttribute("tabindex", "0");
  const show = () => {
    const { name, axis, log, from, to, lines } = panels[at.panel];
    const place = log ? from * (to / from) ** at.share : from + (to - from) * at.share;
    const away = ([x]) => Math.abs(log ? Math.log(x / place) : x - place);
    const values = lines.map(([line, points]) => {
      const [x, y] = points.reduce((a, b) => (away(b) < away(a) ? b : a));
      return line + ": " + y.toPrecision(4) + " at " + x.toLocaleString("en", { maximumSignificantDigits: 4 });
    });
    said.textContent = name + " by " + axis + " — " + values.join("; ");
  };
  svg.addEventListener("pointermove", (event) => {
    for (let panel = 0; panel < count; panel++) {
      const area = areas[panel].getBoundingClientRect();
      const inside = event.clientX >= area.left && event.clientX <= area.right
        && event.clientY >= area.top && event.clientY <= area.bottom;
      if (!inside) continue;
      at.panel = panel;
      at.share = (event.clientX - area.left) / area.width;
      show();
    }
  });
  svg.addEventListener("keydown", (event) => {
    const along = { ArrowLeft: -0.05, ArrowRight: 0.05 }[event.key], to = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (along === undefined && to === undefined) return;
    at.share = Math.min(1, Math.max(0, at.share + (along ?? 0)));
    at.panel = (at.panel + (to ?? 0) + count) % count;
    event.preventDefault();
    show();
  });
}
const readings = JSON.parse(document.getElementById("readings")?.textContent ?? "{}");
for (const box of document.querySelectorAll("[data-readings]")) reading(box, readings[box.dataset.readings] ?? []);

// Two rows' answers to the same questions.
const answers = document.getElementById("answers");
if (answers) {
  const tasks = JSON.parse(answers.textContent), bar = document.getElementById("choices");
  const KINDS = { all: "all", both: "both right", a: "only A right", b: "only B right", none: "both wrong" };
  const choice = (name, options) => {
    const select = labelled(name, made("select"), bar);
    options.forEach(([value, text]) => { made("option", text, select).value = value; });
    return select;
  };
  const task = choice("task", tasks.map((one, index) => [index, one.name]));
  const a = choice("A", []), b = choice("B", []);
  const kind = choice("show", Object.entries(KINDS));
  const side = (row, found) => {
    const cell = made("td", found ? found[0] : "—", row);
    cell.className = "text" + (found && found[2] !== null ? (found[2] ? " right" : " wrong") : "");
    made("td", found && found[1] !== null ? found[1] : "", row);
  };
  const show = () => {
    const one = tasks[task.value], body = document.querySelector("#items tbody");
    const heads = document.querySelectorAll("#items thead th");
    heads[3].textContent = "A: " + one.rows[a.value];
    heads[5].textContent = "B: " + one.rows[b.value];
    const counts = { all: 0, both: 0, a: 0, b: 0, none: 0 };
    body.replaceChildren();
    for (const [id, asked, gold, found] of one.items) {
      const [x, y] = [found[a.value], found[b.value]];
      if (!x && !y) continue;
      counts.all++;
      const known = x && y && x[2] !== null && y[2] !== null;
      const which = known ? (x[2] ? (y[2] ? "both" : "a") : y[2] ? "b" : "none") : "";
      if (which) counts[which]++;
      if (kind.value !== "all" && kind.value !== which) continue;
      const row = made("tr", "", body), head = made("th", id, row);
      head.scope = "row";
      made("td", asked, row).className = "text";
      made("td", gold, row).className = "text";
      side(row, x);
      side(row, y);
    }
    for (const option of kind.options) option.textContent = KINDS[option.value] + " (" + counts[option.value] + ")";
    document.getElementById("sampled").textContent = one.said;
  };
  const fill = () => {
    for (const [select, chosen] of [[a, 0], [b, 1]]) {
      select.replaceChildren();
      tasks[task.value].rows.forEach((name, index) => { made("option", name, select).value = index; });
      select.value = Math.min(chosen, tasks[task.value].rows.length - 1);
    }
    show();
  };
  task.addEventListener("change", fill);
  for (const select of [a, b, kind]) select.addEventListener("change", show);
  fill();
}
