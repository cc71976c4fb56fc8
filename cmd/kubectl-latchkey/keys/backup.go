// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/google/renameio/v2/maybe"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

const (
	// maxBackup is the largest backup that is read.
	maxBackup = 16 << 20
	// skew is by how much clocks may differ.
	skew = 5 * time.Minute

	dataPrivate = "private"
	dataPublic  = "public"
)

// Backup writes all keys, encrypted for recipients, to a new file that its owner alone
// can read. It returns the ids of the keys.
func (k *Keys) Backup(ctx context.Context, recipients []string, path string) ([]string, error) {
	to, err := age.ParseRecipients(strings.NewReader(strings.Join(recipients, "\n")))
	if err != nil {
		return nil, cli.Refused("--recipient: one is not a recipient of age, such as age1…. Make one: age-keygen -o key.txt")
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		return nil, cli.Refused("-O: %s exists, or cannot be looked at; choose another name. Try: ls -l %[1]s", path)
	}
	found, err := k.cluster.Core.Secrets(k.namespace).List(cluster.Unlogged(ctx), selector)
	if err != nil {
		return nil, err
	}
	list := corev1.SecretList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "List"}}
	var ids []string
	for i := range found.Items {
		kept, err := keySecret(&found.Items[i], k.namespace)
		if err != nil {
			return nil, err
		}
		list.Items = append(list.Items, *kept)
		ids = append(ids, idOf(kept))
	}
	if len(ids) == 0 {
		return nil, cli.Refused("there is no sealing key in namespace %s; the controller makes the first. Try: kubectl latchkey doctor --system", k.namespace)
	}
	plain, err := sigsyaml.Marshal(list)
	if err != nil {
		return nil, errors.New("the keys cannot be written as YAML")
	}
	sealed, err := encrypt(plain, to)
	if err != nil {
		return nil, err
	}
	return ids, maybe.WriteFile(path, sealed, 0o600)
}

func encrypt(plain []byte, to []age.Recipient) ([]byte, error) {
	var out bytes.Buffer
	armored := armor.NewWriter(&out)
	w, err := age.Encrypt(armored, to...)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := errors.Join(w.Close(), armored.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// keySecret returns of a Secret what makes a sealing key, and refuses what is none. A
// backup is not signed, and whoever can write one must not have other Secrets made.
func keySecret(s *corev1.Secret, namespace string) (*corev1.Secret, error) {
	public, err := seal.ParsePublicKey(s.Data[dataPublic])
	created := s.Annotations[v1alpha1.AnnotationCreated]
	_, timeErr := time.Parse(time.RFC3339Nano, created)
	if err != nil || timeErr != nil || s.Type != v1alpha1.SecretTypeSealingKey || s.Labels[v1alpha1.LabelSealingKey] != "true" ||
		s.Name != SecretName(public.ID()) || len(s.Data[dataPrivate]) == 0 {
		return nil, cli.Refused("Secret %s is not a sealing key: its name, type, label, time and halves must belong together. Try: kubectl latchkey keys list", s.Name)
	}
	immutable := true
	return &corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{
			Name: s.Name, Namespace: namespace,
			Labels:      map[string]string{v1alpha1.LabelSealingKey: "true"},
			Annotations: map[string]string{v1alpha1.AnnotationCreated: created},
		},
		Type: s.Type, Immutable: &immutable,
		Data: map[string][]byte{dataPrivate: s.Data[dataPrivate], dataPublic: s.Data[dataPublic]},
	}, nil
}

func idOf(s *corev1.Secret) string { return strings.TrimPrefix(s.Name, v1alpha1.SealingKeyPrefix) }

// Restored is what a restore came to.
type Restored struct {
	// Created are the keys that were missing, Present those that were not.
	Created []string `json:"restored"`
	Present []string `json:"present"`
	// Failed is the key that could not be stored; those of NotTried come after it.
	Failed   string   `json:"failed,omitempty"`
	NotTried []string `json:"notTried,omitempty"`
	// Objects is how many objects the created keys seal; nil where that is not known.
	Objects *int `json:"objects,omitempty"`
	// Uncounted is why it is not known.
	Uncounted error `json:"-"`
	// Rotate reports whether a restored key is the newest. It carries the request for a
	// successor then: nobody knows who else has the backup.
	Rotate bool `json:"rotateRequested"`
}

// Restore stores the keys of a backup that are missing. dryRun is none, client or server.
// An error with a key that failed says that those before it are done.
func (k *Keys) Restore(ctx context.Context, backup, identities io.Reader, now time.Time, dryRun string) (Restored, error) {
	kept, err := k.keysIn(backup, identities, now)
	if err != nil {
		return Restored{}, err
	}
	there, err := k.List(ctx)
	if err != nil {
		return Restored{}, err
	}
	newest := newestOf(kept, there)
	done := Restored{Created: []string{}, Present: []string{}}
	for n, s := range kept {
		if s == newest {
			s.Annotations[v1alpha1.AnnotationRotateRequested] = requestAt(createdOf(s), now)
		}
		switch created, err := k.create(ctx, s, there, dryRun); {
		case err != nil:
			done.Failed = idOf(s)
			for _, left := range kept[n+1:] {
				done.NotTried = append(done.NotTried, idOf(left))
			}
			return done, err
		case created:
			done.Created = append(done.Created, idOf(s))
			done.Rotate = done.Rotate || s == newest
		default:
			done.Present = append(done.Present, idOf(s))
		}
	}
	counts, err := k.objects(ctx)
	if err != nil {
		done.Uncounted = err
		return done, nil // the keys are there; the count is an extra
	}
	objects := 0
	for _, id := range done.Created {
		objects += counts[id]
	}
	done.Objects = &objects
	return done, nil
}

// keysIn returns the keys of a backup, and refuses it where one is none.
func (k *Keys) keysIn(backup, identities io.Reader, now time.Time) ([]*corev1.Secret, error) {
	all, err := decrypt(backup, identities)
	if err != nil {
		return nil, err
	}
	var kept []*corev1.Secret
	for i := range all.Items {
		s, err := keySecret(&all.Items[i], k.namespace)
		if err != nil {
			return nil, err
		}
		if createdOf(s).After(now.Add(skew)) {
			return nil, cli.Refused("key %s says that it was made in the future, and would seal from now on: check the clock of this machine, then the backup. Try: date -u", idOf(s))
		}
		kept = append(kept, s)
	}
	return kept, nil
}

// create stores a key, and reports whether it was missing.
func (k *Keys) create(ctx context.Context, s *corev1.Secret, there []Key, dryRun string) (bool, error) {
	if dryRun == "client" {
		return !slices.ContainsFunc(there, func(key Key) bool { return key.ID == idOf(s) }), nil
	}
	options := metav1.CreateOptions{FieldManager: cluster.FieldManager, DryRun: dry(dryRun)}
	_, err := k.cluster.Core.Secrets(k.namespace).Create(cluster.Unlogged(ctx), s, options)
	if apierrors.IsAlreadyExists(err) {
		return false, nil
	}
	return err == nil, err
}

// newestOf returns the Secret that would be the newest key, nil where one that is there
// is.
func newestOf(kept []*corev1.Secret, there []Key) *corev1.Secret {
	var newest *corev1.Secret
	for _, s := range kept {
		if newest == nil || createdOf(s).After(createdOf(newest)) {
			newest = s
		}
	}
	if newest != nil && len(there) > 0 && !createdOf(newest).After(there[0].Created) {
		return nil
	}
	return newest
}

func createdOf(s *corev1.Secret) time.Time {
	created, _ := time.Parse(time.RFC3339Nano, s.Annotations[v1alpha1.AnnotationCreated])
	return created
}

// decrypt reads a backup. Errors quote nothing of it.
func decrypt(backup, identities io.Reader) (*corev1.SecretList, error) {
	ids, err := age.ParseIdentities(identities)
	if err != nil {
		return nil, cli.Refused("--identity: the file has no identity of age, which age-keygen writes. Try: age-keygen -y FILE")
	}
	r, err := age.Decrypt(armor.NewReader(backup), ids...)
	if err != nil {
		return nil, cli.Refused("the backup does not open with this identity, or is none. Try the --identity whose recipient the backup was made for")
	}
	plain, err := io.ReadAll(io.LimitReader(r, maxBackup+1))
	if err != nil || len(plain) > maxBackup {
		return nil, cli.Refused("the backup was cut short or altered, or is too large. Try another copy of it")
	}
	all := &corev1.SecretList{}
	if sigsyaml.Unmarshal(plain, all) != nil || len(all.Items) == 0 {
		return nil, cli.Refused("the backup holds no keys. Try another one")
	}
	return all, nil
}
