"""The page's one script: it renews the page in place, so that a reader keeps what is open and where they are.

It asks for the same page and changes only what differs. An element with a key ("data-key", an id, the label of a row)
is the same element in the next page, wherever it stands there. A failed request changes nothing: the page says by
itself when it is old. Without scripts the page loads itself again instead (`<noscript>` in its head).

The script parses no text as HTML: the browser's own XMLHttpRequest returns a document, in which no script runs.
"""

from __future__ import annotations

_SOURCE = """
"use strict";
(() => {
const every = 1000 * document.documentElement.dataset.refresh;
if (!(every > 0)) return;
const keyOf = node => node.nodeType !== 1 ? "" : node.dataset.key || node.id ||
  (node.firstElementChild?.nodeName === "DT" ? "row " + node.firstElementChild.textContent : "");
const change = (old, made) => {
  if (old.nodeType !== 1) {
    if (old.data !== made.data) old.data = made.data;
    return;
  }
  for (const {name, value} of made.attributes)
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  for (const {name} of [...old.attributes])
    if (name !== "open" && !made.hasAttribute(name)) old.removeAttribute(name);
  const keyed = new Map(), plain = [], pairs = [];
  for (const node of old.childNodes) keyOf(node) ? keyed.set(keyOf(node), node) : plain.push(node);
  for (const node of made.childNodes) {
    const key = keyOf(node);
    let same = null;
    if (key) {
      same = keyed.get(key);
      keyed.delete(key);
    } else {
      const place = plain.findIndex(other => other.nodeName === node.nodeName);
      if (place >= 0) same = plain.splice(0, place + 1).pop();
    }
    pairs.push([same && same.nodeName === node.nodeName ? same : null, node]);
  }
  const kept = new Set(pairs.map(pair => pair[0]));
  for (const node of [...old.childNodes]) if (!kept.has(node)) node.remove();
  let next = old.firstChild;
  for (const [same, node] of pairs) {
    if (!same) old.insertBefore(document.importNode(node, true), next);
    else {
      change(same, node);
      if (same === next) next = next.nextSibling;
      else old.insertBefore(same, next);
    }
  }
};
const take = made => {
  for (const part of ["style", "script"])
    if (made.querySelector(part)?.textContent !== document.querySelector(part).textContent)
      return made.querySelector("main") ? location.reload() : undefined;
  const held = [];
  for (let e = scrollY && document.elementFromPoint(innerWidth / 2, innerHeight / 4); e; e = e.parentElement)
    held.push([e, e.getBoundingClientRect().top]);
  document.title = made.title;
  document.querySelector(".aged").replaceWith(document.importNode(made.querySelector(".aged"), true));
  for (const part of ["body > header", "main"]) change(document.querySelector(part), made.querySelector(part));
  const [place, top] = held.find(([e]) => e.isConnected) || [];
  if (place) scrollBy({top: place.getBoundingClientRect().top - top, behavior: "instant"});
};
const renew = () => {
  const ask = new XMLHttpRequest();
  ask.open("GET", location.pathname + location.search);
  ask.responseType = "document";
  ask.timeout = 30000;
  ask.onload = () => ask.status === 200 && ask.response && take(ask.response);
  ask.onloadend = () => setTimeout(renew, every);
  ask.send();
};
setTimeout(renew, every);
})();
"""

#: The text of the page's `<script>`. It holds no "</" and no "<!--", so it ends where it should.
SCRIPT = "\n".join(line.strip() for line in _SOURCE.strip().splitlines())
