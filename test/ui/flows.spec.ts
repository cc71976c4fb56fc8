// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

import { canary, expect, kubectl, latchkey, nowhere, open, reach, state, tenant, test } from './stand.ts';

test('add, filter, edit, disable and delete by keyboard alone', async ({ page, serve }) => {
  const ns = tenant();
  await open(page, await serve(ns));
  const skip = page.getByRole('link', { name: 'Skip to the content' });
  await reach(page, skip);
  await expect(skip).toBeInViewport();
  await page.keyboard.press('Enter');
  await expect(page.locator('#main')).toBeFocused();
  await page.keyboard.press('n');
  await expect(page.locator('#f-name')).toBeFocused();
  await page.keyboard.type('token');
  await reach(page, page.locator('#f-value'));
  await page.keyboard.type(canary);
  await reach(page, page.locator('#f-env'));
  await page.keyboard.type('TOKEN');
  await page.keyboard.press('Enter');
  await expect(page.locator('#said')).toContainText('token was added.');
  await expect(page.locator('#f-value')).toHaveCount(0); // what was said comes a moment before the form is gone
  await nowhere(page);
  await expect(page.locator('.status')).toHaveText('Projected'); // it came by itself
  await page.keyboard.press('/');
  await expect(page.locator('#filter')).toBeFocused();
  await page.keyboard.type('zzz');
  await expect(page.locator('#matches')).toHaveText('0 of 1 shown');
  for (let n = 0; n < 3; n++) await page.keyboard.press('Backspace');
  await page.keyboard.type('tok');
  await expect(page.locator('#matches')).toHaveText('1 of 1 shown');
  await reach(page, page.getByRole('link', { name: 'token', exact: true }));
  await page.keyboard.press('Enter');
  await expect(page.locator('h1')).toHaveText('token');
  await reach(page, page.locator('#edit'));
  await page.keyboard.press('Enter');
  await reach(page, page.locator('#f-description'));
  await page.keyboard.type('for people');
  await page.keyboard.press('Enter');
  await expect(page.locator('.lead')).toHaveText('for people');
  await expect(page.locator('#edit')).toBeFocused();
  for (const [button, status] of [['Disable', 'Disabled'], ['Enable', 'Projected']]) {
    await reach(page, page.getByRole('button', { name: button, exact: true }));
    await page.keyboard.press('Enter');
    await expect(page.locator('#facts .status')).toHaveText(status);
  }
  await expect(page.getByRole('button', { name: 'Disable', exact: true })).toBeFocused();
  await reach(page, page.getByRole('button', { name: 'Delete' }));
  await page.keyboard.press('Enter');
  await reach(page, page.locator('dialog [type=submit]'));
  await page.keyboard.press('Enter');
  await expect(page.getByText('No secrets yet')).toBeVisible();
  await state(page, 'after-delete');
});

test('import by keyboard alone', async ({ page, serve }) => {
  const ns = tenant();
  await open(page, await serve(ns));
  // Before the key is pressed: the browser would open a window of its own otherwise.
  page.on('filechooser', (c) => c.setFiles({ name: '.env', mimeType: 'text/plain', buffer: Buffer.from(`A=${canary}`) }));
  await reach(page, page.getByRole('button', { name: 'Import a file' }).first());
  await page.keyboard.press('Enter');
  await expect(page.locator('#f-import')).toBeFocused();
  await page.keyboard.press('Enter');
  await expect.poll(() => page.locator('#f-import').evaluate((f) => (f as HTMLInputElement).files?.length)).toBe(1);
  await reach(page, page.getByRole('button', { name: 'Preview' }));
  await page.keyboard.press('Enter');
  const write = page.getByRole('button', { name: 'Write 1 secret' });
  await expect(write).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page.locator('#import-result')).toContainText('1 secret written.');
  await state(page, 'import');
});

test('agents by keyboard alone', async ({ page, serve }) => {
  const ns = tenant();
  await open(page, await serve(ns));
  await reach(page, page.getByRole('link', { name: 'Agents' }));
  await page.keyboard.press('Enter');
  await expect(page.locator('h1')).toHaveText(`Agents of ${ns}`);
  await page.keyboard.press('n');
  await expect(page.locator('#f-name')).toBeFocused();
  await page.keyboard.type('db/port');
  await reach(page, page.locator('#f-type'));
  await page.keyboard.type('u16');
  await reach(page, page.locator('#f-value'));
  await page.keyboard.type('5432');
  await reach(page, page.locator('dialog [type=submit]'));
  await page.keyboard.press('Enter');
  await expect(page.locator('#said')).toContainText('db/port was added.');
  const row = page.locator('tbody tr', { hasText: 'db/port' });
  await expect(row.locator('.status')).toHaveText('Projected');
  await reach(page, page.getByRole('button', { name: 'Reveal db/port' }));
  await page.keyboard.press('Enter');
  await expect(page.locator('[data-revealed]')).toHaveText('5432');
  await expect(page.getByRole('button', { name: 'Hide' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page.locator('[data-revealed]')).toHaveCount(0);
  const edit = page.getByRole('button', { name: 'Edit db/port' });
  await reach(page, edit);
  await page.keyboard.press('Enter');
  await expect(page.locator('#f-value')).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(edit).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page.locator('#f-value')).toBeFocused();
  await page.keyboard.type('70000');
  await reach(page, page.locator('dialog [type=submit]'));
  await page.keyboard.press('Enter');
  await expect(page.locator('#f-value')).toBeFocused(); // it is no u16, and the focus is on what is wrong
  await expect(page.locator('#e-value')).not.toBeEmpty();
  await page.keyboard.press('Control+a');
  await page.keyboard.type('8080');
  await reach(page, page.locator('dialog [type=submit]'));
  await page.keyboard.press('Enter');
  await expect(page.locator('#said')).toContainText('db/port has a new value, revision 1.');
  await expect(edit).toBeFocused();
  await page.keyboard.press('/');
  await page.keyboard.type('u16');
  await expect(page.locator('#matches')).toHaveText('1 of 1 shown');
  expect(JSON.parse(kubectl('', '-n', ns, 'get', 'secret', 'latchkey-agent-env', '-o', 'json')).data).toBeTruthy();
  await state(page, 'agents');
});

test('another namespace and the overview by keyboard alone', async ({ page, serve }) => {
  const ns = tenant(), other = tenant();
  latchkey(other, canary, 'set', 'there', '--env', 'THERE');
  await open(page, await serve(ns));
  await reach(page, page.locator('#namespace'));
  await page.keyboard.press('Control+a');
  await page.keyboard.type(other);
  await page.keyboard.press('Enter');
  await expect(page.locator('h1')).toHaveText(`Secrets of ${other}`);
  await expect(page.getByRole('link', { name: 'there', exact: true })).toBeVisible();
  await reach(page, page.getByRole('link', { name: 'Overview' }));
  await page.keyboard.press('Enter');
  await expect(page.locator('.numbers')).toBeVisible();
  await state(page, 'overview');
  await reach(page, page.getByRole('link', { name: 'Secrets', exact: true }));
  await page.keyboard.press('Enter');
  await expect(page.locator('h1')).toHaveText(`Secrets of ${other}`);
  await page.goBack();
  await expect(page.locator('h1')).toHaveText('Overview');
});

test('changes made elsewhere appear; what is typed, opened and focused stays', async ({ page, serve }) => {
  const ns = tenant();
  latchkey(ns, '', 'set', 'broken', '--env', 'BROKEN', '--from', 'missing/key');
  await open(page, await serve(ns));
  await expect(page.locator('#live-text')).toHaveText('Live');
  await page.getByText('SourceNotFound: why').click();
  await expect(page.locator('#d-broken')).toHaveAttribute('open', '');
  latchkey(ns, canary, 'set', 'first', '--env', 'FIRST');
  await expect(page.locator('tbody th')).toHaveText(['broken', 'first']);
  await expect(page.locator('#d-broken')).toHaveAttribute('open', '');
  await expect(page.locator('#w-broken')).toBeFocused();
  await page.keyboard.press('n');
  await page.locator('#f-value').fill(canary);
  latchkey(ns, canary, 'set', 'from-elsewhere', '--env', 'ELSEWHERE');
  await expect(page.locator('tbody th')).toHaveText(['broken', 'first', 'from-elsewhere']);
  await expect(page.locator('#f-value')).toHaveValue(canary);
  await page.keyboard.press('Escape');
  await expect(page.locator('#f-value')).toHaveCount(0);
  await nowhere(page);
});

test('a secret that somebody else changed since its form was opened is not changed back', async ({ page, serve }) => {
  const ns = tenant();
  latchkey(ns, canary, 'set', 'shared', '--env', 'BEFORE');
  await open(page, await serve(ns));
  await page.getByRole('link', { name: 'shared', exact: true }).click();
  const edit = async () => {
    await page.locator('#edit').click();
    await page.locator('#f-description').fill('mine');
  };
  const save = () => page.getByRole('button', { name: 'Save' }).click();
  await edit();
  kubectl('', '-n', ns, 'patch', 'usersecret', 'shared', '--type=merge', '-p', '{"spec":{"envName":"THEIRS"}}');
  await save();
  await expect(page.locator('#e-form')).toContainText('was changed after this form was opened');
  await expect(page.locator('#e-form')).toBeFocused();
  await expect(page.locator('#f-description')).toHaveValue('mine');
  await page.keyboard.press('Escape');
  await edit();
  await save();
  await expect(page.locator('#said')).toContainText('was changed');
  expect(kubectl('', '-n', ns, 'get', 'usersecret', 'shared', '-o', 'jsonpath={.spec.envName} {.spec.description}')).toBe('THEIRS mine');
});
