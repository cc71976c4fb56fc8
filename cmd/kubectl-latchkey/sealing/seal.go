// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package sealing

import (
	"cmp"
	"errors"
	"fmt"
	"io"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/manifest"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/sealer"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// Seal replaces values in a manifest by sealed ones.
type Seal struct {
	// Path is the manifest, or Stdin.
	Path string
	// InPlace changes the file; else the changed text goes to Out.
	InPlace bool
	// Namespace is that of all objects, as it was chosen; "" for none.
	Namespace string
	// DefaultNamespace is that of objects which name none; "" for none.
	DefaultNamespace string
	// NamespaceUID binds the values to this very namespace as well.
	NamespaceUID string
	// Key seals.
	Key *seal.PublicKey
	// In is standard input, Out takes the result and Err notices.
	In       io.Reader
	Out, Err io.Writer
}

// Run does it. All values are sealed, or nothing is written.
func (s *Seal) Run() error {
	text, err := read(s.Path, s.In)
	if err != nil {
		return err
	}
	objects, skipped := manifest.Read(text)
	problems := 0
	for _, skip := range skipped {
		problems++
		say(s.Err, "%s:%d cannot be read: %s\n", s.Path, skip.Line, skip.Reason)
	}
	var edits []manifest.Edit
	for _, o := range objects {
		if !o.HasValue {
			continue
		}
		found, err := s.object(o)
		if err != nil {
			problems++
			say(s.Err, "%s: %s\n", place(s.Path, o), err)
			continue
		}
		edits = append(edits, found)
	}
	if problems > 0 {
		return cli.Refused("nothing was sealed. Try: kubectl latchkey validate -f %s", s.Path)
	}
	changed := manifest.Apply(text, edits)
	say(s.Err, "%s sealed with key %s\n", cli.Counted(len(edits), "value"), s.Key.ID())
	if !s.InPlace {
		_, err := s.Out.Write(changed)
		return err
	}
	if len(edits) == 0 {
		return nil
	}
	return write(s.Path, changed)
}

func (s *Seal) object(o *manifest.Object) (manifest.Edit, error) {
	namespace := o.Namespace
	switch {
	case namespace == "":
		namespace = cmp.Or(s.Namespace, s.DefaultNamespace)
	case s.Namespace != "" && s.Namespace != namespace:
		return manifest.Edit{}, fmt.Errorf("metadata.namespace is %s, and -n says %s", namespace, s.Namespace)
	}
	if namespace == "" {
		return manifest.Edit{}, errors.New("metadata.namespace is missing, for which the value is sealed: set it, or choose one with -n")
	}
	found := sealer.Look(o, namespace)
	var problems []error
	for _, p := range found.Problems {
		problems = append(problems, p)
	}
	if len(problems) > 0 {
		return manifest.Edit{}, errors.Join(problems...)
	}
	if found.Value == nil {
		return manifest.Edit{}, errors.New("spec.value is null: take it out")
	}
	found.Target.Context.NamespaceUID = s.NamespaceUID
	text, err := found.Target.Seal(s.Key, *found.Value)
	if err != nil {
		return manifest.Edit{}, err
	}
	return o.Seal(text)
}
