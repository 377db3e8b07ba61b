// Line icons, 20 by 20, drawn in the colour of the text beside them.

const PATHS = {
  jobs: "M3 5h14M3 10h14M3 15h9",
  add: "M10 4v12M4 10h12",
  data: "M4 5c0-1.400 2.700-2.500 6-2.500s6 1.100 6 2.500-2.700 2.500-6 2.500S4 6.400 4 5zM4 5v10c0 1.400 2.700 2.500 6 2.500s6-1.100 6-2.500V5M4 10c0 1.400 2.700 2.500 6 2.500s6-1.100 6-2.500",
  pen: "M4 16l.8-3.600L13.500 3.700a1.700 1.700 0 0 1 2.400 0l.4.4a1.700 1.700 0 0 1 0 2.400L7.600 15.200zM12 5.300l2.800 2.800",
  workers: "M5 5h10v10H5zM8 8h4v4H8zM8 2v3M12 2v3M8 15v3M12 15v3M2 8h3M2 12h3M15 8h3M15 12h3",
  sun: "M10 6.500a3.500 3.500 0 1 0 0 7 3.500 3.500 0 0 0 0-7zM10 1.500v2M10 16.500v2M1.500 10h2M16.500 10h2M4 4l1.400 1.400M14.600 14.600L16 16M4 16l1.400-1.400M14.600 5.400L16 4",
  moon: "M16.500 11.700A7 7 0 0 1 8.300 3.500a7 7 0 1 0 8.200 8.200z",
  auto: "M10 2.500a7.500 7.500 0 1 0 0 15zM10 2.500a7.500 7.500 0 0 1 0 15",
  key: "M12.500 2.500a5 5 0 1 0 0 10 5 5 0 0 0 0-10zM8.700 11L2.500 17.300M5 15l2 2M13.500 6.500h.01",
  book: "M4 3.500h9.500A2.500 2.500 0 0 1 16 6v10.500H6a2 2 0 0 1-2-2zM4 14.500a2 2 0 0 1 2-2h10",
  queued: "M10 2.500a7.500 7.500 0 1 0 0 15 7.500 7.500 0 0 0 0-15zM10 6v4.300l2.700 1.700",
  running: "M6.500 4.500l9 5.500-9 5.500z",
  paused: "M7 4.500v11M13 4.500v11",
  done: "M4 10.500l4 4 8-9",
  failed: "M10 3l8 14H2zM10 8.500v3.500M10 14.500v.01",
  cancelled: "M10 2.500a7.500 7.500 0 1 0 0 15 7.500 7.500 0 0 0 0-15zM5 5l10 10",
  stopping: "M5.500 5.500h9v9h-9z",
  upload: "M10 13V3.500M6 7l4-4 4 4M3.500 13v2.500a1.500 1.500 0 0 0 1.500 1.500h10a1.500 1.500 0 0 0 1.500-1.500V13",
  download: "M10 3.500V13M6 9.500l4 4 4-4M3.500 14v1.500A1.500 1.500 0 0 0 5 17h10a1.500 1.500 0 0 0 1.500-1.500V14",
  compare: "M3 16l4-6 4 3 6-9M3 10l4-3 4 6 6 2",
  search: "M8.500 3a5.500 5.500 0 1 0 0 11 5.500 5.500 0 0 0 0-11zM12.500 12.500L17 17",
  trash: "M4 5.500h12M8 5.500V3.500h4v2M5.500 5.500l.7 11h7.600l.7-11M8.500 8.500v5M11.500 8.500v5",
  image: "M3 4h14v12H3zM3 13l4-4 4 4 2.500-2.500L17 14M12.500 7.500h.01",
  table: "M3 4h14v12H3zM3 8h14M3 12h14M8.500 4v12",
  array: "M7 3H4v14h3M13 3h3v14h-3M8 7h4M8 10h4M8 13h4",
  link: "M8 5.500H4.500v10h10V12M11 4h5v5M16 4l-7 7",
  again: "M16 10a6 6 0 1 1-1.800-4.300M16 3v3.500h-3.500",
  minus: "M4 10h12",
  fit: "M3 7V3h4M13 3h4v4M17 13v4h-4M7 17H3v-4",
  info: "M10 2.500a7.500 7.500 0 1 0 0 15 7.500 7.500 0 0 0 0-15zM10 9v5M10 6.300v.01",
};

const SPACE = "http://www.w3.org/2000/svg";

/** The icon; screen readers pass it over. */
export function icon(name) {
  const svg = document.createElementNS(SPACE, "svg");
  const settings = { viewBox: "0 0 20 20", class: "icon", "aria-hidden": "true", fill: "none", stroke: "currentColor" };
  for (const [key, value] of Object.entries(settings)) svg.setAttribute(key, value);
  const path = document.createElementNS(SPACE, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
