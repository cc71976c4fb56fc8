// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

import type { Page } from '@playwright/test';
import { between, canary, expect, kubectl, latchkey, looker, nowhere, open, state, tenant, test } from './stand.ts';

// fill types a new secret.
async function fill(page: Page, name: string): Promise<void> {
  await page.locator('[data-add]').first().click();
  await page.locator('#f-name').fill(name);
  await page.locator('#f-value').fill(canary);
}

test('no namespace, no tenant, missing rights, expired login', async ({ page, serve }) => {
  await open(page, await serve('there-is-none'));
  await expect(page.locator('h1')).toHaveText('There is no such namespace');
  await expect(page.locator('main')).toContainText('kubectl create namespace there-is-none');
  await state(page, 'no-namespace');
  const ns = tenant();
  kubectl('', 'label', 'namespace', ns, 'latchkey.dev/injection-');
  await open(page, await serve(ns));
  await page.getByText('Pods of this namespace do not find secrets by themselves').click();
  await expect(page.locator('#not-injected')).toContainText(`kubectl label namespace ${ns} latchkey.dev/injection=enabled`);
  await state(page, 'no-tenant');
  await open(page, await serve('default', '--as', 'nobody'));
  await expect(page.locator('h1')).toHaveText('You may not see this');
  await expect(page.locator('main')).toContainText('list usersecrets.latchkey.dev in namespace default');
  await expect(page.locator('main')).toContainText('rolebinding');
  await state(page, 'forbidden');
  const api = JSON.parse(kubectl('', 'config', 'view', '--raw', '-o', 'json')).clusters[0].cluster.server as string;
  await open(page, await serve('default', '--kubeconfig', '/dev/null', '--server', api, '--insecure-skip-tls-verify', '--token', 'expired'));
  await expect(page.locator('h1')).toHaveText('Your login has expired');
  await expect(page.locator('main')).toContainText('kubectl auth whoami');
  await state(page, 'login');
});

test('who may look alone: their namespaces are offered, and what is missing is said', async ({ page, serve }) => {
  const ns = tenant(), second = tenant();
  tenant(); // which they may not see
  kubectl('', 'create', 'clusterrole', `sees-${ns}`, '--verb=list', '--resource=namespaces');
  const person = looker([ns, second], `sees-${ns}`);
  latchkey(ns, canary, 'set', 'token', '--env', 'TOKEN', '--wait');
  latchkey(ns, canary, 'agent', 'set', 'db/password', '--type', 'string');
  await open(page, await serve(ns, '--as', person));
  await expect.poll(() => page.locator('#namespaces option').evaluateAll((all) => all.map((o) => (o as HTMLOptionElement).value))).toEqual([ns, second].sort());
  await page.getByRole('link', { name: 'token', exact: true }).click();
  await expect(page.locator('#usage')).toContainText('Who uses it is not known');
  await expect(page.locator('#usage')).toContainText('list pods');
  await state(page, 'usage-unknown');
  await page.getByRole('button', { name: 'Disable' }).click();
  await expect(page.locator('#e-form')).toContainText('patch usersecrets.latchkey.dev');
  await state(page, 'change-forbidden');
  await page.getByRole('link', { name: 'Agents' }).click();
  await page.getByRole('button', { name: 'Reveal db/password' }).click();
  await expect(page.locator('dialog')).toContainText('agentsecrets.latchkey.dev/value');
  await expect(page.locator('dialog')).toContainText(`kubectl -n ${ns} create rolebinding latchkey-edit-`);
  await state(page, 'reveal-forbidden');
  await page.keyboard.press('Escape');
  await page.getByRole('link', { name: 'Overview' }).click();
  await expect(page.locator('h1')).toHaveText('You may not see this');
  await expect(page.locator('main')).toContainText('clusterrolebinding');
  await state(page, 'overview-forbidden');
  await nowhere(page);
});

test('a cluster that cannot serve now keeps the input, and trying again works; an import stops and goes on', async ({ page, serve }) => {
  const ns = tenant();
  const way = await between();
  await open(page, await serve(ns, '--server', way.url));
  await fill(page, 'kept');
  way.failing = (r) => r.method === 'POST' && r.url!.includes('/usersecrets');
  await page.locator('dialog [type=submit]').click();
  await expect(page.locator('#e-form')).toContainText('The cluster cannot answer now');
  await expect(page.locator('#e-form')).toContainText('What you typed is still here: try again.');
  await expect(page.locator('#e-form')).toBeFocused();
  await expect(page.locator('#f-value')).toHaveValue(canary);
  await expect(page.locator('#f-name')).toHaveValue('kept');
  await state(page, 'unavailable');
  way.failing = () => false;
  await page.locator('dialog [type=submit]').click();
  await expect(page.locator('#said')).toContainText('kept was added.');

  await page.getByRole('button', { name: 'Import a file' }).first().click();
  await page.locator('#f-import').setInputFiles({ name: '.env', mimeType: 'text/plain', buffer: Buffer.from(`A=${canary}\nB=${canary}\nC=${canary}`) });
  await page.getByRole('button', { name: 'Preview' }).click();
  let writes = 0;
  way.failing = (r) => r.method === 'POST' && r.url!.includes('/usersecrets') && !r.url!.includes('dryRun') && ++writes > 1;
  await page.getByRole('button', { name: `Write 3 secrets to ${ns}` }).click();
  await expect(page.locator('#import-result')).toContainText('1 secret written. It stopped at B');
  await expect(page.locator('#import-result')).toContainText('Done: A');
  await expect(page.locator('#import-result')).toContainText('Not tried: C');
  await nowhere(page);
  await state(page, 'import-partial');
  way.failing = () => false;
  await page.getByRole('button', { name: 'Preview' }).click();
  await page.getByRole('button', { name: `Write 2 secrets to ${ns}` }).click();
  await expect(page.locator('#import-result')).toContainText('2 secrets written.');
  way.cut();
});

test('unreachable in the middle of typing keeps the input; session ended', async ({ page, serve }) => {
  const way = await between();
  const ns = tenant();
  const served = await serve(ns, '--server', way.url);
  await open(page, served);
  await fill(page, 'kept');
  way.cut();
  await page.locator('dialog [type=submit]').click();
  await expect(page.locator('#e-form')).toContainText('The cluster cannot be reached');
  await expect(page.locator('#e-form')).toContainText('What you typed is still here');
  await expect(page.locator('#f-value')).toHaveValue(canary);
  await state(page, 'unreachable-form');
  await page.keyboard.press('Escape');
  await page.reload();
  await expect(page.locator('h1')).toHaveText('The cluster cannot be reached');
  await expect(page.locator('main')).toContainText('kubectl cluster-info');
  await state(page, 'unreachable');
  served.process.kill('SIGINT');
  expect(await served.ended).toBe(130);
  await page.getByRole('link', { name: 'Try again' }).click();
  await expect(page.locator('h1')).toHaveText('The session has ended');
  await expect(page.locator('main')).toContainText(`kubectl latchkey ui -n ${ns}`);
  await state(page, 'ended');
});

// Nobody writes a status where a policy of the cluster forbids it: the controller has not looked yet.
test('checking, until the controller has looked', async ({ page, serve }) => {
  const ns = tenant();
  const name = `no-status-${ns}`;
  const policy = (kind: string, spec: object) => ({ apiVersion: 'admissionregistration.k8s.io/v1', kind, metadata: { name }, spec });
  latchkey(ns, canary, 'set', 'before', '--wait');
  kubectl(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [
    policy('ValidatingAdmissionPolicy', {
      matchConstraints: { resourceRules: [{ apiGroups: ['latchkey.dev'], apiVersions: ['*'], operations: ['UPDATE'], resources: ['usersecrets/status'] }] },
      validations: [{ expression: 'false', message: 'no status here' }],
    }),
    policy('ValidatingAdmissionPolicyBinding', {
      policyName: name, validationActions: ['Deny'], matchResources: { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': ns } } },
    }),
  ] }), 'apply', '-f', '-');
  const touched = () => {
    try { return kubectl('', '-n', ns, 'patch', 'usersecret', 'before', '--subresource=status', '--type=merge', '-p', '{"status":{"observedGeneration":0}}'); } catch (e) { return String((e as { stderr: string }).stderr); }
  };
  await expect.poll(touched).toContain('no status here');
  latchkey(ns, canary, 'set', 'new', '--env', 'NEW');
  await open(page, await serve(ns));
  const row = page.locator('tbody tr', { hasText: 'NEW' });
  await expect(row.locator('.status')).toHaveText('Checking');
  await state(page, 'checking');
  kubectl('', 'delete', `validatingadmissionpolicybinding/${name}`, `validatingadmissionpolicy/${name}`);
  await expect(row.locator('.status')).toHaveText('Projected', { timeout: 30_000 });
});

// Admission refuses what an unknown key seals. Objects of before a key was lost are as if nobody had asked it. Latchkey
// undoes an edit of its webhooks, but not what an installer declares.
test('a lost key is told of, with the command that brings it back', async ({ page, serve }) => {
  const ns = tenant();
  latchkey(ns, canary, 'set', 'token', '--env', 'TOKEN');
  const secret = JSON.parse(kubectl('', '-n', ns, 'get', 'usersecret', 'token', '-o', 'json'));
  for (const kind of ['mutatingwebhookconfiguration', 'validatingwebhookconfiguration']) {
    for (const config of JSON.parse(kubectl('', 'get', kind, '-o', 'json')).items) {
      const patches = config.webhooks.flatMap((w: { rules?: { resources: string[] }[]; namespaceSelector?: { matchExpressions?: object[] } }, n: number) =>
        w.rules?.some((r) => r.resources.includes('usersecrets'))
          ? [{ op: 'add', path: `/webhooks/${n}/namespaceSelector`, value: { matchExpressions: [...w.namespaceSelector?.matchExpressions ?? [], { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: [ns] }] } }] : []);
      if (patches.length) kubectl('', 'patch', kind, config.metadata.name, '--field-manager=helm', '--type=json', '-p', JSON.stringify(patches));
    }
  }
  const lost = { ...secret, metadata: { namespace: ns, name: 'lost' }, status: undefined };
  lost.spec = { ...secret.spec, name: 'lost', envName: 'LOST', sealedValue: secret.spec.sealedValue.replace(/^lk1\.[0-9a-f]+/, 'lk1.0123456789abcdef') };
  await expect(() => { kubectl(JSON.stringify(lost), 'create', '-f', '-'); }).toPass({ timeout: 20_000 });
  await open(page, await serve(ns));
  await expect(page.locator('.banner.bad')).toContainText('A sealing key is lost.');
  await expect(page.locator('.banner.bad')).toContainText('kubectl latchkey keys restore');
  await page.getByText('KeyNotFound: why, and what to do').click();
  await expect(page.locator('details[open]')).toContainText('0123456789abcdef');
  await state(page, 'key-lost');
  await page.getByRole('link', { name: 'lost', exact: true }).click();
  await expect(page.locator('main')).toContainText('What to do about KeyNotFound');
  await state(page, 'detail-fix');
});
