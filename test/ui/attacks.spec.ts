// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

import { createServer } from 'node:http';
import { canary, expect, kubectl, latchkey, nowhere, open, tenant, test } from './stand.ts';

test('the code leaves the address at once, works once, and its second use ends the page', async ({ page, serve, browser }) => {
  const served = await serve(tenant());
  await open(page, served);
  expect(page.url()).not.toContain(served.url.split('#')[1]);
  expect(await page.evaluate(() => document.cookie)).toBe('');
  await page.reload();
  await expect(page.locator('h1')).toContainText('Secrets of');
  const thief = await browser.newPage();
  await thief.goto(served.url);
  await expect(thief.locator('h1')).toHaveText('The session has ended');
  expect(await served.ended).toBe(3);
});

test('another site can neither frame the page nor post to it', async ({ page, serve, noted }) => {
  const ns = tenant();
  latchkey(ns, 'a-value-1', 'set', 'victim', '--env', 'VICTIM');
  const served = await serve(ns);
  await open(page, served);
  const target = served.url.split('#')[0];
  const site = createServer((_, answer) => {
    answer.setHeader('Content-Type', 'text/html');
    answer.end(`<title>other</title><iframe src="${target}"></iframe><iframe name="sink"></iframe>
      <form method="post" target="sink" action="${target}ns/${ns}/remove/victim"><input name="x"></form>`);
  });
  await new Promise<void>((done) => site.listen(0, '127.0.0.1', done));
  const other = await page.context().newPage();
  const posted = other.waitForResponse((r) => r.request().method() === 'POST');
  await other.goto(`http://127.0.0.1:${(site.address() as { port: number }).port}/`);
  await other.evaluate(() => document.forms[0].submit());
  expect((await posted).status()).toBe(403);
  const framed = other.frames().find((f) => f.url().startsWith(target) || f.url().startsWith('chrome-error'));
  expect(framed?.url()).toMatch(/^chrome-error:/);
  site.close();
  site.closeAllConnections();
  expect(kubectl('', '-n', ns, 'get', 'usersecret', 'victim', '-o', 'name')).toContain('victim');
  expect(noted).toEqual([]);
});

test('a name that leads here shows nothing, and the code is not spent on it', async ({ page, serve, noted }) => {
  const served = await serve(tenant());
  const forged = await page.goto(served.url.replace('127.0.0.1', 'attacker.test'));
  expect(forged?.status()).toBe(421);
  expect(await page.content()).not.toContain('<script');
  expect(noted.every((n) => n.includes('attacker.test'))).toBe(true);
  noted.length = 0;
  await open(page, served);
  await expect(page.locator('h1')).toContainText('Secrets of');
});

test('the value of a user secret is revealed to nobody, and no history has a value', async ({ page, serve }) => {
  const ns = tenant();
  await open(page, await serve(ns));
  await page.keyboard.press('n');
  await page.locator('#f-name').fill('token');
  await page.locator('#f-value').fill(canary);
  await page.locator('dialog [type=submit]').click();
  await page.getByRole('link', { name: 'token', exact: true }).click();
  await expect(page.locator('h1')).toHaveText('token');
  const answers = await page.evaluate(async (ns) => {
    const headers = { 'Latchkey-Session': sessionStorage.getItem('latchkey-session')!, 'HX-Request': 'true' };
    const ask = async (method: string, path: string) => { const a = await fetch(`/ns/${ns}/${path}`, { method, headers }); return [a.status, await a.text()]; };
    return Promise.all([ask('POST', 'reveal/token'), ask('GET', 'reveal/token'), ask('GET', 'secret/token'), ask('GET', 'form/token'), ask('GET', 'secrets')]);
  }, ns);
  expect(answers.map(([status]) => status)).toEqual([404, 405, 200, 200, 200]);
  expect(JSON.stringify(answers)).not.toContain(canary);
  await nowhere(page);
  for (const go of ['goBack', 'goForward', 'reload'] as const) {
    await page[go]();
    await expect(page.locator('h1')).toHaveText(go === 'goBack' ? `Secrets of ${ns}` : 'token');
    await nowhere(page);
  }
  expect(await page.evaluate(async () => [(await indexedDB.databases()).length, (await caches.keys()).length])).toEqual([0, 0]);
});

test('an inline script, an inline handler, another base and a foreign request do not run', async ({ page, serve, noted }) => {
  await open(page, await serve(tenant()));
  const ran = await page.evaluate(async () => {
    const script = document.createElement('script');
    script.textContent = 'window.ran = "script"';
    document.body.append(script);
    const image = document.createElement('div');
    image.innerHTML = '<img src="/static/none" onerror="window.ran = \'handler\'">';
    document.body.append(image);
    const base = document.createElement('base');
    base.href = 'http://attacker.test/';
    document.head.prepend(base);
    const fetched = await fetch('http://127.0.0.1:1/').then(() => true, () => false);
    await new Promise((done) => setTimeout(done, 300));
    return [(window as unknown as { ran?: string }).ran, document.baseURI.includes('attacker'), fetched];
  });
  expect(ran).toEqual([undefined, false, false]);
  for (const what of ['script-src', 'base-uri', 'connect-src']) expect(noted.filter((n) => n.includes(what)), what).not.toEqual([]); // the policy said so
  noted.length = 0;
});

test('a confirmation of an import is for the file that was shown', async ({ page, serve }) => {
  const ns = tenant();
  await open(page, await serve(ns));
  const send = (text: string, confirm: string) => page.evaluate(async ([ns, text, confirm]) => {
    const form = new FormData();
    form.set('file', new File([text], '.env'));
    form.set('confirm', confirm);
    const headers = { 'Latchkey-Session': sessionStorage.getItem('latchkey-session')!, 'HX-Request': 'true' };
    return (await fetch(`/ns/${ns}/import`, { method: 'POST', headers, body: form })).text();
  }, [ns, text, confirm]);
  const token = / name="confirm" value="([^"]+)"/.exec(await send('A=1', ''))![1];
  expect(await send('A=2', token)).not.toContain('1 secret written.');
  expect(kubectl('', '-n', ns, 'get', 'usersecrets', '-o', 'name')).toBe('');
  expect(await send('A=1', token)).toContain('1 secret written.');
});
