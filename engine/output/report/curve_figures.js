// Figures of curves over a common axis: weight norms, repeated lines with their spread, training curves.

const CURVE_COLOURS = {
  light: ["#1f4fd8", "#c2410c", "#0f7b4f", "#9b1fa8", "#7a5b00", "#0e7490", "#be123c", "#4b5563"],
  dark: ["#7ea6ff", "#ffa06b", "#5fd3a0", "#e29bff", "#e3c15a", "#67d4ec", "#ff8fa8", "#b7bfca"],
};

function translucent(colour, opacity) {
  const part = at => parseInt(colour.slice(at, at + 2), 16);
  return `rgba(${part(1)},${part(3)},${part(5)},${opacity})`;
}

const CURVE_DASHES = ["solid", "dash", "dot", "dashdot"];

function curveHover(figure, curve) {
  const label = curve.second_axis ? figure.y2_label : figure.y_label;
  return curve.x.map((x, k) => {
    const lines = [curve.name, figure.x_label + " " + shortNumber(x), label + " " + shortNumber(curve.y[k])];
    for (const band of figure.bands) {
      if (band.group !== curve.group || band.second_axis !== curve.second_axis || band.x[k] !== x) continue;
      lines.push((band.name || "band") + " from " + shortNumber(band.low[k]) + " to " + shortNumber(band.high[k]));
    }
    return lines.filter(Boolean).map(plotlyText).join("<br>");
  });
}

function bandTraces(band, colour, drawn) {
  const edge = {type: "scatter", x: band.x, yaxis: band.second_axis ? "y2" : "y", legendgroup: String(band.group), mode: "lines", line: {width: 0},
                hoverinfo: "skip", connectgaps: false};
  return [{...edge, y: band.low.map(drawn), showlegend: false},
          {...edge, y: band.high.map(drawn), fill: "tonexty", fillcolor: translucent(colour, 0.2), name: plotlyText(shortText(band.name, 36)),
           showlegend: band.name !== ""}];
}

function curvesFigure(curves, view, theme) {
  const colourOf = group => CURVE_COLOURS[theme.name][group % CURVE_COLOURS.light.length];
  const drawnOn = one => value => Number.isFinite(value) && !(view.log && !one.second_axis && value <= 0) ? value : null;
  const data = curves.bands.flatMap(band => bandTraces(band, colourOf(band.group), drawnOn(band)));
  for (const curve of curves.curves) {
    const y = curve.y.map(drawnOn(curve));
    data.push({type: "scatter", x: curve.x, y, yaxis: curve.second_axis ? "y2" : "y", legendgroup: String(curve.group), mode: "lines+markers",
               name: plotlyText(shortText(curve.name, 36)), showlegend: curve.name !== "", hovertext: curveHover(curves, curve), hoverinfo: "text",
               connectgaps: false, opacity: curve.faint ? 0.4 : 1,
               marker: !curve.faint && curve.x.length <= 60 ? {size: 5, color: colourOf(curve.group)} : loneMarkers(y),
               line: {color: colourOf(curve.group), width: curve.faint ? 1 : 2.2, dash: CURVE_DASHES[curve.dash % CURVE_DASHES.length]}});
  }
  const axis = title => ({title: {text: plotlyText(shortText(title, 44))}, color: theme.ink, gridcolor: theme.rule, zeroline: false, automargin: true});
  const layout = {
    ...baseLayout(theme), margin: {l: 62, r: curves.y2_label ? 56 : 16, t: 40, b: 92}, hovermode: "closest",
    title: {text: plotlyText(shortText(curves.title, 56)), font: {size: 14, color: theme.ink}, x: 0.02, xanchor: "left"},
    xaxis: axis(curves.x_label), yaxis: {...axis(curves.y_label), type: view.log ? "log" : "linear"},
    yaxis2: {...axis(curves.y2_label), overlaying: "y", side: "right", showgrid: false, visible: curves.curves.some(curve => curve.second_axis)},
    legend: {orientation: "h", yref: "container", y: 0, yanchor: "bottom", x: 0.5, xanchor: "center"}, showlegend: true,
  };
  return {data, layout};
}
