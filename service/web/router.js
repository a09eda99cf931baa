// Which address shows which view. Addresses: / and /#CONVERSATION, /?q=QUERY, /documents, /annotate, /admin.

const routes = [];

/** Calls `show(address)` for addresses that `fits(address)`; the first that fits is shown. */
export function route(fits, show) {
  routes.push({ fits, show });
}

/** Shows what the address of the window names. */
export function follow() {
  const address = new URL(location.href);
  routes.find(each => each.fits(address))?.show(address);
}

/** Goes to an address without loading the page again. */
export function navigate(address, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", address);
  follow();
}

addEventListener("popstate", follow);
document.addEventListener("click", event => {
  const link = event.target.closest?.("a[data-inside]");
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  navigate(link.href);
});
