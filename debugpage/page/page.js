"use strict";
// Once a second: what the page shows is replaced by what it would show now, and the rates are drawn.
// Without this script the page is the same, but stands still.
const remembered = 60; // seconds of a plot
const rates = new Map(); // name → its rates {received, sent}, the latest last
let before;

const sum = (names, key) => names.reduce((n, name) => n + name[key], 0);

// A name that was not there before, and totals that have begun anew, have no rate yet.
function remember(now) {
	const seconds = before ? (new Date(now.time) - new Date(before.time)) / 1000 : 0;
	const here = new Set(now.names.map((n) => n.name));
	for (const name of rates.keys()) if (!here.has(name)) rates.delete(name);
	for (const name of seconds > 0 ? now.names : []) {
		const past = before.names.find((n) => n.name === name.name) || name;
		const rate = (key) => Math.max(0, name[key] - past[key]) / seconds;
		const all = rates.get(name.name) || [];
		all.push({ received: rate("received"), sent: rate("sent") });
		rates.set(name.name, all.slice(-remembered));
	}
	before = now;
}

function line(all, key, most) {
	const polyline = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
	polyline.setAttribute("class", key);
	polyline.setAttribute("points", all.map((r, i) => `${remembered - all.length + i},${25 - (24 * r[key]) / most}`).join(" "));
	return polyline;
}

function draw() {
	const latest = [...rates.values()].map((all) => all.at(-1));
	for (const key of latest.length ? ["received", "sent"] : []) {
		const total = document.querySelector(`[data-rate=${key}]`);
		if (total) total.textContent = Math.round(sum(latest, key)).toLocaleString("en");
		const unit = document.querySelector(`[data-unit=${key}]`);
		if (unit) unit.textContent = key + " a second";
	}
	for (const cell of document.querySelectorAll("[data-plot]")) {
		const all = rates.get(cell.dataset.plot) || [];
		if (!all.length) continue;
		const most = Math.max(1, ...all.map((r) => Math.max(r.received, r.sent)));
		const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
		svg.setAttribute("viewBox", `0 0 ${remembered} 26`);
		svg.setAttribute("preserveAspectRatio", "none");
		svg.append(line(all, "received", most), line(all, "sent", most));
		const { received, sent } = all.at(-1);
		cell.replaceChildren(svg, ` ${Math.round(received).toLocaleString("en")} in, ${Math.round(sent).toLocaleString("en")} out`);
	}
}

// While anything is in use, a selection or what has the focus, all of the page stands still, its clock too.
function replace(page) {
	const parts = [...document.querySelectorAll("[data-live]")];
	if (!getSelection().isCollapsed || parts.some((part) => part.contains(document.activeElement))) return;
	for (const old of parts) {
		const now = page.getElementById(old.id);
		if (now) old.replaceWith(now);
	}
}

async function get(url) {
	const answer = await fetch(url, { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(10_000) });
	if (!answer.ok) throw new Error(answer.status + " " + (await answer.text()));
	return answer;
}

async function look() {
	const page = new DOMParser().parseFromString(await (await get(location.href)).text(), "text/html");
	if (document.getElementById("names")) remember(await (await get("?format=json&limit=1")).json());
	if (!live.checked) return;
	replace(page);
	draw();
}

const live = document.getElementById("live");

async function tick() {
	if (live.checked && !document.hidden) {
		document.body.classList.add("looking");
		try {
			await look();
			document.body.classList.remove("stale");
		} catch (err) {
			document.body.classList.add("stale");
			document.getElementById("clock").textContent = "no answer: " + err.message;
		}
	}
	document.body.classList.remove("looking");
	setTimeout(tick, 1000);
}

live.parentNode.hidden = false;
document.body.classList.add("live");
tick();
