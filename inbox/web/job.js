// A job: how far it is, and its files in a table. One of the files may be open beside it.

import * as api from "./api.js";
import { about, fill, h, percent, plural, say, spoken, trouble } from "./dom.js";
import { showFile } from "./file.js";
import { sent } from "./jobs.js";

const REFRESH_MS = 400;
const QUIET_MS = 15000;
const FORMATS = [["xlsx", "Excel"], ["csv", "CSV"], ["jsonl", "JSON Lines"], ["parquet", "Parquet"]];
const WORDS = {
  pending: "Waiting for a worker", processing: "Working", completed: "Completed",
  failed: "Failed", cancelled: "Cancelled",
};
const kept = { job: null, view: null, file: null }; // the table stays as it is while a file is open

export async function showJob(main, id, fileId, facts, signal) {
  const view = kept.job === id ? kept.view : newView(id, facts);
  Object.assign(kept, { job: id, view });
  view.signal = signal;
  if (!view.job || !over(view.job)) view.job = await api.job(id);
  if (signal.aborted) return;
  if (fileId) {
    kept.file = fileId;
    await showFile(main, view, fileId);
    return;
  }
  if (view.show === "review" && over(view.job) && !filesOf(view).some(waitsForReview)) view.show = "all";
  fill(main, view.element);
  update(view);
  const row = view.table.querySelector(`[data-file="${kept.file}"]`);
  kept.file = null;
  if (row) {
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: "center" });
  }
  if (!over(view.job)) keepUpToDate(view, signal);
}

export const over = (job) => !["pending", "processing"].includes(job.status);
/** Every file, those that were inside another below it. */
export function filesOf(view) {
  const files = view.job.result?.results ?? [];
  const known = new Set(files.map((file) => file.file_id));
  const inside = Map.groupBy(files, (file) => (known.has(file.parent_id) ? file.parent_id : null));
  const below = (id) => (inside.get(id) ?? []).flatMap((file) => [file, ...below(file.file_id)]);
  return below(null);
}
export const labelOf = (file) => file.corrected_label || file.label;
export const waitsForReview = (file) =>
  file.status === "completed" && file.needs_review && !file.corrected_label && !file.details?.container;

/** The files that the filter leaves, in the order of the table. */
export function chosen(view) {
  const wanted = view.search.value.trim().toLowerCase();
  return filesOf(view).filter((file) =>
    (view.show === "all" || (view.show === "review" ? waitsForReview(file) : file.status === view.show))
    && (!view.label.value || labelOf(file) === view.label.value)
    && (!wanted || file.filename.toLowerCase().includes(wanted)));
}

function newView(id, facts) {
  const view = { id, facts, job: null, show: "all", pages: new Map(), states: new Map(), moved: Date.now() };
  view.head = h("div", { class: "head" });
  view.tabs = h("div", { class: "tabs", role: "group", "aria-label": "Which files" });
  view.search = h("input", { type: "search", placeholder: "Find a name", "aria-label": "Find a name", oninput: () => fillTable(view) });
  view.label = h("select", { "aria-label": "Label", onchange: () => fillTable(view) });
  view.table = h("tbody", {});
  view.none = h("p", { class: "quiet" });
  const table = h("table", { class: "files" },
    h("caption", { class: "unseen" }, "Files of this job"),
    h("thead", {}, h("tr", {}, ["#", "File", "Label", "Confidence", "Why, or what to do"].map((name) => h("th", { scope: "col" }, name)))),
    view.table);
  view.element = h("div", {}, view.head,
    h("div", { class: "tools" }, view.tabs, view.search, view.label), table, view.none);
  return view;
}

/** Listen to the job's events; what they say is read anew, a few times a second at most. */
function keepUpToDate(view, signal) {
  let waiting = false;
  let read = Date.now();
  const refresh = async () => {
    waiting = false;
    if (signal.aborted) return;
    read = Date.now();
    try {
      const before = view.job.processed_files;
      view.job = await api.job(view.id);
      if (view.job.processed_files !== before) view.moved = Date.now();
      if (!signal.aborted) update(view);
    } catch {
      // the next event tries again
    }
  };
  const soon = () => {
    if (!waiting) setTimeout(refresh, REFRESH_MS);
    waiting = true;
  };
  const clock = setInterval(() => {
    if (signal.aborted || over(view.job)) return clearInterval(clock);
    fillHead(view);
    // A job that does not move has no events; it says why when it is read.
    if (Date.now() - read > QUIET_MS) soon();
  }, 1000);
  const seen = (kind, data) => {
    if (kind === "pages") view.pages.set(data.number, data);
    if (kind === "file") view.states.set(data.number, data.status);
    soon();
  };
  api.follow(view.id, signal, seen).then(refresh, (error) => {
    if (!signal.aborted) fill(view.head, trouble(error));
  });
}

function update(view) {
  fillHead(view);
  fillTabs(view);
  fillLabels(view);
  fillTable(view);
}

function secondsLeft(view) {
  const { job } = view;
  if (typeof job.estimated_seconds_left === "number") return job.estimated_seconds_left;
  const guess = sent.get(view.id)?.seconds;
  if (!job.started_at || !job.processed_files) {
    const since = (Date.now() - Date.parse(job.created_at)) / 1000;
    return guess ? Math.max(2, guess - since) : null;
  }
  const since = (Date.now() - Date.parse(job.started_at)) / 1000;
  const steady = (since / job.processed_files) * (job.total_files - job.processed_files);
  // The last files are often the long ones: what has taken so long takes about as long again.
  return Math.max(steady, (Date.now() - view.moved) / 1000);
}

function fillHead(view) {
  const { job } = view;
  const left = over(job) ? null : secondsLeft(view);
  const results = filesOf(view);
  const review = results.filter(waitsForReview).length;
  const bad = results.filter((file) => file.status === "failed").length;
  const line = [`${job.processed_files} of ${plural(job.total_files, "file")}`];
  document.title = `${over(job) ? WORDS[job.status] : `${job.processed_files}/${job.total_files}`} - Document Inbox`;
  if (left !== null) line.push(`${about(left)} left`);
  if (over(job) && bad) line.push(`${bad} could not be read`);
  if (over(job) && job.result?.processing_time) line.push(`${Math.ceil(job.result.processing_time)} s`);
  fill(view.head,
    h("p", { class: "crumbs" }, h("a", { href: "#/" }, "Jobs"), " / this job"),
    h("h1", {}, h("span", { class: `state ${job.status}` }, WORDS[job.status])),
    h("progress", { max: 100, value: job.progress, "aria-label": "Progress of the job" }),
    h("p", { class: "line" }, line.join(" · ")),
    job.error ? h("p", { class: "notice bad" }, job.error.message) : null,
    job.stuck ? h("p", { class: "notice bad", role: "status" }, `This job does not move. ${job.stuck.message}`) : null,
    over(job) && !review && results.some((file) => file.corrected_label) ? h("p", { class: "notice good" }, "Nothing is left to review.") : null,
    h("div", { class: "buttons" },
      review ? h("a", { class: "button main", href: `#/job/${view.id}/${results.find(waitsForReview).file_id}`, onclick: () => { view.show = "review"; } }, `Review ${plural(review, "file")}`) : null,
      !over(job) ? action("Cancel", () => api.cancel(view.id), view) : null,
      over(job) && bad ? action("Try failed files again", () => api.retry(view.id), view) : null,
      results.length ? exports(view) : null,
      over(job) ? remove(view) : null));
}

function action(name, run, view) {
  return h("button", { type: "button", onclick: async () => {
    try {
      await run();
      view.job = await api.job(view.id);
      update(view);
      if (!over(view.job)) keepUpToDate(view, view.signal);
    } catch (error) {
      view.head.append(trouble(error));
    }
  } }, name);
}

function exports(view) {
  return h("details", { class: "menu" }, h("summary", { class: "button" }, "Export"),
    h("div", { class: "sheet" }, FORMATS.map(([format, name]) => h("button", { type: "button", onclick: async (event) => {
      try {
        await api.download(`/job/${view.id}/export?format=${format}`, `documents-${view.id.slice(0, 8)}.${format}`);
        say(`${name} file saved`);
      } catch (error) {
        view.head.append(trouble(error));
      }
      event.target.closest("details").open = false;
    } }, name))));
}

function remove(view) {
  const button = h("button", { type: "button", class: "danger", onclick: async () => {
    if (!button.dataset.sure) {
      button.dataset.sure = "yes";
      button.textContent = "Really delete its files and results?";
      return;
    }
    try {
      await api.forget(view.id);
      kept.job = null;
      location.hash = "#/";
    } catch (error) {
      view.head.append(trouble(error));
    }
  } }, "Delete");
  return button;
}

function fillTabs(view) {
  const results = filesOf(view);
  const kinds = [
    ["all", "All", view.job.result ? results.length : view.job.total_files], ["review", "To review", results.filter(waitsForReview).length],
    ["completed", "Completed", results.filter((file) => file.status === "completed").length],
    ["failed", "Failed", results.filter((file) => file.status === "failed").length],
  ];
  const had = view.tabs.contains(document.activeElement) ? document.activeElement.dataset.show : null;
  fill(view.tabs, kinds.map(([show, name, count]) => h("button", {
    type: "button", "data-show": show, "aria-pressed": String(view.show === show),
    onclick: () => { view.show = show; fillTabs(view); fillTable(view); },
  }, `${name} `, h("span", { class: "count" }, String(count)))));
  if (had) view.tabs.querySelector(`[data-show="${had}"]`).focus();
}

function fillLabels(view) {
  const before = view.label.value;
  const names = [...new Set(filesOf(view).map(labelOf).filter(Boolean))].sort();
  fill(view.label, h("option", { value: "" }, "Every label"), names.map((name) => h("option", { value: name }, spoken(name))));
  view.label.value = names.includes(before) ? before : "";
}

function fillTable(view) {
  const had = view.table.contains(document.activeElement) ? document.activeElement.dataset.file : null;
  const files = chosen(view);
  const waiting = sent.get(view.id)?.names;
  if (!view.job.result && waiting) {
    fill(view.table, waiting.map((name, place) => h("tr", { class: "pending" },
      cell("#", String(place + 1)), cell("File", name), cell("Label", working(view, place + 1, view.states.get(place + 1) ?? "pending")), cell("Confidence", ""), cell("Why", ""))));
  } else {
    fill(view.table, files.map((file) => fileRow(view, file)));
  }
  fill(view.none, files.length || waiting ? "" : view.job.result ? "No file fits." : `${plural(view.job.total_files, "file")}, none read yet.`);
  if (had) view.table.querySelector(`[data-file="${had}"]`)?.focus();
}

const cell = (name, ...inside) => h("td", { "data-name": name }, ...inside);

function fileRow(view, file) {
  return h("tr", { class: file.parent_id ? `${file.status} inside` : file.status },
    cell("#", String(file.number)),
    cell("File", h("a", { href: `#/job/${view.id}/${file.file_id}`, "data-file": file.file_id }, file.filename)),
    cell("Label", labelCell(view, file)),
    cell("Confidence", percent(file.corrected_label ? null : file.confidence)),
    cell("Why", remark(view, file)));
}

function labelCell(view, file) {
  if (file.status === "completed" && file.details?.container) {
    return [h("span", { class: "quiet" }, `${plural(file.details.children, "file")} inside`)];
  }
  if (file.status === "completed") {
    const label = labelOf(file);
    const mark = file.corrected_label ? h("span", { class: "mark good" }, "checked")
      : file.needs_review ? h("span", { class: "mark warn" }, "review") : null;
    return [label ? spoken(label) : "no label", " ", mark].filter(Boolean);
  }
  if (file.status === "failed") return [h("span", { class: "state failed" }, "failed")];
  return [working(view, file.number, file.status, file)];
}

/** How far a file is that is not over. */
function working(view, number, status, file = {}) {
  const seen = view.pages.get(number);
  const done = file.pages_done ?? seen?.pages_done;
  const total = file.pages_total ?? seen?.pages_total;
  const pages = status === "processing" && total > 1 ? ` page ${Math.min(done + 1, total)} of ${total}` : "";
  return h("span", { class: `state ${status}` }, status === "processing" ? `reading${pages}` : status === "pending" ? "waiting" : status);
}

function remark(view, file) {
  if (file.status === "failed") {
    return [file.error_message || file.error_code, " ", h("span", { class: "remedy" }, view.facts.remedies[file.error_code] || view.facts.anything_else)];
  }
  if (waitsForReview(file)) {
    const reasons = file.review_reasons.map((reason) => view.facts.reasons[reason] || spoken(reason));
    if (reasons.length) return [reasons.join(" ")];
  }
  return file.evidence.length ? [h("q", {}, file.evidence[0].quote)] : [];
}
