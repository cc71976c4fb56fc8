// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/conformance"
)

// The operations that are measured.
const (
	getOne  = "GET one"
	getList = "GET list 20"
	post    = "POST"
	patch   = "PATCH"
)

var operations = []string{getOne, getList, post, patch}

// request sends one request as one of the users.
type request func(ctx context.Context, user int) error

// rest returns an operation of the REST API.
func (b *bench) rest(face conformance.Face, op string) request {
	url := face.Coder + "/users/me/secrets"
	return func(ctx context.Context, user int) error {
		switch op {
		case getOne:
			return b.do(ctx, face, http.MethodGet, url+"/listed-0", user, "")
		case getList:
			return b.do(ctx, face, http.MethodGet, url, user, "")
		case post:
			return b.do(ctx, face, http.MethodPost, url, user,
				fmt.Sprintf(`{"name":"new-%d","value":"a sample value"}`, b.serial.Add(1)))
		default:
			return b.do(ctx, face, http.MethodPatch, url+"/listed-1", user,
				fmt.Sprintf(`{"description":"number %d"}`, b.serial.Add(1)))
		}
	}
}

// raw returns the same operation on the objects themselves.
func (b *bench) raw(op string) request {
	return func(ctx context.Context, user int) error {
		url := b.kube.Golem + "/apis/latchkey.dev/v1alpha1/namespaces/" + b.users[user].Namespace + "/usersecrets"
		switch op {
		case getOne:
			return b.do(ctx, b.kube, http.MethodGet, url+"/listed-0", user, "")
		case getList:
			return b.do(ctx, b.kube, http.MethodGet, url, user, "")
		case post:
			return b.do(ctx, b.kube, http.MethodPost, url, user, fmt.Sprintf(
				`{"apiVersion":"latchkey.dev/v1alpha1","kind":"UserSecret","metadata":{"name":"new-%d"},"spec":{"value":"a sample value"}}`,
				b.serial.Add(1)))
		default:
			return b.do(ctx, b.kube, http.MethodPatch, url+"/listed-1", user,
				fmt.Sprintf(`{"spec":{"description":"number %d"}}`, b.serial.Add(1)))
		}
	}
}

func (b *bench) do(ctx context.Context, f conformance.Face, method, url string, user int, body string) error {
	header := http.Header{"Authorization": {"Bearer " + b.users[user].Token}, "Content-Type": {"application/json"}}
	if method == http.MethodPatch {
		header.Set("Content-Type", "application/merge-patch+json")
	}
	got, err := f.Do(ctx, method, url, header, body)
	if err == nil && got.Status >= 300 {
		err = fmt.Errorf("%s %s answered %d: %.200s", method, url, got.Status, got.Body)
	}
	return err
}

// fill gives every user the secrets that are listed. A new user is unknown for a
// moment.
func (b *bench) fill(ctx context.Context) error {
	deadline := time.Now().Add(20 * time.Second)
	for user := range b.users {
		for i := 0; i < listed; {
			err := b.do(ctx, b.direct, http.MethodPost, b.direct.Coder+"/users/me/secrets", user, fmt.Sprintf(
				`{"name":"listed-%d","value":"a sample value of some bytes, sixty-four of them, as in the aim."}`, i))
			switch {
			case err == nil:
				i++
			case time.Now().After(deadline):
				return err
			}
		}
	}
	return nil
}

// tidy removes what was created, and waits until every replica knows, so that the
// next measurement finds the machine as this one did.
func (b *bench) tidy(ctx context.Context) error {
	for user := range b.users {
		objects := &v1alpha1.UserSecretList{}
		if err := b.admin.List(ctx, objects, client.InNamespace(b.users[user].Namespace)); err != nil {
			return err
		}
		for i := range objects.Items {
			object := &objects.Items[i]
			if strings.HasPrefix(object.Spec.Name, "listed-") {
				continue
			}
			if err := client.IgnoreNotFound(b.admin.Delete(ctx, object)); err != nil {
				return err
			}
		}
	}
	return b.quiet(ctx)
}

// quiet waits until the REST API lists no more than the secrets that stay.
func (b *bench) quiet(ctx context.Context) error {
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		got, err := b.direct.Do(ctx, http.MethodGet, b.direct.Coder+"/users/me/secrets",
			http.Header{"Authorization": {"Bearer " + b.users[len(b.users)-1].Token}}, "")
		if err == nil && strings.Count(string(got.Body), `"id"`) <= listed {
			return nil
		}
	}
	return errors.New("the deleted secrets are still listed")
}
