/* Comfort only: every page of the console does all its work without this file. */
"use strict";

/** Show times in the reader's own zone; the UTC text the server wrote stays as the tooltip. */
function showLocalTimes() {
  const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
  const hour = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
  for (const time of document.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    time.title = time.textContent.trim();
    time.textContent = `${day.format(moment)}, ${hour.format(moment)}`.replaceAll(" ", "\u00a0");
  }
  const zone = document.querySelector("[data-zone]");
  if (zone) zone.textContent = `times are in ${day.resolvedOptions().timeZone}`;
}

/** Put a "Copy" button after each element that asks for one with data-copy="what it is". */
function offerCopying() {
  if (!navigator.clipboard) return;
  for (const source of document.querySelectorAll("[data-copy]")) {
    const text = source.textContent.trim();
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn btn-sm";
    button.textContent = `Copy ${source.dataset.copy}`;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = "Copied";
      } catch {
        button.textContent = "Select it and copy by hand";
      }
    });
    source.after(" ", button);
  }
}

/** Close the open menu on Escape (focus goes back to its button) and on a click elsewhere. */
function closeMenus() {
  const menus = document.querySelectorAll("details.menu");
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of menus) {
      if (!menu.open) continue;
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
  document.addEventListener("click", (event) => {
    for (const menu of menus) if (!menu.contains(event.target)) menu.open = false;
  });
}

/** Keys: "/" searches, "?" shows the keys, "g" and a letter goes; never while somebody types. */
function listenToKeys() {
  const search = document.getElementById("console-search");
  const keys = document.getElementById("keys");
  if (!search || !keys) return;
  const places = { h: "/admin/", a: "/admin/accounts/", p: "/admin/people/", l: "/admin/audit/" };
  let going = 0;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    if (event.key === "/") {
      event.preventDefault();
      search.focus();
    } else if (event.key === "?") {
      if (!keys.open) keys.showModal();
    } else if (event.key === "g") {
      going = event.timeStamp;
    } else if (going && event.timeStamp - going < 1500 && places[event.key]) {
      location.assign(places[event.key]);
    } else {
      going = 0;
    }
  });
}

showLocalTimes();
offerCopying();
closeMenus();
listenToKeys();
