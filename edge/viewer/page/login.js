// Login: shows the token to the viewer once; a cookie that scripts cannot read keeps it.

import { words } from "./words.js";

const $ = (id) => document.getElementById(id);

export async function login() {
  const known = await (await fetch("login")).json();
  if (known.known) return;
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  history.replaceState(null, "", location.pathname);
  if (given && (await tell(given))) return;
  await ask();
}

async function tell(token) {
  const answer = await fetch("login", { method: "POST", body: JSON.stringify({ token }) });
  return answer.ok;
}

function ask() {
  const t = words();
  $("token-title").textContent = t.token;
  $("token-enter").textContent = t.enter;
  $("token-dialog").showModal();
  return new Promise((done) => {
    $("token-dialog").oncancel = (event) => event.preventDefault();
    $("token-form").onsubmit = async (event) => {
      event.preventDefault();
      if (await tell($("token").value)) {
        $("token-dialog").close();
        $("token").value = "";
        done();
      } else {
        $("token-wrong").textContent = t.wrong_token;
      }
    };
  });
}
