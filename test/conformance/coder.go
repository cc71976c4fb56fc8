// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

//go:embed testdata/coder-vectors.json
var coderVectors []byte

// CoderCase is one case of the user-secrets contract.
type CoderCase struct {
	Name    string            `json:"name"`
	Profile string            `json:"profile"`
	Method  string            `json:"method"`
	Path    string            `json:"path"`
	Body    json.RawMessage   `json:"body"`
	RawBody *string           `json:"rawBody"`
	Headers map[string]string `json:"headers"`
	Setup   []struct {
		Repeat int             `json:"repeat"`
		User   string          `json:"user"`
		Method string          `json:"method"`
		Path   string          `json:"path"`
		Body   json.RawMessage `json:"body"`
	} `json:"setup"`
	User   string `json:"user"`
	Auth   string `json:"auth"`
	Expect struct {
		Status         int             `json:"status"`
		Field          *string         `json:"field"`
		DetailContains *string         `json:"detailContains"`
		BodyIncludes   json.RawMessage `json:"bodyIncludes"`
	} `json:"expect"`
	DetailAlso           string            `json:"detailAlso"`
	ExpectMessage        string            `json:"expectMessage"`
	ExpectFieldsInOrder  []string          `json:"expectFieldsInOrder"`
	ExpectNamesInOrder   []string          `json:"expectNamesInOrder"`
	ExpectValues         map[string]string `json:"expectValues"`
	ExpectListEmptyAfter bool              `json:"expectListEmptyAfter"`
}

// CoderCases returns all cases.
func CoderCases() ([]CoderCase, error) {
	var out []CoderCase
	err := json.Unmarshal(coderVectors, &out)
	return out, err
}

// NotOn says why a case cannot apply to a face, or "".
func (c CoderCase) NotOn(f Face) string {
	if !f.Aggregated {
		return ""
	}
	switch c.Auth {
	case "none":
		return "the cluster itself answers callers without credentials, in its own words"
	case "query":
		return "the cluster reads no token from the query"
	}
	return ""
}

// RunCoder runs one case as a new user called name; it returns what was wrong.
func RunCoder(ctx context.Context, f Face, t Tenants, c CoderCase, name string) error {
	me, err := t.NewUser(ctx, name)
	if err != nil {
		return err
	}
	other := Account{}
	if c.User == "$other" || usesOther(c) {
		if other, err = t.NewUser(ctx, name+"-other"); err != nil {
			return err
		}
	}
	if err := f.awaitUser(ctx, me, other); err != nil {
		return err
	}
	for _, s := range c.Setup {
		for i := range max(1, s.Repeat) {
			account := me
			if s.User == "other" {
				account = other
			}
			body := strings.ReplaceAll(expand(s.Body), "{i}", fmt.Sprintf("%03d", i))
			got, err := f.Do(ctx, s.Method, f.Coder+"/users/me/secrets"+s.Path, f.credentials(account, ""), body)
			if err != nil {
				return err
			}
			if got.Status >= 300 {
				return fmt.Errorf("setup %s %s answered %d: %s", s.Method, s.Path, got.Status, got.Body)
			}
		}
	}
	got, err := f.do(ctx, c, me, other)
	if err != nil {
		return err
	}
	if err := c.judge(got); err != nil {
		return fmt.Errorf("%w\nanswer: %d %s", err, got.Status, got.Body)
	}
	if err := f.after(ctx, t, c, me); err != nil {
		return err
	}
	return errors.Join(t.Empty(ctx, me), t.Empty(ctx, other))
}

func usesOther(c CoderCase) bool {
	for _, s := range c.Setup {
		if s.User == "other" {
			return true
		}
	}
	return false
}

func (f Face) awaitUser(ctx context.Context, accounts ...Account) error {
	for _, a := range accounts {
		if a.Token == "" {
			continue
		}
		err := until(ctx, func() error {
			got, err := f.Do(ctx, http.MethodGet, f.Coder+"/users/me/secrets", f.credentials(a, ""), "")
			if err == nil && got.Status != http.StatusOK {
				err = fmt.Errorf("the new user %s cannot list: %d %s", a.Name, got.Status, got.Body)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (f Face) do(ctx context.Context, c CoderCase, me, other Account) (Answer, error) {
	user := "me"
	switch c.User {
	case "":
	case "$other":
		user = other.Name
	default:
		user = c.User
	}
	target := f.Coder + "/users/" + user + "/secrets" + c.Path
	if c.Auth == "query" {
		target += "?coder_session_token=" + url.QueryEscape(me.Token)
	}
	header := f.credentials(me, c.Auth)
	for k, v := range c.Headers {
		header.Set(k, v)
	}
	body := expand(c.Body)
	if c.RawBody != nil {
		body = *c.RawBody
	}
	return f.Do(ctx, c.Method, target, header, body)
}

// credentials returns the header that carries an account's token.
func (f Face) credentials(a Account, auth string) http.Header {
	h := http.Header{}
	switch {
	case auth == "none", auth == "query":
	case auth == "bearer", f.Aggregated:
		h.Set("Authorization", "Bearer "+a.Token)
	default:
		h.Set("Coder-Session-Token", a.Token)
	}
	return h
}

// after checks what the case leaves behind.
func (f Face) after(ctx context.Context, t Tenants, c CoderCase, me Account) error {
	if c.ExpectListEmptyAfter {
		got, err := f.Do(ctx, http.MethodGet, f.Coder+"/users/me/secrets", f.credentials(me, ""), "")
		if err != nil {
			return err
		}
		if strings.TrimSpace(string(got.Body)) != "[]" {
			return fmt.Errorf("afterwards the list is not empty: %s", got.Body)
		}
	}
	if len(c.ExpectValues) == 0 {
		return nil
	}
	return until(ctx, func() error {
		bundle := &corev1.Secret{}
		err := t.Admin.Get(ctx, client.ObjectKey{Namespace: me.Namespace, Name: v1alpha1.BundleUserEnv}, bundle)
		for name, want := range c.ExpectValues {
			if err == nil && string(bundle.Data[name]) != want {
				err = fmt.Errorf("projected %s is not as expected", name)
			}
		}
		return err
	})
}
