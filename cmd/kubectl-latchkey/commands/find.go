// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
)

// kinds says which of the two kinds are meant.
type kinds struct{ flag string }

func (k *kinds) addFlag(set *pflag.FlagSet) {
	set.StringVar(&k.flag, "kind", "", "user or agent: which kind of secret is meant; both without it")
}

func (k *kinds) check() error {
	if !slices.Contains([]string{"", "user", "agent"}, k.flag) {
		return cli.Usage("--kind is user or agent")
	}
	return nil
}

// list returns the secrets of the kinds that are meant. Where the caller may see one kind
// alone, the other is missing and partial is its error.
func (k *kinds) list(ctx context.Context, c *cluster.Cluster, namespace string, options metav1.ListOptions) (items []cluster.Item, partial, err error) {
	if err := k.check(); err != nil {
		return nil, nil, err
	}
	var refused []error
	wanted := 0
	for _, kind := range []struct {
		flag string
		list func(context.Context, string, metav1.ListOptions) ([]cluster.Item, error)
	}{{"user", c.Users}, {"agent", c.Agents}} {
		if k.flag != "" && k.flag != kind.flag {
			continue
		}
		wanted++
		found, err := kind.list(ctx, namespace, options)
		switch {
		case cluster.IsForbidden(err):
			refused = append(refused, err)
		case err != nil:
			return nil, nil, err
		}
		items = append(items, found...)
	}
	slices.SortStableFunc(items, func(a, b cluster.Item) int {
		return strings.Compare(a.Meta().Namespace+"/"+a.Resource()[:1]+a.Meta().Name, b.Meta().Namespace+"/"+b.Resource()[:1]+b.Meta().Name)
	})
	switch {
	case len(refused) == wanted:
		return nil, nil, refused[0]
	case len(refused) > 0:
		return items, refused[0], nil
	}
	return items, nil, nil
}
