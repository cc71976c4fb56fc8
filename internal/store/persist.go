// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// persistent tries a write again that did not get to admission. The API server asks any
// replica to admit it, also one that has died a moment ago, and does not ask another one.
// Nothing is stored before admission, so that there is nothing to be done twice.
type persistent struct{ client.WithWatch }

// Create implements client.Writer.
func (p persistent) Create(ctx context.Context, obj client.Object, opts ...client.CreateOption) error {
	return persist(ctx, func() error { return p.WithWatch.Create(ctx, obj, opts...) })
}

// Update implements client.Writer.
func (p persistent) Update(ctx context.Context, obj client.Object, opts ...client.UpdateOption) error {
	return persist(ctx, func() error { return p.WithWatch.Update(ctx, obj, opts...) })
}

// Patch implements client.Writer.
func (p persistent) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
	return persist(ctx, func() error { return p.WithWatch.Patch(ctx, obj, patch, opts...) })
}

// persist tries again for some seconds, which is longer than it takes for a dead replica
// to be out of its Service.
func persist(ctx context.Context, write func() error) error {
	err := write()
	for backoff := (wait.Backoff{Duration: 20 * time.Millisecond, Factor: 2, Jitter: 0.2, Steps: 8}); unadmitted(err) && backoff.Steps > 0; {
		timer := time.NewTimer(backoff.Step())
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
		err = write()
	}
	return err
}

// unadmitted says whether a write failed since no webhook could be asked.
func unadmitted(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && status.Status().Reason == metav1.StatusReasonInternalError &&
		strings.Contains(status.Status().Message, "failed calling webhook")
}
