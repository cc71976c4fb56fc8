// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

import type { Page } from '@playwright/test';
import { between, canary, expect, kubectl, latchkey, nowhere, open, pod, state, tenant, test } from './stand.ts';

const isLive = (page: Page) => expect(page.locator('#live-text')).toHaveText('Live', { timeout: 20_000 }); // a watch that failed is begun again within 15 s

test('while the cluster does not answer, what is shown and typed stays, and says since when; then it goes on by itself', async ({ page, serve }) => {
  test.setTimeout(120_000); // three times
  const ns = tenant();
  const way = await between();
  latchkey(ns, canary, 'set', 'token', '--env', 'TOKEN', '--wait');
  latchkey(ns, canary, 'agent', 'set', 'db/password', '--type', 'string');
  pod(ns, 'web');
  await open(page, await serve(ns, '--server', way.url));
  const outdated = /^Out of date since \d+:\d\d.*\. The cluster cannot (be reached|answer now)\. Trying again…$/;
  const down = async () => { way.failing = () => true; way.drop(); await expect(page.locator('#stale')).toHaveText(outdated); };
  const up = async () => {
    way.failing = () => false;
    await expect(page.locator('#stale')).toBeEmpty({ timeout: 20_000 });
    await expect(page.locator('#said')).toContainText('Up to date again.');
    await isLive(page);
  };

  await isLive(page);
  await page.locator('#filter').fill('tok');
  await page.locator('[data-add]').click();
  await page.locator('#f-value').fill(canary);
  await down();
  await expect(page.locator('#f-value')).toHaveValue(canary);
  await page.keyboard.press('Escape');
  await expect(page.locator('tbody th a')).toHaveText('token');
  await expect(page.locator('#filter')).toHaveValue('tok');
  await expect(page.locator('#live-text')).toHaveText('Connecting again…');
  await state(page, 'stale');
  await page.locator('[data-add]').focus();
  await expect(page.locator('[data-add]')).toBeInViewport(); // and not below the note
  latchkey(ns, canary, 'set', 'token-2', '--env', 'TOKEN_2');
  await up();
  await expect(page.locator('tbody th a')).toHaveText(['token', 'token-2']);
  await expect(page.locator('#filter')).toHaveValue('tok');

  await page.getByRole('link', { name: 'token', exact: true }).click();
  await expect(page.locator('#usage tbody')).toContainText('web');
  await page.locator('#edit').click();
  await page.locator('#f-value').fill(canary);
  await page.locator('#f-description').fill('for people');
  await down();
  await expect(page.locator('#usage tbody')).toContainText('web');
  await expect(page.locator('#facts')).toContainText('key TOKEN of Secret');
  await expect(page.locator('#f-value')).toHaveValue(canary);
  await up();
  await expect(page.locator('#f-description')).toHaveValue('for people');
  await page.keyboard.press('Escape');

  await page.getByRole('link', { name: 'Agents' }).click();
  await expect(page.locator('tbody tr[data-row]')).toHaveCount(1);
  await down();
  await expect(page.locator('tbody tr[data-row]')).toContainText('db/password');
  await up();
  await nowhere(page);
  way.cut();
});

test('a secret that is deleted elsewhere, and who uses one, appear by themselves', async ({ page, serve }) => {
  const ns = tenant();
  latchkey(ns, canary, 'set', 'token', '--env', 'TOKEN', '--wait');
  await open(page, await serve(ns));
  await page.getByRole('link', { name: 'token', exact: true }).click();
  await expect(page.locator('#usage')).toContainText('No container has it.');
  await isLive(page);
  pod(ns, 'web');
  await expect(page.locator('#usage tbody')).toContainText('web');
  kubectl('', '-n', ns, 'delete', 'pod', 'web', '--force', '--grace-period=0');
  await expect(page.locator('#usage')).toContainText('No container has it.');
  await page.locator('#edit').click();
  await page.locator('#f-value').fill(canary);
  latchkey(ns, '', 'delete', 'token', '--yes');
  await expect(page.locator('main h1')).toHaveText('It is not there');
  await expect(page.locator('main')).toContainText('There is no secret token in this namespace.');
  await expect(page.locator('#f-value')).toHaveValue(canary); // what is typed is not lost for it
  await page.locator('dialog [type=submit]').click();
  await expect(page.locator('#e-form')).toContainText('It is not there');
  await page.keyboard.press('Escape');
  await state(page, 'gone');
});

test('the overview counts what others add', async ({ page, serve }) => {
  const ns = tenant();
  await open(page, await serve(ns));
  await page.getByRole('link', { name: 'Overview' }).click();
  const namespaces = page.locator('.numbers > div').filter({ has: page.locator('dt').getByText('User secrets', { exact: true }) }).locator('dd');
  await expect(namespaces).toHaveText(/^\d+$/);
  await isLive(page);
  const seen = page.waitForResponse((r) => r.url().endsWith('/overview'), { timeout: 25_000 }); // other specs may count up and down meanwhile
  latchkey(ns, canary, 'set', 'one-more');
  await seen;
});

test('a page at which nobody looks asks for little, and its times go on', async ({ page, serve }) => {
  const ns = tenant();
  latchkey(ns, canary, 'set', 'token', '--env', 'TOKEN', '--wait');
  await page.clock.install();
  const asked: string[] = [];
  page.on('requestfinished', (r) => { if (r.headers()['latchkey-live']) asked.push(new URL(r.url()).pathname.split('/').slice(3).join('/')); });
  await open(page, await serve(ns));
  await expect.poll(() => asked).toContain('secrets'); // a watch begins with what is there
  await expect(page.locator('tbody time')).toHaveText(/just now|s ago/);
  asked.length = 0;
  await page.clock.runFor('30:00');
  await expect(page.locator('tbody time')).toHaveText('30 min ago');
  expect(asked).toEqual([]);
  await page.getByRole('link', { name: 'token', exact: true }).click();
  await expect.poll(() => asked).toEqual(['usage/token', 'secret/token', 'usage/token']);
  asked.length = 0;
  for (let n = 1; n <= 10; n++) {
    await page.clock.runFor('01:00');
    await expect.poll(() => asked, 'once a minute, since some answers change by time alone').toEqual(Array(n).fill('usage/token'));
  }
});

test('who may not watch is told so, and looks every minute', async ({ page, serve }) => {
  const ns = tenant();
  const rights = (kind: string, spec: object) => ({ apiVersion: 'rbac.authorization.k8s.io/v1', kind, metadata: { name: 'lists', namespace: ns }, ...spec });
  kubectl(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [
    rights('Role', { rules: [{ apiGroups: ['latchkey.dev'], resources: ['usersecrets', 'agentsecrets'], verbs: ['get', 'list'] }] }),
    rights('RoleBinding', { roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'lists' }, subjects: [{ kind: 'User', name: `lister-${ns}` }] }),
  ] }), 'apply', '-f', '-');
  await page.clock.install();
  await open(page, await serve(ns, '--as', `lister-${ns}`));
  await expect(page.locator('#live-text')).toHaveText('Looks every minute');
  latchkey(ns, canary, 'set', 'token', '--env', 'TOKEN');
  await page.clock.runFor('01:00');
  await expect(page.locator('tbody th')).toHaveText('token');
  await state(page, 'not-live');
});

test('a session that ends elsewhere ends what is shown', async ({ page, serve, browser }) => {
  const ns = tenant();
  latchkey(ns, canary, 'set', 'token', '--env', 'TOKEN');
  const served = await serve(ns);
  await open(page, served);
  await isLive(page);
  const thief = await browser.newPage();
  await thief.goto(served.url);
  await expect(page.locator('h1')).toHaveText('The session has ended');
  await expect(page.locator('tbody')).toHaveCount(0);
  expect(await page.evaluate(() => sessionStorage.getItem('latchkey-session'))).toBeNull();
});
