// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

import { canary, drop, expect, kubectl, latchkey, nowhere, open, pod, state, tenant, test } from './stand.ts';

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
  const changed = page.locator('tbody tr', { hasText: 'github-token' }).locator('time');
  await expect(changed).toHaveText(/^(just now|\d+ s ago)$/);
  await expect(changed).toHaveAttribute('title', /^\d+ \w+ \d{4}, \d\d:\d\d:\d\d /);
  await page.getByText('SourceNotFound: why, and what to do').click();
  await expect(page.locator('details[open]')).toContainText('Secret missing does not exist in this namespace');
  await expect(page.locator('details[open]')).toContainText('becomes ready without further action when the source exists');
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
  await expect(page.locator('#e-env')).toContainText('"TOKEN" is claimed by holder');
  await expect(page.locator('#f-value')).toHaveValue(canary);
  await state(page, 'conflict');
  const file = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => `K${from + n}=${canary}`).join('\n');
  latchkey(ns, file(0, 47), 'import', '-', '--format', 'env', '--yes');
  await page.keyboard.press('Escape');
  await expect(page.locator('.meter')).toHaveText('48 of 50 Nearly full: delete what nobody needs.');
  await state(page, 'nearly-full');
  await page.getByRole('button', { name: 'Import a file' }).click();
  await page.locator('#f-import').setInputFiles({ name: '.env', mimeType: 'text/plain', buffer: Buffer.from(file(47, 52)) });
  await page.getByRole('button', { name: 'Preview' }).click();
  await expect(page.locator('#import-result tbody tr', { hasText: 'the namespace may have 50 secrets: delete 3' })).toHaveCount(3);
  await expect(page.locator('#import-result .error')).toContainText('3 keys refused, so nothing is written.');
  await page.keyboard.press('Escape');
  latchkey(ns, file(47, 49), 'import', '-', '--format', 'env', '--yes');
  await page.locator('[data-add]').click();
  await page.locator('#f-name').fill('one-more');
  await page.locator('#f-value').fill(canary);
  await page.locator('dialog [type=submit]').click();
  await expect(page.locator('#e-form')).toContainText("51 secrets exceed the tenant's limit of 50: delete 1");
  await expect(page.locator('#f-value')).toHaveValue(canary);
  await state(page, 'limit');
  await page.keyboard.press('Escape');
  await expect(page.locator('.meter')).toContainText('50 of 50');
  await nowhere(page);
});

test('edit: the value is never there, and left empty it stays', async ({ page, serve }) => {
  const ns = tenant();
  latchkey(ns, canary, 'set', 'token', '--env', 'TOKEN', '--wait');
  await open(page, await serve(ns));
  await page.getByRole('link', { name: 'token', exact: true }).click();
  await expect(page.locator('#usage .banner.good')).toContainText('Safe to revoke the old value');
  await expect(page.locator('#facts')).toContainText('key TOKEN of Secret latchkey-user-env');
  await expect(page.locator('#facts')).toContainText('held since version');
  await state(page, 'detail-safe');
  await page.locator('#edit').click();
  await expect(page.locator('#f-value')).toHaveValue('');
  await expect(page.locator('#h-value')).toHaveText('Leave empty to keep the value.');
  await expect(page.locator('#f-env')).toHaveValue('TOKEN');
  await state(page, 'edit');
  await page.locator('#f-env').fill('RENAMED');
  await page.locator('dialog [type=submit]').click();
  await expect(page.locator('#said')).toContainText('token was changed.');
  const bundle = () => JSON.parse(kubectl('', '-n', ns, 'get', 'secret', 'latchkey-user-env', '-o', 'json')).data;
  await expect.poll(bundle).toEqual({ RENAMED: Buffer.from(canary).toString('base64') });
  await page.locator('#edit').click();
  await page.locator('#f-value').fill(`${canary}-new`);
  await state(page, 'edit-value');
  await page.locator('dialog [type=submit]').click();
  await expect(page.locator('#said')).toContainText('token has a new value.');
  await expect(page.locator('#f-value')).toHaveCount(0); // what was said comes a moment before the form is gone
  await nowhere(page);
  await expect.poll(bundle).toEqual({ RENAMED: Buffer.from(`${canary}-new`).toString('base64') });
});

test('detail with usage, and deleting', async ({ page, serve }) => {
  const ns = tenant('web-shop');
  latchkey(ns, canary, 'set', 'github-token', '--env', 'GITHUB_TOKEN', '--wait');
  pod(ns, 'web');
  latchkey(ns, canary + '-2', 'set', 'github-token', '--wait');
  await open(page, await serve(ns));
  await page.getByRole('link', { name: 'github-token' }).click();
  await expect(page.locator('#usage .banner')).toContainText('revoke');
  await expect(page.locator('#usage tbody')).toContainText('web');
  await state(page, 'detail');
  await page.getByRole('button', { name: 'Delete' }).click();
  await expect(page.locator('dialog')).toContainText('The value cannot be brought back');
  await state(page, 'delete');
});

test('a file dropped on the empty list, on the import, and beside both', async ({ page, serve }) => {
  const ns = tenant();
  const served = await serve(ns);
  await open(page, served);
  await drop(page, page.locator('.empty'), 'db.json', JSON.stringify({ DB_PASSWORD: canary }));
  await expect(page.locator('#import-result tbody')).toContainText('DB_PASSWORD');
  await state(page, 'import-dropped');
  // The button that writes what was previewed has the focus: it is no consent to another file.
  await drop(page, page.locator('.drop'), '.env', `A=${canary}\nB=${canary}`);
  await expect(page.locator('#import-result tbody tr')).toHaveCount(2);
  expect(kubectl('', '-n', ns, 'get', 'usersecrets', '-o', 'name')).toBe('');
  await page.getByRole('button', { name: `Write 2 secrets to ${ns}` }).click();
  await expect(page.locator('#import-result')).toContainText('2 secrets written.');
  await page.keyboard.press('Escape');
  await expect(page.locator('tbody .status')).toHaveText(['Projected', 'Projected']);
  await nowhere(page);
  // The browser would open the file in the tab, were this not taken from it.
  const taken = await page.locator('footer').evaluate((e) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File(['A=1'], '.env'));
    return ['dragover', 'drop'].map((type) => !e.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true })));
  });
  expect(taken).toEqual([true, true]);
});

test('overview: tenants, counts, reasons, keys and versions', async ({ page, serve }) => {
  const ns = tenant();
  kubectl('', 'label', 'namespace', ns, `latchkey.dev/user=${ns}`);
  latchkey(ns, '', 'set', 'broken', '--env', 'BROKEN', '--from', 'missing/key');
  latchkey(ns, canary, 'agent', 'set', 'a', '--type', 'string');
  await open(page, await serve(ns));
  await expect(page.locator('tbody .status')).toHaveText('Not projected');
  await page.getByRole('link', { name: 'Overview' }).click();
  for (const what of ['User secrets', 'Secrets of agents', 'Namespaces with secrets', 'Users', 'Environments']) {
    await expect(page.locator('.numbers > div').filter({ has: page.locator('dt').getByText(what, { exact: true }) }).locator('dd')).toHaveText(/^[1-9]\d*$/);
  }
  await expect(page.locator('tbody tr', { hasText: 'SourceNotFound' })).toHaveText(/SourceNotFound[1-9]\d*/);
  await expect(page.locator('tbody tr', { hasText: 'seals' }).locator('time')).toHaveText(/just now|ago/);
  await expect(page.locator('.facts')).toContainText(/Plugin\s*\S+/);
  await expect(page.locator('.facts')).toContainText(/Server\s*\S+/);
  await expect(page.locator('.facts')).not.toContainText('not known');
  await nowhere(page);
  await state(page, 'overview');
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
  await expect(page.locator('.branch')).toHaveText(['db', 'features', 'beta']);
  await expect(page.locator('tbody tr', { hasText: 'features/beta/flags' })).toContainText('list<string>');
  expect(await page.content()).not.toContain('a value that is to be shown');
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

test('read-only shows nothing that changes or reveals', async ({ page, serve }) => {
  const ns = tenant();
  latchkey(ns, canary, 'set', 'a', '--env', 'A');
  latchkey(ns, canary, 'agent', 'set', 'b', '--type', 'string');
  await open(page, await serve(ns, '--read-only'));
  const changes = page.locator('main :is([data-add], [data-open], [data-open-post], [hx-post], [data-drop])');
  await expect(page.getByRole('link', { name: 'a', exact: true })).toBeVisible();
  await expect(page.locator('header .badge')).toHaveText('Read-only');
  await expect(changes).toHaveCount(0);
  await state(page, 'read-only');
  await page.keyboard.press('n');
  await expect(page.locator('dialog')).toBeHidden();
  await page.getByRole('link', { name: 'a', exact: true }).click();
  await expect(page.locator('#usage')).toContainText('No container has it.');
  await expect(changes).toHaveCount(0);
  await page.getByRole('link', { name: 'Agents' }).click();
  await expect(page.locator('tbody tr[data-row]')).toHaveCount(1);
  await expect(changes).toHaveCount(0);
  await state(page, 'read-only-agents');
});

test('a value of agents that somebody else set meanwhile is not overwritten', async ({ page, serve }) => {
  const ns = tenant();
  latchkey(ns, '1', 'agent', 'set', 'a', '--type', 'u16');
  await open(page, await serve(ns));
  await page.getByRole('link', { name: 'Agents' }).click();
  await page.getByRole('button', { name: 'Edit a' }).click();
  await page.locator('#f-value').fill('2');
  latchkey(ns, '3', 'agent', 'set', 'a');
  await page.locator('dialog [type=submit]').click();
  await expect(page.locator('#e-form')).toContainText('Somebody set it meanwhile: it has revision 1 now');
  await expect(page.locator('#e-form')).toBeFocused();
  await expect(page.locator('#f-value')).toHaveValue('2');
  await state(page, 'agent-conflict');
  expect(latchkey(ns, '', 'agent', 'get', 'a', '--reveal').trim()).toBe('3');
});

test('the keys of the page can be turned off, and nothing moves for who does not want it', async ({ page, serve }) => {
  await open(page, await serve(tenant()));
  await page.getByText('Keys:').click();
  await page.locator('h1').click();
  await page.keyboard.press('n');
  await page.keyboard.press('/');
  await expect(page.locator('dialog')).toBeHidden();
  await expect(page.locator('#filter')).not.toBeFocused();
  await page.getByText('Keys:').click();
  await page.locator('h1').click();
  await page.keyboard.press('/');
  await expect(page.locator('#filter')).toBeFocused();
  const animation = () => page.evaluate(() => {
    const spin = document.createElement('span');
    spin.className = 'spin';
    document.body.append(spin);
    const name = getComputedStyle(spin).animationName;
    spin.remove();
    return name;
  });
  expect(await animation()).toBe('none');
  await page.emulateMedia({ reducedMotion: 'no-preference' });
  expect(await animation()).toBe('spin');
});
