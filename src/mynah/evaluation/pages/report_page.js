// Search and sort utterances. Without it the page reads just as well.
for (const form of document.querySelectorAll("[data-controls]")) {
  const list = document.getElementById(form.dataset.controls + "-utterances");
  const cards = [...list.children].map((card) => ({
    card,
    text: (card.textContent + "\n" + (card.dataset.errors || "")).toLowerCase(),
  }));
  const [search, only] = form.querySelectorAll("input");
  const order = form.querySelector("select");
  const count = form.querySelector("output");

  const filter = () => {
    const wanted = search.value.trim().toLowerCase();
    let shown = 0;
    for (const { card, text } of cards) {
      card.hidden = !text.includes(wanted) || (only.checked && !card.dataset.errors);
      shown += !card.hidden;
    }
    count.value = `${shown} of ${cards.length}`;
  };
  const sort = () => {
    const key = order.value;
    const sign = key === "row" ? 1 : -1;
    const number = ({ card }) => Number(card.dataset[key]);
    const sorted = [...cards].sort((a, b) => sign * (number(a) - number(b)));
    list.append(...sorted.map(({ card }) => card));
  };

  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  search.addEventListener("input", filter);
  only.addEventListener("change", filter);
  order.addEventListener("change", sort);
  for (const button of document.querySelectorAll(`[data-for="${form.dataset.controls}"]`)) {
    button.addEventListener("click", () => {
      search.value = button.dataset.filter;
      filter();
      form.scrollIntoView();
      search.focus({ preventScroll: true });
    });
  }
  filter();
}
