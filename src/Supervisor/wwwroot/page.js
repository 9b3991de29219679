// Keeps the page fresh, and sends bundles; without it a page is a complete picture of the moment it was loaded.
"use strict";

const live = document.getElementById("live");
const connection = document.getElementById("connection");
const again = 3000;
const limit = 8000;
let fetching = false;
let wanted = false;

async function refresh() {
  if (fetching) {
    wanted = true;
    return;
  }
  fetching = true;
  try {
    const response = await fetch(live.dataset.from, { signal: AbortSignal.timeout(limit) });
    if (response.redirected) return location.reload();
    if (!response.ok) throw new Error(String(response.status));
    show(await response.text());
    live.removeAttribute("data-stale");
    connection.textContent = "live";
  } catch {
    lost();
  } finally {
    fetching = false;
  }
  if (wanted) {
    wanted = false;
    refresh();
  }
}

function show(html) {
  if (html === live.dataset.shown) return;
  const focused = document.activeElement && live.contains(document.activeElement) ? document.activeElement.id : "";
  const unfolded = Array.from(live.querySelectorAll("details"), (details) => [details.id, details.open]);
  live.innerHTML = html;
  live.dataset.shown = html;
  for (const [id, open] of unfolded) document.getElementById(id)?.toggleAttribute("open", open);
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

function lost() {
  live.setAttribute("data-stale", "");
  connection.textContent = "no answer: the device may be restarting; trying again…";
}

// The browser comes back by itself after a lost connection, except when the answer was an error.
function listen() {
  const events = new EventSource("/events");
  events.onmessage = refresh;
  events.onerror = () => {
    refresh();
    if (events.readyState !== EventSource.CLOSED) return;
    setTimeout(listen, again);
  };
}

// The file goes out as it is read; the device writes it into the slot as it comes.
function send(event) {
  event.preventDefault();
  const form = event.target;
  const state = document.getElementById("upload-state");
  const button = form.querySelector("button");
  const request = new XMLHttpRequest();
  // What is not chosen is not said.
  const chosen = [...new FormData(form)].filter(([, value]) => typeof value === "string" && value !== "");
  request.open("POST", form.dataset.to + "?" + new URLSearchParams(chosen));
  request.setRequestHeader("X-Form-Token", form.dataset.token);
  request.upload.onprogress = (progress) => {
    state.textContent = "sent " + Math.floor((100 * progress.loaded) / progress.total) + " %";
  };
  request.onload = () => {
    button.disabled = false;
    let answer = {};
    try {
      answer = JSON.parse(request.responseText);
    } catch {
      // an answer that is not the supervisor's
    }
    state.textContent = answer.message || [answer.title, answer.detail].filter(Boolean).join(" ") || "the answer was " + request.status;
  };
  request.onerror = () => {
    button.disabled = false;
    state.textContent = "the connection was lost, or the bundle was refused; the state above says more";
  };
  button.disabled = true;
  state.textContent = "sending…";
  request.send(form.querySelector("input[type=file]").files[0]);
}

if (live && live.dataset.pace) {
  // What nobody announces is looked at now and then, while somebody looks.
  setInterval(() => document.hidden || refresh(), Number(live.dataset.pace));
} else if (live) {
  listen();
  setInterval(() => live.hasAttribute("data-stale") && refresh(), again);
}
document.getElementById("upload")?.addEventListener("submit", send);
