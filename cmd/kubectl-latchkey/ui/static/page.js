// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0
'use strict';
// Each target has a queue of its own: in one for all, what the page asks by itself would push out what a person asks.
// A request that got no answer is told of by htmx:sendError.
const ask = (method, path, how) => htmx.ajax(method, path, { ...how, source: how.target }).catch(() => {});
const kept = 'latchkey-session';
const at = (id) => document.getElementById(id);
const main = at('main'), dialog = at('dialog'), body = at('dialog-body');
const secret = () => sessionStorage.getItem(kept) || '';
let namespace = '', shown = '', opener = '', hide = 0;

async function enter() {
  if (code && code !== 'main') {
    try {
      const answer = await fetch('/session', { method: 'POST', body: code });
      if (answer.ok) sessionStorage.setItem(kept, await answer.text());
      else if (!secret()) return ended();
    } catch { return ended(); }
  }
  if (!secret()) return ended();
  ask('GET', '/namespaces', { target: at('namespaces'), swap: 'innerHTML', headers: { 'Latchkey-Live': '1' } });
  go(location.pathname === '/' ? document.body.dataset.start : location.pathname, location.pathname === '/');
}
function ended() {
  stream?.abort();
  sessionStorage.removeItem(kept);
  if (dialog.open) dialog.close();
  main.replaceChildren(at('ended').content.cloneNode(true));
  document.title = 'Session ended · Latchkey';
  stale('');
  lively('Not live', false);
}
function go(path, push) {
  if (push) history.pushState(null, '', path);
  shown = location.pathname;
  main.replaceChildren(at('loading').content.cloneNode(true));
  return ask('GET', path, { target: main, swap: 'innerHTML' });
}
// Not for a fragment: the skip link moves the focus alone.
addEventListener('popstate', () => { if (location.pathname !== shown) go(location.pathname, false); });
document.addEventListener('htmx:configRequest', (e) => { e.detail.headers['Latchkey-Session'] = secret(); });
const byItself = (e) => e.detail.requestConfig?.headers['Latchkey-Live'];
document.addEventListener('htmx:sendError', (e) => {
  if (e.target.closest?.('form') && at('e-form')) {
    at('e-form').textContent = 'The page does not answer: is its command still running? What you typed is still here.';
  } else if (!byItself(e)) ended();
});

// What is shown now: the title, the pages of its namespace, the stream of its changes.
function settle() {
  const head = main.querySelector('[data-title]');
  document.title = (head ? head.dataset.title + ' · ' : '') + 'Latchkey';
  const ns = head?.dataset.ns || namespace || document.body.dataset.start.split('/')[2];
  for (const link of at('nav').children) {
    if (link.dataset.page !== 'overview') link.href = `/ns/${ns}/${link.dataset.page}`;
    const here = link.dataset.page === head?.dataset.page;
    if (here) link.setAttribute('aria-current', 'page'); else link.removeAttribute('aria-current');
  }
  if (document.activeElement !== at('namespace')) at('namespace').value = ns;
  namespace = ns;
  follow(head?.dataset.page === 'overview' ? '/events' : `/ns/${ns}/events${at('usage') ? '?pods' : ''}`);
  if (main.querySelector('#usage .loading')) refresh('#usage');
  filter();
}
document.addEventListener('htmx:afterSettle', (e) => {
  if (e.target === main || main.contains(e.target)) settle();
  if (e.target === main && document.activeElement !== at('namespace')) main.focus({ preventScroll: true });
  if (e.target === body && !dialog.open && body.childElementCount) {
    dialog.showModal();
    trouble('');
    (body.querySelector('[autofocus], form input:not([type=hidden]), form textarea, form button') || dialog).focus();
    take();
  }
  body.querySelector('#import-result [data-focus]')?.focus();
});
document.addEventListener('htmx:beforeRequest', (e) => {
  if (e.target.closest?.('form')) for (const slot of document.querySelectorAll('.error[id]')) slot.replaceChildren();
});
document.addEventListener('htmx:afterRequest', (e) => {
  const form = e.target.closest?.('form');
  if (!form || !body.contains(form) || e.target.id === 'import') return;
  let first = null;
  for (const slot of body.querySelectorAll('[data-for]')) {
    const field = at(slot.dataset.for), bad = slot.textContent.trim() !== '';
    field?.setAttribute('aria-invalid', bad);
    if (bad && !first) first = field;
  }
  if (!first && at('e-form')?.textContent.trim()) first = at('e-form');
  first?.focus();
});
document.addEventListener('saved', (e) => {
  const leave = e.target.dataset?.leave;
  if (dialog.open) dialog.close();
  if (leave) go(leave, true); else refresh();
  setTimeout(() => at('said').replaceChildren(), 8000);
});
// What is wrong with a form is said in the dialog, as long as it is open.
const trouble = (id) => { const outside = at('trouble')?.firstElementChild; if (outside) outside.id = id; };
dialog.addEventListener('close', () => {
  trouble('e-form');
  clearTimeout(hide);
  body.replaceChildren(); // with whatever was typed or revealed
  (at(opener) || main).focus();
});

// A revealed value goes after 30 seconds, and when the person looks elsewhere.
const conceal = () => { if (body.querySelector('[data-revealed]')) { body.querySelector('[data-revealed]').textContent = ''; dialog.close(); } };
addEventListener('blur', conceal);
addEventListener('pagehide', conceal);
document.addEventListener('visibilitychange', () => { if (document.hidden) conceal(); });
document.addEventListener('htmx:afterSwap', (e) => {
  if (e.target === body && body.querySelector('[data-revealed]')) { clearTimeout(hide); hide = setTimeout(conceal, 30000); }
});

function open(method, path, button) {
  opener = button.id;
  return ask(method, path, { target: body, swap: 'innerHTML' });
}
document.addEventListener('click', (e) => {
  const on = (what) => e.target.closest?.(what);
  const link = on('a[data-go]');
  if (link && !e.ctrlKey && !e.metaKey && !e.shiftKey) { e.preventDefault(); go(link.getAttribute('href'), true); }
  if (on('[data-open]')) open('GET', on('[data-open]').dataset.open, on('[data-open]'));
  if (on('[data-open-post]')) open('POST', on('[data-open-post]').dataset.openPost, on('[data-open-post]'));
  if (on('[data-close]')) dialog.close();
});
document.addEventListener('change', (e) => {
  if (e.target.form?.id === 'import') at('import-result').replaceChildren(); // it was of another file
  if (e.target.dataset.show) at(e.target.dataset.show).classList.toggle('shown', e.target.checked);
});
at('where').addEventListener('submit', (e) => {
  e.preventDefault();
  go(`/ns/${encodeURIComponent(at('namespace').value.trim())}/secrets`, true);
});
document.addEventListener('keydown', (e) => {
  if (!at('keys').checked || dialog.open || e.ctrlKey || e.metaKey || e.altKey || e.target.closest('input, textarea, select')) return;
  const to = { '/': at('filter'), n: main.querySelector('[data-add]') }[e.key];
  if (to) { e.preventDefault(); e.key === '/' ? to.focus() : to.click(); }
});

// The filter, which stays while rows change.
function filter() {
  const field = at('filter');
  if (!field) return;
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0, all = 0;
  for (const row of main.querySelectorAll('[data-row]')) {
    const text = row.dataset.row.toLowerCase();
    row.hidden = !words.every((w) => text.includes(w));
    all++; if (!row.hidden) shown++;
  }
  for (const branch of main.querySelectorAll('[data-branch]')) branch.hidden = words.length > 0;
  main.querySelector('.tree')?.classList.toggle('flat', words.length > 0);
  at('matches').textContent = words.length ? `${shown} of ${all} shown` : '';
}
document.addEventListener('input', (e) => { if (e.target.id === 'filter') filter(); });

// Files that are dropped go where a chosen one would. Beside it nothing happens: the browser would open the file in this tab.
const files = (e) => e.dataTransfer?.types.includes('Files');
document.addEventListener('dragover', (e) => {
  if (!files(e)) return;
  e.preventDefault();
  if (!e.target.closest?.('[data-drop], [data-drop-here]')) e.dataTransfer.dropEffect = 'none';
});
let dropped = null;
function take() {
  const form = at('import');
  if (dropped && form) { at('f-import').files = dropped; at('import-result').replaceChildren(); htmx.trigger(form, 'submit'); }
  dropped = null;
}
document.addEventListener('drop', (e) => {
  if (!files(e)) return;
  e.preventDefault();
  const empty = e.target.closest?.('[data-drop]');
  if (!empty && !e.target.closest?.('[data-drop-here]')) return;
  dropped = e.dataTransfer.files;
  if (empty) open('GET', empty.dataset.drop, empty); else take();
});

// What is shown is read again one part at a time: each puts new elements in the place of those that the next one asks for.
const everything = '[data-live]', silence = 'There is no answer';
let wanted = new Set(), reading = false, why = '';
async function refresh(what = everything) {
  wanted.add(retry ? everything : what);
  if (reading) return;
  reading = true;
  while (wanted.size) {
    const parts = main.querySelectorAll([...wanted].join());
    wanted.clear();
    why = '';
    for (const part of parts) {
      if (!part.isConnected) continue;
      why = silence;
      await ask('GET', part.dataset.live, { target: part, swap: 'outerHTML', headers: { 'Latchkey-Live': '1' } });
      if (why === silence && !part.isConnected) why = ''; // its screen is gone
      if (why) break;
    }
    stale(why);
  }
  reading = false;
}
// What a person opened, and where they are, is as it was just before new rows come.
let opened = [], focused = '';
document.addEventListener('htmx:beforeSwap', (e) => {
  const { detail } = e, { status } = detail.xhr;
  if (status === 401) { detail.shouldSwap = false; ended(); return; }
  if (!e.target.matches('[data-live]') || !byItself(e)) return;
  why = status < 500 ? '' : detail.xhr.responseText || silence;
  if (why || (status >= 400 && e.target.id === 'usage')) detail.shouldSwap = false;
  else if (status >= 400) { detail.target = main; detail.swapOverride = 'innerHTML'; } // it is gone, or not for this person
  opened = [...main.querySelectorAll('details[open]')].map((d) => d.id);
  focused = e.target.contains(document.activeElement) ? document.activeElement.id : '';
});
document.addEventListener('htmx:afterSwap', () => {
  for (const id of opened) if (at(id)) at(id).open = true;
  if (focused && document.activeElement === document.body) at(focused)?.focus({ preventScroll: true });
  opened = []; focused = '';
  filter();
});

// While the cluster does not answer, what is shown stays, says since when it may be wrong, and is tried again.
let known = new Date(), retry = 0, wait = 0;
function stale(reason) {
  const note = at('stale');
  clearTimeout(retry);
  if (!reason) {
    if (retry && main.querySelector(everything)) at('said').replaceChildren(at('current').content.cloneNode(true));
    if (retry) note.replaceChildren();
    retry = wait = 0; known = new Date();
    return;
  }
  const text = `Out of date since ${known.toLocaleTimeString()}. ${reason}. Trying again…`;
  if (note.textContent.trim() !== text) {
    note.replaceChildren(at('outdated').content.cloneNode(true));
    note.querySelector('span').textContent = text;
  }
  wait = Math.min(2 * wait || 2000, 15000);
  retry = setTimeout(refresh, wait);
}

// "4 min ago" does not stay true.
function ago(seconds) {
  if (seconds < 10) return 'just now';
  for (const [unit, size, next] of [['s', 1, 60], ['min', 60, 3600], ['h', 3600, 86400]]) if (seconds < next) return `${Math.floor(seconds / size)} ${unit} ago`;
  return seconds < 2 * 86400 ? 'yesterday' : `${Math.floor(seconds / 86400)} days ago`;
}
let ticks = 0;
setInterval(() => {
  for (const time of main.querySelectorAll('time')) {
    const text = ago((Date.now() - Date.parse(time.dateTime)) / 1000);
    if (time.textContent !== text) time.textContent = text;
  }
  if (document.hidden || retry) return;
  if (++ticks % 6 === 0) refresh(isLive ? '#usage, #overview' : everything); // what no event tells of
  else if (main.querySelector('[data-soon]')) refresh('[data-soon]');
}, 10000);

// Changes made elsewhere: an EventSource sends no headers, so the stream is read by hand.
let stream = null, followed = '', isLive = false;
function lively(text, on) {
  isLive = on;
  at('live-text').textContent = text;
  at('live').classList.toggle('on', on);
}
function hear(event, first) {
  if (event === 'ended') ended();
  else if (event === 'lost') lively('Looks every minute', false);
  else if (event === 'down') { lively('Connecting again…', false); refresh(); }
  else if (event === 'pods') refresh('#usage');
  else if (event === 'changed' || (event === 'live' && !first)) {
    lively('Live', true);
    if (at('again')) go(location.pathname, false); else refresh();
  } else if (event === 'live') lively('Live', true);
  if (isLive && !retry) known = new Date();
  return event === 'ended' || event === 'lost';
}
async function follow(path) {
  if (stream && path === followed) return;
  stream?.abort();
  const mine = stream = new AbortController();
  followed = path;
  for (let first = true, misses = 0; ; first = false) {
    try {
      const answer = await fetch(path, { headers: { 'Latchkey-Session': secret(), 'Latchkey-Live': '1', 'HX-Request': 'true' }, signal: mine.signal });
      if (answer.status === 401) return ended();
      misses = 0;
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        for (const [, event] of value.matchAll(/event: (\w+)/g)) if (hear(event, first)) return;
      }
    } catch { misses++; }
    if (mine.signal.aborted) return;
    if (misses > 1 && !dialog.open) return ended(); // nobody listens there any more
    lively('Connecting again…', false);
    await new Promise((done) => setTimeout(done, 2000));
    if (mine.signal.aborted) return;
  }
}
enter();
