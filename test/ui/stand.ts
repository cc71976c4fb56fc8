// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

import { AxeBuilder } from '@axe-core/playwright';
import { test as base, expect, type Locator, type Page } from '@playwright/test';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';

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
// pod makes a pod, which nothing runs.
export const pod = (ns: string, name: string): string => kubectl(JSON.stringify({
  apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: ns },
  spec: { automountServiceAccountToken: false, containers: [{ name: 'app', image: 'registry.invalid/app' }] },
}), 'apply', '-f', '-');
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

// looker makes a person who may look at some namespaces alone.
export function looker(namespaces: string[], ...more: string[]): string {
  const name = `looker-${namespaces[0]}`;
  for (const ns of namespaces) kubectl('', '-n', ns, 'create', 'rolebinding', 'looks', '--clusterrole=latchkey-view', `--user=${name}`);
  for (const role of more) kubectl('', 'create', 'clusterrolebinding', `${name}-${role}`, `--clusterrole=${role}`, `--user=${name}`);
  return name;
}

// Between stands between a page and the API server.
export type Between = { url: string; failing: (r: IncomingMessage) => boolean; drop: () => void; cut: () => void };

// between forwards all that is not failing; that it answers as a cluster does that cannot serve now.
export async function between(): Promise<Between> {
  const config = JSON.parse(kubectl('', 'config', 'view', '--raw', '--minify', '-o', 'json'));
  const cluster = config.clusters[0].cluster, user = config.users[0].user;
  const pem = (text: string) => Buffer.from(text, 'base64');
  const agent = new Agent({ ca: pem(cluster['certificate-authority-data']), cert: pem(user['client-certificate-data']), key: pem(user['client-key-data']) });
  const unavailable = { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'ServiceUnavailable', code: 503, message: 'the server is currently unable to handle the request' };
  const server = createServer((from, answer) => {
    if (way.failing(from)) {
      from.resume();
      answer.writeHead(503, { 'Content-Type': 'application/json' }).end(JSON.stringify(unavailable));
      return;
    }
    const { host: _, ...headers } = from.headers;
    const to = request(cluster.server + from.url, { agent, method: from.method, headers }, (r) => { answer.writeHead(r.statusCode!, r.headers); r.pipe(answer); });
    to.on('error', () => answer.destroy());
    answer.on('close', () => to.destroy());
    from.pipe(to);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const way: Between = {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`, failing: () => false,
    drop: () => server.closeAllConnections(),
    cut: () => { server.close(); server.closeAllConnections(); },
  };
  return way;
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

// reach goes to an element by the tabulator alone, and sees where it is.
export async function reach(page: Page, to: Locator, key = 'Tab'): Promise<void> {
  for (let n = 0; n < 60; n++) {
    if (await to.evaluate((e) => e === document.activeElement)) {
      // Rows can be put in the place of others at any moment: then it is asked of the new one.
      await expect(to, `the focus of ${to} is visible`).toHaveCSS('outline-style', 'solid');
      return;
    }
    await page.keyboard.press(key);
  }
  throw new Error(`the keyboard does not reach ${to}`);
}

// drop lets a file fall on an element, as from the desktop.
export async function drop(page: Page, to: Locator, name: string, text: string): Promise<void> {
  await to.evaluate((e, [name, text]) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([text], name));
    for (const type of ['dragenter', 'dragover', 'drop']) e.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
  }, [name, text]);
}

// picture takes a picture where they are asked for.
export async function picture(page: Page, name: string): Promise<void> {
  if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/${name}-${page.viewportSize()?.width}.png` });
}

// state looks at a state in both schemes: no violation of WCAG 2.2 AA, nothing wider than the screen, no sign without words
// and no state by its colour alone.
export async function state(page: Page, name: string): Promise<void> {
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme });
    // A scheme changes colours alone: all rules in one of them, that of colours in both.
    const axe = new AxeBuilder({ page }).options({ resultTypes: ['violations'] }); // what passes is only counted, which is faster
    const found = await (colorScheme === 'light' ? axe.withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']) : axe.withRules('color-contrast')).analyze();
    expect(found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`), `${name}, ${colorScheme}`).toEqual([]);
    await picture(page, `${name}-${colorScheme}`);
  }
  expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name} fits`).toBe(true);
  expect(await page.evaluate(() => [...document.querySelectorAll('svg.icon')].filter((i) => !i.parentElement?.textContent?.trim()).length), `${name}: signs without words`).toBe(0);
  expect(await page.evaluate(() => [...document.querySelectorAll('.status, div.banner, .said p')].filter((s) => !s.querySelector('svg') || !s.textContent?.trim()).length), `${name}: states by colour alone`).toBe(0);
}

// nowhere looks for the canary wherever a page could keep it.
export async function nowhere(page: Page): Promise<void> {
  expect(await page.content()).not.toContain(canary);
  expect(page.url()).not.toContain(canary);
  const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, history.state, document.cookie, [...document.querySelectorAll('input, textarea')].map((f) => (f as HTMLInputElement).value)]));
  expect(kept).not.toContain(canary);
}
