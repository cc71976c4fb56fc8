// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// setting returns what the environment says of a name, and ends the program where it
// says nothing.
export function setting(name: string): string {
  const value = process.env[name];
  if (!value) {
    throw new Error(`${name} is not set`);
  }
  return value;
}
