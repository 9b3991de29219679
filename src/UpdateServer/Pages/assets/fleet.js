"use strict";
// Pages that show what changes are made anew every few seconds, where the reader is not in the middle of a form.
const pause = 3000;
const main = document.querySelector("main[data-live]");
const busy = () => document.hidden || main.querySelector("form :focus, details[open]") || [...main.querySelectorAll("input:not([type=hidden]), select")].some(changed);
const changed = field => field.type === "checkbox" ? field.checked !== field.defaultChecked : field.tagName === "SELECT" ? field.selectedIndex > 0 : field.value !== field.defaultValue;

async function renew() {
  try {
    if (busy()) return;
    const answer = await fetch(location.href, { redirect: "error" });
    if (!answer.ok) throw new Error(answer.statusText);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
    if (!busy() && fresh.innerHTML !== main.innerHTML) main.replaceChildren(...fresh.childNodes);
    delete main.dataset.stale;
  } catch {
    main.dataset.stale = "true"; // shown pale until the server answers again
  } finally {
    setTimeout(renew, pause);
  }
}

if (main) setTimeout(renew, pause);
