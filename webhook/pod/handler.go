// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package pod is the admission of pods in namespaces that ask for injection: it
// projects the tenant's bundles into them. It decides nothing about projection
// (package projector does) and nothing about what is projected (package bundle
// does); it brings the two together and phrases the difference as a JSON patch.
// An update of a pod keeps what was projected into it, and gets nothing new.
//
// It reads UserSecrets, AgentSecrets and the labels of the Namespace from the
// cache, never a value and never a Secret. It writes nothing, so a dry run is the
// same. Which pods it is asked about is settled in the webhook's configuration.
package pod

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/latchkey-dev/latchkey/internal/caches"
	"github.com/latchkey-dev/latchkey/internal/limits"
	"github.com/latchkey-dev/latchkey/internal/projector"
)

// Path is where the handler is served.
const Path = "/inject-pod"

// Handler admits pods.
type Handler struct {
	// Reader reads from the cache, whose informers run already: a pod must not wait
	// until every secret object of the cluster is listed.
	Reader client.Reader
	// Limits are those of a tenant's user secrets: what exceeds them is not projected.
	Limits limits.User
	// Options are the installation's choices about projection.
	Options projector.Options

	memo memo
}

// Handle answers one request.
func (h *Handler) Handle(ctx context.Context, req admission.Request) admission.Response {
	if req.SubResource != "" || req.Operation != admissionv1.Create && req.Operation != admissionv1.Update {
		return admission.Allowed("")
	}
	pod, err := decode(req.Object)
	if err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	if req.Operation == admissionv1.Update {
		stored, err := decode(req.OldObject)
		if err != nil {
			return admission.Errored(http.StatusBadRequest, err)
		}
		return patched(pod, projector.Keep(stored, pod))
	}
	content, err := h.content(ctx, req.Namespace)
	switch {
	case errors.Is(err, caches.ErrNotServed): // nothing will ever be projected: there are no bundles
		return admission.Allowed("").WithWarnings("the pod gets no secrets: " + err.Error())
	case err != nil:
		return admission.Errored(http.StatusServiceUnavailable, err)
	}
	result := projector.Project(pod, content, h.Options)
	return patched(pod, result.Pod).WithWarnings(result.Warnings...)
}

func decode(raw runtime.RawExtension) (*corev1.Pod, error) {
	pod := &corev1.Pod{}
	if err := json.Unmarshal(raw.Raw, pod); err != nil {
		// A decoder's message can quote what it read, such as a variable's value.
		return nil, errors.New("pod cannot be read: check the types of its fields")
	}
	return pod, nil
}

// patched admits a pod with what makes it the other.
func patched(from, to *corev1.Pod) admission.Response {
	resp := admission.Allowed("")
	ops := difference(&from.Spec, &to.Spec)
	if len(ops) == 0 {
		return resp
	}
	// Put in whole: admission.Response.Patches would be marshalled twice.
	patch, err := json.Marshal(ops)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, errors.New("the patch cannot be written"))
	}
	resp.Patch, resp.PatchType = patch, new(admissionv1.PatchTypeJSONPatch)
	return resp
}
