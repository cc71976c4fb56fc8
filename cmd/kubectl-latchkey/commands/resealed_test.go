// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
)

// counts are how many of five values have older keys, one look after the other; the last
// stays.
type counts struct {
	older []int
	err   error
	looks int
}

func (c *counts) Older(context.Context, string) (older, all int, err error) {
	older = c.older[min(c.looks, len(c.older)-1)]
	c.looks++
	return older, 5, c.err
}

func TestAwaitResealed_UntilNoValueHasAnOlderKey(t *testing.T) {
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "usersecrets"}, "", errors.New("no"))
	for name, tt := range map[string]struct {
		older     []int
		err       error
		wantCode  int
		wantLooks int
		wantOut   string
	}{
		"all are":                  {older: []int{0}, wantLooks: 1, wantOut: "all values are sealed with it: 5\n"},
		"all are, later":           {older: []int{4, 2, 0}, wantLooks: 3, wantOut: "all values are sealed with it: 5\n"},
		"some never are":           {older: []int{1}, wantCode: cli.CodeTimeout},
		"nobody may look":          {older: []int{0}, err: forbidden, wantCode: cli.CodeNo, wantLooks: 1},
		"the cluster has an error": {older: []int{0}, err: errors.New("broken"), wantCode: cli.CodeFailed, wantLooks: 1},
	} {
		t.Run(name, func(t *testing.T) {
			var out, said bytes.Buffer
			f := &cli.Factory{Streams: cli.Streams{IOStreams: genericiooptions.IOStreams{Out: &out, ErrOut: &said}}}
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			c := &counts{older: tt.older, err: tt.err}
			err := awaitResealed(ctx, f, c, "k", time.Second, time.Millisecond, true)
			if cli.CodeOf(err) != tt.wantCode || out.String() != tt.wantOut {
				t.Errorf("%v, printed %q", err, out.String())
			}
			if tt.wantLooks != 0 && c.looks != tt.wantLooks {
				t.Errorf("looked %d times, want %d", c.looks, tt.wantLooks)
			}
		})
	}
}
