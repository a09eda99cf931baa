// The panel that shows a quote highlighted in its passage, with what stands around it.

import { day, element, followable } from "./elements.js";
import { call, Failure } from "./service.js";
import { text } from "./texts.js";

const panel = document.getElementById("source");
let opener = null;

export function closeSource() {
  panel.hidden = true;
  panel.replaceChildren();
  opener?.focus();
  opener = null;
}

/** Opens the passage of a citation or a hit: {document_id, passage_id, title, url, published_at, page, start, end}. */
export async function openSource(where) {
  opener = document.activeElement;
  panel.hidden = false;
  panel.replaceChildren(head(where));
  const path = `/v1/documents/${encodeURIComponent(where.document_id)}?passage=${encodeURIComponent(where.passage_id)}`;
  try {
    panel.append(body(await call("GET", path), where));
    panel.querySelector("mark")?.scrollIntoView({ block: "center" });
  } catch (failure) {
    panel.append(element("p", { class: "error" }, failure instanceof Failure ? `${failure.message} ${failure.hint}` : text("broken")));
  }
  panel.querySelector("button").focus();
}

function head(where) {
  const facts = [day(where.published_at), where.page && text("page", where.page)].filter(Boolean).join(" · ");
  return element("div", {},
    element("header", {},
      element("h2", {}, where.title || where.document_id),
      element("button", { class: "plain", click: closeSource, "aria-label": text("close") }, "✕")),
    element("p", { class: "quiet" }, facts, facts ? " · " : "",
      followable(where.url) ? element("a", { href: where.url, target: "_blank", rel: "noreferrer" }, text("open")) : where.url || ""));
}

// Positions count characters as the service does (code points), not the halves of JavaScript's strings.
function body({ passage, before, after }, where) {
  const all = Array.from(before + passage.text + after);
  const origin = passage.start - Array.from(before).length;
  const from = Math.max(0, where.start - origin), to = Math.max(from, where.end - origin);
  const piece = (start, end) => all.slice(start, end).join("");
  return element("p", { class: "passage" },
    passage.heading && passage.heading !== where.title ? element("strong", {}, passage.heading + "\n") : null,
    element("span", { class: "around" }, piece(0, from)),
    element("mark", {}, piece(from, to)),
    element("span", { class: "around" }, piece(to)));
}

document.addEventListener("keydown", event => {
  if (event.key === "Escape" && !panel.hidden) closeSource();
});
