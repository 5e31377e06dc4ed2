// j and k go from utterance to utterance.
document.addEventListener("keydown", (event) => {
  if (!["j", "k"].includes(event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
  if (/^(input|select|textarea)$/i.test(event.target.tagName)) return;
  const cards = [...document.querySelectorAll(".utterance:not([hidden])")];
  const at = cards.indexOf(document.activeElement.closest(".utterance"));
  const next = cards[event.key === "j" ? at + 1 : Math.max(at - 1, 0)];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
});
