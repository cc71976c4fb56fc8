// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package admissionport

import (
	"context"
	"errors"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/internal/watch"
)

// Paths has the segments that are accepted. Its zero value is ready to use and has
// none.
type Paths struct {
	honoured atomic.Pointer[[]seal.Value]
}

// Watch updates p with the Secret, as seen through c. If the Secret is deleted or
// invalid, the segments stay: admission continues until the controller has written the
// Secret again.
func (p *Paths) Watch(ctx context.Context, c cache.Cache) error {
	log := ctrl.LoggerFrom(ctx).WithName("admission")
	return watch.Objects(ctx, c, &corev1.Secret{}, func(s *corev1.Secret) {
		if s.Name == SecretName && !p.set(s.Data) {
			log.Info("Admission path is not usable yet, waiting for the controller")
		}
	}, nil)
}

// set uses the data of the Secret, and reports whether it is valid.
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

// Honours reports whether text is an accepted segment. Its time does not depend on how
// much of text is right.
func (p *Paths) Honours(text string) bool {
	honoured := p.honoured.Load()
	if honoured == nil {
		return false
	}
	asked, found := seal.ValueOf(text), false
	for _, s := range *honoured { // compare with all, so that the time does not reveal which one matched
		found = s.Equal(asked) || found
	}
	return found
}

// errNoPath is the error before the controller has run for the first time.
var errNoPath = errors.New("no admission path yet: the latchkey controller makes it; check that it runs")

// Ready returns an error while no segment is known.
func (p *Paths) Ready() error {
	if p.honoured.Load() == nil {
		return errNoPath
	}
	return nil
}
