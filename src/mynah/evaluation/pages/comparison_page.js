// j and k go from utterance to utterance, p plays the one that has the focus.
document.addEventListener("keydown", (event) => {
  if (!["j", "k", "p"].includes(event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
  if (/^(input|select|textarea)$/i.test(event.target.tagName)) return;
  const cards = [...document.querySelectorAll(".utterance:not([hidden])")];
  if (event.key === "p") {
    const player = document.activeElement.closest(".utterance")?.querySelector("audio");
    if (player) player.paused ? player.play() : player.pause();
    return;
  }
  const at = cards.indexOf(document.activeElement.closest(".utterance"));
  const next = cards[event.key === "j" ? at + 1 : Math.max(at - 1, 0)];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
});
