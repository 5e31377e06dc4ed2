// What scrolls sideways on a phone can be scrolled with the keyboard too, and the search has a name.
document.querySelectorAll(".md-search[role=dialog]").forEach((search) => {
  search.setAttribute("aria-label", "Search");
});
const reachable = () => {
  document.querySelectorAll(".md-typeset__scrollwrap, pre > code").forEach((region) => {
    region.setAttribute("tabindex", "0");
  });
};
reachable();
// The theme wraps tables once the page is loaded.
new MutationObserver(reachable).observe(document.querySelector(".md-content"), {
  childList: true,
  subtree: true,
});
