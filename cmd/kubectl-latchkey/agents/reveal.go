// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package agents

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// Reveal returns the value of an AgentSecret, as the agent-secrets API gives it to who
// may get agentsecrets/value.
func (a *Agents) Reveal(ctx context.Context, s *v1alpha1.AgentSecret) (seal.Value, error) {
	if s.Spec.SealedValue == "" {
		return seal.Value{}, cli.Refused("agent secret %s has no value. Try: kubectl latchkey agent set %[1]s -n %[2]s", PathText(s.Spec.Path), s.Namespace)
	}
	raw, err := a.cluster.Path("/apis/golem.latchkey.dev/v1/agent-secrets/" + string(s.UID)).Do(cluster.Unlogged(ctx)).Raw()
	if apierrors.IsNotFound(err) && bytes.Contains(raw, []byte("AGENT_SECRET_NOT_FOUND")) {
		return seal.Value{}, cli.Refused("the agent-secrets API shows the values of environments, and namespace %s is none: it has no label %s. Try: kubectl label namespace %[1]s %s=%[1]s",
			a.namespace, v1alpha1.LabelEnvironment)
	}
	if apierrors.IsNotFound(err) || apierrors.IsServiceUnavailable(err) {
		return seal.Value{}, errors.New("the cluster does not serve the agent-secrets API. Try: kubectl get apiservice v1.golem.latchkey.dev")
	}
	if err != nil {
		return seal.Value{}, fmt.Errorf("ask the agent-secrets API: %w", err)
	}
	var answer struct {
		SecretValue json.RawMessage `json:"secretValue"`
	}
	if json.Unmarshal(raw, &answer) != nil {
		return seal.Value{}, errors.New("the agent-secrets API gave no answer that can be read. Try: kubectl latchkey doctor --system")
	}
	if len(answer.SecretValue) == 0 || string(answer.SecretValue) == "null" {
		if err := a.hidden(ctx, s); err != nil {
			return seal.Value{}, err
		}
	}
	return seal.NewValue(answer.SecretValue), nil
}

// hidden is the error of a caller whom the API shows everything of a secret but the value,
// which it answers as null. That is what an option without a value is, too, to those who may
// see it.
func (a *Agents) hidden(ctx context.Context, s *v1alpha1.AgentSecret) error {
	right := cluster.Right{Verb: "get", Resource: cluster.AgentSecrets + "/value", Group: v1alpha1.GroupVersion.Group, Namespace: s.Namespace}
	if t, err := Type(s); err == nil && t.Kind() == "Option" {
		named := right
		named.Names = []string{s.Name}
		lacks, err := a.cluster.Lacks(ctx, []cluster.Right{named})
		if err != nil || len(lacks) == 0 {
			return err
		}
	}
	self, err := a.cluster.Self(ctx)
	if err != nil {
		return err
	}
	right.User = self.Username
	return cluster.MissingRight(right)
}
