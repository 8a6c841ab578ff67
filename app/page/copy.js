for (const button of document.querySelectorAll("button[data-copies]")) {
  const text = document.getElementById(button.dataset.copies);
  button.hidden = false;
  button.addEventListener("click", () => {
    text.focus();
    text.select();
    const done = () => {
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    };
    if (document.execCommand("copy")) done();
    else if (navigator.clipboard) navigator.clipboard.writeText(text.value).then(done, () => {});
  });
}
