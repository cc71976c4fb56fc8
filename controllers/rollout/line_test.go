// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestLine_Next_TakesTenantsInTurn writes workloads as tenant and name, such as a1.
func TestLine_Next_TakesTenantsInTurn(t *testing.T) {
	for name, tc := range map[string]struct {
		// events are joins (+a1), leaves (-a1), and turns with how many places are free
		// and whose the others are (?2aab). ! makes all turns so far long ago.
		events string
		want   string
	}{
		"those of one tenant go in the order in which they came": {"+a1 +a2 +a3 ?9 ?9 ?9 ?9", "a1 a2 a3 none"},
		"tenants take turns, however many one has":               {"+a1 +a2 +a3 +b1 +c1 +b2 ?9 ?9 ?9 ?9 ?9 ?9", "a1 b1 c1 a2 b2 a3"},
		"who comes last goes before who was served":              {"+a1 +a2 +a3 ?9 +b1 ?9 ?9", "a1 b1 a2"},
		"who comes again is behind those who wait":               {"+a1 +b1 ?9 +a2 ?9 ?9", "a1 b1 a2"},
		"who was never served is first":                          {"+a1 +b1 ?9 ?9 +a2 +b2 +c1 ?9 ?9 ?9", "a1 b1 c1 a2 b2"},
		"a turn of long ago does not count":                      {"+a1 ?9 ! +a2 +b1 ?9 ?9", "a1 a2 b1"},
		"who asks twice waits once":                              {"+a1 +a1 ?9 ?9", "a1 none"},
		"who asks again keeps the position":                      {"+a1 +a2 +a1 ?9", "a1"},
		"who leaves is passed over":                              {"+a1 +a2 +b1 -a1 -b1 ?9 ?9", "a2 none"},
		"who never came can leave":                               {"+a1 -a2 -b1 ?9", "a1"},
		"nobody goes without a place":                            {"+a1 ?0 ?1", "none a1"},
		"the last place is for a tenant that has none":           {"+a1 +b1 ?1a ?1a", "b1 none"},
		"a tenant without a place is first":                      {"+a1 +b1 ?3a", "b1"},
		"then the one with the fewest":                           {"+a1 +b1 +c1 ?3aaabbc ?3aaabbc", "c1 b1"},
		"a tenant with places gets more where nobody else waits": {"+a1 ?2aa", "a1"},
	} {
		t.Run(name, func(t *testing.T) {
			l, got, now := &line{}, []string{}, time.Unix(1000, 0)
			for _, e := range strings.Fields(tc.events) {
				if now = now.Add(time.Second); e == "!" {
					l.forget(now)
					continue
				}
				w := Workload{Kind: deployment, Namespace: e[1:2], Name: e[1:]}
				switch e[0] {
				case '+':
					l.join(w)
				case '-':
					l.leave(w)
				default:
					held := map[string]int{}
					for _, tenant := range e[2:] {
						held[string(tenant)]++
					}
					next, ok := l.next(held, int(e[1]-'0'), now)
					if !ok {
						next.Name = "none"
					}
					got = append(got, next.Name)
				}
			}
			if diff := cmp.Diff(tc.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("turns (-want +got):\n%s", diff)
			}
			if l.empty() != (len(l.of) == 0) {
				t.Errorf("empty is %t with %d tenants", l.empty(), len(l.of))
			}
		})
	}
}

// TestLine_ManyComeAndGo_NothingIsLeft makes sure that a tenant whose content flips
// while it waits fills no memory.
func TestLine_ManyComeAndGo_NothingIsLeft(t *testing.T) {
	l := &line{}
	for i := range 10000 {
		w := Workload{Kind: deployment, Namespace: fmt.Sprint(i % 7), Name: fmt.Sprint(i % 13)}
		l.join(w)
		l.leave(w)
	}
	if !l.empty() || len(l.of) != 0 || l.tenants.Len() != 0 {
		t.Errorf("%d tenants are left", len(l.of))
	}
}
