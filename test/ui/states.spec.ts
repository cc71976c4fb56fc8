// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

import { createServer, connect, type Socket } from 'node:net';
import { canary, expect, kubectl, latchkey, nowhere, open, state, tenant, test } from './stand.ts';

test('user secrets: loading, every kind of row with reason and fix, filter', async ({ page, serve }) => {
  const ns = tenant('alice');
  latchkey(ns, canary, 'set', 'github-token', '--env', 'GITHUB_TOKEN', '--file', '~/.config/gh/token', '--description', 'For the web shop');
  latchkey(ns, canary, 'set', 'npm-token', '--env', 'NPM_TOKEN', '--disabled');
  latchkey(ns, canary, 'set', 'spare');
  latchkey(ns, '', 'set', 'database-url', '--env', 'DATABASE_URL', '--from', 'missing/key');
  let release = () => {};
  const held = new Promise<void>((done) => { release = done; });
  await page.route(`**/ns/${ns}/secrets`, async (route) => { await held; await route.continue(); });
  await page.goto((await serve(ns)).url);
  await expect(page.locator('main .loading')).toHaveText('Loading…');
  await state(page, 'loading');
  release();
  for (const [name, label] of [['github-token', 'Projected'], ['npm-token', 'Disabled'], ['spare', 'Stored only'], ['database-url', 'Not projected']]) {
    await expect(page.locator('tbody tr', { hasText: name }).locator('.status')).toHaveText(label);
  }
  await expect(page.locator('.meter')).toContainText('4 of 50');
  await page.getByText('SourceNotFound: why, and what to do').click();
  await expect(page.locator('details[open]')).toContainText('Secret missing does not exist in this namespace');
  await expect(page.locator('details[open]')).toContainText('becomes ready by itself when the source is there');
  await state(page, 'secrets');
  await page.locator('#filter').fill('npm');
  await expect(page.locator('tbody tr:visible')).toHaveCount(1);
  await expect(page.locator('#matches')).toHaveText('1 of 4 shown');
  await state(page, 'filter');
});

test('empty, and a form with all errors at once', async ({ page, serve }) => {
  await open(page, await serve(tenant()));
  await expect(page.getByText('No secrets yet')).toBeVisible();
  await state(page, 'empty');
  await page.keyboard.press('n');
  await page.locator('#f-name').fill('a/b');
  await page.locator('#f-env').fill('1A');
  await page.locator('#f-file').fill('relative');
  await page.keyboard.press('Enter');
  for (const id of ['name', 'value', 'env', 'file']) await expect(page.locator(`#e-${id}`)).not.toBeEmpty();
  await expect(page.locator('#f-name')).toBeFocused();
  await expect(page.locator('#f-env')).toHaveValue('1A');
  await state(page, 'form-errors');
});

test('conflict says who holds it, limit says what to do, input is kept', async ({ page, serve }) => {
  const ns = tenant();
  latchkey(ns, canary, 'set', 'holder', '--env', 'TOKEN', '--wait');
  await open(page, await serve(ns));
  await page.locator('[data-add]').click();
  await page.locator('#f-name').fill('second');
  await page.locator('#f-value').fill(canary);
  await page.locator('#f-env').fill('TOKEN');
  await page.locator('dialog [type=submit]').click();
  await expect(page.locator('dialog')).toContainText('holder');
  await expect(page.locator('#f-value')).toHaveValue(canary);
  await state(page, 'conflict');
  const file = Array.from({ length: 49 }, (_, n) => `K${n}=${canary}`).join('\n');
  latchkey(ns, file, 'import', '-', '--format', 'env', '--yes');
  await page.locator('#f-env').fill('OTHER');
  await page.locator('dialog [type=submit]').click();
  await expect(page.locator('#e-form, #e-value, #e-name').filter({ hasText: 'limit' })).toBeVisible();
  await state(page, 'limit');
  await page.keyboard.press('Escape');
  await expect(page.locator('.meter')).toContainText('50 of 50');
  await nowhere(page);
});

test('detail with usage, and deleting', async ({ page, serve }) => {
  const ns = tenant('web-shop');
  latchkey(ns, canary, 'set', 'github-token', '--env', 'GITHUB_TOKEN', '--wait');
  kubectl(JSON.stringify({
    apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', namespace: ns },
    spec: { automountServiceAccountToken: false, containers: [{ name: 'app', image: 'registry.invalid/app' }] },
  }), 'apply', '-f', '-');
  latchkey(ns, canary + '-2', 'set', 'github-token', '--wait');
  await open(page, await serve(ns));
  await page.getByRole('link', { name: 'github-token' }).click();
  await expect(page.locator('#usage .banner')).toContainText('revoke');
  await expect(page.locator('#usage tbody')).toContainText('web');
  await state(page, 'detail');
  await page.getByRole('button', { name: 'Delete' }).click();
  await expect(page.locator('dialog')).toContainText('Nobody can bring the value back');
  await state(page, 'delete');
});

test('import: preview without values, refused, written', async ({ page, serve }) => {
  const ns = tenant('bob');
  await open(page, await serve(ns));
  await page.getByRole('button', { name: 'Import a file' }).first().click();
  await page.locator('#f-import').setInputFiles({ name: 'bad.env', mimeType: 'text/plain', buffer: Buffer.from(`A=${canary}\nPATH=${canary}\nB/C=x`) });
  await page.getByRole('button', { name: 'Preview' }).click();
  await expect(page.locator('#import-result .error')).toBeVisible();
  await state(page, 'import-refused');
  await page.locator('#f-import').setInputFiles({ name: '.env', mimeType: 'text/plain', buffer: Buffer.from(`A=${canary}\nB=${canary}`) });
  await page.getByRole('button', { name: 'Preview' }).click();
  await expect(page.locator('#import-result tbody tr')).toHaveCount(2);
  await nowhere(page);
  await state(page, 'import-preview');
  await page.getByRole('button', { name: `Write 2 secrets to ${ns}` }).click();
  await expect(page.locator('#import-result')).toContainText('2 secrets written.');
  await state(page, 'import-done');
});

test('agents: tree, reveal and hide, edit by type', async ({ page, serve }) => {
  const ns = tenant();
  latchkey(ns, 'a value that is to be shown', 'agent', 'set', 'db/password', '--type', 'string');
  latchkey(ns, '7', 'agent', 'set', 'db/port', '--type', 'u16');
  latchkey(ns, '["x"]', 'agent', 'set', 'features/beta/flags', '--type', 'list<string>');
  await open(page, await serve(ns));
  await page.getByRole('link', { name: 'Agents' }).click();
  await expect(page.locator('tbody .status', { hasText: 'Projected' })).toHaveCount(3);
  await state(page, 'agents');
  await expect(async () => {
    if (await page.locator('dialog').isVisible()) await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Reveal db/password' }).click();
    await expect(page.locator('[data-revealed]')).toHaveText('a value that is to be shown', { timeout: 1000 });
  }).toPass();
  await state(page, 'revealed');
  await page.evaluate(() => dispatchEvent(new Event('blur')));
  expect(await page.content()).not.toContain('a value that is to be shown');
  await page.getByRole('button', { name: 'Edit db/port' }).click();
  await page.locator('#f-value').fill('70000');
  await page.locator('dialog [type=submit]').click();
  await expect(page.locator('#e-value')).not.toBeEmpty();
  await state(page, 'agent-type');
  await page.locator('#f-value').fill('8080');
  await page.locator('dialog [type=submit]').click();
  await expect(page.locator('#said')).toContainText('revision 1');
});

test('a revealed value is hidden after 30 seconds', async ({ page, serve }) => {
  const ns = tenant();
  latchkey(ns, 'shown for a while', 'agent', 'set', 'a', '--type', 'string');
  await page.clock.install();
  await open(page, await serve(ns));
  await page.getByRole('link', { name: 'Agents' }).click();
  await expect(async () => {
    if (await page.locator('dialog').isVisible()) await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Reveal' }).click();
    await expect(page.locator('[data-revealed]')).toHaveText('shown for a while', { timeout: 1000 });
  }).toPass();
  await page.clock.fastForward(29_000);
  await expect(page.locator('[data-revealed]')).toHaveText('shown for a while');
  await page.clock.fastForward(2_000);
  await expect(page.locator('dialog')).toBeHidden();
  expect(await page.content()).not.toContain('shown for a while');
});

test('no namespace, missing rights, expired login, overview', async ({ page, serve }) => {
  await open(page, await serve('there-is-none'));
  await expect(page.locator('h1')).toHaveText('There is no such namespace');
  await state(page, 'no-namespace');
  await page.getByRole('link', { name: 'Overview' }).click();
  await expect(page.locator('.numbers')).toBeVisible();
  await state(page, 'overview');
  await open(page, await serve('default', '--as', 'nobody'));
  await expect(page.locator('h1')).toHaveText('You may not see this');
  await expect(page.locator('main')).toContainText('rolebinding');
  await state(page, 'forbidden');
  const api = JSON.parse(kubectl('', 'config', 'view', '--raw', '-o', 'json')).clusters[0].cluster.server as string;
  await open(page, await serve('default', '--kubeconfig', '/dev/null', '--server', api, '--insecure-skip-tls-verify', '--token', 'expired'));
  await expect(page.locator('h1')).toHaveText('Your login has expired');
  await state(page, 'login');
});

test('unreachable in the middle of typing keeps the input; session ended', async ({ page, serve }) => {
  const ns = tenant();
  const api = new URL(JSON.parse(kubectl('', 'config', 'view', '--raw', '-o', 'json')).clusters[0].cluster.server as string);
  const sockets = new Set<Socket>();
  const way = createServer((from) => {
    const to = connect(Number(api.port), api.hostname);
    for (const s of [from, to]) { sockets.add(s); s.on('error', () => s.destroy()); }
    from.pipe(to).pipe(from);
  });
  await new Promise<void>((done) => way.listen(0, '127.0.0.1', done));
  const port = (way.address() as { port: number }).port;
  const served = await serve(ns, '--server', `https://127.0.0.1:${port}`);
  await open(page, served);
  await page.locator('[data-add]').first().click();
  await page.locator('#f-name').fill('kept');
  await page.locator('#f-value').fill(canary);
  way.close();
  for (const s of sockets) s.destroy();
  await page.locator('dialog [type=submit]').click();
  await expect(page.locator('#e-form')).toContainText('The cluster cannot be reached');
  await expect(page.locator('#e-form')).toContainText('What you typed is still here');
  await expect(page.locator('#f-value')).toHaveValue(canary);
  await state(page, 'unreachable-form');
  await page.keyboard.press('Escape');
  await page.reload();
  await expect(page.locator('h1')).toHaveText('The cluster cannot be reached');
  await state(page, 'unreachable');
  served.process.kill('SIGINT');
  expect(await served.ended).toBe(130);
  await page.getByRole('link', { name: 'Try again' }).click();
  await expect(page.locator('h1')).toHaveText('The session has ended');
  await state(page, 'ended');
});

test('read-only shows nothing that changes', async ({ page, serve }) => {
  const ns = tenant();
  latchkey(ns, canary, 'set', 'a', '--env', 'A');
  await open(page, await serve(ns, '--read-only'));
  await expect(page.getByRole('link', { name: 'a', exact: true })).toBeVisible();
  await expect(page.locator('[data-add], [data-open]')).toHaveCount(0);
  await state(page, 'read-only');
});
