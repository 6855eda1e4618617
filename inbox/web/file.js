// One file: its pages with the evidence marked, and what a person says of its label.

import * as api from "./api.js";
import { fill, h, percent, plural, say, spoken, trouble } from "./dom.js";
import { chosen, filesOf, labelOf, over, waitsForReview } from "./job.js";

const KEYS = [
  ["a or Enter", "accept the label"], ["1 … 5", "take this label instead"], ["l", "choose another label"],
  ["u", "take back what was said"], ["n, p", "next, previous file"], ["← →", "turn the page"], ["Esc", "back to the job"],
];

const KINDS = {
  "application/pdf": "PDF", "message/rfc822": "mail", "application/vnd.ms-outlook": "mail",
  "text/plain": "text", "text/html": "web page", "text/csv": "CSV", "text/markdown": "Markdown",
  "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "Word",
  "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "Excel",
  "application/vnd.openxmlformats-officedocument.presentationml.presentation": "PowerPoint",
};

export async function showFile(main, view, fileId) {
  const file = filesOf(view).find((one) => one.file_id === fileId);
  if (!file) {
    fill(main, h("p", {}, "This job has no such file. ", h("a", { href: `#/job/${view.id}` }, "To the job")));
    return;
  }
  const state = { main, view, file, page: file.evidence[0]?.page ?? 1, urls: [] };
  state.sheet = h("div", { class: "sheet-of-paper", "aria-live": "polite" });
  state.news = h("div", { class: "news" });
  const title = h("h1", { class: "name" }, file.filename);
  fill(main, h("div", { class: "file" },
    h("div", { class: "head" },
      h("p", { class: "crumbs" }, h("a", { href: "#/" }, "Jobs"), " / ", h("a", { href: `#/job/${view.id}` }, "this job"), ` / file ${file.number}`),
      title),
    h("div", { class: "beside" },
      h("section", { class: "card facts", "aria-label": "Result" }, verdict(state), state.news, position(state), keyHelp()),
      h("section", { class: "paper", "aria-label": "Page" }, state.sheet))));
  document.title = `${file.filename} - Document Inbox`;
  scrollTo(0, 0);
  say(`${file.filename}: ${labelOf(file) ? spoken(labelOf(file)) : file.status}`);
  listen(state);
  await showPage(state);
}

function verdict(state) {
  const { file, view } = state;
  if (file.status !== "completed") {
    return [h("p", {}, h("span", { class: `state ${file.status}` }, file.status)),
      file.error_message ? h("p", {}, file.error_message) : null,
      file.error_code ? h("p", { class: "remedy" }, view.facts.remedies[file.error_code] || view.facts.anything_else) : null];
  }
  if (file.details?.container) {
    return [h("p", {}, `${plural(file.details.children, "file")} inside; each is a file of this job.`)];
  }
  const label = labelOf(file);
  const reasons = waitsForReview(file) ? file.review_reasons.map((reason) => view.facts.reasons[reason] || spoken(reason)) : [];
  state.select = labelSelect(state, label);
  return [
    h("p", { class: "label" }, h("strong", {}, label ? spoken(label) : "no label"), " ",
      file.corrected_label ? h("span", { class: "mark good" }, "checked") : h("span", { class: "quiet" }, percent(file.confidence))),
    reasons.length ? h("p", { class: "notice warn" }, reasons.join(" ")) : null,
    h("div", { class: "buttons" },
      file.corrected_label ? h("button", { type: "button", "aria-keyshortcuts": "u", onclick: () => decide(state, null) }, "Take it back ", hint("u"))
        : label ? h("button", { class: "main", type: "button", "aria-keyshortcuts": "a", onclick: () => decide(state, label) }, "Accept ", hint("a")) : null,
      h("label", { class: "inline" }, h("span", {}, "Change to "), state.select)),
    others(state, label),
    evidence(state),
    forms(state),
    signature(),
    h("p", { class: "quiet" }, [KINDS[file.media_type] ?? file.media_type, file.pages ? plural(file.pages, "page") : null,
      file.ocr_pages ? `${file.ocr_pages} by OCR` : null, file.classifier].filter(Boolean).join(" · ")),
  ];
}

/** Corrections are signed. */
function signature() {
  const field = h("input", { id: "person", type: "text", autocomplete: "name", maxlength: "200", onchange: () => api.keepPerson(field.value.trim()) });
  field.value = api.person();
  return h("details", {}, h("summary", {}, "Your name"),
    h("label", { for: "person", class: "quiet" }, "What you say of a file is kept with it."), field);
}

/** The file in other forms. */
function forms(state) {
  const { file, view } = state;
  const drawn = file.media_type === "application/pdf" || file.media_type?.startsWith("image/");
  const wanted = [["text", "Text", "txt"], ["markdown", "Markdown", "md"], drawn && ["pdf", "Searchable PDF", "pdf"]].filter(Boolean);
  return h("details", {}, h("summary", {}, "Save as"), h("div", { class: "buttons" },
    wanted.map(([form, name, suffix]) => h("button", { type: "button", onclick: async () => {
      try {
        await api.download(`/job/${view.id}/files/${file.file_id}/download?form=${form}`, `${file.filename}.${suffix}`);
      } catch (error) {
        fill(state.news, trouble(error));
      }
    } }, name))));
}

function others(state, label) {
  const { file } = state;
  const alternatives = file.alternatives.filter((one) => one.label !== label).slice(0, 5);
  state.others = alternatives.map((one) => one.label);
  if (!alternatives.length) return null;
  return h("div", { class: "others" }, h("h2", {}, "It may also be"),
    h("ol", {}, alternatives.map((one, place) => h("li", {}, h("button", { type: "button", onclick: () => decide(state, one.label) },
      h("kbd", {}, String(place + 1)), " ", spoken(one.label), " ", h("span", { class: "quiet" }, percent(one.confidence)))))));
}

function evidence(state) {
  const { file } = state;
  if (!file.evidence.length) return null;
  return h("div", { class: "evidence" }, h("h2", {}, "What speaks for it"),
    h("ul", {}, file.evidence.map((one) => h("li", {}, h("button", { type: "button", class: "quote", onclick: () => point(state, one) },
      h("q", {}, one.quote), " ", h("span", { class: "quiet" }, `page ${one.page}`))))));
}

function labelSelect(state, label) {
  const { view, file } = state;
  const known = new Set([...file.alternatives.map((one) => one.label), ...filesOf(view).map((one) => one.label)].filter(Boolean));
  const own = [...known].some((name) => !view.facts.labels.includes(name));
  const names = [...new Set([...known, ...(own ? [] : view.facts.labels)])].sort();
  return h("select", { id: "change", "aria-label": "Change the label to", onchange: (event) => { if (event.target.value) decide(state, event.target.value); } },
    h("option", { value: "" }, "another label…"),
    names.filter((name) => name !== label).map((name) => h("option", { value: name }, spoken(name))));
}

function position(state) {
  const files = chosen(state.view);
  const place = files.indexOf(state.file);
  const step = (way, name) => {
    const next = files[place + way];
    const key = way < 0 ? "p" : "n";
    return h("button", { type: "button", disabled: place < 0 || !next, "aria-keyshortcuts": key, onclick: () => next && open(state, next) }, `${name} `, hint(key));
  };
  return h("div", { class: "buttons steps" }, step(-1, "Previous"),
    place < 0 ? null : h("span", { class: "quiet" }, `${place + 1} of ${files.length}`), step(1, "Next"));
}

const hint = (key) => h("kbd", { "aria-hidden": "true" }, key);

function keyHelp() {
  return h("details", { class: "keys" }, h("summary", {}, "Keys"),
    h("dl", {}, KEYS.flatMap(([key, what]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)])));
}

function open(state, file) {
  location.hash = `#/job/${state.view.id}/${file.file_id}`;
}

/** Say what the file is, and in the review go to the next that waits; null takes it back. */
async function decide(state, label) {
  const { view, file } = state;
  try {
    await api.correct(view.id, file.file_id, label);
    const files = chosen(view);
    const after = [...files.slice(files.indexOf(file) + 1), ...files].filter((one) => one !== file);
    view.job = await api.job(view.id);
    say(label ? `${file.filename} is ${spoken(label)}` : `Taken back for ${file.filename}`);
    const waits = new Set(filesOf(view).filter(waitsForReview).map((one) => one.file_id));
    const reviewed = label && view.show === "review" && file.needs_review;
    const next = reviewed && after.find((one) => waits.has(one.file_id));
    if (next) open(state, next);
    else if (reviewed && !waits.size) location.hash = `#/job/${view.id}`;
    else await showFile(state.main, view, file.file_id);
  } catch (error) {
    fill(state.news, trouble(error));
  }
}

function listen(state) {
  const { view } = state;
  const heard = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = event.target;
    if (event.key === "Escape") {
      if (at.tagName === "SELECT") at.blur();
      else location.hash = `#/job/${view.id}`;
      return;
    }
    if (["INPUT", "SELECT", "TEXTAREA"].includes(at.tagName)) return;
    if (event.key === "Enter" && ["BUTTON", "A", "SUMMARY"].includes(at.tagName)) return;
    const act = keyAction(state, event.key);
    if (act) {
      event.preventDefault();
      act();
    }
  };
  state.heard = heard;
  if (listening) removeEventListener("keydown", listening);
  listening = heard;
  addEventListener("keydown", heard);
  view.signal.addEventListener("abort", () => {
    removeEventListener("keydown", heard);
    state.urls.forEach((url) => URL.revokeObjectURL(url));
  });
}
let listening = null;

function keyAction(state, key) {
  const { file, view } = state;
  const files = chosen(view);
  const place = files.indexOf(file);
  const completed = file.status === "completed";
  if ((key === "a" || key === "Enter") && completed && labelOf(file)) return () => decide(state, labelOf(file));
  if (key === "u" && file.corrected_label) return () => decide(state, null);
  if (/^[1-5]$/.test(key) && state.others?.[key - 1]) return () => decide(state, state.others[key - 1]);
  if (key === "l" && state.select) return () => state.select.focus();
  if (key === "n" && files[place + 1]) return () => open(state, files[place + 1]);
  if (key === "p" && place > 0) return () => open(state, files[place - 1]);
  if (key === "ArrowRight") return () => turn(state, state.page + 1);
  if (key === "ArrowLeft") return () => turn(state, state.page - 1);
  return null;
}

function turn(state, page) {
  if (page < 1 || page > (state.file.pages ?? 1) || page === state.page) return;
  state.page = page;
  showPage(state);
}

/** Show where a quote stands. */
async function point(state, one) {
  if (one.page !== state.page) {
    state.page = one.page;
    await showPage(state);
  }
  const marks = [...state.sheet.querySelectorAll(".highlight, mark")].filter((mark) => mark.dataset.quote === one.quote);
  const seen = marks.find((mark) => mark.checkVisibility()) ?? marks[0];
  if (!seen) return;
  const folded = seen.closest("details");
  if (folded) folded.open = true;
  seen.scrollIntoView({ block: "center" });
  for (const mark of marks) {
    mark.classList.remove("meant");
    requestAnimationFrame(() => mark.classList.add("meant"));
  }
}

async function showPage(state) {
  const { view, file } = state;
  const number = state.page;
  if (file.status !== "completed") {
    fill(state.sheet, h("p", { class: "quiet" }, over(view.job) ? "There is nothing to show." : "It is not read yet."));
    return;
  }
  fill(state.sheet, h("p", { class: "quiet" }, "Drawing the page…"));
  try {
    const page = await api.page(view.id, file.file_id, number);
    const inside = page.picture
      ? [await pictured(state, page), page.text ? h("details", { class: "read" }, h("summary", {}, howRead(page)), wordsOnly(state, page)) : null]
      : wordsOnly(state, page);
    if (number === state.page && !view.signal.aborted) fill(state.sheet, pager(state), inside);
  } catch (error) {
    if (number === state.page) fill(state.sheet, pager(state), trouble(error));
  }
}

function howRead(page) {
  if (page.source === "ocr") return `The text, by OCR${page.confidence ? `, word confidence ${percent(page.confidence)}` : ""}`;
  return "The text";
}

function pager(state) {
  const pages = state.file.pages ?? 1;
  if (pages < 2) return null;
  return h("div", { class: "buttons pager" },
    h("button", { type: "button", disabled: state.page <= 1, onclick: () => turn(state, state.page - 1) }, "‹ Page"),
    h("span", {}, `page ${state.page} of ${pages}`),
    h("button", { type: "button", disabled: state.page >= pages, onclick: () => turn(state, state.page + 1) }, "Page ›"));
}

async function pictured(state, page) {
  const url = await api.blobUrl(page.picture);
  state.urls.push(url);
  const marks = page.evidence.flatMap((one) => one.boxes.map((box) => {
    const mark = h("div", { class: "highlight", title: one.quote, "data-quote": one.quote });
    const [left, top, right, bottom] = box;
    Object.assign(mark.style, {
      left: `${left * 100}%`, top: `${top * 100}%`, width: `${(right - left) * 100}%`, height: `${(bottom - top) * 100}%`,
    });
    return mark;
  }));
  return h("div", { class: "picture" },
    h("img", { src: url, width: page.width, height: page.height, alt: `Page ${page.number} of ${state.file.filename}` }), marks);
}

/** The text of a page, with the quotes marked in it. */
function wordsOnly(_state, page) {
  const places = page.evidence.map((one) => [page.text.indexOf(one.quote), one.quote.length, one.quote])
    .filter(([start]) => start >= 0).sort((one, other) => one[0] - other[0]);
  const parts = [];
  let done = 0;
  for (const [start, length, quote] of places) {
    if (start < done) continue;
    parts.push(page.text.slice(done, start), h("mark", { "data-quote": quote }, page.text.slice(start, start + length)));
    done = start + length;
  }
  return h("div", { class: "words", tabindex: "0", role: "region", "aria-label": "Text of the page" },
    h("pre", {}, parts, page.text.slice(done)));
}
