// A place to ask any model that there is.

import { json } from "../api.js";
import { el, fill } from "../dom.js";
import { ago, short } from "../format.js";
import { icon } from "../icons.js";
import { datasetOf, modelOf, result } from "../status.js";
import { tryModel } from "../trying.js";

export async function show(view, { parts, signal }) {
  const { data } = await json("v1/jobs?status=succeeded&limit=50", { signal });
  const wanted = parts[0];
  if (wanted && !data.some((job) => job.id === wanted))
    data.unshift(await json(`v1/jobs/${encodeURIComponent(wanted)}`, { signal }));
  if (!data.length) {
    fill(
      view,
      el("h1", {}, "Try a model"),
      el(
        "div",
        { class: "empty" },
        icon("pen"),
        el("h2", {}, "No model yet"),
        el("p", {}, "Train one first: MNIST takes seconds, and then you can draw digits here."),
        el("a", { class: "button primary", href: "#/new?dataset=mnist-10k" }, icon("add"), "New job"),
      ),
    );
    return "Try";
  }
  const label = (job) =>
    [datasetOf(job), modelOf(job), (result(job) ?? [])[0], short(job.id), ago(job.finished_at)]
      .filter(Boolean)
      .join(" · ");
  const select = el(
    "select",
    { "aria-label": "Model" },
    ...data.map((job) => el("option", { value: job.id, selected: job.id === wanted }, label(job))),
  );
  // Pictures first: a pad is what people come for.
  if (!wanted) select.value = (data.find((job) => datasetOf(job).startsWith("mnist")) ?? data[0]).id;
  const place = el("div");
  let leaving = new AbortController();
  const draw = async () => {
    leaving.abort();
    leaving = new AbortController();
    signal.addEventListener("abort", () => leaving.abort());
    const mine = leaving.signal;
    const job = data.find((one) => one.id === select.value);
    const made = await tryModel(job, mine).catch((error) =>
      error.name === "AbortError" ? null : el("div", { class: "problem", role: "alert" }, error.message),
    );
    if (made && !mine.aborted)
      fill(
        place,
        made,
        el(
          "p",
          { class: "soft small" },
          "The model of ",
          el("a", { href: `#/jobs/${job.id}` }, `job ${short(job.id)}`),
          ".",
        ),
      );
  };
  select.addEventListener("change", () => (history.replaceState(null, "", `#/try/${select.value}`), draw()));
  fill(
    view,
    el("div", { class: "head" }, el("h1", {}, "Try a model")),
    el("div", { class: "model-choice" }, select),
    place,
  );
  await draw();
  return "Try";
}
