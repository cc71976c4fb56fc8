// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

import type { Locator, Page } from '@playwright/test';
import { canary, expect, latchkey, nowhere, open, state, tenant, test } from './stand.ts';

// reach goes to an element by the tabulator alone.
async function reach(page: Page, to: Locator): Promise<void> {
  for (let n = 0; n < 60; n++) {
    if (await to.evaluate((e) => e === document.activeElement)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`the keyboard does not reach ${to}`);
}

test('add, edit, disable and delete by keyboard alone', async ({ page, serve }) => {
  const ns = tenant();
  await open(page, await serve(ns));
  await page.keyboard.press('n');
  await expect(page.locator('#f-name')).toBeFocused();
  await page.keyboard.type('token');
  await reach(page, page.locator('#f-value'));
  await page.keyboard.type(canary);
  await reach(page, page.locator('#f-env'));
  await page.keyboard.type('TOKEN');
  await page.keyboard.press('Enter');
  await expect(page.locator('#said')).toContainText('token was added.');
  await nowhere(page);
  await expect(page.locator('.status')).toHaveText('Projected'); // it came by itself
  await page.keyboard.press('/');
  await expect(page.locator('#filter')).toBeFocused();
  await page.keyboard.type('tok');
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
  await reach(page, page.getByRole('button', { name: 'Edit db/port' }));
  await page.keyboard.press('Enter');
  await expect(page.locator('#f-value')).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('button', { name: 'Edit db/port' })).toBeFocused();
  await state(page, 'agents');
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
