// The key that a service may ask for: entered once, then kept in a cookie that no script can read.

import { button, element, page } from "./elements.js";
import { text } from "./texts.js";

const SESSION = "/v1/session";
let entering = null, enter = null;

/** Whether the service asks for a key, and the good one that this page sends. */
export const session = async () => (await fetch(SESSION)).json();

/** Keeps a key that has just been made, so that whoever made it stays in. */
export async function signIn(key) {
  if (await sent(key)) return;
  if (enter) enter();
  else await showSignOut();
}

/** Resolves when a good key has been entered. There is no way past the dialog: without a key the page can do nothing. */
export function enterKey() {
  entering ??= dialog().finally(() => { entering = enter = null; });
  return entering;
}

function dialog() {
  return new Promise(resolve => {
    const field = element("input", { type: "password", name: "key", class: "grow", autocomplete: "current-password", required: true, autofocus: true });
    const wrong = element("p", { class: "error", role: "alert", hidden: true });
    const send = element("button", { class: "main" }, text("enterKey"));
    const form = element("form", {},
      element("h2", {}, text("keyNeeded")), element("p", { class: "quiet" }, text("keyHint")),
      element("label", { class: "row" }, element("span", {}, text("key")), field), wrong, element("div", { class: "row end" }, send));
    const box = element("dialog", { "aria-label": text("keyNeeded"), cancel: event => event.preventDefault() }, form);
    let good = false;
    form.addEventListener("submit", async event => {
      event.preventDefault();
      send.disabled = true;
      wrong.hidden = true;
      const refused = await sent(field.value);
      send.disabled = false;
      if (refused) { wrong.hidden = false; wrong.textContent = refused; return field.select(); }
      return enter();
    });
    enter = () => { good = true; box.close(); };
    box.addEventListener("close", () => {
      if (!good) return box.showModal();
      box.remove();
      showSignOut();
      return resolve();
    });
    document.body.append(box);
    box.showModal();
  });
}

/** "" when the key is good, else what to tell. */
async function sent(key) {
  try {
    const reply = await fetch(SESSION, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ key }) });
    return reply.ok ? "" : text("keyWrong");
  } catch {
    return text("offline");
  }
}

/** Beside the other small buttons, where a key is in use: away with it, for whoever sits here next. */
async function showSignOut() {
  const { key } = await session();
  page("sign-out")?.remove();
  if (!key) return;
  page("theme").before(button("key", text("signOut", key.name), async () => {
    await fetch(SESSION, { method: "DELETE" });
    location.assign("/");
  }, { id: "sign-out" }));
}

showSignOut().catch(() => { /* the page says by itself that the service is away */ });
