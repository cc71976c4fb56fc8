// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

import { AxeBuilder } from '@axe-core/playwright';
import { test as base, expect, type Page } from '@playwright/test';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { appendFileSync } from 'node:fs';

export { expect };
// canary is in every value that a test sets. The suite looks for it in all logs.
export const canary = 'canary-7d20b5e1';

const need = (name: string): string => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: go test ./test/ui runs this`);
  return value;
};
const [plugin, kubectlPath, kubeconfig] = [need('PLUGIN'), need('KUBECTL'), need('KUBECONFIG')];

export const kubectl = (input: string, ...args: string[]): string =>
  execFileSync(kubectlPath, ['--kubeconfig', kubeconfig, ...args], { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] });
export const latchkey = (ns: string, input: string, ...args: string[]): string =>
  execFileSync(plugin, ['-n', ns, ...args], { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] });

let made = 0;
// tenant makes a namespace, of a name that pictures can show.
export function tenant(shown?: string): string {
  const ns = (process.env.SCREENSHOTS && shown) || `ui-${process.pid}-${++made}`;
  kubectl('', 'create', 'namespace', ns);
  kubectl('', 'label', 'namespace', ns, 'latchkey.dev/injection=enabled', `latchkey.dev/environment=${ns}`);
  return ns;
}

// Served is a page and its process.
export type Served = { url: string; ended: Promise<number | null>; process: ChildProcess };

export const test = base.extend<{ serve: (ns: string, ...args: string[]) => Promise<Served>; noted: string[] }>({
  // noted is what must not happen in the browser.
  noted: [async ({ page }, use) => {
    const noted: string[] = [];
    page.on('console', (m) => { if (/Content Security Policy|Content-Security-Policy/.test(m.text())) noted.push(m.text()); });
    page.on('pageerror', (e) => noted.push(String(e)));
    page.on('request', (r) => { if (new URL(r.url()).hostname !== '127.0.0.1') noted.push(r.url()); });
    await use(noted);
    expect(noted, 'no violation of the policy, no error, no foreign request').toEqual([]);
  }, { auto: true }],
  serve: async ({}, use) => {
    const all: Served[] = [];
    await use(async (ns, ...args) => {
      const child = spawn(plugin, ['ui', '--no-open', '-v=9', '-n', ns, ...args], { env: { ...process.env, KUBECONFIG: kubeconfig } });
      const log = (text: Buffer) => appendFileSync(need('UI_LOG'), text);
      child.stderr.on('data', log);
      const ended = new Promise<number | null>((done) => child.on('exit', done));
      const url = await new Promise<string>((done) => child.stdout.once('data', (d: Buffer) => { log(d); done(String(d).trim()); }));
      all.push({ url, ended, process: child });
      return all[all.length - 1];
    });
    for (const s of all) { s.process.kill(); await s.ended; }
  },
});

// open opens the page and waits for its first screen.
export async function open(page: Page, served: Served): Promise<void> {
  await page.goto(served.url);
  await expect(page.locator('h1')).toBeVisible();
}

// state looks at a state in both schemes: no violation of WCAG 2.2 AA, nothing wider than the screen.
export async function state(page: Page, name: string): Promise<void> {
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme });
    const found = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']).analyze();
    expect(found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`), `${name}, ${colorScheme}`).toEqual([]);
    if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/${name}-${colorScheme}-${page.viewportSize()?.width}.png` });
  }
  expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name} fits`).toBe(true);
}

// nowhere looks for the canary wherever a page could keep it.
export async function nowhere(page: Page): Promise<void> {
  expect(await page.content()).not.toContain(canary);
  expect(page.url()).not.toContain(canary);
  const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, history.state, document.cookie, [...document.querySelectorAll('input, textarea')].map((f) => (f as HTMLInputElement).value)]));
  expect(kept).not.toContain(canary);
}
