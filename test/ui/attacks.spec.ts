// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

import { createServer } from 'node:http';
import { expect, kubectl, latchkey, open, tenant, test } from './stand.ts';

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

test('an inline script, an inline handler and a foreign request do not run', async ({ page, serve, noted }) => {
  await open(page, await serve(tenant()));
  const ran = await page.evaluate(async () => {
    const script = document.createElement('script');
    script.textContent = 'window.ran = "script"';
    document.body.append(script);
    const image = document.createElement('div');
    image.innerHTML = '<img src="/static/none" onerror="window.ran = \'handler\'">';
    document.body.append(image);
    const fetched = await fetch('http://127.0.0.1:1/').then(() => true, () => false);
    await new Promise((done) => setTimeout(done, 300));
    return [(window as unknown as { ran?: string }).ran, fetched];
  });
  expect(ran).toEqual([undefined, false]);
  expect(noted.filter((n) => /script-src|connect-src/.test(n)).length).toBeGreaterThanOrEqual(3); // the policy said so
  noted.length = 0;
});
