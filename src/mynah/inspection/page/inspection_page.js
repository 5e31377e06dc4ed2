// Rows that look wrong: by kind and by text. Without it the page reads just as well.
for (const form of document.querySelectorAll("[data-rows]")) {
  const cards = [...document.getElementById(form.dataset.rows).children].map((card) => ({
    card,
    text: card.textContent.toLowerCase(),
    kinds: (card.dataset.kinds || "").split(" "),
  }));
  const kind = form.querySelector("select");
  const search = form.querySelector("input");
  const count = form.querySelector("output");
  const filter = () => {
    const wanted = search.value.trim().toLowerCase();
    let shown = 0;
    for (const { card, text, kinds } of cards) {
      card.hidden = !text.includes(wanted) || (kind.value !== "" && !kinds.includes(kind.value));
      shown += !card.hidden;
    }
    count.value = `${shown} of ${cards.length}`;
  };
  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  search.addEventListener("input", filter);
  kind.addEventListener("change", filter);
  filter();
}
