// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

// Condition is a condition of any object.
type Condition struct {
	Type    string `json:"type"`
	Status  string `json:"status"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// CRD is what is looked at of a CustomResourceDefinition.
type CRD struct {
	Spec struct {
		Versions []struct {
			Name   string `json:"name"`
			Served bool   `json:"served"`
		} `json:"versions"`
	} `json:"spec"`
	Status struct {
		Conditions []Condition `json:"conditions"`
	} `json:"status"`
}

// APIService is what is looked at of an APIService.
type APIService struct {
	Spec struct {
		CABundle []byte `json:"caBundle"`
	} `json:"spec"`
	Status struct {
		Conditions []Condition `json:"conditions"`
	} `json:"status"`
}

func crds(f SystemFacts) []Finding {
	const check = "CRDs"
	var found []Finding
	for _, name := range crdNames {
		crd := f.CRDs[name]
		if unread, is := crd.unread(check); is {
			return unread
		}
		switch {
		case crd.Absent:
			found = append(found, failed(check, f.reinstall(), "%s is missing", name))
		case !isTrue(crd.Value.Status.Conditions, "Established"):
			found = append(found, failed(check, "kubectl describe crd "+name, "%s is not established: %s", name, message(crd.Value.Status.Conditions, "Established")))
		case !serves(crd.Value):
			found = append(found, failed(check, f.reinstall(), "%s does not serve %s", name, v1alpha1.GroupVersion.Version))
		}
	}
	return orOK(found, check, "both are established")
}

func serves(c CRD) bool {
	for _, v := range c.Spec.Versions {
		if v.Name == v1alpha1.GroupVersion.Version {
			return v.Served
		}
	}
	return false
}

func isTrue(conditions []Condition, kind string) bool {
	return slices.ContainsFunc(conditions, func(c Condition) bool { return c.Type == kind && c.Status == "True" })
}

func message(conditions []Condition, kind string) string {
	for _, c := range conditions {
		if c.Type == kind {
			return c.Reason + " " + c.Message
		}
	}
	return "it has no condition " + kind
}

func webhooks(f SystemFacts) []Finding {
	const check = "Webhooks"
	if unread, is := f.Webhooks.unread(check); is {
		return unread
	}
	if f.Webhooks.Absent {
		return []Finding{failed(check, f.reinstall(), "MutatingWebhookConfiguration %s is missing: values that are not sealed are refused, and pods get no secrets", configuration)}
	}
	var found []Finding
	there := map[string]bool{}
	for i := range f.Webhooks.Value.Webhooks {
		hook := &f.Webhooks.Value.Webhooks[i]
		there[hook.Name] = true
		if problem := caProblem(hook.ClientConfig.CABundle, f.Now); problem != "" {
			found = append(found, failed(check, f.pods(controller), "the caBundle of %s %s; the controller writes it", hook.Name, problem))
		} else if s := hook.ClientConfig.Service; s == nil || s.Path == nil || *s.Path == "" {
			found = append(found, failed(check, f.pods(controller), "%s has no path; the controller writes it", hook.Name))
		}
		if weak := weakness(hook); weak != "" {
			found = append(found, failed(check, f.reinstall(), "%s was altered: %s", hook.Name, weak))
		}
	}
	for _, name := range secretHooks {
		if !there[name] {
			found = append(found, failed(check, f.reinstall(), "%s is missing: values of that kind that are not sealed are refused", name))
		}
	}
	for _, name := range podHooks {
		if !there[name] {
			found = append(found, warn(check, f.reinstall(), "%s is missing: pods get no secrets, unless that is meant (webhooks.pods.enabled)", name))
		}
	}
	return orOK(found, check, "all have a caBundle and a path")
}

// weakness says how somebody weakened a webhook that seals. While the controller runs, it
// corrects that; what was altered before, it takes as it is.
func weakness(hook *admissionregistrationv1.MutatingWebhook) string {
	if !slices.Contains(secretHooks, hook.Name) {
		return "" // the chart's values decide about pods
	}
	var asked []admissionregistrationv1.OperationType
	for _, rule := range hook.Rules {
		asked = append(asked, rule.Operations...)
	}
	unknown := slices.IndexFunc(hook.MatchConditions, func(c admissionregistrationv1.MatchCondition) bool { return c.Name != "not-from-rest" })
	switch {
	case hook.FailurePolicy != nil && *hook.FailurePolicy != admissionregistrationv1.Fail:
		return "objects are not refused while no server answers"
	case !slices.Contains(asked, admissionregistrationv1.Create) || !slices.Contains(asked, admissionregistrationv1.Update):
		return "it is not asked about every creation and update"
	case unknown >= 0:
		return "it has a condition that is not Latchkey's: " + hook.MatchConditions[unknown].Name
	}
	return ""
}

// caProblem says what is wrong with the certificates by which the API server knows
// Latchkey.
func caProblem(bundle []byte, now time.Time) string {
	if len(bundle) == 0 {
		return "is empty"
	}
	valid := false
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return "cannot be read"
		}
		valid = valid || now.Before(certificate.NotAfter)
	}
	if !valid {
		return "has no certificate that is still valid"
	}
	return ""
}

func apiServices(f SystemFacts) []Finding {
	const check = "APIServices"
	var found []Finding
	var absent []string
	for _, name := range apiServiceNames {
		service := f.APIServices[name]
		if unread, is := service.unread(check); is {
			return unread
		}
		_, unregistered := f.Unregistered.Value[name]
		switch {
		case service.Absent && unregistered:
			found = append(found, failed(check, f.pods(server), "%s is unregistered, since no server is ready", name))
		case service.Absent:
			absent = append(absent, name)
		case !isTrue(service.Value.Status.Conditions, "Available"):
			found = append(found, failed(check, f.pods(server), "%s is not available: %s", name, message(service.Value.Status.Conditions, "Available")))
		default:
			if problem := caProblem(service.Value.Spec.CABundle, f.Now); problem != "" {
				found = append(found, failed(check, f.pods(controller), "the caBundle of %s %s; the controller writes it", name, problem))
			}
		}
	}
	switch {
	case len(absent) == len(apiServiceNames) && f.Unregistered.Denied == "":
		found = append(found, warn(check, f.reinstall(), "there are none: the REST APIs have Latchkey's own port alone, unless that is meant (aggregatedAPI.enabled)"))
	case len(absent) > 0:
		found = append(found, failed(check, f.reinstall(), "%s is missing", strings.Join(absent, ", ")))
	}
	return orOK(found, check, "both are available")
}
