// Which view is shown: #/ is the list of jobs, #/job/ID a job, #/job/ID/FILE one of its files.

import * as api from "./api.js";
import { fill, h, trouble } from "./dom.js";
import { showJob } from "./job.js";
import { showJobs } from "./jobs.js";

const main = document.getElementById("main");
let leave = new AbortController();
let facts = null;

async function route() {
  leave.abort();
  leave = new AbortController();
  const [, view, job, file] = location.hash.split("/");
  try {
    facts = facts || (await api.facts());
    if (view === "job" && job) await showJob(main, job, file, facts, leave.signal);
    else await showJobs(main, facts, leave.signal);
  } catch (error) {
    if (error.name === "AbortError") return;
    if (error.status === 401) askForKey();
    else fill(main, h("h1", {}, "This did not work"), trouble(error), h("p", {}, h("a", { href: "#/" }, "To the jobs")));
  }
}

function askForKey() {
  const field = h("input", { id: "key", type: "password", autocomplete: "off", required: true });
  const form = h("form", { class: "card narrow", onsubmit: (event) => {
    event.preventDefault();
    api.keepKey(field.value.trim());
    route();
  } },
  h("h1", {}, "This inbox asks for a key"),
  h("p", {}, "Whoever runs it makes one with ", h("code", {}, "inbox keys create"), ". It is kept until this tab is closed."),
  h("label", { for: "key" }, "API key"), field,
  h("button", { class: "main", type: "submit" }, "Open"));
  fill(main, form);
  field.focus();
}

addEventListener("hashchange", async () => {
  await route();
  if (!main.contains(document.activeElement)) main.focus({ preventScroll: true });
});
addEventListener("inbox-key-needed", askForKey);
// A file that is dropped beside the drop area must not replace the page.
for (const name of ["dragover", "drop"]) addEventListener(name, (event) => event.preventDefault());
route();
