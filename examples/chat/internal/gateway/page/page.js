// The page of the chat. All that others have written becomes textContent, never HTML.

const $ = (id) => document.getElementById(id);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const post = (path, values) => fetch(path, { method: "POST", body: new URLSearchParams(values) });

const maxLines = 500; // what the page keeps of the conversation

let who; // the name and the room that were asked for
let tab; // the secret of our tab, and its ID, which the room sees
let ours = new Set(); // all IDs that we have had
let events; // the EventSource
let words = 0; // that we have said
let last = new Map(); // the number of the room's latest message, by the server that has counted
let via; // the server that our connection goes to, if there are several
let cut = false;
const queue = []; // words that the gateway has not accepted yet
const waiting = new Map(); // words of ours that the room was not told yet: by number, the line

// ---- joining

async function join() {
  const answer = await post("join", who);
  if (!answer.ok) throw new Error((await answer.text()).trim());
  tab = await answer.json();
  ours.add(tab.id);
  last = new Map();
  cut = false;
  showCut();
  showNodes();
  events = new EventSource("events?" + new URLSearchParams({ tab: tab.tab }));
  events.onmessage = (message) => update(JSON.parse(message.data));
  events.onerror = () => {
    if (events.readyState === EventSource.CLOSED) joinAgain();
    else link("disconnected", "The page has lost its own server, and tries again.");
  };
}

// joinAgain is for a tab that the gateway does not know any more, as after a long sleep.
async function joinAgain() {
  link("disconnected", "This tab was away for too long. It joins anew.");
  doubt();
  for (;;) {
    await sleep(1000);
    try {
      await join();
      notice("This is a new session: what was said meanwhile is missing here.");
      return;
    } catch (refused) {
      link("disconnected", refused.message);
    }
  }
}

$("join").onsubmit = async (submit) => {
  submit.preventDefault();
  who = Object.fromEntries(new FormData(submit.target));
  try {
    await join();
  } catch (refused) {
    $("refused").textContent = refused.message;
    return;
  }
  $("join").hidden = true;
  $("talk").hidden = false;
  $("room").textContent = " #" + who.room;
  $("say").text.focus();
};

// A page that is closed leaves the room at once. One that is shown again, as it was, begins anew.
addEventListener("pagehide", () => tab && navigator.sendBeacon("leave", new URLSearchParams({ tab: tab.tab })));
addEventListener("pageshow", (shown) => shown.persisted && location.reload());

// ---- what we say

$("say").onsubmit = (submit) => {
  submit.preventDefault();
  const field = submit.target.text;
  const text = field.value.trim();
  if (text === "") return;
  const n = ++words;
  waiting.set(n, line($("waiting"), "own", "", who.name, text));
  queue.push({ n, text });
  field.value = "";
  $("scroll").scrollTop = 0; // the end, as the list is laid out from there
  send();
};

// send hands the queue over, in order, one word at a time. A word whose answer was lost is sent again:
// by its number the gateway knows that it has it.
let sending = false;
async function send() {
  if (sending) return;
  sending = true;
  while (queue.length > 0) {
    const word = queue[0];
    try {
      const answer = await post("say", { tab: tab.tab, ...word });
      if (answer.status === 404 || answer.status >= 500) throw new Error("not now");
      if (!answer.ok) {
        notice(await answer.text());
        forget(word.n);
      }
      queue.shift();
    } catch {
      await sleep(1000);
    }
  }
  sending = false;
}

// doubt is for words that were handed over, and about which the room was not told: they may be lost.
function doubt() {
  const unsent = new Set(queue.map((word) => word.n));
  for (const [n, line] of waiting) {
    if (!unsent.has(n)) line.classList.add("lost");
  }
}

function forget(n) {
  waiting.get(n)?.remove();
  waiting.delete(n);
}

$("cut").onclick = async () => {
  const answer = await post(cut ? "mend" : "cut", { tab: tab.tab });
  if (answer.ok) cut = !cut;
  showCut();
};

function showCut() {
  $("cut").disabled = false;
  $("cut").textContent = cut ? "Mend the connection" : "Cut the connection";
}

// ---- the nodes of a cluster

let members = []; // of the room, as we were told last

const shown = new Map(); // by a node's name, what shows it

// showNodes shows the nodes, where there are several, with buttons for each. They are asked for again when
// something has changed, and now and then, as others have the buttons, too.
async function showNodes() {
  const answer = await fetch("servers").catch(() => null);
  if (!answer?.ok) return;
  const nodes = await answer.json();
  $("nodes").hidden = nodes.length === 0;
  const home = members.find((member) => member.name === who.name)?.server;
  for (const { name, up } of nodes) {
    if (!shown.has(name)) shown.set(name, newNode(name));
    const node = shown.get(name);
    node.up = up;
    node.item.classList.toggle("down", !up);
    const marks = [up ? "" : "is down", name === home ? "your session" : "", name === via ? "your connection" : ""];
    node.mark.textContent = marks.filter((text) => text !== "").join(", ");
    node.move.disabled = !up || name === via;
    node.power.textContent = up ? "Kill" : "Start";
  }
}

function newNode(name) {
  const part = (kind, text) => Object.assign(document.createElement(kind), { textContent: text });
  const node = { up: true, item: part("li", ""), mark: part("small", ""), move: part("button", "Move here"), power: part("button", "Kill") };
  node.item.dataset.node = name;
  node.move.className = "move";
  node.move.onclick = () => press(node.move, "move", { to: name });
  node.power.onclick = () => press(node.power, "switch", { server: name, on: !node.up });
  node.item.append(part("b", name), node.mark, node.move, node.power);
  $("nodes").querySelector("ul").append(node.item);
  return node;
}

async function press(button, path, values) {
  button.disabled = true;
  const answer = await post(path, { tab: tab.tab, ...values });
  if (!answer.ok) notice(await answer.text());
  button.disabled = false;
  showNodes();
}

setInterval(() => $("nodes").hidden || document.hidden || showNodes(), 2000);

// ---- what we are told

function update(u) {
  if (u.news) return told(u.news);
  if (u.state !== "missed") via = u.server;
  if (!$("nodes").hidden) showNodes();
  const nth = (u.epoch > 1 ? ` again, by connection ${u.epoch}` : "") + (via ? ` to node ${via}` : "");
  switch (u.state) {
    case "connected":
      if (u.resumed) return link("connected", `Connected${nth}: resumed, nothing is lost.`, u.epoch);
      if (u.lost) doubt();
      if (u.epoch > 1) {
        last = new Map();
        notice("The chat server began a new session with us: what was said meanwhile is missing here.");
      }
      return link("connected", `Connected${nth}` + (u.lost ? `: ${u.lost} of your messages may be lost.` : "."), u.epoch);
    case "disconnected":
      return link("disconnected", `Disconnected: ${u.cause}. What you write waits.`, u.epoch);
    case "closed":
      return link("disconnected", "The session has ended.", u.epoch);
    case "missed":
      return notice(`This page was too slow, and has missed ${u.missed} events.`);
  }
}

const happened = { joined: "joined", left: "left", away: "has lost the connection", back: "is back" };

function told(news) {
  const [id, n] = (news.id ?? "").split("-");
  const own = ours.has(id);
  if (news.kind === "said") {
    if (own) forget(Number(n));
    check(news.server ?? "", news.n);
    line($("said"), own ? "own" : "", `#${news.server ?? ""}${news.n}`, news.name, news.text);
    return;
  }
  if (own) who.name = news.name; // joined: with a number, if it was taken
  showMembers(news.members ?? []);
  notice(`${news.name} ${happened[news.kind]}`);
}

// check sees to it that each message of the room comes once, and in order. A server whose last member has
// left, or that was started anew, begins with 1 again.
function check(server, n) {
  const before = last.get(server);
  if (before && n !== before + 1 && n > 1) notice(`#${server}${n} came behind #${server}${before}!`);
  last.set(server, n);
}

// ---- what is shown

function link(state, text, epoch) {
  $("link").textContent = text;
  $("link").dataset.state = state;
  if (epoch) $("link").dataset.epoch = epoch;
}

function showMembers(now) {
  members = now;
  if (!$("nodes").hidden) showNodes();
  $("members").replaceChildren(...members.map((member) => {
    const item = document.createElement("li");
    item.textContent = member.name;
    if (member.server) item.dataset.server = member.server;
    item.classList.toggle("away", Boolean(member.away));
    item.classList.toggle("own", member.name === who.name);
    return item;
  }));
}

const notice = (text) => line($("said"), "notice", "", "", text);

// line adds a line to a list. The style keeps the end in sight, unless the reader has scrolled up.
function line(list, kind, number, name, text) {
  const item = document.createElement("li");
  item.className = kind;
  for (const [part, value] of Object.entries({ number, name, text })) {
    if (value === "") continue;
    const span = document.createElement("span");
    span.className = part;
    span.textContent = value;
    item.append(span);
  }
  list.append(item);
  while (list.children.length > maxLines) list.firstChild.remove();
  return item;
}
