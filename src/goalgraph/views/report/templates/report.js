"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const fold = (open) => all("#steps details").forEach((one) => (one.open = open));
  all(".controls").forEach((one) => (one.hidden = false));
  all("[data-fold]").forEach((one) => one.addEventListener("click", () => fold(one.dataset.fold === "open")));

  const say = (section, found, every, word) => {
    const noun = every === 1 ? word : `${word}s`;
    section.querySelector("output").textContent = found === every ? `${every} ${noun}` : `${found} of ${every} ${noun}`;
  };
  const steps = document.querySelector("#steps");
  const narrow = () => {
    const text = steps.querySelector("[data-filter=text]").value.trim().toLowerCase();
    const status = steps.querySelector("[data-filter=status]").value;
    const rows = all(".row", steps);
    let found = 0;
    for (const row of rows) {
      const fits = row.dataset.text.toLowerCase().includes(text) && (!status || row.dataset.status === status);
      row.hidden = !fits;
      found += fits;
    }
    for (const group of all(".group", steps)) {
      group.hidden = !group.querySelector(".row:not([hidden])");
      if ((text || status) && !group.hidden) group.open = true;
    }
    say(steps, found, rows.length, "step");
  };
  if (steps) all("[data-filter]", steps).forEach((one) => one.addEventListener("input", narrow));

  const decisions = document.querySelector("#decisions");
  decisions?.querySelector("[data-filter]").addEventListener("input", (event) => {
    const rows = all("[data-kind]", decisions);
    for (const row of rows) row.hidden = event.target.value !== "" && row.dataset.kind !== event.target.value;
    say(decisions, rows.filter((row) => !row.hidden).length, rows.length, "decision");
  });

  let shut = [];
  addEventListener("beforeprint", () => {
    shut = all("details:not([open])");
    shut.forEach((one) => (one.open = true));
  });
  addEventListener("afterprint", () => shut.forEach((one) => (one.open = false)));
})();
