// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
)

// sealed counts the objects of the cluster, and those whose value has another key.
type sealed interface {
	Older(ctx context.Context, newest string) (older, all int, err error)
}

// awaitResealed waits until the objects of the cluster are sealed with a key. All of them
// are listed each time, so it looks less often where that takes long. It says that they are,
// unless programs read the output.
func awaitResealed(ctx context.Context, f *cli.Factory, k sealed, id string, timeout, every time.Duration, says bool) error {
	progress := f.Progress("sealed with key " + id)
	defer progress.End()
	last := "it is not known how many objects have older keys"
	for {
		began := time.Now()
		older, all, err := k.Older(ctx, id)
		switch {
		case apierrors.IsForbidden(err):
			f.Notice("You may not list the objects of the cluster, so when all are sealed with key %s is not known.", id)
			return cli.Exit(cli.CodeNo)
		case err != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded):
			return err
		case err == nil && older == 0:
			progress.End()
			if says {
				f.Printf("all values are sealed with it: %d\n", all)
			}
			return nil
		case err == nil:
			progress.Say(all-older, all)
			last = fmt.Sprintf("%d of %d values are sealed with older keys; values that do not open stay so. Try: kubectl latchkey list -A", older, all)
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return cli.Timeout("after %s: %s", timeout, last)
			}
			return ctx.Err()
		case <-time.After(max(every, 4*time.Since(began))):
		}
	}
}
