// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package framework

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

// NewScheme returns the kinds that tests read and write.
func NewScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	return scheme
}

// Namespace returns a namespace; without a name, the API server chooses one.
func Namespace(name string) *corev1.Namespace {
	if name == "" {
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "tenant-"}}
	}
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

// UserSecret returns a UserSecret.
func UserSecret(namespace, name string, spec v1alpha1.UserSecretSpec) *v1alpha1.UserSecret {
	return &v1alpha1.UserSecret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: spec}
}

// AgentSecret returns an AgentSecret with a type and a value, both in JSON; an empty value
// means none.
func AgentSecret(namespace, name, secretType, value string, path ...string) *v1alpha1.AgentSecret {
	a := &v1alpha1.AgentSecret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.AgentSecretSpec{
			Path:       path,
			SecretType: runtime.RawExtension{Raw: []byte(secretType)},
		},
	}
	if value != "" {
		a.Spec.Value = v1alpha1.NewWriteOnly([]byte(value))
	}
	return a
}

// Secret returns a native Secret of type Opaque.
func Secret(namespace, name string, data map[string]string) *corev1.Secret {
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Data: map[string][]byte{}}
	for k, v := range data {
		s.Data[k] = []byte(v)
	}
	return s
}
