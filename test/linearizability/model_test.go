// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package linearizability

import (
	"net/http"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

const never = int64(1000)

// op is one operation of a history written by hand.
func op(call, end int64, r request, status int, shown ...seen) porcupine.Operation {
	return porcupine.Operation{Call: call, Return: end, Input: r, Output: answer{Status: status, Seen: shown}}
}

func writes(v verb, slot int, content, env string) request {
	return request{Verb: v, Slot: slot, Content: &content, Env: &env}
}

func patches(id string, revision int, content string) request {
	return request{Verb: update, ID: id, Revision: revision, Content: &content}
}

func TestModel_HistoriesByHand_AreJudged(t *testing.T) {
	const ok, missing, conflict = http.StatusOK, http.StatusNotFound, http.StatusConflict
	one := seen{Slot: 0, ID: "id-1", Content: "one", Env: "E"}
	two := seen{Slot: 0, ID: "id-1", Content: "two", Env: "E"}
	other := seen{Slot: 1, ID: "id-2", Content: "other", Env: "E"}
	agent := func(revision int, content string) seen { return seen{ID: "id-1", Content: content, Revision: revision} }
	for does, c := range map[string]struct {
		history []porcupine.Operation
		want    bool
	}{
		"one after the other": {[]porcupine.Operation{
			op(0, 1, writes(create, 0, "one", "E"), ok, one), op(2, 3, request{Verb: get}, ok, one),
			op(4, 5, writes(update, 0, "two", "E"), ok, two), op(6, 7, request{Verb: list}, ok, two),
			op(8, 9, request{Verb: remove}, ok), op(10, 11, request{Verb: get}, missing), op(12, 13, request{Verb: list}, ok),
		}, true},
		"a read during a write may see either": {[]porcupine.Operation{
			op(0, 1, writes(create, 0, "one", "E"), ok, one), op(2, 9, writes(update, 0, "two", "E"), ok, two),
			op(3, 4, request{Verb: get}, ok, one), op(5, 6, request{Verb: get}, ok, two),
		}, true},
		"reads during a write do not go back": {[]porcupine.Operation{
			op(0, 1, writes(create, 0, "one", "E"), ok, one), op(2, 9, writes(update, 0, "two", "E"), ok, two),
			op(3, 4, request{Verb: get}, ok, two), op(5, 6, request{Verb: get}, ok, one),
		}, false},
		"a stale read": {[]porcupine.Operation{
			op(0, 1, writes(create, 0, "one", "E"), ok, one), op(2, 3, writes(update, 0, "two", "E"), ok, two),
			op(4, 5, request{Verb: get}, ok, one),
		}, false},
		"a stale list": {[]porcupine.Operation{
			op(0, 1, writes(create, 0, "one", "E"), ok, one), op(2, 3, request{Verb: list}, ok),
		}, false},
		"what exists is called unknown": {[]porcupine.Operation{
			op(0, 1, writes(create, 0, "one", "E"), ok, one), op(2, 3, request{Verb: get}, missing),
		}, false},
		"a lost write": {[]porcupine.Operation{
			op(0, 1, writes(create, 0, "one", "E"), ok, one), op(2, 3, writes(update, 0, "two", "E"), ok, two),
			op(4, 5, request{Verb: get}, ok, two), op(6, 7, request{Verb: get}, ok, one),
		}, false},
		"a write without an answer was done": {[]porcupine.Operation{
			op(0, never, writes(create, 0, "one", "E"), 0), op(2, 3, request{Verb: list}, ok), op(4, 5, request{Verb: get}, ok, one),
		}, true},
		"a write without an answer was never done": {[]porcupine.Operation{
			op(0, 1, writes(create, 0, "one", "E"), ok, one), op(2, never, writes(update, 0, "two", "E"), 0), op(4, 5, request{Verb: get}, ok, one),
		}, true},
		"a write without an answer is not undone": {[]porcupine.Operation{
			op(0, never, writes(create, 0, "one", "E"), 0), op(2, 3, request{Verb: get}, ok, one), op(4, 5, request{Verb: list}, ok),
		}, false},
		"one winner of a claim": {[]porcupine.Operation{
			op(0, 5, writes(create, 0, "one", "E"), ok, one), op(0, 5, writes(create, 1, "other", "E"), conflict),
		}, true},
		"two winners of a claim": {[]porcupine.Operation{
			op(0, 5, writes(create, 0, "one", "E"), ok, one), op(0, 5, writes(create, 1, "other", "E"), ok, other),
		}, false},
		"two winners of a name": {[]porcupine.Operation{
			op(0, 5, writes(create, 0, "one", ""), ok, seen{ID: "id-1", Content: "one"}),
			op(0, 5, writes(create, 0, "two", ""), ok, seen{ID: "id-2", Content: "two"}),
		}, false},
		"a refusal without a reason": {[]porcupine.Operation{
			op(0, 1, writes(create, 0, "one", "E"), conflict),
		}, false},
		"a claim is free again": {[]porcupine.Operation{
			op(0, 1, writes(create, 0, "one", "E"), ok, one), op(2, 3, request{Verb: remove}, ok),
			op(4, 5, writes(create, 1, "other", "E"), ok, other),
		}, true},
		"a secret is revived": {[]porcupine.Operation{
			op(0, 1, writes(create, 0, "one", "E"), ok, one), op(2, 3, request{Verb: remove}, ok), op(4, 5, request{Verb: get}, ok, one),
		}, false},
		"a secret is revived under its successor": {[]porcupine.Operation{
			op(0, 1, writes(create, 0, "one", "E"), ok, one), op(2, 3, request{Verb: remove}, ok),
			op(4, 5, writes(create, 0, "one", "E"), ok, seen{ID: "id-9", Content: "one", Env: "E"}), op(6, 7, request{Verb: get}, ok, one),
		}, false},
		"revisions go up": {[]porcupine.Operation{
			op(0, 1, writes(create, 0, "one", ""), ok, agent(0, "one")), op(2, 3, patches("id-1", 0, "two"), ok, agent(1, "two")),
			op(4, 5, patches("id-1", 0, "three"), conflict), op(6, 7, request{Verb: remove, ID: "id-1", Revision: 1}, ok),
			op(8, 9, request{Verb: get, ID: "id-1"}, missing),
		}, true},
		"two winners of a revision": {[]porcupine.Operation{
			op(0, 1, writes(create, 0, "one", ""), ok, agent(0, "one")), op(2, 6, patches("id-1", 0, "two"), ok, agent(1, "two")),
			op(2, 6, patches("id-1", 0, "three"), ok, agent(1, "three")),
		}, false},
	} {
		t.Run(does, func(t *testing.T) {
			result, _, why := judge(c.history, time.Minute)
			if got := result == porcupine.Ok; got != c.want {
				t.Errorf("linearizable: %t, want %t", got, c.want)
			}
			if (why != "") == c.want {
				t.Errorf("explained as %q", why)
			}
		})
	}
}
