// Building the page's elements. Text only ever becomes text: nothing here parses HTML.

/** An element with attributes, properties (functions as listeners) and children (elements or strings). */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.filter(child => child != null && child !== false));
  return node;
}

/** A date as YYYY-MM-DD, "" when there is none. */
export const day = moment => (moment || "").slice(0, 10);

/** A link only where the address is one that a browser may follow. */
export const followable = url => /^https?:\/\//.test(url || "");
