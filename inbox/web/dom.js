// Making elements. Text is only ever set as text, so a document cannot bring markup.

/** An element with properties, listeners (onclick…) and children; text becomes text nodes. */
export function h(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "class") element.className = value;
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Put these in place of everything inside. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
}

/** Tell who cannot see the screen. */
export function say(text) {
  document.getElementById("said").textContent = text;
}

export function plural(count, one, many = `${one}s`) {
  return `${count} ${count === 1 ? one : many}`;
}

/** A label as people write it: bank_statement is "bank statement". */
export function spoken(label) {
  return label.replaceAll("_", " ");
}

export function percent(share) {
  return share === null || share === undefined ? "" : `${Math.floor(share * 100)} %`;
}

/** Seconds as "about 40 s" or "about 3 min". */
export function about(seconds) {
  if (seconds < 1.5) return "a moment";
  if (seconds < 55) return `about ${Math.ceil(seconds / 5) * 5} s`;
  if (seconds < 3500) return `about ${Math.ceil(seconds / 60)} min`;
  return `about ${Math.ceil(seconds / 3600)} h`;
}

export function bytes(count) {
  if (count < 1024) return `${count} B`;
  if (count < 1024 * 1024) return `${Math.round(count / 1024)} kB`;
  return `${(count / 1024 / 1024).toFixed(1)} MB`;
}

export function moment(text) {
  return new Date(text).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/** A message that something went wrong, with its sentence. */
export function trouble(error) {
  return h("p", { class: "notice bad", role: "alert" }, error.message || String(error));
}
