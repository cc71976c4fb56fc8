// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/latchkey-dev/latchkey/hack/internal/supervise"
)

// podsCanRun says whether a pod that is created now would be admitted and scheduled.
func (n *node) podsCanRun(ctx context.Context) error {
	client, err := n.adminClient()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	var state nodeState
	if err := get(ctx, client, "/api/v1/nodes/"+nodeName, &state); err != nil {
		return err
	}
	if err := state.ready(); err != nil {
		return err
	}
	// It comes from kube-controller-manager, and no pod is admitted without it.
	return supervise.AnswersOK(ctx, client, apiserverURL+"/api/v1/namespaces/default/serviceaccounts/default")
}

// nodeState is the little that is read of a Node.
type nodeState struct {
	Spec struct {
		Taints []struct {
			Key string `json:"key"`
		} `json:"taints"`
	} `json:"spec"`
	Status struct {
		Conditions []struct {
			Type    string `json:"type"`
			Status  string `json:"status"`
			Message string `json:"message"`
		} `json:"conditions"`
	} `json:"status"`
}

// ready returns nil for a node that takes pods, and otherwise what keeps it from it.
func (s nodeState) ready() error {
	for _, condition := range s.Status.Conditions {
		if condition.Type != "Ready" {
			continue
		}
		if condition.Status != "True" {
			return fmt.Errorf("the node is not ready: %s", condition.Message)
		}
		if len(s.Spec.Taints) > 0 {
			return fmt.Errorf("the node has the taint %s", s.Spec.Taints[0].Key)
		}
		return nil
	}
	return errors.New("the node has not said yet whether it is ready")
}

// get reads an object of the API server.
func get(ctx context.Context, client *http.Client, path string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, apiserverURL+path, http.NoBody)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", path, response.Status)
	}
	return json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(into)
}
