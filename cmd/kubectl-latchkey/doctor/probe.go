// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/internal/binding"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// Probe is what two dry runs came to that create a UserSecret: one whose value opens, and
// one whose value was sealed for another object. Nothing is stored. Together they prove
// the right, admission and the keys: what opens must be let in, and what does not must not.
type Probe struct {
	// Unsealed is why there was no value to send; "" where there was one.
	Unsealed string
	// Right and Wrong are the answers to the two.
	Right, Wrong Answer
}

// Answer is the API server's answer.
type Answer struct {
	// Denied is the right that the caller lacks.
	Denied string
	// Refused are the reasons of admission or of the CRD.
	Refused []metav1.StatusCause
	// Problem is any other error; "" for none.
	Problem string
}

// probe sends the dry runs, with a value that nobody uses.
func (r *Reader) probe(ctx context.Context, namespace string, key *seal.PublicKey) (Probe, error) {
	name := "doctor-" + strings.ToLower(rand.Text()[:10])
	var p Probe
	for _, try := range []struct {
		sealedFor string
		answer    *Answer
	}{{name, &p.Right}, {name + "-other", &p.Wrong}} {
		sealed, err := seal.Seal(key, binding.User(namespace, try.sealedFor), seal.ValueOf(rand.Text()))
		if err != nil {
			return p, err
		}
		obj := &v1alpha1.UserSecret{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			Spec:       v1alpha1.UserSecretSpec{Name: name, SealedValue: sealed.String()},
		}
		_, err = r.cluster.CreateUser(ctx, obj, true)
		*try.answer = answerOf(err)
	}
	return p, nil
}

func answerOf(err error) Answer {
	var answered apierrors.APIStatus
	right, denied := cluster.Denied(err)
	switch {
	case err == nil:
		return Answer{}
	case denied:
		return Answer{Denied: right.String()}
	case apierrors.IsInvalid(err) && errors.As(err, &answered) && answered.Status().Details != nil && len(answered.Status().Details.Causes) > 0:
		return Answer{Refused: answered.Status().Details.Causes}
	case errors.As(err, &answered):
		return Answer{Problem: answered.Status().Message}
	}
	return Answer{Problem: err.Error()}
}

// taken reports whether the object would have been stored.
func (a Answer) taken() bool { return a.Denied == "" && a.Problem == "" && len(a.Refused) == 0 }

// opens reports whether nothing was said against the value.
func (a Answer) opens() bool {
	for _, c := range a.Refused {
		if strings.HasPrefix(c.Field, "spec.sealedValue") {
			return false
		}
	}
	return true
}

func probed(f TenantFacts) []Finding {
	const check = "Dry run"
	p, more := f.Probe, "kubectl latchkey doctor --system -n "+f.Name
	switch {
	case p.Unsealed != "":
		return []Finding{failed(check, more, "there is nothing to seal with: %s", p.Unsealed)}
	case p.Right.Denied != "":
		return []Finding{{Check: check, State: Unknown, Text: "you may not " + p.Right.Denied, Needs: p.Right.Denied}}
	case p.Right.Problem != "":
		return []Finding{failed(check, more, "a secret cannot be created: %s", meaning(p.Right.Problem))}
	case !p.Right.opens():
		return []Finding{failed(check, "kubectl latchkey keys list", "a value that was sealed with the published key is refused: %s", causes(p.Right.Refused))}
	case p.Wrong.taken():
		return []Finding{failed(check, more, "admission is not asked: a value that was sealed for another object is let in")}
	case p.Wrong.opens():
		return []Finding{failed(check, more, "admission did not look at the value: %s%s", meaning(p.Wrong.Problem), causes(p.Wrong.Refused))}
	case len(p.Right.Refused) > 0:
		return []Finding{warn(check, "kubectl latchkey list -n "+f.Name, "admission works, and lets no further secret in: %s", causes(p.Right.Refused))}
	}
	return []Finding{ok(check, "you may create secrets, admission answers, and the published key opens")}
}

func causes(all []metav1.StatusCause) string {
	var texts []string
	for _, c := range all {
		texts = append(texts, c.Message)
	}
	return strings.Join(texts, "; ")
}

// meanings say what is wrong where the API server cannot ask admission.
var meanings = []struct{ sign, cause string }{
	{"unknown authority", "the caBundle of the webhook is not that of the server"},
	{"certificate has expired", "the server's certificate has expired"},
	{"connection refused", "no server listens"},
	{"no endpoints available", "no server is ready"},
	{"deadline exceeded", "the server does not answer in time"},
	{"could not find the requested resource", "the path of the webhook is not that of the server"},
	{"no sealing key is loaded", "the server has no sealing key"},
}

func meaning(problem string) string {
	for _, m := range meanings {
		if strings.Contains(problem, m.sign) {
			return fmt.Sprintf("%s (%s)", m.cause, problem)
		}
	}
	return problem
}
