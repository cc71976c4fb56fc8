// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"context"
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

func TestReconcile_Item_IsPutBackWhereItIsMissing(t *testing.T) {
	broken := errors.New("broken")
	for name, tc := range map[string]struct {
		there       client.Object
		corrects    bool
		read, write error
		asked       request
		wantPutBack int
		wantErr     bool
	}{
		"it is gone":  {asked: request{"Secret", "ours"}, wantPutBack: 1},
		"it is there": {asked: request{"Secret", "ours"}, there: &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "own", Name: "ours"}}},
		"it is there, and may have been changed": {asked: request{"Secret", "ours"}, corrects: true, wantPutBack: 1,
			there: &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "own", Name: "ours"}}},
		"a namesake of another kind is there":  {asked: request{"Secret", "ours"}, there: &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "own", Name: "ours"}}, wantPutBack: 1},
		"a namesake of another tenant's":       {asked: request{"Secret", "ours"}, there: &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "alice", Name: "ours"}}, wantPutBack: 1},
		"something else is gone":               {asked: request{"Secret", "theirs"}},
		"something else of its name is gone":   {asked: request{"ConfigMap", "ours"}},
		"nobody can say whether it is there":   {asked: request{"Secret", "ours"}, read: broken, wantErr: true},
		"it cannot be written, and is retried": {asked: request{"Secret", "ours"}, write: broken, wantPutBack: 1, wantErr: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithInterceptorFuncs(interceptor.Funcs{
				Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
					if tc.read != nil {
						return tc.read
					}
					return c.Get(ctx, key, obj, opts...)
				},
			})
			if tc.there != nil {
				b.WithObjects(tc.there)
			}
			got := 0
			c := &Controller{Objects: b.Build(), Namespace: "own", Items: []Item{{Kind: "Secret", Name: "ours", Corrects: tc.corrects, PutBack: func(context.Context) error {
				got++
				return tc.write
			}}}}
			_, err := c.Reconcile(t.Context(), tc.asked)
			if got != tc.wantPutBack || (err != nil) != tc.wantErr {
				t.Errorf("put back %d times with %v, want %d and an error: %t", got, err, tc.wantPutBack, tc.wantErr)
			}
		})
	}
}
