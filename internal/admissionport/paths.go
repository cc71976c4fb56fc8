// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package admissionport

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/latchkey-dev/latchkey/internal/seal"
)

// Paths knows the segments that are honoured at the moment. Its zero value is ready
// for use and knows none.
type Paths struct {
	honoured atomic.Pointer[[]seal.Value]
}

// Watch keeps p in step with the Secret, as seen through c. A Secret that is deleted,
// or that cannot be read, leaves the segments as they were: admission goes on until
// the controller has made it again.
func (p *Paths) Watch(ctx context.Context, c cache.Cache) error {
	informer, err := c.GetInformer(ctx, &corev1.Secret{}, cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("watch Secret %s: %w", SecretName, err)
	}
	log := ctrl.LoggerFrom(ctx).WithName("admission")
	take := func(obj any) {
		secret, ok := obj.(*corev1.Secret)
		if !ok || secret.Name != SecretName {
			return
		}
		if !p.set(secret.Data) {
			log.Info("Path of admission is not usable yet, waiting for the controller")
		}
	}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    take,
		UpdateFunc: func(_, obj any) { take(obj) },
	})
	return err
}

// set takes over what the Secret holds, and reports whether it could.
func (p *Paths) set(data map[string][]byte) bool {
	state, ok := ParseState(data)
	if !ok {
		return false
	}
	honoured := []seal.Value{state.Current}
	if state.Previous.Len() > 0 {
		honoured = append(honoured, state.Previous)
	}
	p.honoured.Store(&honoured)
	return true
}

// Honours reports whether text is a segment that is honoured, in a time that does not
// depend on how much of it is right.
func (p *Paths) Honours(text string) bool {
	honoured := p.honoured.Load()
	if honoured == nil {
		return false
	}
	asked, found := seal.ValueOf(text), false
	for _, s := range *honoured { // all of them: which one it is shows nowhere
		found = s.Equal(asked) || found
	}
	return found
}

// errNoPath is why nobody is answered before the controller has run once.
var errNoPath = errors.New("no path of admission yet: the latchkey controller makes it; check that it runs")

// Ready returns an error while no segment is known.
func (p *Paths) Ready() error {
	if p.honoured.Load() == nil {
		return errNoPath
	}
	return nil
}
