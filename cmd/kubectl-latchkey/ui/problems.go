// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package ui

import (
	"errors"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/users"
)

// problems are what a form is told: a text for each field, and one for all. A form is
// never rendered again, so no answer holds what was typed.
type problems struct {
	Name, Value, Env, File, Description, Type, Form string
	Commands                                        []string
}

func (p *problems) add(field, text string) {
	for prefix, to := range map[string]*string{
		"name": &p.Name, "value": &p.Value, "env": &p.Env, "file": &p.File, "description": &p.Description, "type": &p.Type,
		"spec.name": &p.Name, "spec.value": &p.Value, "spec.sealedValue": &p.Value, "spec.envName": &p.Env,
		"spec.filePath": &p.File, "spec.description": &p.Description, "spec.path": &p.Name, "spec.secretType": &p.Type,
	} {
		if field == prefix {
			*to = join(*to, text)
			return
		}
	}
	p.Form = join(p.Form, text)
}

func (p problems) empty() bool {
	return p.Name+p.Value+p.Env+p.File+p.Description+p.Type+p.Form == ""
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + " " + b
}

// problemsOf takes from an answer of the API server what concerns fields.
func problemsOf(err error) problems {
	var p problems
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return p
	}
	for _, c := range status.Status().Details.Causes {
		if c.Field != "" {
			p.add(c.Field, sentence(c.Message))
		}
	}
	return p
}

func problemsIn(draft users.Draft) problems {
	var p problems
	for _, found := range draft.Check() {
		p.add(string(found.Field), sentence(found.Text))
	}
	return p
}

func sentence(text string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return ""
	}
	text = strings.ToUpper(text[:1]) + text[1:]
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	return text
}
