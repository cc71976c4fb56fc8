// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package pod is the admission of pods in namespaces that ask for injection: it
// projects the tenant's bundles into them. Package projector decides how to project,
// package bundle decides what the bundles contain; this package combines the two and
// expresses the difference as a JSON patch. An update of a pod keeps what was projected
// into it and adds nothing.
//
// It reads UserSecrets, AgentSecrets and the labels of the Namespace from the cache,
// and never reads a value or a Secret. It writes nothing, so a dry run is the same. The
// webhook's configuration selects the pods.
package pod

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/caches"
	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/projector"
)

// Handler admits pods.
type Handler struct {
	// Reader reads from the cache, whose informers run already: a pod must not wait
	// until every secret object of the cluster is listed.
	Reader client.Reader
	// Limits are the limits of a tenant's user secrets. What exceeds them is not
	// projected.
	Limits limits.User
	// Approved reports whether the source of a secret's value is approved.
	Approved func(*v1alpha1.UserSecret) bool
	// Options are the installation's choices about projection.
	Options projector.Options

	memo memo
}

const (
	// maxOperations bounds the patch, as the API server bounds those of its clients:
	// the cost of applying it is the product of the operations and of the lists'
	// lengths.
	maxOperations = 10_000
	// aroundFiles is the maximum number of other additions to a container: the
	// variables and the live directories.
	aroundFiles = 4
)

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
		return patched(pod, projector.Keep(stored, pod), stored)
	}
	content, err := h.content(ctx, req.Namespace)
	switch {
	case errors.Is(err, caches.ErrNotServed): // the namespace is not served, so it will never have bundles
		return admission.Allowed("").WithWarnings("the pod gets no secrets: " + err.Error())
	case err != nil:
		return admission.Errored(http.StatusServiceUnavailable, err)
	}
	count := len(pod.Spec.InitContainers) + len(pod.Spec.Containers)
	if each := min(len(content.Files), projector.MaxFiles) + aroundFiles; count*each > maxOperations {
		return tooLarge(fmt.Sprintf("it has %d containers, into each of which %d things would be put", count, each))
	}
	result := projector.Project(pod, content, h.Options)
	return patched(pod, result.Pod, nil).WithWarnings(result.Warnings...)
}

func decode(raw runtime.RawExtension) (*corev1.Pod, error) {
	pod := &corev1.Pod{}
	if err := json.Unmarshal(raw.Raw, pod); err != nil {
		// The decoder's message can quote what it read, such as a variable's value.
		return nil, errors.New("pod cannot be read: check the types of its fields")
	}
	return pod, nil
}

// patched admits a pod with a patch from one state to the other. stored is the pod that
// is replaced, or nil.
func patched(from, to, stored *corev1.Pod) admission.Response {
	resp := admission.Allowed("")
	ops := owners(difference(&from.Spec, &to.Spec), from, to, stored)
	switch {
	case len(ops) > maxOperations:
		return tooLarge("it has too many mounts or volumes with Latchkey's names")
	case len(ops) == 0:
		return resp
	}
	// The patch is written here: admission.Response.Patches would be marshalled twice.
	patch, err := json.Marshal(ops)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, errors.New("the patch cannot be written"))
	}
	resp.Patch, resp.PatchType = patch, new(admissionv1.PatchTypeJSONPatch)
	return resp
}

// tooLarge refuses a pod that is larger than any realistic one.
func tooLarge(why string) admission.Response {
	return admission.Errored(http.StatusUnprocessableEntity,
		errors.New("the pod is too large for secrets to be put into it: "+why+"; annotate it "+projector.AnnotationInject+`: "false" to have it without`))
}
