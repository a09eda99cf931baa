// The card beside a citation: its quote in its context, with title, date and links. Hover, focus or a tap shows it;
// Escape, leaving or scrolling puts it away; a click on the marker opens the document itself.

import { element, highlighted, icon, page } from "./elements.js";
import { call } from "./service.js";
import { addressOf, facts, openSource, placed } from "./source.js";
import { text } from "./texts.js";

const AROUND = 140;
const card = page("card");
const contexts = new WeakMap();
let shown = null, waiting = 0;

/** Gives a citation's marker its card. */
export function attachCard(marker, citation) {
  let touched = false;
  marker.addEventListener("pointerdown", event => { touched = event.pointerType === "touch"; });
  marker.addEventListener("pointerenter", event => { if (event.pointerType === "mouse") soon(() => show(marker, citation), 120); });
  marker.addEventListener("pointerleave", () => soon(hide, 250));
  marker.addEventListener("focus", () => { if (marker.matches(":focus-visible")) show(marker, citation); });
  marker.addEventListener("blur", () => soon(hide, 250));
  marker.addEventListener("click", () => {
    if (touched && shown !== marker) return show(marker, citation);
    hide();
    openSource(citation);
  });
}

function soon(act, wait) {
  clearTimeout(waiting);
  waiting = setTimeout(act, wait);
}

export function hide() {
  clearTimeout(waiting);
  card.hidden = true;
  shown = null;
}

function show(marker, citation) {
  clearTimeout(waiting);
  shown = marker;
  const words = element("p", { class: "context", dir: "auto" }, element("mark", {}, citation.quote));
  const link = addressOf(citation);
  card.replaceChildren(
    element("p", { class: "card-title", dir: "auto" }, element("span", { class: "number" }, String(citation.number)), citation.title),
    element("p", { class: "quiet" }, facts(citation)),
    words,
    element("div", { class: "row" },
      element("button", { type: "button", class: "quiet-button", click: () => { hide(); openSource(citation); } }, text("showInDocument")),
      link ? element("a", { href: link, target: "_blank", rel: "noreferrer" }, text("open"), icon("open")) : null));
  card.hidden = false;
  place(marker);
  context(citation).then(found => {
    if (found && shown === marker) {
      words.replaceChildren(...highlighted(found.words, [found.span]));
      place(marker);
    }
  }, () => { /* the quote alone stays */ });
}

/** The quote with what stands around it, fetched once; null where its passage does not hold it any more. */
async function context(citation) {
  if (!contexts.has(citation)) contexts.set(citation, await fetched(citation));
  return contexts.get(citation);
}

async function fetched(citation) {
  const path = `/v1/documents/${encodeURIComponent(citation.document_id)}?passage=${encodeURIComponent(citation.passage_id)}&around=${AROUND}`;
  const { passage, before, after } = await call("GET", path);
  const read = before + passage.text + after, letters = Array.from(read);
  const span = placed(read, citation, passage.start - Array.from(before).length);
  if (!span) return null;
  const [start, end] = span;
  const ahead = near(letters.slice(Math.max(0, start - AROUND), start), start > AROUND);
  const behind = near(letters.slice(end, end + AROUND).reverse(), letters.length > end + AROUND).reverse();
  const words = [...ahead, ...letters.slice(start, end), ...behind].join("");
  return { words, span: [ahead.length, ahead.length + end - start] };
}

/** Letters from the next white space on, after an ellipsis, when they were `cut`; where there is none, all of them. */
function near(letters, cut) {
  if (!cut) return letters;
  const space = letters.findIndex(letter => /\s/.test(letter));
  return ["…", ...letters.slice(space >= 0 && space < 20 ? space + 1 : 0)];
}

/** Under the marker, above it where there is no room, always within the window. */
function place(marker) {
  const at = marker.getBoundingClientRect(), own = card.getBoundingClientRect(), gap = 8;
  const below = at.bottom + gap + own.height < innerHeight;
  card.style.left = `${Math.max(gap, Math.min(at.left - 24, innerWidth - own.width - gap))}px`;
  card.style.top = `${below ? at.bottom + gap : Math.max(gap, at.top - own.height - gap)}px`;
}

// The mark that has the focus back was not asked for its card.
addEventListener("sourceclosed", hide);
card.addEventListener("pointerenter", () => clearTimeout(waiting));
card.addEventListener("pointerleave", () => soon(hide, 250));
card.addEventListener("focusin", () => clearTimeout(waiting));
card.addEventListener("focusout", () => soon(hide, 250));
addEventListener("scroll", event => { if (!card.hidden && !card.contains(event.target)) hide(); }, true);
addEventListener("pointerdown", event => { if (!card.hidden && !card.contains(event.target) && event.target !== shown) hide(); });
