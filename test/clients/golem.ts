// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// The life of an agent secret through a client whose types come from a document. The
// test builds this program once for each document, so it uses only what all of them
// describe. Nothing in it is cast: what does not fit a document does not compile.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { paths } from "./generated/document.js";
import { setting } from "./setting.js";

const client = createClient<paths>({
  baseUrl: setting("LATCHKEY_BASE"),
  headers: { Authorization: `Bearer ${setting("LATCHKEY_TOKEN")}` },
});
const environment = { params: { path: { environment_id: setting("LATCHKEY_ENVIRONMENT") } } };

const created = await client.POST("/v1/envs/{environment_id}/agent-secrets", {
  ...environment,
  body: {
    path: ["db_settings"],
    secretType: {
      type: "Record",
      fields: [
        { name: "password", typ: { type: "Str" } },
        { name: "port", typ: { type: "Option", inner: { type: "U64" } } },
        { name: "mode", typ: { type: "Variant", cases: [{ name: "plain" }, { name: "tls", typ: { type: "Str" } }] } },
      ],
    },
    secretValue: { password: "first", mode: { plain: null } },
  },
});
assert(created.data, JSON.stringify(created.error));
assert.deepEqual(created.data.path, ["dbSettings"]);
assert.equal(created.data.revision, 0);

const listed = await client.GET("/v1/envs/{environment_id}/agent-secrets", environment);
assert(listed.data, JSON.stringify(listed.error));
assert.deepEqual(listed.data.values.map((s) => s.id), [created.data.id]);

const one = { params: { path: { agent_secret_id: created.data.id } } };
const got = await client.GET("/v1/agent-secrets/{agent_secret_id}", one);
assert(got.data, JSON.stringify(got.error));
assert.deepEqual(got.data.secretValue, { password: "first", port: null, mode: { plain: null } });
const type = got.data.secretType;
assert(type.type === "Record"); // and so it has fields
const names = type.fields.map((f) => f.name);
assert.deepEqual(names, ["password", "port", "mode"]);
for (const field of type.fields) {
  if (field.typ.type === "Variant") {
    assert.deepEqual(field.typ.cases.map((c) => c.typ?.type), [undefined, "Str"]);
  }
}

const updated = await client.PATCH("/v1/agent-secrets/{agent_secret_id}", {
  ...one,
  body: { currentRevision: got.data.revision, secretValue: { op: "set", value: { password: "second", mode: { tls: "1.3" } } } },
});
assert(updated.data, JSON.stringify(updated.error));
assert.equal(updated.data.revision, 1);
assert.deepEqual(updated.data.secretValue, { password: "second", port: null, mode: { tls: "1.3" } });

const late = await client.PATCH("/v1/agent-secrets/{agent_secret_id}", {
  ...one,
  body: { currentRevision: 0, secretValue: { op: "unset" } },
});
assert.equal(late.response.status, 409);
assert(late.error && "error" in late.error);
assert.equal(late.error.code, "CONCURRENT_UPDATE");

const wrong = await client.PATCH("/v1/agent-secrets/{agent_secret_id}", {
  ...one,
  body: { currentRevision: 1, secretValue: { op: "set", value: 7 } },
});
assert.equal(wrong.response.status, 400);
assert(wrong.error && "errors" in wrong.error);
assert.equal(wrong.error.errors.length, 1);

// A type that was answered is one that can be sent.
const again = await client.POST("/v1/envs/{environment_id}/agent-secrets", {
  ...environment,
  body: { path: ["copy"], secretType: type },
});
assert(again.data, JSON.stringify(again.error));
assert.deepEqual(again.data.secretType, type);

for (const secret of [updated.data, again.data]) {
  const deleted = await client.DELETE("/v1/agent-secret/{agent_secret_id}", {
    params: { path: { agent_secret_id: secret.id }, query: { current_revision: secret.revision } },
  });
  assert(deleted.data, JSON.stringify(deleted.error));
  assert.equal(deleted.data.revision, secret.revision + 1);
}
const gone = await client.GET("/v1/agent-secrets/{agent_secret_id}", one);
assert.equal(gone.response.status, 404);
console.log("golem: done");
