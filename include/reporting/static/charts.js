// Draw each figure beside its data, in the colours of the current theme.
"use strict";
(() => {
  const options = { responsive: true, displayModeBar: false };

  // A figure names colours as CSS variables, which Plotly cannot read: put their values in.
  function coloured(part, style) {
    if (typeof part === "string") {
      const name = /^var\((--[a-z-]+)\)$/.exec(part);
      return name ? style.getPropertyValue(name[1]).trim() : part;
    }
    if (Array.isArray(part)) return part.map((one) => coloured(one, style));
    if (part !== null && typeof part === "object") {
      return Object.fromEntries(Object.entries(part).map(([key, value]) => [key, coloured(value, style)]));
    }
    return part;
  }

  // On a phone the labels would take half of the picture.
  function narrow(layout) {
    layout.xaxis.nticks = 3;
    if (layout.meta) layout.yaxis.ticktext = layout.meta.short_labels;
    if (layout.xaxis.ticktext) {
      layout.xaxis.ticktext = layout.xaxis.ticktext.map((label, index) => (index % 2 ? "" : label));
    }
  }

  function draw() {
    const style = getComputedStyle(document.documentElement);
    for (const place of document.querySelectorAll("[data-figure]")) {
      const data = document.getElementById(place.dataset.figure);
      const figure = coloured(JSON.parse(data.textContent), style);
      figure.layout.font.family = getComputedStyle(document.body).fontFamily;
      if (place.clientWidth < 480) narrow(figure.layout);
      window.Plotly.react(place, figure.data, figure.layout, options);
    }
  }

  draw();
  document.addEventListener("themechange", draw);
})();
