"use strict";
// Before anything is drawn: the colours that were chosen here, or else those of the system.
{
  const chosen = localStorage.getItem("gradientd.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
}
