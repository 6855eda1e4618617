// The first view: where files are dropped, and the jobs.

import * as api from "./api.js";
import { bytes, fill, h, moment, plural, say, trouble } from "./dom.js";

const REFRESH_MS = 3000;
export const sent = new Map(); // job id: the names and the estimate of what was just sent

export async function showJobs(main, facts, signal) {
  const list = h("div", { class: "jobs" });
  fill(main, dropArea(facts), h("section", { "aria-labelledby": "jobs-title" },
    h("h2", { id: "jobs-title" }, "Jobs"), list));
  document.title = "Document Inbox";
  const refresh = async () => {
    const found = await api.jobs();
    if (!signal.aborted) fillJobs(list, found);
    return found.jobs.some((job) => job.status === "pending" || job.status === "processing");
  };
  await refresh();
  const again = async () => {
    if (signal.aborted) return;
    try {
      if (!document.hidden) await refresh();
    } catch {
      // the next try may reach it
    }
    setTimeout(again, REFRESH_MS);
  };
  setTimeout(again, REFRESH_MS);
}

function fillJobs(list, found) {
  const had = document.activeElement?.dataset?.job;
  if (!found.jobs.length) {
    fill(list, h("p", { class: "quiet" }, "Nothing yet. Drop some documents above."));
    return;
  }
  const more = found.next_cursor && h("button", { type: "button", onclick: async (event) => {
    event.target.disabled = true;
    const next = await api.jobs(found.next_cursor);
    fillJobs(list, { jobs: [...found.jobs, ...next.jobs], next_cursor: next.next_cursor });
  } }, "Show older jobs");
  fill(list, h("ul", { class: "rows" }, found.jobs.map(jobRow)), more);
  if (had) list.querySelector(`[data-job="${CSS.escape(had)}"]`)?.focus();
}

function jobRow(job) {
  return h("li", {}, h("a", { class: "row", href: `#/job/${job.job_id}`, "data-job": job.job_id },
    h("span", { class: `state ${job.status}` }, job.status),
    h("span", { class: "grow" }, plural(job.total_files, "file"), ", ", h("time", { datetime: job.created_at }, moment(job.created_at))),
    job.status === "processing" || job.status === "pending"
      ? h("progress", { max: 100, value: job.progress, "aria-label": "Progress of this job" }) : null,
    h("span", { class: "number" }, `${job.processed_files}/${job.total_files}`)));
}

function dropArea(facts) {
  const files = h("input", { type: "file", multiple: true, class: "unseen", tabindex: "-1", "aria-hidden": "true", id: "files" });
  const folder = h("input", { type: "file", webkitdirectory: true, class: "unseen", tabindex: "-1", "aria-hidden": "true", id: "folder" });
  const labels = h("input", { id: "labels", type: "text", placeholder: "invoice, contract, other", autocomplete: "off" });
  const password = h("input", { id: "password", type: "password", autocomplete: "off" });
  const news = h("div", { class: "news" });
  const send = (chosen) => upload(chosen, { labels: labels.value.trim(), password: password.value }, facts, news);
  for (const input of [files, folder]) {
    input.addEventListener("change", () => {
      send([...input.files]);
      input.value = "";
    });
  }
  const area = h("section", { class: "drop", "aria-labelledby": "drop-title" },
    h("h1", { id: "drop-title" }, "Drop documents here"),
    h("p", {}, "Invoices, contracts, scans, photos, mail: each is read, and gets a label with the words that speak for it."),
    h("p", { class: "buttons" },
      h("button", { class: "main", type: "button", onclick: () => files.click() }, "Choose files"),
      h("button", { type: "button", onclick: () => folder.click() }, "Choose a folder")),
    h("details", {}, h("summary", {}, "Labels of your own, locked files"),
      h("label", { for: "labels" }, "Labels, with commas between them; the default ones if empty"), labels,
      h("label", { for: "password" }, "Password that opens locked files; forgotten when the job is over"), password),
    h("p", { class: "quiet" }, `Up to ${facts.max_files} files, ${bytes(facts.max_file_bytes)} each.`),
    news, files, folder);
  area.addEventListener("dragenter", () => area.classList.add("over"));
  area.addEventListener("dragleave", (event) => {
    if (!area.contains(event.relatedTarget)) area.classList.remove("over");
  });
  area.addEventListener("drop", async (event) => {
    event.preventDefault();
    area.classList.remove("over");
    send(await dropped(event.dataTransfer));
  });
  return area;
}

/** The files that were dropped, those in folders too; hidden ones are left out. */
async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files];
  const found = [];
  for (const entry of entries.sort(byName)) await collect(entry, found);
  return found;
}

const byName = (one, other) => one.name.localeCompare(other.name, undefined, { numeric: true });

async function collect(entry, found) {
  if (entry.name.startsWith(".")) return;
  if (entry.isFile) {
    found.push(await new Promise((resolve, reject) => entry.file(resolve, reject)));
    return;
  }
  const reader = entry.createReader();
  const inside = [];
  for (;;) { // a reader gives a hundred at a time
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break;
    inside.push(...some);
  }
  for (const each of inside.sort(byName)) await collect(each, found);
}

function tooMuch(files, facts) {
  if (files.length > facts.max_files) {
    return `${files.length} files are more than the ${facts.max_files} that one job may have. Send them in parts.`;
  }
  const large = files.find((file) => file.size > facts.max_file_bytes);
  if (large) return `${large.name} has ${bytes(large.size)}; a file may have ${bytes(facts.max_file_bytes)}.`;
  const all = files.reduce((sum, file) => sum + file.size, 0);
  return all > facts.max_job_bytes ? `${bytes(all)} in all; a job may have ${bytes(facts.max_job_bytes)}.` : null;
}

async function upload(chosen, said, facts, news) {
  const files = chosen.filter((file) => !file.name.startsWith("."));
  if (!files.length) return;
  const refused = tooMuch(files, facts);
  if (refused) {
    fill(news, trouble({ message: refused }));
    return;
  }
  const bar = h("progress", { max: 1, value: 0, "aria-label": "Sending" });
  fill(news, h("p", {}, `Sending ${plural(files.length, "file")} `, bar));
  say(`Sending ${plural(files.length, "file")}`);
  try {
    const taken = await api.submit(files, said, (share) => { bar.value = share; });
    sent.set(taken.job_id, { names: files.map((file) => file.name), seconds: taken.estimated_time_seconds });
    location.hash = `#/job/${taken.job_id}`;
  } catch (error) {
    if (error.status === 401) dispatchEvent(new Event("inbox-key-needed"));
    else fill(news, trouble(error));
  }
}
