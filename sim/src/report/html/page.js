// Hover only: a cross-hair through all panels of the timeline, and the values under it, read from the table behind them.
// Without this script everything is still there.
(() => {
  const timeline = document.querySelector("#timeline .timeline");
  const rows = [...document.querySelectorAll("#timeline details tbody tr")].map(row => [...row.children].map(c => c.textContent));
  const heads = [...document.querySelectorAll("#timeline details thead th")].map(c => c.textContent);
  if (!timeline || !rows.length) return;
  const plots = [...timeline.querySelectorAll(".plot")];
  const hairs = plots.map(plot => {
    const hair = document.createElement("div");
    hair.className = "xh";
    plot.append(hair);
    return hair;
  });
  const outputs = plots.map(plot => plot.closest("figure").querySelector("output"));
  const clear = () => {
    hairs.forEach(hair => (hair.style.display = "none"));
    outputs.forEach(output => output && (output.textContent = ""));
  };
  timeline.addEventListener("pointerleave", clear);
  timeline.addEventListener("pointermove", event => {
    const box = plots[0].getBoundingClientRect();
    const share = (event.clientX - box.left) / box.width;
    if (share < 0 || share >= 1) return clear();
    const row = rows[Math.min(rows.length - 1, Math.floor(share * rows.length))];
    hairs.forEach(hair => Object.assign(hair.style, { display: "block", left: `${100 * share}%` }));
    plots.forEach((plot, i) => {
      const columns = (plot.dataset.columns || "").split(" ").filter(Boolean).map(Number);
      if (outputs[i]) outputs[i].textContent = columns.length ? `${row[0]} s: ` + columns.map(c => `${heads[c]} ${row[c]}`).join(", ") : "";
    });
  });
})();
