// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// readability watches, on two replicas of the server at once, that every stored value
// opens at every moment.
type readability struct {
	stopping chan struct{}
	group    sync.WaitGroup
	asked    [2]atomic.Int64
	problems chan string
}

// watchReadability starts asking. It also writes all the time, as users do.
func watchReadability(ctx context.Context, tenant string) *readability {
	GinkgoHelper()
	second, err := cluster.Server("server-2")
	Expect(err).NotTo(HaveOccurred())
	Expect(second.Start(ctx)).To(Succeed())
	DeferCleanup(func() {
		code, err := second.Stop()
		Expect(err).NotTo(HaveOccurred())
		Expect(code).To(BeZero())
	})
	r := &readability{stopping: make(chan struct{}), problems: make(chan string, 1)}
	for i, replica := range []*framework.Process{server, second} {
		r.repeat(func() error { return r.ask(ctx, replica, &r.asked[i], tenant) })
	}
	writes := 0
	r.repeat(func() error {
		writes++
		u := userSecret(tenant, "busy")
		u.Spec.Value = v1alpha1.WriteOnlyString(fmt.Sprint(canary, "-", writes))
		if writes == 1 {
			return api.Create(ctx, u)
		}
		return api.Patch(ctx, u, client.Merge)
	})
	return r
}

// repeat does something until stop.
func (r *readability) repeat(do func() error) {
	r.group.Go(func() {
		for {
			select {
			case <-r.stopping:
				return
			default:
			}
			if err := do(); err != nil {
				select {
				case r.problems <- err.Error():
				default: // one is enough
				}
				return
			}
		}
	})
}

// ask reads all objects as they are and has a replica open each: it admits a sealed
// value only where it does.
func (r *readability) ask(ctx context.Context, replica *framework.Process, asked *atomic.Int64, tenant string) error {
	users, agents := &v1alpha1.UserSecretList{}, &v1alpha1.AgentSecretList{}
	if err := api.List(ctx, users, client.InNamespace(tenant)); err != nil {
		return err
	}
	if err := api.List(ctx, agents, client.InNamespace(tenant)); err != nil {
		return err
	}
	review := func(obj client.Object, kind string) error {
		obj.SetResourceVersion("")
		answer, err := cluster.Review(ctx, replica, obj, kind)
		if err != nil {
			return err
		}
		if !answer.Allowed {
			return fmt.Errorf("%s cannot open %s: %s", replica.Name(), obj.GetName(), answer.Result.Message)
		}
		asked.Add(1)
		return nil
	}
	for i := range users.Items {
		if err := review(&users.Items[i], "UserSecret"); err != nil {
			return err
		}
	}
	for i := range agents.Items {
		if err := review(&agents.Items[i], "AgentSecret"); err != nil {
			return err
		}
	}
	return nil
}

// stop ends the asking and fails where a value was not readable.
func (r *readability) stop() {
	GinkgoHelper()
	close(r.stopping)
	r.group.Wait()
	select {
	case problem := <-r.problems:
		Fail(problem)
	default:
	}
	for i := range r.asked {
		Expect(r.asked[i].Load()).To(BeNumerically(">", 20), "replica %d was asked", i)
	}
}
