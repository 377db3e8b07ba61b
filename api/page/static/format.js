// Numbers, times and names as people read them.

const language = navigator.language || "en";
const NONE = "–";

export const count = (number) => (number === null || number === undefined ? NONE : number.toLocaleString("en"));

export const percent = (share, digits = 1) =>
  share === null || share === undefined ? NONE : `${(100 * share).toFixed(digits)} %`;

/** A measured number by four digits. */
export function number(value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return NONE;
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e12)) return Number(value.toPrecision(digits)).toExponential();
  return size >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(digits)));
}

const SCALES = [
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
];
/** 12300 as 12.3k. */
export function brief(value) {
  if (value === null || value === undefined) return NONE;
  for (const [scale, letter] of SCALES)
    if (Math.abs(value) >= scale) return `${Number((value / scale).toPrecision(3))}${letter}`;
  return String(Number(value.toPrecision(3)));
}

export function bytes(value) {
  if (value === null || value === undefined) return NONE;
  const units = ["B", "KB", "MB", "GB", "TB"];
  let at = 0;
  while (value >= 1000 && at < units.length - 1) ((value /= 1000), at++);
  return `${at ? Number(value.toPrecision(3)) : value} ${units[at]}`;
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return NONE;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 100) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.floor(minutes / 1440)} days`;
}

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
/** How long ago. */
export function ago(text) {
  if (!text) return NONE;
  const seconds = (Date.now() - Date.parse(text)) / 1000;
  if (seconds < 5) return "just now";
  for (const [unit, size] of [
    ["day", 86400],
    ["hour", 3600],
    ["minute", 60],
    ["second", 1],
  ])
    if (seconds >= size) return relative.format(-Math.floor(seconds / size), unit);
  return "just now";
}

/** An instant of the reader's own clock. */
export const instant = (text) =>
  text ? new Date(text).toLocaleString(language, { dateStyle: "medium", timeStyle: "short" }) : NONE;

export const clock = (text) => new Date(text).toLocaleTimeString(language, { hour12: false });

export const secondsUntil = (text) => (text ? Math.max(0, (Date.parse(text) - Date.now()) / 1000) : null);

export const secondsBetween = (from, until) =>
  from ? ((until ? Date.parse(until) : Date.now()) - Date.parse(from)) / 1000 : null;

/** A name of the API's as words. */
export const words = (name) => (name ?? "").replaceAll("_", " ");

/** As much of a job's id as tells it from others of the day. */
export const short = (id) => id.replace(/^job_/, "").slice(-8);

export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

/** The fields of nested objects, by dotted names. */
export function flattened(value, prefix = "", into = new Map()) {
  for (const [name, inner] of Object.entries(value ?? {})) {
    const path = prefix ? `${prefix}.${name}` : name;
    if (inner !== null && typeof inner === "object" && !Array.isArray(inner)) flattened(inner, path, into);
    else into.set(path, inner);
  }
  return into;
}
