// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package codersdk drives Latchkey with the client library of the product whose
// contract it serves, unchanged: what that client sends and understands is what
// users have.
package codersdk

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coder/coder/v2/codersdk"
)

// client returns the real client for the user whose token the environment names.
func client(t *testing.T) *codersdk.Client {
	t.Helper()
	base, token := os.Getenv("LATCHKEY_URL"), os.Getenv("LATCHKEY_TOKEN")
	if base == "" || token == "" {
		t.Skip("LATCHKEY_URL and LATCHKEY_TOKEN are not set: run `make up` and source bin/dev/env")
	}
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(os.Getenv("LATCHKEY_CA"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		t.Fatal("LATCHKEY_CA is no PEM certificate")
	}
	c := codersdk.New(u)
	c.HTTPClient = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
	c.SetSessionToken(token)
	return c
}

func ptr[T any](v T) *T { return &v }

func TestLifeOfASecret(t *testing.T) {
	c, ctx := client(t), t.Context()
	const name = "sdk token"
	cleanup := func() { _ = c.DeleteUserSecret(ctx, codersdk.Me, url.PathEscape(name)) }
	cleanup()
	began := time.Now().Add(-2 * time.Second)

	made, err := c.CreateUserSecret(ctx, codersdk.Me, codersdk.CreateUserSecretRequest{
		Name: name, Value: "sdk-sample-value", Description: "made by a client", EnvName: "SDK_TOKEN", FilePath: "~/.sdk",
	})
	if err != nil {
		t.Fatal(err)
	}
	if made.Name != name || made.EnvName != "SDK_TOKEN" || !made.Enabled || made.CreatedAt.Before(began) {
		t.Errorf("created %+v", made)
	}
	list, err := c.UserSecrets(ctx, codersdk.Me)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, s := range list {
		found = found || s.ID == made.ID
	}
	if !found {
		t.Error("the new secret is not in the list")
	}
	changed, err := c.UpdateUserSecret(ctx, codersdk.Me, url.PathEscape(name), codersdk.UpdateUserSecretRequest{
		Value: ptr("another"), EnvName: ptr(""), Enabled: ptr(false),
	})
	if err != nil {
		t.Fatal(err)
	}
	if changed.EnvName != "" || changed.Enabled || changed.FilePath != "~/.sdk" || changed.ID != made.ID || changed.UpdatedAt.Before(made.UpdatedAt) {
		t.Errorf("changed to %+v", changed)
	}
	got, err := c.UserSecretByName(ctx, codersdk.Me, url.PathEscape(name))
	if err != nil {
		t.Fatal(err)
	}
	if got != changed {
		t.Errorf("got %+v, want %+v", got, changed)
	}
	if err := c.DeleteUserSecret(ctx, codersdk.Me, url.PathEscape(name)); err != nil {
		t.Fatal(err)
	}
	wantError(t, c.DeleteUserSecret(ctx, codersdk.Me, url.PathEscape(name)), http.StatusNotFound, "Resource not found")
}

// What the command line calls, in its order: login, whoami, logout.
func TestAccount_LoginWhoamiLogout_WorkWithATokenOfTheCluster(t *testing.T) {
	c, ctx := client(t), t.Context()
	token := c.SessionToken()
	c.SetSessionToken("")
	build, err := c.BuildInfo(ctx)
	if err != nil || !strings.HasPrefix(build.Version, "v2.36.") {
		t.Errorf("build info is %+v, %v", build, err)
	}
	if has, err := c.HasFirstUser(ctx); err != nil || !has {
		t.Errorf("there is a first user: %v, %v", has, err)
	}
	_, err = c.User(ctx, codersdk.Me)
	wantError(t, err, http.StatusUnauthorized, "signed out")

	c.SetSessionToken(token)
	key, err := c.CreateAPIKey(ctx, codersdk.Me)
	if err != nil {
		t.Fatal(err)
	}
	if key.Key != token {
		t.Error("the key is not the token that was presented")
	}
	c.SetSessionToken(key.Key)
	me, err := c.User(ctx, codersdk.Me)
	if err != nil {
		t.Fatal(err)
	}
	if me.Username == "" || me.Status != codersdk.UserStatusActive || me.CreatedAt.IsZero() || len(me.OrganizationIDs)+len(me.Roles) != 0 {
		t.Errorf("I am %+v", me)
	}
	for _, key := range []string{me.Username, me.ID.String()} {
		if same, err := c.User(ctx, key); err != nil || same.ID != me.ID {
			t.Errorf("user %s is %+v, %v", key, same, err)
		}
	}
	if err := c.Logout(ctx); err != nil {
		t.Error(err)
	}
	if _, err := c.User(ctx, codersdk.Me); err != nil {
		t.Errorf("after the logout, which the cluster does not know of: %v", err)
	}
	_, err = c.User(ctx, "no-such-user")
	wantError(t, err, http.StatusNotFound, "Resource not found")
	_, err = c.Workspaces(ctx, codersdk.WorkspaceFilter{})
	wantError(t, err, http.StatusNotFound, "Route not found.")
}

func TestErrorsAreTheClientsOwn(t *testing.T) {
	c, ctx := client(t), t.Context()
	_, err := c.CreateUserSecret(ctx, codersdk.Me, codersdk.CreateUserSecretRequest{Name: "bad/name", EnvName: "PATH"})
	e := wantError(t, err, http.StatusBadRequest, "Validation failed.")
	fields := []string{}
	for _, v := range e.Validations {
		fields = append(fields, v.Field)
	}
	if strings.Join(fields, " ") != "name value env_name" {
		t.Errorf("fields are %v", fields)
	}
	_, err = c.UserSecrets(ctx, "no-such-user")
	wantError(t, err, http.StatusNotFound, "Resource not found or you do not have access to this resource")
	_, err = c.UpdateUserSecret(ctx, codersdk.Me, "x", codersdk.UpdateUserSecretRequest{})
	wantError(t, err, http.StatusBadRequest, "At least one field must be provided.")

	stranger := client(t)
	stranger.SetSessionToken("no-such-token")
	_, err = stranger.UserSecrets(ctx, codersdk.Me)
	wantError(t, err, http.StatusUnauthorized, "signed out")
}

func TestImport(t *testing.T) {
	c, ctx := client(t), t.Context()
	names := []string{"SDK_A", "SDK_B"}
	cleanup := func() {
		for _, n := range names {
			_ = c.DeleteUserSecret(ctx, codersdk.Me, n)
		}
	}
	cleanup()
	defer cleanup()
	req := codersdk.ImportUserSecretsRequest{Format: codersdk.SecretsFileFormat("env"), Content: "SDK_A=1\nexport SDK_B='two'\n"}
	made, err := c.ImportUserSecrets(ctx, codersdk.Me, req)
	if err != nil {
		t.Fatal(err)
	}
	if len(made) != 2 || made[0].Name != "SDK_A" || made[1].EnvName != "SDK_B" {
		t.Errorf("imported %+v", made)
	}
	_, err = c.ImportUserSecrets(ctx, codersdk.Me, req)
	e := wantError(t, err, http.StatusConflict, "Validation failed.")
	if len(e.Validations) == 0 || !strings.HasPrefix(e.Validations[0].Field, "secrets[0].") {
		t.Errorf("validations are %+v", e.Validations)
	}
}

// wantError checks that err is the client's own error type with a status and text.
func wantError(t *testing.T, err error, status int, text string) *codersdk.Error {
	t.Helper()
	var e *codersdk.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %v, want a *codersdk.Error", err)
	}
	if e.StatusCode() != status || !strings.Contains(e.Message, text) {
		t.Errorf("error is %d %q, want %d %q", e.StatusCode(), e.Message, status, text)
	}
	return e
}
