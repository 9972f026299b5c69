"use strict";
const story = JSON.parse(document.getElementById("story").textContent);
const { marks, steps, times } = story;
const $ = id => document.getElementById(id);
const figure = document.querySelector("figure"), picture = figure.querySelector("svg");

// What is drawn: marks by their number, lines with what they carry, and points at which lines meet.

const classes = (group, prefix) =>
  [...group.classList].filter(name => name.startsWith(prefix)).map(name => name.slice(prefix.length));
const nodes = [...picture.querySelectorAll("g.node")];
const points = [];
for (const group of nodes) {
  const id = /^n(\d+)/.exec(group.id);
  if (id && id[1] in marks) group.dataset.mark = id[1];
  else if (!/^i\d/.test(group.id)) points.push(group);
}
const lines = [...picture.querySelectorAll("g.edge")].map(group => ({
  group, back: group.classList.contains("bwd"),
  from: classes(group, "from-n").filter(id => id in marks), to: classes(group, "to-n").find(id => id in marks),
  ends: (group.dataset.name || "").split("->").map(end => end.replace(/:.*/, "")),
}));
const touching = new Map(points.map(group => [group, lines.filter(line => line.ends.includes(group.dataset.name))]));

// The story: from which step on a mark is known, its gradient is whole, and it has sent gradients back.

const known = new Map(Object.keys(marks).filter(id => marks[id].stored).map(id => [id, 0]));
const whole = new Map(), sent = new Map();
steps.forEach((step, at) => {
  if (step.phase === "forward") known.set(String(step.mark), at);
  if (step.phase === "backward") sent.set(String(step.mark), at);
  for (const id of step.whole || []) whole.set(String(id), at);
});
const has = (when, id) => when.get(id) <= place;  // false of what is in no step
const isBack = step => step.phase === "seed" || step.phase === "backward";
const turn = steps.findIndex(isBack);

// One step.

let place = 0, timer = null;

function show(wanted, look = true) {
  place = Math.max(0, Math.min(steps.length - 1, wanted || 0));
  const step = steps[place], current = String(step.mark), back = isBack(step);
  document.body.classList.toggle("back", back);
  for (const group of nodes) {
    const id = group.dataset.mark;
    if (id === undefined) continue;
    group.classList.toggle("waits", !has(known, id));
    group.classList.toggle("now", id === current);
    group.querySelector(`[id^="a_v_"]`)?.classList.toggle("unknown", !has(known, id));
    group.querySelector(`[id^="a_g_"]`)?.classList.toggle("unknown", !has(whole, id));
  }
  const read = new Set((step.shares ? step.shares.map(([id]) => id) : step.numbers || []).map(String));
  const hasBack = lines.some(line => line.back);
  for (const line of lines) {
    const waits = line.back ? !has(sent, line.to)
      : !line.from.every(id => has(known, id)) || (line.to !== undefined && !has(known, line.to));
    const touched = line.from.some(id => read.has(id)) && (line.to === current || line.to === undefined);
    line.waits = waits;
    line.group.classList.toggle("waits", waits);
    line.group.classList.toggle("flows", step.mark !== undefined && touched && (back && hasBack ? line.back : !line.back));
  }
  for (const [group, around] of touching)
    group.classList.toggle("waits", around.length > 0 && around.every(line => line.waits));
  tell(step, back);
  $("place").value = place;
  history.replaceState(null, "", "#" + place);
  if (look && step.mark !== undefined) bringIntoView(current);
}

function bringIntoView(id) {
  const group = nodes.find(node => node.dataset.mark === id);
  if (!group || figure.scrollWidth <= figure.clientWidth && figure.scrollHeight <= figure.clientHeight) return;
  const box = group.getBoundingClientRect(), frame = figure.getBoundingClientRect(), margin = 60;
  if (box.left < frame.left + margin || box.right > frame.right - margin)
    figure.scrollLeft += box.left + box.width / 2 - frame.left - frame.width / 2;
  if (box.top < frame.top || box.bottom > frame.bottom)
    figure.scrollTop += box.top + box.height / 2 - frame.top - frame.height / 2;
}

// What is told of it.

function mathematics(element, texts) {
  element.replaceChildren(...texts.map((text, index) => {
    const part = document.createElement(index % 2 ? "sub" : "span");
    part.textContent = text;
    return part;
  }));
  return element;
}

const make = (tag, name, ...children) => {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.append(...children);
  return element;
};

function table(name, table, made) {
  const label = mathematics(make("div", "name"), name);
  if (table.size) label.append("  " + table.size);
  const rows = table.rows.map(row => make("tr", "", ...row.map(text => make("td", "", text))));
  return make("div", made ? "made" : "", label, make("table", "", ...rows));
}

const del = (name, before = "∂") => [before + name[0], ...name.slice(1)];

function tell(step, back) {
  const words = { start: "start", forward: "forward", seed: "backward", backward: "backward" };
  $("phase").textContent = `${words[step.phase]}  ${place + 1} / ${steps.length}`;
  $("equations").replaceChildren(...(step.equations || []).map(line => mathematics(make("div"), line)));
  $("text").textContent = step.text || "";
  const mark = marks[step.mark];
  $("letters").replaceChildren(...(mark && !back ? mark.letters : []).map(line => mathematics(make("div"), line)));
  $("facts").textContent = mark ? mark.facts : "";
  $("line").textContent = mark ? mark.line : "";
  const numbers = [];
  const add = (name, value, made) => { if (value) numbers.push(table(name, value, made)); };
  if (back) {
    add(del(mark.name), mark.grad, step.phase === "seed");
    for (const [id, share] of step.shares || []) {
      const { name, grad } = marks[id], last = (step.whole || []).includes(id);
      if (!last || JSON.stringify(share) !== JSON.stringify(grad)) add(del(name, "part of ∂"), share, true);
      if (last) add(del(name), grad, true);
    }
  } else {
    for (const id of step.numbers || []) add(marks[id].name, marks[id].value, false);
    if (mark) add(mark.name, mark.value, true);
  }
  $("numbers").replaceChildren(...numbers);
  for (const button of $("times").children)
    button.toggleAttribute("aria-current", mark !== undefined && mark.time === Number(button.dataset.time));
  $("turn").textContent = back ? "forward" : "backward";
}

function lookAt(id) {  // at what is stored, and has no step of its own
  const mark = marks[id];
  $("equations").replaceChildren(mathematics(make("div"), mark.name));
  $("letters").replaceChildren();
  $("text").textContent = "Stored before anything is computed.";
  $("facts").textContent = mark.facts;
  $("line").textContent = mark.line;
  const tables = [[mark.name, mark.value], [del(mark.name), has(whole, id) ? mark.grad : null]];
  $("numbers").replaceChildren(...tables.filter(([, value]) => value).map(([name, value]) => table(name, value, true)));
}

// How one goes on.

const find = (wanted, back) => steps.findIndex(step => step.mark !== undefined && isBack(step) === back && wanted(step));
const go = at => { if (at >= 0) show(at); };

function play() {
  if (timer) { clearInterval(timer); timer = null; }
  else {
    if (place === steps.length - 1) show(0);
    timer = setInterval(() => place < steps.length - 1 ? show(place + 1) : play(), 900);
  }
  $("play").textContent = timer ? "pause" : "play";
}

function otherTime(by) {
  const back = isBack(steps[place]), now = steps[place].mark === undefined ? null : marks[steps[place].mark].time;
  const at = now === null ? (by > 0 ? 0 : -1) : times.indexOf(now) + by;
  if (at >= 0 && at < times.length) go(find(step => marks[step.mark].time === times[at], back));
}

$("first").onclick = () => show(0);
$("previous").onclick = () => show(place - 1);
$("next").onclick = () => show(place + 1);
$("play").onclick = play;
$("turn").onclick = () => show(isBack(steps[place]) ? 0 : turn);
$("turn").hidden = turn < 0;
$("fit").onclick = () => fit($("fit").textContent === "fit");
$("place").max = steps.length - 1;
$("place").oninput = event => show(Number(event.target.value));
if (times.length > 1)
  for (const time of times) {
    const button = make("button", "", `t=${time}`);
    button.dataset.time = time;
    button.onclick = () => go(find(step => marks[step.mark].time === time, isBack(steps[place])));
    $("times").append(button);
  }
addEventListener("keydown", event => {
  if (event.target.tagName === "INPUT" || event.ctrlKey || event.metaKey || event.altKey) return;
  const actions = {
    ArrowRight: () => show(place + 1), ArrowLeft: () => show(place - 1), Home: () => show(0),
    End: () => show(steps.length - 1), ArrowDown: () => otherTime(1), ArrowUp: () => otherTime(-1),
  };
  if (event.key === " " && event.target.tagName !== "BUTTON") actions[" "] = play;
  if (event.key in actions) { actions[event.key](); event.preventDefault(); }
});
for (const group of nodes)
  if (group.dataset.mark !== undefined)
    group.addEventListener("click", () => {
      const id = group.dataset.mark;
      if (marks[id].stored) lookAt(id);
      else {
        const back = isBack(steps[place]), at = step => String(step.mark) === id;
        go(back && find(at, true) >= 0 ? find(at, true) : find(at, false));
      }
    });
addEventListener("hashchange", () => show(parseInt(location.hash.slice(1))));

// How large the picture is: as large as it was drawn, or smaller as long as it can be read; or all of it.

const width = picture.viewBox.baseVal.width * 4 / 3;  // points to pixels
function fit(all) {
  picture.style.width = `clamp(${all ? 0 : Math.round(width * 0.62)}px, 100%, ${Math.round(width * 1.25)}px)`;
  $("fit").textContent = all ? "large" : "fit";
}
fit(false);
$("fit").hidden = figure.scrollWidth <= figure.clientWidth;
if (times.length < 2) $("times").hidden = true;
show(parseInt(location.hash.slice(1)));
