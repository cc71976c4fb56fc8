// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// The life of a user secret through a client whose types come from our document, on
// the paths of both faces. Nothing in it is cast.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { paths } from "./generated/coder.js";
import { setting } from "./setting.js";

const headers = { Authorization: `Bearer ${setting("LATCHKEY_TOKEN")}` };
const direct = createClient<paths>({ baseUrl: setting("LATCHKEY_URL"), headers });
const cluster = createClient<paths>({ baseUrl: setting("KUBERNETES_URL"), headers });
const me = { path: { user: "me" } };
const one = { params: { path: { user: "me", name: "a token" } } };

const created = await direct.POST("/api/v2/users/{user}/secrets", {
  params: me,
  body: { name: "a token", value: "first", env_name: "A_TOKEN" },
});
assert(created.data, JSON.stringify(created.error));
assert.equal(created.data.enabled, true);
assert.equal(created.data.created_at, created.data.updated_at);

const listed = await cluster.GET("/apis/coder.latchkey.dev/v2/users/{user}/secrets", { params: me });
assert(listed.data, JSON.stringify(listed.error));
assert.deepEqual(listed.data, [created.data]);

const updated = await cluster.PATCH("/apis/coder.latchkey.dev/v2/users/{user}/secrets/{name}", {
  ...one,
  body: { value: "second", env_name: "", description: null },
});
assert(updated.data, JSON.stringify(updated.error));
assert.equal(updated.data.env_name, "");

const got = await direct.GET("/api/v2/users/{user}/secrets/{name}", one);
assert.deepEqual(got.data, updated.data);

const imported = await direct.POST("/api/v2/users/{user}/secrets/batch", {
  params: me,
  body: { format: "json", content: '\ufeff{"IMPORTED":"x"}' },
});
assert(imported.data, JSON.stringify(imported.error));
assert.deepEqual(imported.data.map((s) => s.name), ["IMPORTED"]);

const refused = await cluster.POST("/apis/coder.latchkey.dev/v2/users/{user}/secrets", {
  params: me,
  body: { name: "IMPORTED", value: "" },
});
assert.equal(refused.response.status, 400);
assert.deepEqual(refused.error?.validations?.map((v) => v.field), ["value"]);

const user = await direct.GET("/api/v2/users/{user}", { params: me });
assert(user.data, JSON.stringify(user.error));
assert.equal(user.data.login_type, "token");

for (const name of ["a token", "IMPORTED"]) {
  const deleted = await cluster.DELETE("/apis/coder.latchkey.dev/v2/users/{user}/secrets/{name}", {
    params: { path: { user: "me", name } },
  });
  assert.equal(deleted.response.status, 204);
}
console.log("coder: done");
