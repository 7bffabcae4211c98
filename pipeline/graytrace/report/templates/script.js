(function () {
  "use strict";
  document.documentElement.classList.add("js");
  const table = document.getElementById("overview");
  const body = table.tBodies[0];
  const cards = document.getElementById("cards");
  const headings = Array.from(table.tHead.rows[0].cells);

  function compare(a, b) {
    const x = a === "" ? NaN : Number(a), y = b === "" ? NaN : Number(b);
    if (!Number.isNaN(x) && !Number.isNaN(y)) return x - y;
    return a.localeCompare(b, "en", { numeric: true });
  }

  // rows without a value stay at the end, whichever way is sorted
  function sort(column, direction) {
    const rows = Array.from(body.rows);
    const value = (row) => row.cells[column].dataset.value;
    rows.sort((a, b) => {
      const empty = (value(a) === "") - (value(b) === "");
      return empty || direction * compare(value(a), value(b));
    });
    for (const row of rows) {
      body.append(row);
      cards.append(document.getElementById(row.dataset.card));
    }
    headings.forEach((cell, number) => {
      cell.setAttribute("aria-sort", number !== column ? "none" : direction > 0 ? "ascending" : "descending");
    });
  }

  headings.forEach((cell, column) => {
    cell.querySelector("button").addEventListener("click", () => {
      sort(column, cell.getAttribute("aria-sort") === "ascending" ? -1 : 1);
    });
  });

  const filter = document.getElementById("filter");
  const find = document.getElementById("find");
  function select() {
    const text = find.value.trim().toLowerCase();
    let shown = 0;
    for (const row of body.rows) {
      const card = document.getElementById(row.dataset.card);
      const matches = (!filter.value || row.dataset.status === filter.value) && (!text || row.textContent.toLowerCase().includes(text));
      row.hidden = card.hidden = !matches;
      shown += matches;
    }
    document.getElementById("shown").textContent = shown === body.rows.length ? "" : shown + " of " + body.rows.length;
  }
  filter.addEventListener("change", select);
  find.addEventListener("input", select);

  function open() {
    const card = location.hash && document.getElementById(location.hash.slice(1));
    if (card && card.classList.contains("card")) { card.open = true; card.scrollIntoView(); }
  }
  window.addEventListener("hashchange", open);
  window.addEventListener("beforeprint", () => {
    document.querySelectorAll("details.card:not([hidden]), details.card:not([hidden]) details").forEach((card) => { card.open = true; });
  });
  open();
})();
