// Figures of curves over a common axis: weight norms, repeated lines with their spread, training curves.

const CURVE_COLOURS = {
  light: ["#1f4fd8", "#c2410c", "#0f7b4f", "#9b1fa8", "#7a5b00", "#0e7490", "#be123c", "#4b5563"],
  dark: ["#7ea6ff", "#ffa06b", "#5fd3a0", "#e29bff", "#e3c15a", "#67d4ec", "#ff8fa8", "#b7bfca"],
};

function translucent(colour, opacity) {
  const part = at => parseInt(colour.slice(at, at + 2), 16);
  return `rgba(${part(1)},${part(3)},${part(5)},${opacity})`;
}

function curveHover(curves, series) {
  const label = series.second_axis ? curves.y2_label : curves.y_label;
  return series.x.map((x, k) => {
    const lines = [series.name, curves.x_label + " " + shortNumber(x), label + " " + shortNumber(series.y[k])];
    if (series.low) lines.push("from " + shortNumber(series.low[k]) + " to " + shortNumber(series.high[k]));
    return lines.map(plotlyText).join("<br>");
  });
}

function curvesFigure(curves, view, theme) {
  const data = [];
  const log = view.log || curves.log_y;
  const drawn = (value, series) => Number.isFinite(value) && !(log && !series.second_axis && value <= 0) ? value : null;
  curves.series.forEach((series, index) => {
    const colour = CURVE_COLOURS[theme.name][index % CURVE_COLOURS.light.length];
    const common = {type: "scatter", x: series.x, legendgroup: String(index), yaxis: series.second_axis ? "y2" : "y", connectgaps: false};
    if (series.low) {
      const edge = {...common, mode: "lines", line: {width: 0}, hoverinfo: "skip", showlegend: false};
      data.push({...edge, y: series.low.map(value => drawn(value, series))},
                {...edge, y: series.high.map(value => drawn(value, series)), fill: "tonexty", fillcolor: translucent(colour, 0.2)});
    }
    const y = series.y.map(value => drawn(value, series));
    data.push({...common, y, mode: "lines+markers", name: plotlyText(shortText(series.name, 36)), hovertext: curveHover(curves, series), hoverinfo: "text",
               marker: series.x.length <= 60 ? {size: 5} : loneMarkers(y), line: {color: colour, width: 2.2, dash: series.second_axis ? "dash" : "solid"}});
  });
  const axis = title => ({title: {text: plotlyText(shortText(title, 44))}, color: theme.ink, gridcolor: theme.rule, zeroline: false, automargin: true});
  const layout = {
    ...baseLayout(theme), margin: {l: 62, r: curves.y2_label ? 56 : 16, t: 40, b: 92}, hovermode: "closest",
    title: {text: plotlyText(shortText(curves.title, 56)), font: {size: 14, color: theme.ink}, x: 0.02, xanchor: "left"},
    xaxis: axis(curves.x_label), yaxis: {...axis(curves.y_label), type: log ? "log" : "linear"},
    yaxis2: {...axis(curves.y2_label), overlaying: "y", side: "right", showgrid: false, visible: curves.series.some(series => series.second_axis)},
    legend: {orientation: "h", yref: "container", y: 0, yanchor: "bottom", x: 0.5, xanchor: "center"}, showlegend: true,
  };
  return {data, layout};
}
