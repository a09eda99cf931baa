// Sharing a conversation by link, where the operator allows it: made, copied and taken back in one dialog.

import { copyable, element } from "./elements.js";
import { call } from "./service.js";
import { failed, text } from "./texts.js";

let allowed = false;

export const allowSharing = yes => { allowed = yes; };
export const sharingAllowed = () => allowed;

/** Shows whether a conversation is shared, and how. */
export async function share(conversation) {
  const path = `/v1/conversations/${encodeURIComponent(conversation.id)}/share`;
  const body = element("div", { class: "share" }), note = element("p", { class: "quiet", role: "status" });
  const box = element("dialog", { "aria-label": text("share"), close: () => box.remove() }, element("h2", {}, text("share")),
    element("p", { class: "quiet" }, text("shareHint")), body, note,
    element("form", { method: "dialog", class: "row end" }, element("button", { class: "quiet-button" }, text("close"))));
  document.body.append(box);
  box.showModal();

  const act = (method, said = "") => async () => {
    try {
      fill(await call(method, path));
      note.textContent = said;
    } catch (failure) {
      note.textContent = failed(failure);
    }
  };
  function fill(found) {
    if (!found?.path) return body.replaceChildren(element("button", { type: "button", class: "main", click: act("POST") }, text("makeLink")));
    const more = conversation.turns > found.turns;
    return body.replaceChildren(copyable(text("link"), location.origin + found.path, text("copyLink")), element("div", { class: "row" },
      ...(more ? [element("button", { type: "button", class: "quiet-button", click: act("POST") }, text("shareAgain"))] : []),
      element("button", { type: "button", class: "danger", click: act("DELETE", text("revoked")) }, text("revoke"))));
  }
  await act("GET")();
}
