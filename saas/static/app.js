/* Comfort only: every page does all its work without this file. */
"use strict";

/** Show times in the reader's own zone; the UTC text the server wrote stays as the tooltip. */
function showLocalTimes() {
  const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
  const hour = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
  const unbroken = (text) => text.replaceAll(" ", "\u00a0");
  for (const time of document.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    time.title = time.textContent.trim();
    time.textContent = `${unbroken(day.format(moment))}, ${unbroken(hour.format(moment))}`;
  }
  const zone = document.querySelector("[data-zone]");
  if (zone) zone.textContent = `times are in ${day.resolvedOptions().timeZone}`;
}

/** Put a "Copy" button after each element that asks for one with data-copy="what it is". */
function offerCopying() {
  if (!navigator.clipboard) return;
  for (const source of document.querySelectorAll("[data-copy]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button quiet small";
    button.textContent = `Copy ${source.dataset.copy}`;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(source.textContent.trim());
        button.textContent = "Copied";
      } catch {
        button.textContent = "Select it and copy by hand";
      }
    });
    source.after(button);
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
    for (const menu of menus) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });
}

showLocalTimes();
offerCopying();
closeMenus();
