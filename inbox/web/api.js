// Calls of the HTTP API. Where a key is asked for, it is kept for this tab only.

const KEY = "inbox-key";
const RETRY_MS = 2000;

export class ApiError extends Error {
  constructor(status, problem) {
    super(problem.detail || `The server answered with ${status}.`);
    this.status = status;
    this.code = problem.code || "";
  }
}

export function key() {
  return sessionStorage.getItem(KEY);
}

export function keepKey(text) {
  if (text) sessionStorage.setItem(KEY, text);
  else sessionStorage.removeItem(KEY);
}

function headers(more = {}) {
  return key() ? { ...more, Authorization: `Bearer ${key()}` } : more;
}

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { ...options, headers: headers(options.headers) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, { detail: "The server does not answer.", code: "away" });
  }
  if (answer.ok || answer.status === 304) return answer;
  let problem = {};
  try {
    problem = await answer.json();
  } catch {
    // an answer of something in between; its status says enough
  }
  throw new ApiError(answer.status, problem);
}

async function json(path, options) {
  return (await ask(path, options)).json();
}

export const facts = () => json("/assets/facts/this-server");
export const jobs = (cursor) =>
  json(`/jobs?limit=20${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
export const job = (id) => json(`/job/${id}`);
export const cancel = (id) => json(`/job/${id}/cancel`, { method: "POST" });
export const retry = (id) => json(`/job/${id}/retry`, { method: "POST" });
export const forget = (id) => json(`/job/${id}`, { method: "DELETE" });
export const page = (id, file, number) => json(`/job/${id}/files/${file}/pages/${number}`);

const NAME = "inbox-name";

/** Who is at this page, as corrections are signed. */
export const person = () => localStorage.getItem(NAME) || "";

export function keepPerson(name) {
  localStorage.setItem(NAME, name);
}

export function correct(id, file, label) {
  return json(`/job/${id}/files/${file}`, {
    method: "PATCH",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ label, by: person() || "somebody at the page" }),
  });
}

/** What is at this path, as a URL that an image or a link can have; to be revoked. */
export async function blobUrl(path) {
  return URL.createObjectURL(await (await ask(path)).blob());
}

/** Save what is at this path as a file. */
export async function download(path, name) {
  const url = await blobUrl(path);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

/** Send files as one job; `progress` is told how much has gone out, 0 to 1. */
export function submit(files, { labels, password }, progress) {
  const form = new FormData();
  if (labels) form.append("labels", labels);
  if (password) form.append("passwords", JSON.stringify([password]));
  for (const file of files) form.append("files", file, file.name);
  return new Promise((resolve, reject) => {
    // fetch does not tell how far an upload is
    const request = new XMLHttpRequest();
    request.open("POST", "/classify-documents-async");
    for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) progress(event.loaded / event.total);
    });
    request.addEventListener("load", () => {
      if (request.status === 202) resolve(request.response);
      else reject(new ApiError(request.status, request.response || {}));
    });
    request.addEventListener("error", () =>
      reject(new ApiError(0, { detail: "The connection broke off; nothing was queued." })));
    request.send(form);
  });
}

/**
 * Follow a job's events until it is over or `signal` is aborted. Goes on after the last event
 * that was seen when the connection breaks. EventSource cannot send a key, so it is done by hand.
 */
export async function follow(id, signal, seen) {
  let last = "";
  while (!signal.aborted) {
    try {
      const answer = await ask(`/job/${id}/events`, {
        signal, headers: last ? { "Last-Event-ID": last } : {},
      });
      if (answer.status === 204) return;
      for await (const event of events(answer.body)) {
        if (event.id) last = event.id;
        if (event.data) seen(event.event, JSON.parse(event.data));
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error.status && error.status < 500 && error.status !== 429) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value.replaceAll("\r\n", "\n");
    for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
      const event = {};
      for (const line of text.slice(0, end).split("\n")) {
        const colon = line.indexOf(":");
        if (colon > 0) event[line.slice(0, colon)] = line.slice(colon + 1).trimStart();
      }
      yield event;
    }
  }
}
