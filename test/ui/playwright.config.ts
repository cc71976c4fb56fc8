// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

import { defineConfig } from '@playwright/test';

export default defineConfig({
  testDir: '.',
  outputDir: 'results',
  workers: 2,
  fullyParallel: true,
  retries: 0,
  forbidOnly: true,
  timeout: 40_000,
  expect: { timeout: 10_000 },
  reporter: [['list']],
  use: {
    // attacker.test leads here, as a name does that is bound anew.
    launchOptions: { executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--host-resolver-rules=MAP attacker.test 127.0.0.1'] },
    viewport: { width: 1280, height: 800 },
    trace: 'off', // a trace would keep what is typed
    reducedMotion: 'reduce',
  },
  projects: [
    { name: 'states', testMatch: ['states.spec.ts', 'troubles.spec.ts', 'layout.spec.ts', 'live.spec.ts'] }, // each in both schemes
    { name: 'wide', testMatch: 'flows.spec.ts' },
    { name: 'narrow', testMatch: 'flows.spec.ts', use: { viewport: { width: 320, height: 640 } } },
    { name: 'attacks', testMatch: 'attacks.spec.ts' },
  ],
});
