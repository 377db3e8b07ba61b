"use strict";
// Draws a model card from the JSON that is in the page. Texts of users become text nodes, never markup.

const card = JSON.parse(document.getElementById("data").textContent);
const main = document.getElementById("card");
const { evaluation, spec, curve } = card;
const { classification, regression, dataset } = evaluation;
const MOST_LABELS = 40; // of an axis
const colours = Object.fromEntries(
  ["ink", "soft", "line", "train", "val", "bad", "good", "low", "high"].map((name) => [
    name,
    getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim(),
  ]),
);

// --- elements -----------------------------------------------------------------------------------

function el(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function section(title, ...children) {
  main.append(el("section", {}, el("h2", { textContent: title }), ...children));
}

/** Names beside each other, of which none turns the direction of the others. */
function listed(names) {
  if (!names?.length) return null;
  return el("span", {}, ...names.flatMap((name, n) => [n ? ", " : "", el("bdi", { textContent: name })]));
}

/** `columns` are [heading, isNumber]; a cell is a text, a number or an element. */
function table(columns, rows) {
  const kind = (n) => (columns[n][1] ? "number" : "");
  const headings = columns.map(([heading], n) => el("th", { textContent: heading, className: kind(n) }));
  const head = columns.some(([heading]) => heading) ? [el("thead", {}, el("tr", {}, ...headings))] : [];
  const body = rows.map((row) => el("tr", {}, ...row.map((cell, n) => el("td", { className: kind(n) }, cell ?? "–"))));
  return el("div", { className: "scroll" }, el("table", {}, ...head, el("tbody", {}, ...body)));
}

function facts(entries) {
  return table([["", false], ["", false]], entries.filter(([, value]) => value !== null && value !== undefined));
}

// --- numbers and words --------------------------------------------------------------------------

const percent = (share) => (share === null || share === undefined ? "–" : `${(100 * share).toFixed(1)} %`);
const count = (number) => number.toLocaleString("en");
const when = (text) => (text ? new Date(text).toISOString().replace("T", " ").slice(0, 16) + " UTC" : null);

function number(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-3 || size >= 1e6) ? value.toExponential(3) : String(Number(value.toPrecision(5)));
}

/** A value as it is: it may be the number of a customer. Numbers never break over lines. */
function exact(value) {
  return el("span", { className: "whole", textContent: String(value) });
}

function cell(value) {
  if (value === null) return "(missing)";
  return typeof value === "number" ? exact(value) : String(value);
}

/** A text for Plotly, which takes some tags and entities for markup. */
const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
const brief = (text, most = 24) => {
  const letters = Array.from(text); // a letter may be two units
  return plain(letters.length > most ? `${letters.slice(0, most - 1).join("")}…` : text);
};

// --- plots --------------------------------------------------------------------------------------

function plot(traces, layout = {}, className = "plot") {
  const place = el("div", { className });
  const axis = { gridcolor: colours.line, zerolinecolor: colours.line, linecolor: colours.line, automargin: true };
  const whole = {
    margin: { l: 50, r: 12, t: 34, b: 44 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 12.5, color: colours.ink },
    legend: { orientation: "h", x: 0, y: 1.14 },
    hovermode: "closest",
    ...layout,
    xaxis: { ...axis, ...layout.xaxis },
    yaxis: { ...axis, ...layout.yaxis },
  };
  // Once it has its place in the page, and so a width.
  queueMicrotask(() => Plotly.newPlot(place, traces, whole, { responsive: true, displaylogo: false, displayModeBar: false }));
  return place;
}

function line(x, y, name, color, more = {}) {
  const mode = x.length > 40 ? "lines" : "lines+markers";
  return { x, y, name, mode, line: { color, width: 2 }, marker: { size: 5 }, ...more };
}

function curves() {
  const scores = classification ? ["accuracy"] : ["rmse", "mae"];
  const kinds = ["loss", scores[0]].filter((name) => curve.series[name]?.some((value) => value !== null));
  const plots = kinds.map((name) =>
    plot(
      [
        line(curve.epochs, curve.series[name], "training", colours.train),
        line(curve.epochs, curve.series[`val_${name}`], "validation", colours.val),
      ],
      { xaxis: { title: { text: "epoch" } }, yaxis: { title: { text: name } } },
    ),
  );
  if (plots.length) section("Curves", el("div", { className: "pair" }, ...plots));
}

function confusions() {
  const matrix = classification.confusion_matrix;
  const names = classification.classes.map((scores) => scores.name);
  const parts = [];
  if (matrix) {
    const shares = matrix.map((row) => {
      const all = row.reduce((sum, of) => sum + of, 0);
      return row.map((of) => (all ? of / all : 0));
    });
    // By number, so that two names that look the same stay two.
    const places = names.map((_, n) => n);
    const labels = names.length <= MOST_LABELS ? { tickvals: places, ticktext: names.map((name) => brief(name)) } : { showticklabels: false };
    const ticks = { ...labels, showgrid: false, zeroline: false };
    const slanted = names.some((name) => name.length > 6) ? { tickangle: -45 } : {};
    const words = matrix.map((row, a) => row.map((of, p) => `${plain(names[a])} predicted as ${plain(names[p])}: ${count(of)}`));
    parts.push(
      plot(
        [
          {
            type: "heatmap",
            x: places,
            y: places,
            z: shares,
            hovertext: words,
            hoverinfo: "text",
            text: names.length <= 20 ? matrix.map((row) => row.map((of) => (of ? String(of) : ""))) : undefined,
            texttemplate: names.length <= 20 ? "%{text}" : undefined,
            colorscale: [[0, colours.low], [1, colours.high]],
            zmin: 0,
            zmax: 1,
            showscale: false,
          },
        ],
        {
          xaxis: { ...ticks, ...slanted, title: { text: "predicted" } },
          yaxis: { ...ticks, title: { text: "actual", standoff: 14 }, autorange: "reversed" },
        },
        "plot square",
      ),
    );
  }
  const rows = classification.confusions.map((it) => [it.actual, it.predicted, count(it.count)]);
  if (rows.length) parts.push(el("div", {}, el("h3", { textContent: "Confused most often" }), table([["actual"], ["predicted"], ["examples", true]], rows)));
  if (!rows.length) parts.push(el("p", { textContent: "All test examples are predicted right." }));
  section("Confusion matrix", el("div", { className: "pair" }, ...parts));
}

function perClass() {
  const columns = [["class"], ["examples", true], ["precision", true], ["recall", true], ["F1", true]];
  const rows = classification.classes.map((of) => [of.name, count(of.examples), percent(of.precision), percent(of.recall), percent(of.f1)]);
  section("Classes", table(columns, rows));
}

function calibration() {
  const { bins, expected_error: error } = classification.calibration;
  const there = bins.filter((bin) => bin.examples);
  const diagonal = line([0, 1], [0, 1], "ideal", colours.train, { mode: "lines", line: { color: colours.train, dash: "dot" }, hoverinfo: "skip" });
  const measured = line(there.map((bin) => bin.probability), there.map((bin) => bin.accuracy), "measured", colours.val, {
    mode: "lines+markers",
    line: { color: colours.val, width: 1 },
    // By area, as a bin with one example says next to nothing.
    marker: { size: there.map((bin) => 5 + 22 * Math.sqrt(bin.examples / evaluation.test_examples)) },
    hovertext: there.map((bin) => `${count(bin.examples)} examples predicted with ${percent(bin.probability)}: ${percent(bin.accuracy)} right`),
    hoverinfo: "text",
  });
  const bars = {
    type: "bar",
    x: bins.map((bin) => (bin.low + bin.high) / 2),
    y: bins.map((bin) => bin.examples),
    width: 0.9 / bins.length,
    marker: { color: colours.val },
    hovertemplate: "%{y} examples<extra></extra>",
  };
  section(
    "Calibration",
    el("p", { textContent: `A probability is off by ${percent(error)} on average (expected calibration error): of what is predicted with 80 %, about 80 % should be right. The larger a dot, the more examples it stands for.` }),
    el(
      "div",
      { className: "pair" },
      plot([diagonal, measured], { xaxis: { title: { text: "probability" }, range: [0, 1.02] }, yaxis: { title: { text: "right" }, range: [0, 1.02] } }),
      plot([bars], { xaxis: { title: { text: "probability" }, range: [0, 1.02] }, yaxis: { title: { text: "examples" } } }),
    ),
  );
}

function residuals() {
  const { targets } = regression;
  const columns = [["target"], ["MAE", true], ["RMSE", true], ["R²", true], ["mean error", true], ["error, 5 %", true], ["95 %", true]];
  const rows = targets.map((of) => [
    of.name,
    ...[of.mae, of.rmse, of.r2, of.mean_error, of.quantiles["0.05"], of.quantiles["0.95"]].map(number),
  ]);
  const plots = el("div", { className: "pair" });
  const show = (of) => {
    const { actual, predicted } = of.points;
    const ends = [Math.min(...actual, ...predicted), Math.max(...actual, ...predicted)];
    const dots = (x, y) => ({ type: "scatter", mode: "markers", x, y, name: "test examples", marker: { color: colours.val, size: 5, opacity: 0.6 } });
    const guide = (y) => line(ends, y, "ideal", colours.train, { mode: "lines", line: { color: colours.train, dash: "dot" }, hoverinfo: "skip" });
    const { edges, counts } = of.histogram;
    const bars = {
      type: "bar",
      x: counts.map((_, n) => (edges[n] + edges[n + 1]) / 2),
      y: counts,
      width: edges[1] - edges[0],
      marker: { color: colours.val },
    };
    const told = { title: { text: "predicted" } };
    plots.replaceChildren(
      plot([guide(ends), dots(actual, predicted)], { xaxis: { title: { text: `actual ${brief(of.name)}` } }, yaxis: told, showlegend: false }),
      plot([guide([0, 0]), dots(predicted, predicted.map((value, n) => value - actual[n]))], {
        xaxis: told,
        yaxis: { title: { text: "residual" } },
        showlegend: false,
      }),
      plot([bars], { xaxis: { title: { text: "residual (predicted − actual)" } }, yaxis: { title: { text: "examples" } } }),
    );
  };
  const choice = el("select", { ariaLabel: "target" }, ...targets.map((of, n) => el("option", { value: n, textContent: of.name })));
  choice.onchange = () => show(targets[choice.value]);
  section("Residuals", table(columns, rows), el("h3", {}, targets.length > 1 ? choice : targets[0].name), plots);
  show(targets[0]);
}

// --- what is wrong most ---------------------------------------------------------------------------

function place(it) {
  return it.example.source ?? `test example ${count(it.index)}`;
}

function verdict(it) {
  const name = (textContent, className = "") => el("bdi", { textContent, className });
  if (!classification) return [name(it.target), ": ", name(String(it.predicted), "wrong whole"), " for ", exact(it.actual)];
  return [name(it.predicted, "wrong"), ` (${percent(it.probability)}), is `, name(it.actual)];
}

function worst() {
  const { worst: wrong } = classification ?? regression;
  if (!wrong.length) return;
  const explained = classification
    ? "Wrong test examples, those first whose own class was given the least probability."
    : "Test examples with the largest errors, in deviations of their target.";
  const body = wrong[0].example.picture ? pictures(wrong) : wrong[0].example.row ? rowsOf(wrong) : valuesOf(wrong);
  section("Worst mistakes", el("p", { className: "soft", textContent: explained }), body);
}

function pictures(wrong) {
  const tiles = wrong.map((it) =>
    el(
      "figure",
      {},
      el("img", { src: `data:image/png;base64,${it.example.picture}`, alt: place(it) }),
      el("figcaption", {}, ...verdict(it), el("div", { className: "soft", textContent: place(it) })),
    ),
  );
  return el("div", { className: "grid" }, ...tiles);
}

function rowsOf(wrong) {
  const there = Object.keys(wrong[0].example.row);
  const columns = (dataset.features.columns ?? []).map((column) => column.name).filter((name) => there.includes(name));
  const names = columns.length ? columns : there;
  const rows = wrong.map((it) => [el("span", {}, ...verdict(it)), place(it), ...names.map((name) => cell(it.example.row[name]))]);
  return table([["predicted"], ["where"], ...names.map((name) => [name])], rows);
}

function valuesOf(wrong) {
  const rows = wrong.map((it) => [el("span", {}, ...verdict(it)), place(it), (it.example.values ?? []).join(", ")]);
  return table([["predicted"], ["where"], ["values"]], rows);
}

// --- data, spec, environment ----------------------------------------------------------------------

function data() {
  const report = dataset.report;
  const seen = report
    ? [
        ["left out for their faults", count(report.skipped)],
        ["duplicates", count(report.duplicates)],
        ["test examples that are also training examples", count(report.train_test_duplicates)],
        ["the same as one of another class", count(report.class_conflicts)],
        ["constant columns", listed(report.constant_columns)],
        ["columns with a value of its own in each row", listed(report.unique_columns)],
        ["sizes of the pictures", report.sizes?.map((it) => `${it.height} × ${it.width} (${count(it.count)})`).join(", ") || null],
      ]
    : [];
  const parts = [
    facts([
      ["dataset", dataset.id],
      ["", dataset.description || null],
      ["an example", `${dataset.kind}, ${dataset.features.shape.join(" × ")}, ${dataset.features.dtype}`],
      ["training, validation, test", [dataset.train_examples, dataset.validation_examples, dataset.test_examples].map(count).join(", ")],
      ["held out of training for validation", spec.validation_split ? percent(spec.validation_split) : null],
      ["SHA-256 of the upload", dataset.sha256],
      ["uploaded", when(dataset.created_at)],
      ...seen,
    ]),
  ];
  // Not in the order of the object, which puts names that are numbers first.
  const counts = dataset.class_counts ? dataset.classes.map((name) => [name, dataset.class_counts[name] ?? 0]) : [];
  if (counts.length > 1) {
    const names = counts.map(([name]) => brief(name));
    const bars = { type: "bar", x: counts.map((_, n) => n), y: counts.map(([, of]) => of), hovertext: counts.map(([name, of]) => `${plain(name)}: ${count(of)}`), hoverinfo: "text", marker: { color: colours.val } };
    const ticks = counts.length <= MOST_LABELS ? { tickvals: counts.map((_, n) => n), ticktext: names } : { showticklabels: false };
    parts.push(el("h3", { textContent: "Examples of each class" }), plot([bars], { xaxis: ticks, yaxis: { title: { text: "examples" } } }));
  }
  const columns = dataset.features.columns ?? [];
  if (columns.length) {
    const told = (of) => {
      if (of.kind === "numeric") return `mean ${number(of.mean)}, deviation ${number(of.std)}`;
      if (of.kind === "categorical") return `${count(of.categories.length)} texts`;
      return of.reason.replace(/_/g, " ");
    };
    const rows = columns.map((of) => [of.name, of.kind.replace(/_/g, " "), told(of), of.missing ? "yes" : ""]);
    parts.push(el("h3", { textContent: "Columns" }), table([["column"], ["kind"], ["values of training rows"], ["missing ones"]], rows));
  }
  if (report?.faults?.length) {
    const rows = report.faults.slice(0, 100).map((it) => [it.file ?? it.column, it.row ?? it.line, it.found, it.wanted]);
    parts.push(el("h3", { textContent: `Faults (${count(report.faults_total)})` }), table([["where"], ["row", true], ["found"], ["wanted"]], rows));
  }
  section("Data", ...parts);
}

function settings() {
  const rows = card.choices.map((it) => [it.field, JSON.stringify(it.value), it.reason]);
  section(
    "Spec",
    ...(rows.length ? [el("h3", { textContent: "Chosen for this data" }), table([["field"], ["value"], ["because"]], rows)] : []),
    el("h3", { textContent: "All of it" }),
    el("div", { className: "scroll" }, el("pre", { textContent: JSON.stringify(spec, null, 2) })),
  );
}

function environment() {
  const { run } = card;
  section(
    "Environment",
    facts([
      ["device", run ? `${run.device_name} (${run.device})` : null],
      ["threads", run?.threads],
      ["execution", run?.execution],
      ["trained values", run ? count(run.parameters) : null],
      ["values not trained", run?.non_trainable_parameters ? count(run.non_trainable_parameters) : null],
      ["software", Object.entries(evaluation.software).map(([name, version]) => `${name} ${version}`).join(", ")],
      ["accepted", when(card.created_at)],
      ["begun", when(card.started_at)],
      ["finished", when(card.finished_at)],
      ["attempts", card.attempt],
    ]),
  );
}

function head() {
  const { metrics } = card;
  const title = `${dataset.id}: ${classification ? `${classification.classes.length} classes` : regression.targets.map((of) => of.name).slice(0, 5).join(", ")}`;
  document.title = `Model card · ${title}`;
  const mean = regression?.targets.length > 1 ? `, mean of ${regression.targets.length} targets` : "";
  const tested = `on ${count(evaluation.test_examples)} test examples`;
  const figures = classification
    ? [
        [percent(metrics.test_accuracy), `accuracy ${tested}`],
        [`${(100 * classification.accuracy_interval.low).toFixed(1)} – ${percent(classification.accuracy_interval.high)}`, "where it may lie (95 %)"],
        [percent(metrics.test_f1), "F1, mean of the classes"],
        [number(metrics.test_loss), "loss"],
      ]
    : [
        [number(metrics.test_rmse), `RMSE${mean}${mean && ","} ${tested}`],
        [number(metrics.test_mae), `MAE${mean}`],
        [number(metrics.test_r2), `R²${mean}`],
        [number(metrics.test_loss), "loss"],
      ];
  main.replaceChildren(
    el("h1", { textContent: title }),
    el("p", { className: "soft", textContent: `${spec.model.type} · ${card.job_id} · ${when(card.finished_at)}` }),
    el("div", { className: "figures" }, ...figures.map(([value, label]) => el("div", { className: "figure" }, el("b", { textContent: value }), el("span", { textContent: label })))),
  );
  const labels = Object.entries(spec.metadata ?? {});
  if (labels.length) section("Labels", facts(labels));
}

head();
curves();
if (classification) {
  confusions();
  perClass();
  calibration();
} else {
  residuals();
}
worst();
data();
settings();
environment();
