// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/latchkey-dev/latchkey/controllers/aggregation"
	"github.com/latchkey-dev/latchkey/internal/certs"
	"github.com/latchkey-dev/latchkey/internal/logging"
)

// uninstallOptions are the choices of "latchkey uninstall".
type uninstallOptions struct {
	logging    logging.Options
	kubeconfig string
	namespace  string
	timeout    time.Duration
}

func (o *uninstallOptions) validate() error {
	err := o.logging.Validate()
	if !namespacePattern.MatchString(o.namespace) {
		err = errors.Join(err, errors.New("--namespace must be the name of a namespace"))
	}
	if o.timeout <= 0 {
		err = errors.Join(err, errors.New("--timeout must be above 0"))
	}
	return err
}

func (o *uninstallOptions) addFlags(fs *pflag.FlagSet) {
	o.logging.AddFlags(fs)
	fs.StringVar(&o.kubeconfig, "kubeconfig", "", "Kubeconfig file. Without it, the pod's own service account is used.")
	fs.StringVar(&o.namespace, "namespace", "latchkey-system", "Latchkey's own namespace.")
	fs.DurationVar(&o.timeout, "timeout", time.Minute, "How long it may take.")
}

func uninstallCommand() *cobra.Command {
	o := &uninstallOptions{}
	cmd := command("uninstall", "Detach the API server from Latchkey before its processes are removed", o, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, o.timeout)
		defer cancel()
		log := o.logging.Setup(os.Stderr)
		cfg, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
		if err != nil {
			return fmt.Errorf("find the cluster (set --kubeconfig, or run in a pod): %w", err)
		}
		c, err := dynamic.NewForConfig(cfg)
		if err != nil {
			return fmt.Errorf("reach the API server: %w", err)
		}
		return detach(ctx, c, o.namespace, log)
	})
	cmd.Long = cmd.Short + `.

Deletes the APIServices, what the controller would make them from again, and the webhook
configuration, and nothing else: objects, sealing keys and native Secrets stay. If they
were left behind, the API server would go on asking a server that is gone, which stops
pods of tenants from being made and namespaces from being deleted. What is not there is
passed over. The Helm chart runs it before it deletes anything else.`
	return cmd
}

// uninstallMark is the patch that marks an object for the controller.
var uninstallMark = []byte(`{"metadata":{"annotations":{"` + aggregation.AnnotationUninstall + `":"true"}}}`)

// detach deletes what makes the API server ask Latchkey. It needs no discovery, which
// an APIService without a server slows down. One failure does not keep it from the
// rest.
func detach(ctx context.Context, c dynamic.Interface, namespace string, log logr.Logger) error {
	type object struct {
		schema.GroupVersionResource
		namespace, name string
	}
	// First what the controller unregistered: from there, it would put them back.
	objects := []object{{schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, namespace, aggregation.ConfigMapName}}
	for _, name := range certs.APIServices() {
		objects = append(objects, object{schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}, "", name})
	}
	objects = append(objects, object{
		schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "mutatingwebhookconfigurations"},
		"", certs.WebhookConfiguration,
	})
	var errs []error
	// A controller that runs would put back what somebody deletes.
	for _, o := range objects {
		if o.namespace != "" {
			continue
		}
		_, err := c.Resource(o.GroupVersionResource).Patch(ctx, o.name, types.MergePatchType, uninstallMark, metav1.PatchOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			errs = append(errs, fmt.Errorf("mark %s %s: %w", o.Resource, o.name, err))
		}
	}
	for _, o := range objects {
		err := c.Resource(o.GroupVersionResource).Namespace(o.namespace).Delete(ctx, o.name, metav1.DeleteOptions{})
		switch {
		case apierrors.IsNotFound(err):
			log.Info("Not found, nothing to delete", "resource", o.Resource, "name", o.name)
		case err != nil:
			errs = append(errs, fmt.Errorf("delete %s %s: %w", o.Resource, o.name, err))
		default:
			log.Info("Deleted", "resource", o.Resource, "name", o.name)
		}
	}
	return errors.Join(errs...)
}
