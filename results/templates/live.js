"use strict";
// What the server says now takes the place of what it said; without this the page reloads itself.
setInterval(async () => {
  if (document.hidden) return;
  const note = document.getElementById("lost");
  try {
    const answer = await fetch(location.href);
    if (!answer.ok) throw new Error(answer.status);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.title = page.title;
    document.querySelector("main").replaceChildren(...page.querySelector("main").childNodes);
    note.hidden = true;
  } catch { note.hidden = false; }
}, 2000);
