// Tables sorted by a click on a heading, searched by their field; one player at a time.
// Without it the page reads just as well.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const value = (row, column) => {
    const cell = row.cells[column];
    const text = cell.dataset.value ?? cell.textContent.trim();
    const number = Number(text.replaceAll(",", "").replace(/[ %]+$/, ""));
    return text === "" || Number.isNaN(number) ? text.toLowerCase() : number;
  };
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    if (!heading.textContent.trim()) return; // a button needs a name
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const down = heading.ariaSort !== "descending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      heading.ariaSort = down ? "descending" : "ascending";
      const rows = [...body.rows].map((row) => ({ row, key: value(row, column) }));
      rows.sort((a, b) => {
        if (typeof a.key === typeof b.key) {
          const order = a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
          return down ? -order : order;
        }
        return typeof a.key === "number" ? -1 : 1;
      });
      body.append(...rows.map(({ row }) => row));
    });
  });
  const field = table.closest(".searched")?.querySelector(".search");
  if (field) {
    const search = field.querySelector("input");
    field.hidden = false;
    search.addEventListener("input", () => {
      const wanted = search.value.trim().toLowerCase();
      for (const row of body.rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
    });
  }
}
document.addEventListener(
  "play",
  (event) => {
    for (const player of document.querySelectorAll("audio")) {
      if (player !== event.target) player.pause();
    }
  },
  true,
);
