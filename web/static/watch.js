// Live events of an app's connections: what the server streams is appended to a list. The
// page works without; that something is watched at all is what this adds.
"use strict";

(() => {
  const box = document.querySelector("[data-watch]");
  if (!box || !window.EventSource) {
    return;
  }
  const state = box.querySelector("[data-state]");
  const list = box.querySelector("[data-list]");
  const log = list.parentElement;
  const most = 50;
  const kinds = ["connected", "refreshed", "failing", "expiring", "ended", "replayed"];

  const say = (text) => {
    if (state.textContent !== text) {
      state.textContent = text;
    }
  };
  // Whatever comes is text, and never markup: some of it others chose.
  const part = (row, name, text) => {
    const e = document.createElement(name);
    e.textContent = text;
    row.append(e, " ");
  };
  const show = (kind, what) => {
    const row = document.createElement("li");
    const at = new Date(what.timestamp);
    part(row, "time", at.toLocaleTimeString(document.documentElement.lang));
    row.querySelector("time").dateTime = at.toISOString();
    part(row, "strong", box.dataset[kind]);
    part(row, "code", what.account || box.dataset.all);
    if (what.connection) {
      part(row, "code", what.connection);
    }
    if (what.why) {
      part(row, "bdi", what.why);
    }
    const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
    list.append(row);
    while (list.children.length > most) {
      list.firstElementChild.remove();
    }
    if (atEnd) {
      log.scrollTop = log.scrollHeight;
    }
  };

  box.hidden = false;
  say(box.dataset.connecting);
  const source = new EventSource(box.dataset.watch);
  source.addEventListener("open", () => say(box.dataset.watching));
  source.addEventListener("error", () => say(source.readyState === EventSource.CLOSED ? box.dataset.off : box.dataset.connecting));
  source.addEventListener("lost", () => say(box.dataset.lost));
  for (const kind of kinds) {
    source.addEventListener("connection." + kind, (event) => show(kind, JSON.parse(event.data)));
  }
})();
