// Words: the one table of texts, in the language of the browser, or the one that was chosen on the page.

const KEY = "sonoedge-language";
let table = null;
export let language = "en";

export async function loadWords() {
  table = await (await fetch("texts.json")).json();
  const wanted = localStorage.getItem(KEY) || (navigator.language.startsWith("zh") ? "zh" : "en");
  setLanguage(wanted in table ? wanted : "en");
}

export function words() { return table[language]; }

export function setLanguage(chosen) {
  language = chosen;
  document.documentElement.lang = chosen === "zh" ? "zh-CN" : "en";
}

export function otherLanguage() {
  setLanguage(language === "en" ? "zh" : "en");
  localStorage.setItem(KEY, language);
}
