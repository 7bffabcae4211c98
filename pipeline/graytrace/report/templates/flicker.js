(function () {
  "use strict";
  document.documentElement.classList.add("js");

  function Flicker(figure) {
    const images = Array.from(figure.querySelectorAll(".stage img"));
    const buttons = Array.from(figure.querySelectorAll("[data-show]"));
    const play = figure.querySelector("[data-play]");
    let at = 0, timer = null;
    function show(number) {
      at = (number + images.length) % images.length;
      images.forEach((image, index) => image.classList.toggle("on", index === at));
      buttons.forEach((button, index) => button.setAttribute("aria-pressed", String(index === at)));
    }
    function stop() {
      if (!play) return;
      clearInterval(timer);
      timer = null;
      play.setAttribute("aria-pressed", "false");
    }
    function toggle() {
      if (timer) return stop();
      play.setAttribute("aria-pressed", "true");
      show(0);
      timer = setInterval(() => show(at === 0 ? 1 : 0), window.matchMedia("(prefers-reduced-motion: reduce)").matches ? 1500 : 600);
    }
    buttons.forEach((button, index) => button.addEventListener("click", () => { stop(); show(index); }));
    if (play) play.addEventListener("click", toggle);
    figure.querySelector(".stage").addEventListener("keydown", (event) => {
      if (event.key === "ArrowRight") { stop(); show(at + 1); }
      else if (event.key === "ArrowLeft") { stop(); show(at - 1); }
      else if (event.key === " " && play) toggle();
      else return;
      event.preventDefault();
    });
    show(0);
  }
  document.querySelectorAll("[data-flicker]").forEach(Flicker);
})();
