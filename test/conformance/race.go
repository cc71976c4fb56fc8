// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

// Races tries to make two simultaneous requests both win. Its faces are replicas of
// one server; requests are spread over them.
type Races struct {
	Faces   []Face
	Tenants Tenants
	// Width is how many requests are sent at once.
	Width int
}

// Contest is something that only one of many requests may get.
type Contest struct {
	// Name says what it is about.
	Name string
	// Before brings about the state that the requests start from.
	Before []string
	// Body returns the i-th request's body.
	Body func(i int) string
	// Lost are the statuses that a loser may be given.
	Lost int
	// Left is how many secrets there are afterwards.
	Left int
}

// Contests are those of the user-secrets contract.
func Contests() []Contest {
	fill := func(n int, format string) []string {
		out := make([]string, 0, n)
		for i := range n {
			out = append(out, fmt.Sprintf(format, i))
		}
		return out
	}
	return []Contest{
		{Name: "name", Left: 1, Lost: http.StatusConflict, Body: func(i int) string {
			return fmt.Sprintf(`{"name":"one name","value":"value %d"}`, i)
		}},
		{Name: "env_name", Left: 1, Lost: http.StatusConflict, Body: func(i int) string {
			return fmt.Sprintf(`{"name":"env-%d","value":"value %d","env_name":"ONE"}`, i, i)
		}},
		{Name: "file_path", Left: 1, Lost: http.StatusConflict, Body: func(i int) string {
			return fmt.Sprintf(`{"name":"file-%d","value":"value %d","file_path":"~/one"}`, i, i)
		}},
		{Name: "the 50th place", Left: 50, Lost: http.StatusBadRequest,
			Before: fill(49, `{"name":"before-%d","value":"v"}`),
			Body: func(i int) string {
				return fmt.Sprintf(`{"name":"last-%d","value":"value %d"}`, i, i)
			}},
	}
}

// Run runs one round of a contest for a new user called name; it returns what was
// wrong.
func (r Races) Run(ctx context.Context, c Contest, name string) error {
	me, err := r.Tenants.NewUser(ctx, name)
	if err != nil {
		return err
	}
	for _, f := range r.Faces {
		if err := f.awaitUser(ctx, me); err != nil {
			return err
		}
	}
	post := func(i int, body string) (Answer, error) {
		f := r.Faces[i%len(r.Faces)]
		return f.Do(ctx, http.MethodPost, f.Coder+"/users/me/secrets", f.credentials(me, ""), body)
	}
	for i, body := range c.Before {
		if got, err := post(i, body); err != nil || got.Status != http.StatusCreated {
			return fmt.Errorf("prepare: %d %s %w", got.Status, got.Body, err)
		}
	}
	answers, err := r.atOnce(func(i int) (Answer, error) { return post(i, c.Body(i)) })
	if err != nil {
		return err
	}
	winner := -1
	for i, got := range answers {
		switch {
		case got.Status == http.StatusCreated && winner < 0:
			winner = i
		case got.Status == http.StatusCreated:
			return fmt.Errorf("%s: both request %d and request %d won", c.Name, winner, i)
		case got.Status != c.Lost:
			return fmt.Errorf("%s: a loser was told %d %s", c.Name, got.Status, got.Body)
		}
	}
	if winner < 0 {
		return fmt.Errorf("%s: nobody won", c.Name)
	}
	if err := r.left(ctx, c, me, winner); err != nil {
		return err
	}
	return r.Tenants.Empty(ctx, me)
}

// atOnce sends Width requests at once.
func (r Races) atOnce(send func(i int) (Answer, error)) ([]Answer, error) {
	answers, errs := make([]Answer, r.Width), make([]error, r.Width)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range r.Width {
		wg.Go(func() {
			<-start
			answers[i], errs[i] = send(i)
		})
	}
	close(start)
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return answers, nil
}

// left checks that nothing of a loser is there: in the API at any replica, among the
// objects, or in the bundle.
func (r Races) left(ctx context.Context, c Contest, me Account, winner int) error {
	for _, f := range r.Faces {
		got, err := f.Do(ctx, http.MethodGet, f.Coder+"/users/me/secrets", f.credentials(me, ""), "")
		if err != nil {
			return err
		}
		var list []struct{ Name string }
		if err := json.Unmarshal(got.Body, &list); err != nil || len(list) != c.Left {
			return fmt.Errorf("%s: %s lists %d secrets, want %d", c.Name, f.Name, len(list), c.Left)
		}
	}
	objects := &v1alpha1.UserSecretList{}
	if err := r.Tenants.Admin.List(ctx, objects, client.InNamespace(me.Namespace)); err != nil {
		return err
	}
	if len(objects.Items) != c.Left {
		return fmt.Errorf("%s: there are %d objects, want %d", c.Name, len(objects.Items), c.Left)
	}
	if c.Name != "env_name" {
		return nil
	}
	return until(ctx, func() error {
		bundle := &corev1.Secret{}
		err := r.Tenants.Admin.Get(ctx, client.ObjectKey{Namespace: me.Namespace, Name: v1alpha1.BundleUserEnv}, bundle)
		if apierrors.IsNotFound(err) || err == nil && string(bundle.Data["ONE"]) != fmt.Sprintf("value %d", winner) {
			return fmt.Errorf("the winner's value is not in the bundle")
		}
		return err
	})
}

// RunRevision runs one round of simultaneous PATCHes with one currentRevision.
func (r Races) RunRevision(ctx context.Context, name string) error {
	env, err := r.Tenants.NewEnvironment(ctx, name)
	if err != nil {
		return err
	}
	if err := r.Tenants.GrantEditor(ctx, env); err != nil {
		return err
	}
	var id string
	for _, f := range r.Faces {
		c := GolemCase{}
		if id == "" {
			c.Request.URL = "{id}"
		}
		made, err := f.given(ctx, c, env)
		if err != nil {
			return err
		}
		id += made
	}
	header := http.Header{"Authorization": {"Bearer " + env.Token}, "Content-Type": {"application/json"}}
	answers, err := r.atOnce(func(i int) (Answer, error) {
		f := r.Faces[i%len(r.Faces)]
		return f.Do(ctx, http.MethodPatch, f.Golem+"/agent-secrets/"+id, header,
			fmt.Sprintf(`{"currentRevision":0,"secretValue":{"op":"set","value":"value %d"}}`, i))
	})
	if err != nil {
		return err
	}
	winner := -1
	for i, got := range answers {
		switch {
		case got.Status == http.StatusOK && winner < 0:
			winner = i
		case got.Status == http.StatusOK:
			return fmt.Errorf("revision: both request %d and request %d won", winner, i)
		case got.Status != http.StatusConflict:
			return fmt.Errorf("revision: a loser was told %d %s", got.Status, got.Body)
		}
	}
	for _, f := range r.Faces {
		got, err := f.Do(ctx, http.MethodGet, f.Golem+"/agent-secrets/"+id, header, "")
		if err != nil {
			return err
		}
		want := fmt.Sprintf(`"secretValue":"value %d"`, winner)
		var is struct {
			Revision    int
			SecretValue string
		}
		if err := json.Unmarshal(got.Body, &is); err != nil || is.Revision != 1 || is.SecretValue != fmt.Sprintf("value %d", winner) {
			return fmt.Errorf("revision: %s shows %s, want revision 1 and %s", f.Name, got.Body, want)
		}
	}
	return nil
}
