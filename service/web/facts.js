// What Passerine remembers of the person, where the operator lets it: seen, changed and forgotten in one dialog.

import { button, confirmed, element, page } from "./elements.js";
import { call } from "./service.js";
import { failed, text } from "./texts.js";

const PATH = "/v1/memory";

/** A button beside the other small ones, where there is a memory. */
export function offerMemory(enabled) {
  page("memory")?.remove();
  if (enabled) page("theme").before(button("memory", text("memory"), show, { id: "memory" }));
}

async function show() {
  const list = element("ul", { class: "facts" }), note = element("p", { class: "quiet", role: "status" });
  const all = element("button", { type: "button", class: "danger", hidden: true, click: () => clear() }, text("forgetAll"));
  const box = element("dialog", { "aria-label": text("memory"), close: () => box.remove() }, element("h2", {}, text("memory")),
    element("p", { class: "quiet" }, text("memoryHint")), list, note,
    element("form", { method: "dialog", class: "row end" }, all, element("button", { class: "quiet-button", autofocus: true }, text("close"))));
  document.body.append(box);
  box.showModal();

  const act = async (work, said = "") => {
    try {
      await work();
      await fill();
      note.textContent = said || note.textContent;
    } catch (failure) {
      note.textContent = failed(failure);
    }
  };
  async function fill() {
    const { memories } = await call("GET", PATH);
    list.replaceChildren(...memories.map(row));
    all.hidden = !memories.length;
    note.textContent = memories.length ? "" : text("nothingRemembered");
  }
  function row(fact) {
    const words = element("input", { maxlength: 160, dir: "auto", "aria-label": text("fact") });
    const keep = element("button", { class: "quiet-button", disabled: true }, text("keepFact"));
    words.value = fact.text;
    words.addEventListener("input", () => { keep.disabled = words.value.trim() === fact.text || !words.value.trim(); });
    const address = `${PATH}/${encodeURIComponent(fact.id)}`;
    const send = event => { event.preventDefault(); act(() => call("PATCH", address, { text: words.value }), text("noted")); };
    return element("li", {}, element("form", { class: "row", submit: send }, words, keep,
      button("trash", text("forgetFact"), () => act(() => call("DELETE", address), text("forgotten")))));
  }
  async function clear() {
    if (await confirmed(text("forgetAllQuestion"), text("forgetAll"), text("cancel"))) await act(() => call("DELETE", PATH), text("forgotten"));
  }
  await act(() => {});
}
