// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

//go:embed testdata/golem-vectors.json
var golemVectors []byte

// GolemCase is one case of kind http of the agent-secrets contract.
type GolemCase struct {
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	Request struct {
		Method  string             `json:"method"`
		URL     string             `json:"url"`
		Given   string             `json:"given"`
		Headers map[string]*string `json:"headers"`
		Body    json.RawMessage    `json:"body"`
		RawBody *string            `json:"rawBody"`
	} `json:"request"`
	Status    int             `json:"status"`
	Body      json.RawMessage `json:"body"`
	BodyShape string          `json:"bodyShape"`
}

// GolemCases returns the cases of kind http.
func GolemCases() ([]GolemCase, error) {
	var all, out []GolemCase
	if err := json.Unmarshal(golemVectors, &all); err != nil {
		return nil, err
	}
	for _, c := range all {
		if c.Kind == "http" {
			out = append(out, c)
		}
	}
	return out, nil
}

// NotOn says why a case cannot apply to a face, or "".
func (c GolemCase) NotOn(f Face) string {
	if f.Aggregated && c.anonymous() {
		return "the cluster itself answers callers without credentials, in its own words"
	}
	return ""
}

func (c GolemCase) anonymous() bool {
	return c.Request.Headers != nil && len(c.Request.Headers) == 0
}

// RunGolem runs one case in a new environment called name; it returns what was
// wrong.
func RunGolem(ctx context.Context, f Face, t Tenants, c GolemCase, name string) error {
	env, err := t.NewEnvironment(ctx, name)
	if err != nil {
		return err
	}
	caller := env
	if strings.Contains(c.Request.Given, "viewer") {
		if caller.Token, err = t.Token(ctx, env.Namespace, "viewer"); err != nil {
			return err
		}
		if err := t.Grant(ctx, env.Namespace, "viewer", viewer); err != nil {
			return err
		}
	}
	if err := t.GrantEditor(ctx, env); err != nil {
		return err
	}
	id, err := f.given(ctx, c, env)
	if err != nil {
		return err
	}
	if strings.Contains(c.Request.Given, "environment unknown") {
		env.ID = string(uuid.NewUUID())
	}
	place := strings.NewReplacer("{env}", env.ID, "{id}", id)
	header := http.Header{"Authorization": {"Bearer " + caller.Token}, "Content-Type": {"application/json"}}
	if c.anonymous() {
		header.Del("Authorization")
	}
	for k, v := range c.Request.Headers {
		header.Del(k)
		if v != nil {
			header.Set(k, *v)
		}
	}
	body := expand(c.Request.Body)
	if c.Request.RawBody != nil {
		body = *c.Request.RawBody
	}
	url := f.Golem + strings.TrimPrefix(place.Replace(c.Request.URL), "/v1")
	got, err := f.Do(ctx, c.Request.Method, url, header, body)
	if err != nil {
		return err
	}
	if err := c.judge(got, place); err != nil {
		return fmt.Errorf("%w\nanswer: %d %s", err, got.Status, got.Body)
	}
	return t.Empty(ctx, env)
}

// viewer is a ClusterRole of somebody who sees an environment and nothing in it.
const viewer = "latchkey-conformance-viewer"

// Prepare makes what all cases share.
func (t Tenants) Prepare(ctx context.Context) error {
	err := t.Admin.Create(ctx, &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: viewer},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"get"}}},
	})
	return client.IgnoreAlreadyExists(err)
}

// GrantEditor lets an account look at and change what is in its namespace. The right to
// list comes last: the API server learns of bindings in their order, so a caller who may list
// has all other rights by then.
func (t Tenants) GrantEditor(ctx context.Context, a Account) error {
	for _, role := range []string{"latchkey-edit", "latchkey-view"} {
		if err := t.Grant(ctx, a.Namespace, "caller", role); err != nil {
			return err
		}
	}
	return nil
}

// Grant binds a ClusterRole to a service account within a namespace.
func (t Tenants) Grant(ctx context.Context, namespace, account, role string) error {
	return t.Admin.Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: account + "-" + role},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: account}},
	})
}

// given brings about the state that a case starts from, and returns the id of the
// secret that it is about, if any.
func (f Face) given(ctx context.Context, c GolemCase, env Account) (string, error) {
	header := http.Header{"Authorization": {"Bearer " + env.Token}, "Content-Type": {"application/json"}}
	list := f.Golem + "/envs/" + env.ID + "/agent-secrets"
	err := until(ctx, func() error {
		got, err := f.Do(ctx, http.MethodGet, list, header, "")
		if err == nil && got.Status != http.StatusOK {
			err = fmt.Errorf("the new environment cannot be listed: %d %s", got.Status, got.Body)
		}
		return err
	})
	if err != nil || !strings.Contains(c.Request.URL, "{id}") {
		return "", err
	}
	body := `{"path":["Api_Key"],"secretType":{"type":"Str"},"secretValue":"v"}`
	if strings.Contains(c.Request.Given, "Option") {
		body = `{"path":["Api_Key"],"secretType":{"type":"Option","inner":{"type":"Str"}},"secretValue":"v"}`
	}
	got, err := f.Do(ctx, http.MethodPost, list, header, body)
	if err != nil {
		return "", err
	}
	var secret struct{ ID string }
	if err := json.Unmarshal(got.Body, &secret); err != nil || got.Status != http.StatusOK {
		return "", fmt.Errorf("create: %d %s", got.Status, got.Body)
	}
	if strings.Contains(c.Request.Given, "already deleted") {
		got, err := f.Do(ctx, http.MethodDelete, f.Golem+"/agent-secret/"+secret.ID+"?current_revision=0", header, "")
		if err != nil {
			return "", err
		}
		if got.Status != http.StatusOK {
			return "", fmt.Errorf("delete: %d %s", got.Status, got.Body)
		}
	}
	return secret.ID, nil
}

var uuidPattern = regexp.MustCompile("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")

// judge compares an answer with what the case expects.
func (c GolemCase) judge(got Answer, place *strings.Replacer) error {
	if got.Status != c.Status {
		return fmt.Errorf("status is %d, want %d", got.Status, c.Status)
	}
	var is map[string]any
	if err := json.Unmarshal(got.Body, &is); err != nil {
		return fmt.Errorf("the answer is not JSON: %w", err)
	}
	if c.BodyShape == "ErrorsBody" || c.Status == 400 {
		if list, ok := is["errors"].([]any); !ok || len(list) == 0 || is["code"] == nil {
			return fmt.Errorf("the answer has no code and errors")
		}
	}
	if len(c.Body) == 0 {
		return nil
	}
	var want map[string]any
	if err := json.Unmarshal(c.Body, &want); err != nil {
		return err
	}
	for k, v := range want {
		if text, ok := v.(string); ok {
			want[k] = place.Replace(text)
		}
	}
	if id, ok := want["id"]; ok && id == "" {
		text, ok := is["id"].(string)
		if !ok || !uuidPattern.MatchString(text) {
			return fmt.Errorf("id is no UUID")
		}
		want["id"] = text
	}
	return includes("body", want, is)
}
