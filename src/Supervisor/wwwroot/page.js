// Keeps the page fresh; without it the page is a complete picture of the moment it was loaded.
"use strict";

const main = document.getElementById("main");
const connection = document.getElementById("connection");
const interval = 3000;
const limit = 8000;

async function refresh() {
  try {
    const response = await fetch("/main", { signal: AbortSignal.timeout(limit) });
    if (!response.ok) throw new Error(String(response.status));
    const html = await response.text();
    if (html !== main.dataset.shown) {
      main.innerHTML = html;
      main.dataset.shown = html;
    }
    main.removeAttribute("data-stale");
    connection.textContent = "live";
    const verdict = main.querySelector(".verdict h2");
    document.title = document.querySelector("h1").textContent + ": " + verdict.textContent.toLowerCase();
  } catch {
    main.setAttribute("data-stale", "");
    connection.textContent = "no answer: the device may be restarting; trying again…";
  }
  setTimeout(refresh, interval);
}

setTimeout(refresh, interval);
