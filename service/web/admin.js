// The administrator's view: approved answers, rules and keys, as far as the session's key may.

import { showApproved } from "./approved.js";
import { page } from "./elements.js";
import { enterKey, session } from "./key.js";
import { showKeys } from "./keys.js";
import { remembered } from "./memory.js";
import { showRules } from "./rulebook.js";
import { tabs } from "./tabs.js";
import { failed, text } from "./texts.js";

const NAMES = ["approved", "rules", "keys"];
const note = page("admin-note"), show = tabs("administration", NAMES);
let asked = 0;

/** Shows the view anew. Keys are an administrator's; the rest can be looked at with any key, and is then said so. */
export async function showAdmin() {
  const turn = ++asked;
  show(remembered("administration", NAMES[0]));
  let found;
  try {
    found = await session();
    if (found.needed && !found.key) await enterKey().then(async () => { found = await session(); });
  } catch {
    note.textContent = failed({ message: text("offline"), hint: text("offlineHint") });
    return;
  }
  if (turn !== asked) return;
  const may = !found.needed || found.key?.scope === "admin";
  note.textContent = may ? "" : text("mayLook", found.key.name, found.key.scope);
  page("keys-tab").hidden = !may;
  show(remembered("administration", NAMES[0]));
  await Promise.all([showApproved(may), showRules(may), may ? showKeys(found) : null]);
}

/** To the tab that is shown. */
export const focusAdmin = () => page("admin").querySelector("[role=tab][aria-selected=true]").focus();
